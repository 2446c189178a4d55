"""The anchors of a dataset on disk: made once, reused by every evaluation, shipped with a dataset.

```
ANCHORS/SPLIT/NAME.json        transform, analysis, coverage, the blur image's own scores, sha256 of everything
ANCHORS/SPLIT/NAME.mask.png    255 where a pixel counts, 0 elsewhere
ANCHORS/SPLIT/NAME.truth.png   the sharp image in the blur image's frame, 16 bits
ANCHORS/SPLIT.csv              one row a pair
```

A record is used as long as its method version, the sha256 of the pair's two files and those of its own two files hold;
else it is made anew, as is one that lacks a number that results take from it. A pair that cannot be anchored has a
record too, which says why.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy
from numpy.typing import NDArray

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import CannotWriteError, UserError
from sdd_bench.evaluation.anchor_record import (
    UNSPLIT,
    AnchorFiles,
    AnchorRecord,
    FailedAnchor,
    FoundAnchor,
    files_of,
    read_record,
)
from sdd_bench.evaluation.diagnostics import diagnose
from sdd_bench.io.files import clear_leftovers, file_sha256, write_bytes, write_text
from sdd_bench.io.images import encode_png, read_header, read_image, read_pixels, to_float, to_pixels
from sdd_bench.io.serialise import csv_text, json_text
from sdd_bench.io.text import read_json
from sdd_bench.jobs.items import Item, map_items
from sdd_bench.jobs.lock import run_lock
from sdd_bench.jobs.outputs import RECORD, place, read_request, write_request
from sdd_bench.jobs.workers import Workers
from sdd_bench.metrics.fidelity import psnr_db
from sdd_bench.registration.analysis import NUMBERS
from sdd_bench.registration.anchor import METHOD, Anchor, find_anchor
from sdd_bench.version import __version__

FOLDER = "anchors"
COLUMNS = (
    "split", "name", "status", "kind", *NUMBERS, "confidence", "field_px", "field_gain", "coverage", "blur_psnr_db",
    "blur_gdi50_px", "blur_gdi95_px", "blur_forgiveness_db", "truth_sha256", "why",
)  # fmt: skip

CONVENTION = (
    "p_blur = c + zoom * R(rotation) * (p_sharp - c) + shift; pixel p of the truth is read in the sharp image where "
    "p + field(p) comes from; field: cubic B-splines, clamped, control points over the whole frame"
)


_Task = tuple[Pair, Path, str, str]
"""A pair, the folder of anchors, what to do with grey, and why no anchor is made there, empty where it is."""


@dataclass(frozen=True)
class StoredTruth:
    """What a pair's predictions are scored against under an anchored protocol.

    Attributes:
        truth: (H, W, 3) float32 in [0, 1].
        mask: (H, W) bool.
        blur: The blur image's own psnr_db, gdi50_px, gdi95_px and forgiveness_db.
    """

    truth: NDArray[np.float32]
    mask: NDArray[np.bool_]
    blur: dict[str, float | None]


def ensure_anchors(
    pairs: Sequence[Pair],
    folder: Path,
    jobs: Workers,
    grey: str = "refuse",
    *,
    wait: bool = True,
    owner: Path | None = None,
    overwrite: bool = False,
) -> list[AnchorRecord]:
    """Return the record of every pair's anchor, in their order, made where there is none that holds.

    Args:
        pairs: Names must be unique within a split.
        folder: Of the anchors; only written where one has to be made.
        jobs: Worker processes; the bytes do not depend on it.
        grey: `refuse` or `expand`.
        wait: Wait where another run makes anchors in the folder, so that none is made twice, instead of refusing.
        owner: The dataset's folder; the one that `folder` lies in if None. Anchors are made only in a new folder, or in
            one that holds this dataset's.
        overwrite: Make anchors in any folder.

    Raises:
        UserError: Images that cannot be read, or a folder that cannot be written, or holds other files; a pair that
            cannot be anchored is not an error here: its record's `status` is `failed`.
    """
    request = {"anchors of": place(owner or folder.parent, folder / "any")}
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    writable = os.access(existing, os.W_OK)  # where nothing can be written, anchors that are there do
    try:
        closed = "" if overwrite else _why_closed(folder, pairs, request)
        items = [_item(pair, folder, grey, closed) for pair in pairs]
        with run_lock(folder / ".lock", folder, wait=wait) if writable else contextlib.nullcontext():
            if writable:
                clear_leftovers(folder, deep=True)
                if overwrite or _is_empty(folder):
                    write_request(folder / RECORD, request, {})
            return map_items(_ensure, items, jobs=jobs, label="anchor", where="anchor")
    except CannotWriteError as error:
        raise CannotWriteError(f"{error.message}; give a folder for the anchors with --anchors DIR") from None


def _is_empty(folder: Path) -> bool:
    """Return whether there is no such folder, or nothing but hidden files in it."""
    return not folder.is_dir() or all(path.name.startswith(".") for path in folder.iterdir())


def _why_closed(folder: Path, pairs: Sequence[Pair], request: Mapping[str, Any]) -> str:
    """Return why no anchors are made in a folder, though those in it may be used; nothing where they are.

    Raises:
        UserError: The folder holds other files and not one anchor of these pairs.
    """
    earlier = read_request(folder / RECORD)
    if earlier == request or (earlier is None and _is_empty(folder)):
        return ""
    if earlier is not None:
        return f"{folder} holds anchors of another dataset or a copy made by --export, which are not changed"
    if any(_is_record(files_of(folder, pair)) for pair in pairs):
        return ""  # of a version that kept no record
    raise UserError(f"{folder}: is not empty and holds no anchors of these pairs; give another folder with --anchors")


def _is_record(files: AnchorFiles) -> bool:
    """Return whether a file is the record of an anchor, of whatever images and method."""
    try:
        record = read_json(files.record)
    except UserError:
        return False
    return isinstance(record, dict) and {"schema", "method", "blur_sha256", "sharp_sha256"} <= record.keys()


def held_anchors(pairs: Sequence[Pair], folder: Path, jobs: Workers, grey: str = "refuse") -> list[AnchorRecord | None]:
    """Return the records that hold in a folder, in the pairs' order, None for the others; nothing is written."""
    found = map_items(_held, [_item(pair, folder, grey) for pair in pairs], jobs=jobs, label="anchors", where="anchors")
    return [record for (record,) in found]


