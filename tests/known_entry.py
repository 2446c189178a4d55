"""A submitted entry with known scores, and its falsification."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from known import KnownPair

from leaderboard.verification import verify_entry
from sdd_bench.cli import root as cli
from sdd_bench.io.files import file_sha256
from sdd_bench.io.images import to_pixels, write_png
from sdd_bench.registration.similarity import Similarity

MOTIONS = {"a": Similarity(1.006, 0.1, 4.3, -2.4), "b": Similarity(0.995, -0.1, -3.2, 5.1)}
META = 'name = "Mine"\nparams_m = 12.5\nselection_on_test = "no"\n'


@contextmanager
def weightless(folder: Path) -> Iterator[None]:
    """Simulate a machine without LPIPS weights; the folder replaces torch's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SDD_BENCH_LPIPS_TRUNK", raising=False)
        patch.setenv("TORCH_HOME", str(folder))
        yield


@pytest.fixture(autouse=True, scope="module")
def no_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with weightless(tmp_path_factory.mktemp("torch")):
        yield


def make_submission(root: Path, make_known: Callable[..., KnownPair]) -> Path:
    """Write data/, predictions in aligned/, meta.toml and their entry in entry/."""
    for name, motion in MOTIONS.items():
        pair = make_known(motion, 2, margin=110)
        for folder, image in (("data/test/blur", pair.blur), ("data/test/gt", pair.sharp), ("aligned", pair.aligned)):
            write_png(root / folder / f"{name}.png", to_pixels(image))
    (root / "meta.toml").write_text(META)
    result = submit(root, "--codabench")
    assert result.exit_code == 0, result.output
    assert "LPIPS was not measured: no weights" in result.output
    assert "entry/, 2 images, 7 protocols" in result.output
    return root


@pytest.fixture
def root(submitted: Path, tmp_path: Path) -> Path:
    """A copy of the submission."""
    shutil.copytree(submitted, tmp_path / "copy")
    return tmp_path / "copy"


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def submit(root: Path, *more: object, pred: str = "aligned", out: str = "entry") -> Result:
    common = ("--pred", root / pred, "--data", root / "data", "--method", root / "meta.toml", "--jobs", 1)
    return call("submit", *common, "--out", root / out, *more)


def verify(root: Path) -> list[str]:
    return verify_entry(root / "entry", root / "aligned", root / "data", 1)


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def results_file(root: Path, protocol: str = "anchored-1") -> Path:
    return next((root / "entry" / "results").glob(f"*.{protocol}.json"))


def forge(root: Path, name: str, change: Callable[[str], str]) -> None:
    """Change a file of the entry and its sha256 in entry.json."""
    path, entry = root / "entry" / name, root / "entry" / "entry.json"
    before = path.read_text()
    path.write_text(change(before))
    assert path.read_text() != before
    said = json.loads(entry.read_text())
    if name in said["files"]:
        said["files"][name] = file_sha256(path)
        entry.write_text(json.dumps(said))


def forge_results(root: Path, change: Callable[[dict], object], protocol: str = "anchored-1") -> None:
    def edit(text: str) -> str:
        found = json.loads(text)
        change(found)
        return json.dumps(found)

    forge(root, f"results/{results_file(root, protocol).name}", edit)
