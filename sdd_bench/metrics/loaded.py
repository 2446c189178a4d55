"""Metrics that need weights: files are located once, and the metric is built once per worker."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from sdd_bench.errors import UserError, fault_report
from sdd_bench.metrics.metric import LoadedMetric
from sdd_bench.metrics.table import METRICS
from sdd_bench.metrics.weights_files import find_files

Files = dict[str, tuple[Path, ...]]
"""Column of a metric to the files of its weights."""

LPIPS = "lpips"
"""The metric whose weights have options of their own, and stand in results without its name in front."""


def files_of(wanted: Iterable[str], folder: Path | None = None, *, download: bool = True) -> Files:
    """Return the weights of those of some metrics that need any, LPIPS excepted.

    Args:
        wanted: Columns of metrics.
        folder: Where files are looked for first.
        download: Whether missing files may be fetched into torch's cache.

    Raises:
        UserError: Packages or files that are missing, those of all metrics together.
    """
    found: Files = {}
    faults = []
    for name in wanted:
        weights = METRICS[name].weights
        if weights is None:
            continue
        try:
            weights.check()
            found[name] = find_files(weights.files, folder, METRICS[name].heading, download=download)
        except UserError as error:
            faults.append(error.message)
    if len(faults) == 1:
        raise UserError(faults[0])
    if faults:
        raise fault_report(faults, "metrics that cannot be measured")
    return found


@lru_cache(maxsize=len(METRICS))
def loaded_metric(name: str, files: tuple[Path, ...], device: str) -> LoadedMetric:
    """Return a metric with its weights, loaded once a process.

    Raises:
        UserError: A package is missing, or a file does not hold the weights.
    """
    weights = METRICS[name].weights
    assert weights is not None
    return weights.load(files, device)


def weights_digest(name: str, weights: Mapping[str, str]) -> str:
    """Return what names the weights that a metric was measured with; empty where nothing does.

    Args:
        name: Column of the metric.
        weights: What results state of weights, see `identities`.

    Returns:
        The sha256 of its file, or one of the sha256 of all its files.

    >>> weights_digest("lpips", {"net": "alex", "trunk_sha256": "ab"}), weights_digest("dists", {"niqe_sha256": "cd"})
    ('ab', '')
    """
    first = "trunk" if name == LPIPS else name
    longer = [f"{other}_" for other in METRICS if other.startswith(f"{name}_")]
    found = {
        key: value
        for key, value in sorted(weights.items())
        if key.startswith(f"{first}_") and key.endswith("_sha256") and not key.startswith(tuple(longer))
    }
    if len(found) <= 1:
        return next(iter(found.values()), "")
    return hashlib.sha256("".join(f"{key}\t{value}\n" for key, value in found.items()).encode()).hexdigest()


def identities(files: Mapping[str, tuple[Path, ...]], device: str) -> dict[str, str]:
    """Return what results state of the weights: what each metric says, behind the name of the metric.

    Raises:
        UserError: Metrics that cannot be loaded, all named.
    """
    found: dict[str, str] = {}
    faults = []
    for name, paths in files.items():
        try:
            identity = loaded_metric(name, paths, device).identity
            found |= {f"{name}_{key}": value for key, value in identity.items()}
        except UserError as error:
            faults.append(error.message)
    if len(faults) == 1:
        raise UserError(faults[0])
    if faults:
        raise fault_report(faults, "metrics that cannot be measured")
    return found