def read_truth(folder: Path, pair: Pair, record: FoundAnchor) -> StoredTruth:
    """Return the truth and the mask of a pair whose record `ensure_anchors` gave.

    Raises:
        UserError: They cannot be read, or are of another size than the blur image.
    """
    files = files_of(folder, pair)
    truth = read_image(files.truth)
    mask = np.asarray(read_pixels(files.mask, grey="expand")[..., 0] > 0)
    header = read_header(pair.blur)
    if not truth.shape[:2] == mask.shape == (header.height, header.width):
        sizes = f"truth is {truth.shape[1]}x{truth.shape[0]}, mask {mask.shape[1]}x{mask.shape[0]}"
        raise UserError(f"{files.record}: {sizes}, the blur image {header.width}x{header.height}; delete the anchor")
    return StoredTruth(truth, mask, record.blur)


def anchors_sha256(records: Iterable[FoundAnchor]) -> str:
    """Return a digest of the pixels that records stand for, independent of their order and of file compression."""
    lines = sorted(f"{r.name}\t{r.truth_sha256}\t{r.mask_sha256}\n" for r in records)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write_tables(records: Sequence[AnchorRecord], folder: Path) -> list[Path]:
    """Write a CSV with one row a record for each split; return the paths. One that says the same is left alone."""
    import pandas as pd

    rows = pd.DataFrame([_table_row(record) for record in records]).reindex(columns=COLUMNS)
    paths = []
    for split, table in rows.groupby("split", sort=False):
        paths.append(folder / f"{str(split) or UNSPLIT}.csv")
        content = table.to_csv(index=False, float_format="%.7g", lineterminator="\n")
        if not (paths[-1].is_file() and paths[-1].read_text(encoding="utf-8") == content):
            write_text(paths[-1], content)
    return paths


def export_anchors(pairs: Sequence[Pair], records: Sequence[AnchorRecord], folder: Path, out: Path) -> int:
    """Copy anchors into a folder that can be shipped beside a dataset; return how many.

    Files that are there already with the same content are left alone.

    Raises:
        UserError: `out` lies in the folder itself, or cannot be written.
    """
    if out.resolve() == folder.resolve():
        raise UserError(f"--export {out}: the anchors lie there already; give another folder")
    shipped = [(pair, record) for pair, record in zip(pairs, records, strict=True) if record.status == "anchored"]
    for pair, _ in shipped:
        here, there = files_of(folder, pair), files_of(out, pair)
        for source, target in ((here.truth, there.truth), (here.mask, there.mask), (here.record, there.record)):
            if not (target.is_file() and file_sha256(target) == file_sha256(source)):
                write_bytes(target, source.read_bytes())
    write_tables([record for _, record in shipped], out)
    write_text(out / "README.txt", EXPORT_README.format(method=METHOD, version=__version__, count=len(shipped)))
    return len(shipped)


