"""Public functions that open datasets."""

from __future__ import annotations

from pathlib import Path

from sdd_bench.datasets import catalog
from sdd_bench.datasets.manifest import Dataset


def open_dataset(
    path: str | Path,
    split: str | None = None,
    *,
    sharp: str | Path | None = None,
    dataset: str | None = None,
    grey: str = "refuse",
) -> Dataset:
    """Return a dataset that `sdd-bench prepare` wrote, or one as it was released; its files are only read.

    `len`, iteration, `dataset["0012"]`, `dataset[3]` and slices give pairs: `pair.name`, `pair.blur` and `pair.sharp`
    (paths, which every function of the API takes as images), `pair.scene`, `pair.split`.

    Args:
        path: The folder; with `sharp` that of the blur images.
        split: Keep the pairs of this split alone. A released dataset without splits is all `test`.
        sharp: Folder of the sharp images, for any two folders whose files have the same names. All pairs are then of
            one split, `test` if `split` is None, and `dataset` is the name in results, `pairs` if None.
        dataset: Name of a released dataset, such as `sdd` or `dpdd`; recognised by its folders if None.
        grey: `refuse`, or `expand` to accept grey images.

    Raises:
        UserError: Nothing known there, no such split, or faults of files, all named.
    """
    if sharp is not None:
        return catalog.open_two_folders(Path(path), Path(sharp), split or "test", dataset, grey)
    return catalog.open_dataset(Path(path), split, dataset, grey)
