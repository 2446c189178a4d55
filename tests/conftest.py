"""Shared data, made with fixed seeds or taken from the photographs inside scikit-image."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from known import KnownPair, known_pair
from known_rawdata import write_folder
from numpy.typing import NDArray

from sdd_bench.datasets.archive import write_archive
from sdd_bench.evaluation.results import Results
from sdd_bench.io.images import to_pixels, write_png

if TYPE_CHECKING:
    from selenium import webdriver

if "PYTEST_XDIST_WORKER" in os.environ:  # one process per core: more threads would only wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

ASSETS_VARIABLE = "SDD_BENCH_TEST_ASSETS"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A headless browser with an empty profile."""
    from known_browser import headless

    driver = headless(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of photographs and weights, for tests that need real ones."""
    folder = os.environ.get(ASSETS_VARIABLE)
    if not folder:
        pytest.skip(f"{ASSETS_VARIABLE} is not set: no photographs and weights to test with")
    return Path(folder)


@pytest.fixture(scope="session")
def photo() -> NDArray[np.float32]:
    """A real photograph, (400, 600, 3) float32 in [0, 1]."""
    from skimage import data

    return np.asarray(data.coffee(), dtype=np.float32) / 255


@pytest.fixture(scope="session")
def texture() -> NDArray[np.float32]:
    """Smooth random texture, (96, 128, 3) float32 in [0, 1]."""
    import cv2

    noise = np.random.default_rng(7).random((96, 128, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return np.asarray((smooth - smooth.min()) / (smooth.max() - smooth.min()), dtype=np.float32)


@pytest.fixture(scope="session")
def image(texture: NDArray[np.float32]) -> NDArray[np.float32]:
    """The texture in 8 bits, as float32 in [0, 1]."""
    return np.asarray(to_pixels(texture) / np.float32(255), np.float32)


@pytest.fixture
def make_pairs(tmp_path: Path) -> Callable[..., Path]:
    """Write blur/ and gt/ with small random images and return their folder."""

    def make(
        names: list[str],
        root: str = "source",
        size: tuple[int, int] = (64, 48),
        folders: tuple[str, str] = ("blur", "gt"),
    ) -> Path:
        rng = np.random.default_rng(len(names))
        for name in names:
            sharp = rng.random((size[1], size[0], 3))
            for folder, image in zip(folders, (sharp * 0.5 + 0.25, sharp), strict=True):
                write_png(tmp_path / root / folder / f"{name}.png", to_pixels(image))
        return tmp_path / root

    return make


@pytest.fixture(scope="session")
def make_known(photo: NDArray[np.float32]) -> Callable[..., KnownPair]:
    """Return `known.known_pair` of the photograph."""
    return functools.partial(known_pair, photo)


@pytest.fixture(scope="session")
def folder_and_archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of pairs with their digests, and its archive; tests use copies of them."""
    root = tmp_path_factory.mktemp("known")
    folder = write_folder(root / "rawdata", ("name", "scene", "place", "notes", "blur_sha256", "sharp_sha256"))
    write_archive(root / "pairs.h5", folder, folder / "pairs.csv", {"tool": "x"})
    return folder, root / "pairs.h5"


@pytest.fixture
def rawdata(folder_and_archive: tuple[Path, Path], tmp_path: Path) -> Path:
    """A folder of pairs with their digests."""
    return shutil.copytree(folder_and_archive[0], tmp_path / "rawdata")


@pytest.fixture
def packed(folder_and_archive: tuple[Path, Path], rawdata: Path, tmp_path: Path) -> Path:  # noqa: ARG001
    """The archive of the folder `rawdata`."""
    return shutil.copy2(folder_and_archive[1], tmp_path / "pairs.h5")


@pytest.fixture(scope="session")
def methods(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs, two folders of predictions, and the results of two methods."""
    from known_outputs import make_methods

    return make_methods(tmp_path_factory.mktemp("methods"))


@pytest.fixture
def work(methods: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder `methods`, as the working folder."""
    shutil.copytree(methods, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture(scope="session")
def submitted(make_known: Callable[..., KnownPair], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs, perfect predictions of them, and their entry, made without LPIPS weights."""
    from known_entry import make_submission, weightless

    with weightless(tmp_path_factory.mktemp("torch")):
        return make_submission(tmp_path_factory.mktemp("submitted"), make_known)


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs with anchors of anchored/2, and folders of predictions, see `known_judged`."""
    from known_judged import make_judged

    return make_judged(tmp_path_factory.mktemp("judged"))


@pytest.fixture(scope="session")
def scored(judged: Path) -> dict[str, Results]:
    """Results of each of these folders under anchored/2."""
    from known_judged import PROTOCOL, WHAT, run

    return {what: run(judged, what)[PROTOCOL] for what in WHAT}


@pytest.fixture(scope="session")
def unchecked(judged: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Results of the honest predictions without diagnostics."""
    from known_judged import PROTOCOL, run

    from sdd_bench.evaluation.results import Method

    copy = shutil.copytree(judged, tmp_path_factory.mktemp("unchecked") / "copy")
    return run(copy, "honest", diagnostics=False, method=Method("unchecked"))[PROTOCOL]


@pytest.fixture
def judged_data(judged: Path, tmp_path: Path) -> Path:
    """A copy of the folder `judged`, anchors included."""
    return shutil.copytree(judged, tmp_path / "copy")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared dataset of five small pairs from five scenes, three of them for training."""
    from known_run import run_command  # imported here because it imports torch

    folder = tmp_path_factory.mktemp("train")
    size = ("--size", "192x128", "--max-radius", 2, "--seed", 5, "--jobs", 1)
    run_command("synthesise", "--out", folder / "photos", "--count", 5, *size)
    choices = ("--split", 0.6, "--group-by", "scene", "--window", 64, "--jobs", 1)
    run_command("prepare", folder / "photos", "--out", folder / "data", *choices)
    run_command("prepare", folder / "photos", "--out", folder / "packed", *choices, "--store", "hdf5")
    return folder / "data"


@pytest.fixture(scope="session")
def prepared_anchors(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Anchors of the dataset's test split, in a folder of their own."""
    from sdd_bench.datasets.catalog import open_dataset
    from sdd_bench.evaluation.anchors import ensure_anchors

    folder = tmp_path_factory.mktemp("anchors")
    ensure_anchors(open_dataset(prepared, "test").pairs, folder, 1)
    return folder


@pytest.fixture(scope="session")
def finished(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted run with dropout."""
    from known_run import CPU, tiny

    from jdrl_baseline.training import train

    out = tmp_path_factory.mktemp("finished")
    train(prepared, tiny(), out, CPU, resume=False)
    return out


@pytest.fixture(scope="session")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session of three good pairs; no test writes to it."""
    from known_session import HARBOUR, describe, views, write_pair

    folder = tmp_path_factory.mktemp("card") / "harbour"
    for stem, view in zip(HARBOUR, views(3), strict=True):
        write_pair(folder, stem, view)
    describe(folder, HARBOUR, places=("outdoor", "outdoor", "indoor"))
    return folder


@pytest.fixture(scope="session")
def ingested(harbour: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of pairs ingested from it; no test writes to it."""
    from capture.ingest import Settings, ingest
    from capture.session import read_session

    out = tmp_path_factory.mktemp("out") / "raw"
    ingest({"harbour": read_session(harbour)}, out, Settings(), jobs=2)
    return out
