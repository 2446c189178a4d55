"""Sources of `prepare`: a folder, an archive or parquet files."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from sdd_bench.datasets import parquet
from sdd_bench.datasets.archive import is_archive, unpack
from sdd_bench.datasets.catalog import LAYOUTS, recognise
from sdd_bench.datasets.manifest import read_prepared
from sdd_bench.datasets.parquet import unpack_parquet
from sdd_bench.datasets.parquet_source import is_parquet
from sdd_bench.datasets.plan import Choices, choose_recipe, plan
from sdd_bench.datasets.prepare import Preparation, Summary, prepare
from sdd_bench.errors import UserError
from sdd_bench.io.serialise import read_csv
from sdd_bench.jobs.run_folder import WORK_FOLDER, RunFolder
from sdd_bench.jobs.workers import Workers

ARCHIVED = ("sdd", "pairs")
"""Datasets that an archive with blur/ and gt/ can be declared as."""


def is_source(path: Path) -> bool:
    """Return whether a path can be prepared, without opening a file: a folder or a packed file."""
    return path.is_dir() or is_archive(path) or is_parquet(path)


def prepare_source(
    source: Path, choices: Choices, out: Path | None, jobs: Workers
) -> tuple[Preparation, Path, Summary]:
    """Plan and prepare a dataset; an archive or parquet files give the same bytes as their original folder.

    They are extracted to a hidden folder beside the dataset, which is used again after a kill and removed when the
    dataset is complete. Frames that a complete dataset already has are not extracted again.

    Args:
        source: A folder with a known layout, an archive, a parquet file or a folder of parquet files.
        choices: Choices of the user.
        out: Folder of the dataset; None takes data/NAME.
        jobs: Number of worker processes; the bytes written do not depend on it.

    Raises:
        UserError: As in `unpack`, `unpack_parquet`, `plan` and `prepare`.
    """
    packed = _is_packed(source, choices.dataset)
    if not packed and not is_archive(source):
        preparation = plan(source, choices, jobs)
        target = out or Path("data") / preparation.name
        return preparation, target, prepare(preparation, target, jobs)
    if packed and choices.dataset is None:
        choices = replace(choices, dataset=parquet.dataset_of(source))
    target = out or Path("data") / (choices.name or choices.dataset or "pairs")
    _check_before_unpacking(source, choices, target, tuple(parquet.DATASETS) if packed else ARCHIVED)
    complete = (target / "dataset.json").is_file()
    folder = target.resolve().with_name(f".{target.resolve().name}.unpacked")
    at_hand = _frames(target) if complete else {}
    if packed:
        assert choices.dataset is not None
        unpack_parquet(source, folder, choices.dataset, jobs=jobs, at_hand=at_hand)
    else:
        unpack(source, folder, jobs=jobs, at_hand=at_hand)
    try:
        preparation = plan(folder, choices, jobs)
        summary = prepare(preparation, target, jobs)
    except UserError:
        if complete:  # another dataset exists there: the extracted files are useless to the next command
            shutil.rmtree(folder)
        raise
    shutil.rmtree(folder)
    return preparation, target, summary


def _is_packed(source: Path, dataset: str | None) -> bool:
    """Return whether parquet files are to be prepared; images beside them take precedence."""
    if not is_parquet(source):
        return False
    return source.is_file() or recognise(source, dataset if dataset in LAYOUTS else None) is None


def _check_before_unpacking(source: Path, choices: Choices, target: Path, allowed: tuple[str, ...]) -> None:
    """Raise UserError for errors that would otherwise appear after minutes of extraction."""
    if choices.dataset not in (None, *allowed):
        what = "an archive" if allowed == ARCHIVED else "a dataset of parquet files"
        raise UserError(f"{source}: {what} is never {choices.dataset}; --dataset can be {' or '.join(allowed)}")
    choose_recipe(choices.dataset or "pairs", choices)
    if not (target / "dataset.json").is_file() and not (target / WORK_FOLDER).is_dir():
        RunFolder(target, target / "dataset.json", {})


def _frames(root: Path) -> dict[str, Path]:
    """Return the frames of a prepared dataset by the SHA-256 of their files."""
    read_prepared(root)
    rows = read_csv(root / "pairs.csv", ("blur_sha256", "sharp_sha256"))
    return {row[f"{role}_sha256"]: root / row[role] for row in rows for role in ("blur", "sharp")}
