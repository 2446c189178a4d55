"""Extensions by other packages (commands, datasets, metrics), found by entry point."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, TypeVar

from sdd_bench.errors import UserError

Thing = TypeVar("Thing")

DATASETS = "sdd_bench.datasets"
METRICS = "sdd_bench.metrics"
API = "sdd_bench.api"
"""Functions of the Python API that other packages provide: `rank`, `load_baseline`."""


def load_extensions(group: str, kind: type[Thing]) -> dict[str, Thing]:
    """Return the objects that installed packages provide in a group of entry points, by name.

    Args:
        group: `DATASETS` or `METRICS`.
        kind: Required class of the objects.

    Raises:
        UserError: A package cannot be imported, or provides an object of another class.
    """
    found: dict[str, Thing] = {}
    for point in entry_points(group=group):
        package = point.dist.name if point.dist else "a package"
        where = f"{package}: {group} entry point {point.name} = {point.value}"
        try:
            thing = point.load()
        except Exception as error:  # importing another package may raise any exception
            raise UserError(f"{where}: cannot be loaded ({type(error).__name__}: {error})") from error
        if not isinstance(thing, kind):
            raise UserError(f"{where}: is a {type(thing).__name__}, expected a {kind.__module__}.{kind.__qualname__}")
        found[point.name] = thing
    return found


def load_function(name: str) -> Callable[..., Any]:
    """Return a function of the Python API that another package provides.

    Raises:
        UserError: No installed package provides it.
    """
    found = entry_points(group=API, name=name)
    if not found:
        raise UserError(f"sdd_bench.{name}: no installed package offers it; run pip install sdd-bench")
    function: Callable[..., Any] = next(iter(found)).load()
    return function
