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
"""Weights files by column of a metric."""

LPIPS = "lpips"
"""Column of LPIPS, whose weights have their own options and no prefix in results."""


def files_of(wanted: Iterable[str], folder: Path | None = None, *, download: bool = True) -> Files:
    """Return the weights files of metrics that need any, except LPIPS.

    Args:
        wanted: Columns of metrics.
        folder: Folder that is searched first.
        download: Whether missing files may be downloaded into torch's cache.

    Raises:
        UserError: Packages or files are missing; those of all metrics are reported together.
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
    """Return a metric with its weights, loaded once per process.

    Raises:
        UserError: A package is missing, or a file does not contain the weights.
    """
    weights = METRICS[name].weights
    assert weights is not None
    return weights.load(files, device)


def weights_digest(name: str, weights: Mapping[str, str]) -> str:
    """Return a digest of the weights that a metric was measured with; empty if unknown.

    Args:
        name: Column of the metric.
        weights: Weights as recorded in results, see `identities`.

    Returns:
        SHA-256 of its file, or a digest of the SHA-256 of all its files.

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
    """Return the identities of weights for results, with the metric's name as prefix.

    Raises:
        UserError: Metrics cannot be loaded; all are named.
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
