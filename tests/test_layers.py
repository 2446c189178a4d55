"""The architecture: three layers, imports that point downwards, no cycles, heavy libraries in one file, no utils."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Hashable, Iterator, Mapping, Set
from pathlib import Path
from typing import TypeVar

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("sdd_bench", "capture", "leaderboard", "jdrl_baseline")
FLOORS = (
    {"errors", "version", "extensions", "io", "jobs"},
    {"registration", "metrics", "datasets", "synthesis", "evaluation", "report"},
    {"", "api", "torch", "cli", "commands", "capture", "leaderboard", "jdrl_baseline"},
)
"""Packages of the three layers, from the lowest: foundations, subjects, and user interfaces. Names without a package
are in sdd_bench."""

ONE_FILE = {
    "ptlflow": ("sdd_bench/registration/ptlflow_models.py",),
    "lpips": ("sdd_bench/metrics/lpips.py",),
    "pyiqa": ("sdd_bench/metrics/pyiqa_models.py",),
    "h5py": (
        "sdd_bench/datasets/store.py",
        "sdd_bench/datasets/archive.py",
        "sdd_bench/io/hdf5_file.py",
        "sdd_bench/io/hdf5_members.py",
    ),
    "distributed": ("sdd_bench/jobs/dask.py",),
    "filelock": ("sdd_bench/jobs/lock.py",),
    "matplotlib": (
        "sdd_bench/report/canvas.py",
        "sdd_bench/report/grid.py",
        "sdd_bench/report/maps.py",
        "sdd_bench/report/plots.py",
        "sdd_bench/report/scatter.py",
        "sdd_bench/report/separation.py",
    ),
    "pyarrow": ("sdd_bench/datasets/parquet_file.py",),
    "imagehash": ("sdd_bench/datasets/similar.py",),
    "pymatting": ("jdrl_baseline/classical/matting.py",),
    "joblib": ("sdd_bench/jobs/workers.py",),
    "networkx": ("leaderboard/alike.py",),
    "rawpy": ("capture/develop.py",),
    "exifread": ("capture/exif.py",),
    "pillow_heif": ("sdd_bench/io/heif.py",),
}
Node = TypeVar("Node", bound=Hashable)


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


def read_imports(path: Path) -> Iterator[str]:
    """Yield every name that a file imports, anywhere in the file, also for type checkers only."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(name: str) -> str | None:
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or None


IMPORTED = {name: set(read_imports(path)) for name, path in MODULES.items()}
IMPORTS = {name: {m for i in found if (m := module_of(i))} - {name} for name, found in IMPORTED.items()}


def room(module: str) -> str:
    """The folder of a module, or the module itself if it lies directly in sdd_bench."""
    package, _, rest = module.partition(".")
    if package == "sdd_bench":
        return rest.partition(".")[0]
    folder = MODULES[module].parent.relative_to(ROOT)
    return ".".join(folder.parts)


def floor(room: str) -> int:
    return next(level for level, rooms in enumerate(FLOORS) if room.partition(".")[0] in rooms)


def circles(arrows: Mapping[Node, Set[Node]]) -> set[Node]:
    """Nodes that can be reached from themselves."""
    found = set()
    for start in arrows:
        seen: set[Node] = set()
        waiting = [start]
        while waiting:
            for target in arrows.get(waiting.pop(), set()) - seen:
                seen.add(target)
                waiting.append(target)
        if start in seen:
            found.add(start)
    return found


def test_a_circle_is_seen() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == {"b", "c"}


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_down(module: str) -> None:
    here = floor(room(module))
    up = [target for target in IMPORTS[module] if floor(room(target)) > here]
    assert not up, f"{module} stands below {up}"


def test_no_file_is_in_a_circle() -> None:
    assert not circles(IMPORTS)


def test_no_room_is_in_a_circle() -> None:
    arrows: dict[str, set[str]] = {}
    for module, targets in IMPORTS.items():
        arrows.setdefault(room(module), set()).update({room(target) for target in targets} - {room(module)})
    assert not circles(arrows)


def test_the_toolkit_imports_none_of_the_other_packages_and_they_none_of_each_other() -> None:
    for module, targets in IMPORTS.items():
        package = module.partition(".")[0]
        assert {target.partition(".")[0] for target in targets} <= {package, "sdd_bench"}, module


@pytest.mark.parametrize("library", ONE_FILE)
def test_a_heavy_library_lives_in_one_file(library: str) -> None:
    using = [name for name, found in IMPORTED.items() if any(i.split(".")[0] == library for i in found)]
    users = {str(MODULES[name].relative_to(ROOT)) for name in using}
    assert users == set(ONE_FILE[library])


def test_every_csv_is_written_where_formulas_are_guarded() -> None:
    words = (".to_csv(", "csv.writer(", "csv.DictWriter(")
    writing = {str(p.relative_to(ROOT)) for p in MODULES.values() if any(w in p.read_text("utf-8") for w in words)}
    assert writing == {"sdd_bench/io/serialise.py", "jdrl_baseline/records.py"}  # records holds nothing but numbers


def test_no_room_without_a_subject() -> None:
    assert not [m for m in MODULES if m.rpartition(".")[2] in ("utils", "helpers", "common", "misc")]


def test_every_file_says_its_subject_and_stands_in_the_list_of_files() -> None:
    page = subprocess.run(
        [sys.executable, ROOT / "docs" / "list_files.py"], capture_output=True, text=True, check=True
    ).stdout
    listed = {}
    for part in page.split("\n## ")[1:]:
        folder, _, rest = part.partition("/\n")
        listed |= {f"{folder}/{row.split('`')[1]}": row for row in rest.splitlines() if row.startswith("| `")}
    files = {str(path.relative_to(ROOT)) for path in MODULES.values() if path.stem != "__init__"}
    assert listed.keys() == files
    assert [name for name, row in listed.items() if not row.split(" | ")[1].removesuffix(" |").strip()] == []
    assert listed["sdd_bench/errors.py"].startswith("| `errors.py` | ")


def test_the_walks_name_functions_that_exist_and_at_most_twelve_each() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    walks = page[page.index("## Two walks") : page.index("## Where to add")].split("**A ")[1:]
    assert len(walks) == 2
    for walk in walks:
        steps = [line.split("`")[1] for line in walk.splitlines() if line[:1].isdigit()]
        assert 6 <= len(steps) <= 12
        for step in steps:
            module = module_of(step)
            assert module, step
            found = importlib.import_module(module)
            for name in step.removeprefix(f"{module}.").split("."):
                found = getattr(found, name)
            assert callable(found)
