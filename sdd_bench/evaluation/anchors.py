"""The anchors of a dataset on disk: made once, reused by every evaluation, shipped with a dataset.

```
ANCHORS/SPLIT/NAME.json        transform, analysis, coverage, the blur image's own scores, sha256 of everything
ANCHORS/SPLIT/NAME.mask.png    255 where a pixel counts, 0 elsewhere
ANCHORS/SPLIT/NAME.truth.png   the sharp image in the blur image's frame, 16 bits
ANCHORS/SPLIT.csv              one row a pair, see anchor_tables
ANCHORS/anchor-2/...           the same of `anchored/2`, and of each pair
.../SPLIT/NAME.radius.png      blur radius, 1/256 px, 16 bits, of the frame reduced by a whole number
```

A record is used as long as its method version, the sha256 of the pair's two files and those of its own files hold;
else it is made anew, as is one that lacks a number that results take from it. A pair that cannot be anchored has a
record too, which says why.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import CannotWriteError, UserError
from sdd_bench.evaluation.anchor_making import AnchorTask, ensure_anchor, inputs_of
from sdd_bench.evaluation.anchor_record import (
    METHODS,
    AnchorFiles,
    AnchorRecord,
    FoundAnchor,
    files_of,
    read_record,
)
from sdd_bench.evaluation.by_radius import radius_of
from sdd_bench.io.files import clear_leftovers
from sdd_bench.io.images import read_header, read_image, read_pixels
from sdd_bench.io.text import read_json
from sdd_bench.jobs.items import Item, map_items
from sdd_bench.jobs.lock import run_lock
from sdd_bench.jobs.output_record import RECORD, record_of, write_request
from sdd_bench.jobs.outputs import place
from sdd_bench.jobs.workers import Workers
from sdd_bench.registration import truth
from sdd_bench.registration.confidence import DOUBTFUL

FOLDER = "anchors"
NAMED = 10
"""Anchors of a lower confidence are said to be so, up to so many by name."""


@dataclass(frozen=True)
class StoredTruth:
    """Stored truth that a pair's predictions are scored against under an anchored protocol.

    Attributes:
        truth: (H, W, 3) float32 in [0, 1].
        mask: (H, W) bool.
        blur: The blur image's own values, under the names of `row_columns.BLUR_OWN` less their first part.
        radius_px: (h, w) blur radius of the frame reduced by a whole number; None under `anchored/1`.
        ceiling_db: PSNR of the truth against a perfect one; None under `anchored/1`.
        ceiling: The mean squared errors that it is made of.
    """

    truth: NDArray[np.float32]
    mask: NDArray[np.bool_]
    blur: dict[str, float | None]
    radius_px: NDArray[np.float32] | None = None
    ceiling_db: float | None = None
    ceiling: Mapping[str, float] = field(default_factory=dict)


def ensure_anchors(
    pairs: Sequence[Pair],
    folder: Path,
    jobs: Workers,
    grey: str = "refuse",
    *,
    method: str = truth.METHOD,
    wait: bool = True,
    owner: Path | None = None,
    overwrite: bool = False,
) -> list[AnchorRecord]:
    """Return the record of every pair's anchor, in their order, made where there is none that holds.

    Args:
        pairs: Names must be unique within a split.
        folder: Folder of the anchors; only written where one has to be made.
        jobs: Worker processes; the bytes do not depend on it.
        grey: `refuse` or `expand`.
        method: One of `anchor_record.METHODS`.
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
        items = [_item(pair, folder, method, grey, closed) for pair in pairs]
        with run_lock(folder / ".lock", folder, wait=wait) if writable else contextlib.nullcontext():
            if writable:
                clear_leftovers(folder, deep=True)
                if overwrite or _is_empty(folder):
                    write_request(folder / RECORD, request, {})
            records = map_items(ensure_anchor, items, jobs=jobs, label="anchor", where="anchor")
    except CannotWriteError as error:
        raise CannotWriteError(f"{error.message}; give a folder for the anchors with --anchors DIR") from None
    doubtful = [record.name for record in records if record.status == "anchored" and _is_doubtful(record)]
    if doubtful:
        named = ", ".join(doubtful[:NAMED]) + (f" and {len(doubtful) - NAMED} more" if len(doubtful) > NAMED else "")
        click.echo(
            f"warning: anchor confidence is under {DOUBTFUL:g}, so scores of these pairs are unreliable: {named}",
            err=True,
        )
    return list(records)


