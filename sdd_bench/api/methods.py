"""Functions of methods and their results: evaluate, load, rank, and baselines to compare with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdd_bench import extensions
from sdd_bench.evaluation.results import Results, read_results

if TYPE_CHECKING:
    import pandas as pd


def load_results(path: str | Path) -> Results:
    """Return the results that `evaluate`, or `Results.save`, wrote; every number is checked.

    Raises:
        UserError: Not a results file, or one that is damaged or was edited.
    """
    return read_results(Path(path))


def rank(results: Sequence[Results | str | Path], sort: str = "psnr_db") -> pd.DataFrame:
    """Return the ranked table of several methods' results, best first.

    Args:
        results: Of one dataset, split and protocol: from `evaluate` or `load_results`, or paths of results files.
        sort: The metric that ranks.

    Returns:
        One row a method: rank, tie, method, n_images, each metric with the ends of its 95 % interval, status.

    Raises:
        UserError: Results that cannot share a table, or a file that cannot be read.
        ValueError: No results, or an unknown metric.
    """
    return extensions.load_function("rank")(results, sort)


def load_baseline(name: str | Path, **options: Any) -> Callable[..., Any]:
    """Return a function from a blur image to a restored one.

    Args:
        name: `identity`, or a checkpoint of `sdd-bench train-baseline`.
        options: `tile` and `device`, as of `sdd-bench predict`.

    Raises:
        ValueError: An unknown name or option.
        UserError: A checkpoint that cannot be read.
    """
    return extensions.load_function("load_baseline")(name, **options)
