"""Duplicate images: copies of files, one view in two scenes, a view that is already in a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from capture.record import Hash, Record
from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.datasets.similar import MAX_DISTANCE, bits_of, hash_files
from sdd_bench.jobs.workers import Workers

NAMED = 3
"""Number of matches named in a reason; the others are counted."""


@dataclass
class Found:
    """Reasons to refuse or flag a pair because of other images."""

    refusals: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Known:
    """Views of a dataset.

    Attributes:
        name: Name of the dataset.
        pairs: Split and name of each pair.
        hashes: Perceptual hashes of their sharp images, 64 characters of 0 and 1.
    """

    name: str
    pairs: tuple[str, ...]
    hashes: tuple[Hash, ...]

    def __post_init__(self) -> None:
        if len(self.pairs) != len(self.hashes):
            raise ValueError("expected a hash for each pair")


def known_views(data: Path, jobs: Workers) -> Known:
    """Return the views of a dataset, prepared or as released.

    Raises:
        UserError: As in `open_dataset`.
    """
    dataset = open_dataset(data, grey="expand")
    files = sorted({pair.sharp for pair in dataset.pairs})
    hashes = dict(zip(files, hash_files(files, jobs), strict=True))
    names = tuple(f"{pair.split}/{pair.name}".lstrip("/") for pair in dataset.pairs)
    return Known(dataset.name, names, tuple(hashes[pair.sharp] for pair in dataset.pairs))


def find_duplicates(records: Sequence[Record], known: Mapping[str, Sequence[Known]]) -> dict[str, Found]:
    """Return each pair's reasons because of other images, by its name, independent of the order of the records.

    A pair is refused if both shots are one file, or if both files are those of an earlier pair in the order of names.
    It gets a warning if its gt shot looks like that of another scene or like a sharp image of a dataset, by perceptual
    hash (`sdd_bench.datasets.similar`), because such views must not be divided between splits.

    Args:
        records: Records of all sessions.
        known: Session to the datasets with which its pairs are compared.
    """
    ordered = sorted(records, key=lambda record: record.name)
    found = {record.name: Found() for record in ordered}
    first: dict[tuple[str, str], str] = {}
    for record in ordered:
        originals = (record.blur.sha256, record.gt.sha256)
        if not all(originals):
            continue
        if originals[0] == originals[1]:
            found[record.name].refusals.append(
                f"blur and gt are the same picture: {record.blur.file}, {record.gt.file}"
            )
        elif originals in first:
            found[record.name].refusals.append(f"the same two files as {first[originals]}")
        first.setdefault(originals, record.name)
    shown = [(record, record.developed.gt_hash) for record in ordered if record.developed is not None]
    bits = bits_of([gt_hash for _, gt_hash in shown])
    views = {session: [(data, bits_of(data.hashes)) for data in datasets] for session, datasets in known.items()}
    for index, (record, _) in enumerate(shown):
        near = np.flatnonzero(_distances(bits[index], bits) <= MAX_DISTANCE)
        others = {shown[i][0].scene_name for i in near} - {record.scene_name}
        if others:
            found[record.name].warnings.append(f"gt looks like that of scene {_named(sorted(others))}: one view twice?")
        for dataset, of_dataset in views.get(record.session, ()):
            near = np.flatnonzero(_distances(bits[index], of_dataset) <= MAX_DISTANCE)
            if len(near):
                alike = _named([dataset.pairs[i] for i in near])
                found[record.name].warnings.append(f"gt looks like {alike} of dataset {dataset.name}")
    return found


def _distances(one: NDArray[np.int8], many: NDArray[np.int8]) -> NDArray[np.intp]:
    return np.asarray(np.count_nonzero(many != one, axis=1))


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
