"""The wheel: it contains every file of the packages, and its commands work without a checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("sdd_bench", "capture", "leaderboard", "jdrl_baseline")
KEPT_OUT = {".pyc"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed wheel, built from a copy of the files that belong to it."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, folder / "source" / name)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    build = (*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder / "dist", folder / "source")
    done = subprocess.run(list(map(str, build)), capture_output=True, text=True, check=False)
    if "setuptools" in done.stderr and "No module" in done.stderr:
        pytest.skip("setuptools is not installed: no wheel can be built without a network")
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


@pytest.mark.long
def test_the_wheel_holds_every_file_of_the_packages(installed: Path) -> None:
    for name in PACKAGES:
        own = {path.relative_to(ROOT) for path in (ROOT / name).rglob("*") if path.is_file()}
        own = {path for path in own if path.suffix not in KEPT_OUT and "__pycache__" not in path.parts}
        there = {path.relative_to(installed) for path in (installed / name).rglob("*") if path.is_file()}
        assert there == own


@pytest.mark.long
def test_the_demo_runs_from_the_wheel_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "SDD_BENCH_LPIPS_TRUNK"}
    environment |= {"PYTHONPATH": str(installed), "TORCH_HOME": str(tmp_path)}

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "sdd_bench.cli", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    where = [sys.executable, "-c", "import sdd_bench, leaderboard; print(sdd_bench.__file__, leaderboard.__file__)"]
    found = subprocess.run(where, capture_output=True, text=True, check=True, env=environment, cwd=tmp_path).stdout
    assert all(Path(path).is_relative_to(installed) for path in found.split())
    assert "jdrl-small" in run("demo", "--out", "demo")
    assert (tmp_path / "demo" / "report.html").is_file()
    assert (tmp_path / "demo" / "leaderboard.html").is_file()
