"""The house: imports run down, heavy libraries live in one file each (h5py in four), nothing is called utils."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("sdd_bench", "capture", "leaderboard", "jdrl_baseline")
FLOORS = [
    {"sdd_bench.version"},
    {"sdd_bench.errors", "sdd_bench.interrupt"},
    {"sdd_bench.png_header", "sdd_bench.packed", "sdd_bench.path_text"},
    {"sdd_bench.files"},
    {"sdd_bench.image_io", "sdd_bench.image_headers", "sdd_bench.png_header", "sdd_bench.srgb"},
    {"sdd_bench.image_headers"},
    {"sdd_bench.run_lock", "sdd_bench.workers", "sdd_bench.cluster"},
    {"sdd_bench.work"},
    {"sdd_bench.run_folder"},
    {"sdd_bench.geometry"},
    {"sdd_bench.dataset"},
    {"sdd_bench.scoring", "sdd_bench.baselines"},
    {"sdd_bench.report"},
    {"capture", "leaderboard", "jdrl_baseline"},
    {"sdd_bench.commands"},
    {"sdd_bench.cli"},
]
ONE_FILE = {
    "ptlflow": ("sdd_bench/geometry/flow.py",),
    "lpips": ("sdd_bench/scoring/perceptual.py",),
    "h5py": tuple(f"sdd_bench/dataset/{name}.py" for name in ("store", "archive", "hdf5_file", "hdf5_members")),
    "distributed": ("sdd_bench/cluster.py",),
    "filelock": ("sdd_bench/run_lock.py",),
    "imagehash": ("sdd_bench/dataset/similar.py",),
    "joblib": ("sdd_bench/workers.py",),
    "rawpy": ("capture/develop.py",),
    "exifread": ("capture/exif.py",),
}


def modules() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor(module: str) -> int | None:
    for level, rooms in enumerate(FLOORS):
        if any(module == room or module.startswith(room + ".") for room in rooms):
            return level
    return None


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_down(path: Path) -> None:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    if name == "sdd_bench":
        return
    here = floor(name)
    assert here is not None, f"{name} has no floor in FLOORS"
    for target in imports(path):
        there = floor(target)
        if there is not None:
            assert there <= here, f"{name} imports {target}, which stands above it"


@pytest.mark.parametrize("package", ["capture", "leaderboard", "jdrl_baseline"])
def test_the_three_packages_never_import_each_other(package: str) -> None:
    others = {"capture", "leaderboard", "jdrl_baseline"} - {package}
    for path in (ROOT / package).rglob("*.py"):
        assert not {i.split(".")[0] for i in imports(path)} & others


@pytest.mark.parametrize("library", ONE_FILE)
def test_a_heavy_library_lives_in_one_file(library: str) -> None:
    users = [str(p.relative_to(ROOT)) for p in modules() if any(i.split(".")[0] == library for i in imports(p))]
    assert set(users) <= set(ONE_FILE[library])


def test_no_room_without_a_subject() -> None:
    assert not [p for p in modules() if p.stem in ("utils", "helpers", "common", "misc")]


def test_the_drawing_of_the_house_names_every_file_and_no_other() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named, folder = set(), ""
    for line in page[page.index("## Every file") :].splitlines():
        if line.startswith("**"):
            folder = line.strip("*")
        elif line.startswith("| `"):
            named.add(folder + line.split("`")[1])
    assert named == {str(path.relative_to(ROOT)) for path in modules() if path.stem != "__init__"}