def _is_doubtful(record: FoundAnchor) -> bool:
    confidence = record.analysis.get("confidence")
    return isinstance(confidence, float) and confidence < DOUBTFUL


def _is_empty(folder: Path) -> bool:
    """Return whether there is no such folder, or nothing but hidden files in it."""
    return not folder.is_dir() or all(path.name.startswith(".") for path in folder.iterdir())


def _why_closed(folder: Path, pairs: Sequence[Pair], request: Mapping[str, Any]) -> str:
    """Return why no anchors are made in a folder, though those in it may be used; nothing where they are.

    Raises:
        UserError: The folder holds other files and not one anchor of these pairs.
    """
    earlier = record_of(folder / RECORD)
    if earlier.request == request if earlier else _is_empty(folder):
        return ""
    if earlier is not None:
        return f"{folder} holds anchors of another dataset or a copy made by --export, which are not changed"
    if any(_is_record(files_of(folder, pair, method)) for pair in pairs for method in METHODS):
        return ""  # of a version that kept no record
    raise UserError(f"{folder}: is not empty and holds no anchors of these pairs; give another folder with --anchors")


def _is_record(files: AnchorFiles) -> bool:
    """Return whether a file is the record of an anchor, of whatever images and method."""
    try:
        record = read_json(files.record)
    except UserError:
        return False
    return isinstance(record, dict) and {"schema", "method", "blur_sha256", "sharp_sha256"} <= record.keys()


def held_anchors(
    pairs: Sequence[Pair], folder: Path, jobs: Workers, grey: str = "refuse", *, method: str = truth.METHOD
) -> list[AnchorRecord | None]:
    """Return the records that hold in a folder, in the pairs' order, None for the others; nothing is written."""
    items = [_item(pair, folder, method, grey) for pair in pairs]
    return [record for (record,) in map_items(_held, items, jobs=jobs, label="read anchors", where="anchors")]


def read_truth(folder: Path, pair: Pair, record: FoundAnchor) -> StoredTruth:
    """Return the truth, the mask and what else is stored of a pair whose record `ensure_anchors` gave.

    Raises:
        UserError: They cannot be read, or are of another size than the blur image.
    """
    files = files_of(folder, pair, record.method)
    drawn = read_image(files.truth)
    mask = np.asarray(read_pixels(files.mask, grey="expand")[..., 0] > 0)
    header = read_header(pair.blur)
    if not drawn.shape[:2] == mask.shape == (header.height, header.width):
        sizes = f"truth is {drawn.shape[1]}x{drawn.shape[0]}, mask {mask.shape[1]}x{mask.shape[0]}"
        raise UserError(f"{files.record}: {sizes}, the blur image {header.width}x{header.height}; delete the anchor")
    radius = None if files.radius is None else radius_of(read_pixels(files.radius, grey="expand")[..., 0])
    return StoredTruth(drawn, mask, record.blur, radius, record.ceiling_db, record.ceiling)


def anchors_sha256(records: Iterable[FoundAnchor]) -> str:
    """Return a digest of the pixels that records stand for, independent of their order and of file compression.

    A blur radius is part of it where there is one.
    """
    lines = sorted("\t".join((r.name, r.truth_sha256, r.mask_sha256, *_radius_sha256(r))) + "\n" for r in records)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _radius_sha256(record: FoundAnchor) -> tuple[str, ...]:
    return (record.radius_sha256,) if record.radius_sha256 else ()


def _item(pair: Pair, folder: Path, method: str, grey: str, closed: str = "") -> Item[AnchorTask]:
    return Item(f"{pair.split}/{pair.name}".lstrip("/"), (pair, folder, method, grey, closed))


def _held(task: AnchorTask) -> tuple[AnchorRecord | None]:
    """Return the record of a pair, None where there is none that holds."""
    pair, folder, method, grey, _ = task
    return (read_record(files_of(folder, pair, method), inputs_of(pair, method, grey)),)
