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
    """Return a dataset that `sdd-bench prepare` wrote, or one in its released layout; its files are only read.

    `len`, iteration, `dataset["0012"]`, `dataset[3]` and slices give pairs with `pair.name`, `pair.blur` and
    `pair.sharp` (paths, which every function of the API accepts as images), `pair.scene` and `pair.split`.

    Args:
        path: Folder of the dataset; with `sharp`, the folder of the blur images.
        split: Name of the split to keep; None keeps all. A released dataset without splits is all `test`.
        sharp: Folder of the sharp images, for any two folders whose files have the same names. All pairs are then in
            one split (`split`, or `test` if None), and `dataset` is the name in results (`pairs` if None).
        dataset: Name of a released dataset, such as `sdd` or `dpdd`; recognised by its folders if None.
        grey: `refuse` grey images, or `expand` them to RGB.

    Raises:
        UserError: The folder holds no known dataset, the split does not exist, or files are faulty (all are named).
    """
    if sharp is not None:
        return catalog.open_two_folders(Path(path), Path(sharp), split or "test", dataset, grey)
    return catalog.open_dataset(Path(path), split, dataset, grey)
