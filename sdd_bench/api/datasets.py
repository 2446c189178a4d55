"""Datasets as a scientist opens them."""

from __future__ import annotations

from pathlib import Path

from sdd_bench.datasets import catalog
from sdd_bench.datasets.manifest import Dataset


def open_dataset(
    path: str | Path, split: str | None = None, *, dataset: str | None = None, grey: str = "refuse"
) -> Dataset:
    """Return a dataset that `sdd-bench prepare` wrote, or one as it was released; its files are only read.

    `len`, iteration, `dataset["0012"]`, `dataset[3]` and slices give pairs: `pair.name`, `pair.blur` and `pair.sharp`
    (paths, which every function of the API takes as images), `pair.scene`, `pair.split`.

    Args:
        path: The folder.
        split: Keep the pairs of this split alone. A released dataset without splits is all `test`.
        dataset: Name of a released dataset, such as `sdd` or `dpdd`; recognised by its folders if None.
        grey: `refuse`, or `expand` to accept grey images.

    Raises:
        UserError: Nothing known there, no such split, or faults of files, all named.
    """
    return catalog.open_dataset(Path(path), split, dataset, grey)