EXPORT_README = """Anchors of {count} pairs, method {method}, written by sdd-bench {version}.

SPLIT/NAME.truth.png is the sharp image of a pair drawn into the frame of its blur image, 16 bits; SPLIT/NAME.mask.png
is 255 where a pixel counts; SPLIT/NAME.json holds the transform and the sha256 of the images it was made from and of
the pixels it gave. Score predictions against them with

    sdd-bench evaluate --pred PREDICTIONS --data DATA --anchors THIS_FOLDER
"""


def _item(pair: Pair, folder: Path, grey: str, closed: str = "") -> Item[_Task]:
    return Item(f"{pair.split}/{pair.name}".lstrip("/"), (pair, folder, grey, closed))


def _held(task: _Task) -> tuple[AnchorRecord | None]:
    """Return the record of a pair, None where there is none that holds."""
    pair, folder, grey, _ = task
    return (read_record(files_of(folder, pair), _inputs(pair, grey)),)


def _inputs(pair: Pair, grey: str) -> dict[str, str]:
    """Return what decides an anchor beside the method, under the names of the record."""
    return {"blur_sha256": file_sha256(pair.blur), "sharp_sha256": file_sha256(pair.sharp), "grey": grey}


def table_files(pairs: Sequence[Pair], folder: Path) -> list[Path]:
    """Return what `write_tables` writes for pairs."""
    return [folder / f"{split}.csv" for split in dict.fromkeys(pair.split or UNSPLIT for pair in pairs)]


def is_table(path: Path) -> bool:
    """Return whether a file is a table that `write_tables` wrote, by its columns."""
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline() == csv_text(COLUMNS, ())
    except (OSError, UnicodeDecodeError):
        return False


def _ensure(task: _Task) -> AnchorRecord:
    """Return the record of a pair, made where there is none that holds.

    Raises:
        UserError: None holds and none is to be made in this folder.
    """
    pair, folder, grey, closed = task
    files, inputs = files_of(folder, pair), _inputs(pair, grey)
    known = read_record(files, inputs)
    if known is not None:
        return known
    if closed:
        raise UserError(f"{pair.name}: no anchor of its present images; {closed}; give another folder with --anchors")
    blur, sharp = (read_image(path, grey=grey) for path in (pair.blur, pair.sharp))
    common: dict[str, Any] = {
        "method": METHOD, "name": pair.name, "split": pair.split, **inputs,
        "height": blur.shape[0], "width": blur.shape[1],
        "versions": {
            "sdd-bench": __version__, "numpy": np.__version__, "opencv": cv2.__version__, "scipy": scipy.__version__,
        },
    }  # fmt: skip
    try:
        anchor = find_anchor(blur, sharp)
    except ValueError as error:
        record: AnchorRecord = FailedAnchor(why=str(error), **common)
    else:
        record = _written(files, anchor, blur, sharp, common)
    write_text(files.record, json_text(asdict(record)))
    return record


def _written(
    files: AnchorFiles, anchor: Anchor, blur: NDArray[np.float32], sharp: NDArray[np.float32], common: dict[str, Any]
) -> FoundAnchor:
    """Write truth and mask; return the record of the anchor, with what is common to all records."""
    truth = to_pixels(anchor.draw(sharp), bits=16)
    contents = {"truth": encode_png(truth), "mask": encode_png(anchor.mask.astype(np.uint8) * 255)}
    write_bytes(files.truth, contents["truth"])
    write_bytes(files.mask, contents["mask"])
    seen = to_float(truth)
    own = psnr_db(blur, seen, anchor.mask)
    field = anchor.field
    height, width = anchor.mask.shape
    return FoundAnchor(
        analysis={**anchor.analysis.row()},
        field=None if field is None else {"x_px": field.x_px.tolist(), "y_px": field.y_px.tolist()},
        field_px=0.0 if field is None else field.largest_px(width, height),
        field_gain=anchor.field_gain,
        convention=CONVENTION,
        coverage=anchor.coverage,
        blur={"psnr_db": own if math.isfinite(own) else None, **diagnose(blur, seen, anchor.mask)},
        truth_sha256=hashlib.sha256(truth.tobytes()).hexdigest(),
        mask_sha256=hashlib.sha256(np.packbits(anchor.mask).tobytes()).hexdigest(),
        files={key: hashlib.sha256(content).hexdigest() for key, content in contents.items()},
        **common,
    )


def _table_row(record: AnchorRecord) -> dict[str, object]:
    """Return a record's numbers under the names of the table."""
    if record.status == "failed":
        return asdict(record)
    return {**asdict(record), **record.analysis, **{f"blur_{name}": value for name, value in record.blur.items()}}
