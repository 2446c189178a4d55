"""CSV table of the anchors of each split, and export of anchors for publication with a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError
from sdd_bench.evaluation.anchor_record import CEILING_PARTS, UNSPLIT, AnchorRecord, files_of, folder_of
from sdd_bench.evaluation.row_columns import BLUR_OWN
from sdd_bench.io.files import file_sha256, write_bytes, write_text
from sdd_bench.io.serialise import csv_text, frame_csv
from sdd_bench.registration import truth
from sdd_bench.registration.alignment import ALIGNED_NUMBERS
from sdd_bench.version import __version__

COLUMNS = (
    "split", "name", "status", "kind", *ALIGNED_NUMBERS, "confidence", "field_px", "field_gain", "coverage",
    "blur_psnr_db", "blur_gdi50_px", "blur_gdi95_px", "blur_forgiveness_db", "truth_sha256", "why",
)  # fmt: skip

COLUMNS_2 = (
    *COLUMNS[: COLUMNS.index("blur_psnr_db")], "ceiling_db",
    *(f"ceiling_{part}" for part in CEILING_PARTS), *BLUR_OWN[truth.METHOD],
    *COLUMNS[COLUMNS.index("truth_sha256") :],
)  # fmt: skip
"""Columns for anchors of `anchored/2`."""

EXPORT_README = """Anchors of {count} pairs, method {method}, written by sdd-bench {version}.

SPLIT/NAME.truth.png is the sharp image of a pair drawn into the frame of its blur image, 16 bits; SPLIT/NAME.mask.png
is 255 where a pixel counts; SPLIT/NAME.json holds the transform and the sha256 of the images it was made from and of
the pixels it gave.{more} Score predictions against them with

    sdd-bench evaluate --pred PREDICTIONS --data DATA --anchors THIS_FOLDER
"""


README_MORE = """
SPLIT/NAME.radius.png is the blur radius of the blur image, 16 bits, 1/256 px a step, of the frame reduced by a whole
number. SPLIT lies in {folder}/."""


def table_files(pairs: Sequence[Pair], folder: Path, method: str) -> list[Path]:
    """Return the paths that `write_tables` writes for pairs."""
    folder = folder_of(folder, method)
    return [folder / f"{split}.csv" for split in dict.fromkeys(pair.split or UNSPLIT for pair in pairs)]


def is_table(path: Path) -> bool:
    """Return whether a file was written by `write_tables`, judged by its header row."""
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline() in (csv_text(COLUMNS, ()), csv_text(COLUMNS_2, ()))
    except (OSError, UnicodeDecodeError):
        return False


def write_tables(records: Sequence[AnchorRecord], folder: Path) -> list[Path]:
    """Write a CSV for each split with one row per record; return the paths. An unchanged table is not rewritten."""
    import pandas as pd

    paths: list[Path] = []
    if not records:
        return paths
    names = COLUMNS_2 if records[0].method == truth.METHOD else COLUMNS
    rows = pd.DataFrame([_table_row(record) for record in records]).reindex(columns=names)
    folder = folder_of(folder, records[0].method)
    for split, table in rows.groupby("split", sort=False):
        paths.append(folder / f"{str(split) or UNSPLIT}.csv")
        content = frame_csv(table, "%.7g")
        if not (paths[-1].is_file() and paths[-1].read_text(encoding="utf-8") == content):
            write_text(paths[-1], content)
    return paths


def _table_row(record: AnchorRecord) -> dict[str, object]:
    """Return a record's numbers by the table's column names."""
    if record.status == "failed":
        return asdict(record)
    parts = {f"ceiling_{name}": value for name, value in record.ceiling.items()}
    own = {f"blur_{name}": value for name, value in record.blur.items()}
    return {**asdict(record), **record.analysis, **parts, **own}


def export_anchors(pairs: Sequence[Pair], records: Sequence[AnchorRecord], folder: Path, out: Path) -> int:
    """Copy anchors into a folder that can be published with a dataset; return their number.

    Existing files with the same content are not rewritten.

    Raises:
        UserError: `out` is the anchor folder itself, or cannot be written.
    """
    if out.resolve() == folder.resolve():
        raise UserError(f"--export {out}: the anchors are there already; give another folder")
    shipped = [(pair, record) for pair, record in zip(pairs, records, strict=True) if record.status == "anchored"]
    for pair, record in shipped:
        here, there = (files_of(place, pair, record.method) for place in (folder, out))
        sources, targets = ([*files.pictures.values(), files.record] for files in (here, there))
        for source, target in zip(sources, targets, strict=True):
            if not (target.is_file() and file_sha256(target) == file_sha256(source)):
                write_bytes(target, source.read_bytes())
    write_tables([record for _, record in shipped], out)
    methods = ", ".join(dict.fromkeys(record.method for _, record in shipped))
    second = any(record.method == truth.METHOD for _, record in shipped)
    more = README_MORE.format(folder=folder_of(Path(), truth.METHOD)) if second else ""
    words = EXPORT_README.format(method=methods, version=__version__, count=len(shipped), more=more)
    write_text(out / "README.txt", words)
    return len(shipped)
