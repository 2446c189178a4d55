"""The analyser against known motion, its verdicts on pairs that cannot be aligned, and the command that runs it."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from sdd_bench.cli import root
from sdd_bench.datasets import misalignment
from sdd_bench.datasets.misalignment import COLUMNS
from sdd_bench.errors import UserError
from sdd_bench.io.images import to_float, to_pixels, write_png
from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.jobs.items import Item
from sdd_bench.registration.align import align
from sdd_bench.registration.analyse import analyse
from sdd_bench.registration.analysis import FAILED
from sdd_bench.registration.disk import disk
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import sample

WIDTH, HEIGHT, MARGIN = 440, 300, 30
SMALL = (320, 240)
"""Size of the pairs that are tested for their kind, not for their accuracy."""

TRUTH = Similarity(1.012, 0.15, 4.3, -6.7)


def make_pair(
    photo: np.ndarray, radius: float, truth: Similarity = TRUTH, size: tuple[int, int] = (WIDTH, HEIGHT), seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return (blur, sharp), 8-bit with noise of one count, cut from inside a photograph."""
    width, height = size
    photo = photo[: height + 2 * MARGIN, : width + 2 * MARGIN]
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    at = truth.apply(np.stack([x, y], axis=-1), width, height) + MARGIN
    sharp = sample(photo, at[..., 0], at[..., 1], "lanczos4")
    blur = cv2.filter2D(photo, -1, disk(radius))[MARGIN : MARGIN + height, MARGIN : MARGIN + width]
    rng = np.random.default_rng(seed)
    noisy = [image + rng.standard_normal(image.shape) / 255 for image in (blur, sharp)]
    return to_float(to_pixels(noisy[0])), to_float(to_pixels(noisy[1]))


def end_point_error(found: Similarity, truth: Similarity, width: int, height: int) -> float:
    y, x = np.mgrid[0:9, 0:9] / 8
    points = np.stack([x.ravel() * (width - 1), y.ravel() * (height - 1)], axis=1)
    off = found.apply(points, width, height) - truth.apply(points, width, height)
    return float(np.linalg.norm(off, axis=1).mean())


@pytest.fixture(scope="module", params=[0.0, 4.0, 8.0])
def known(photo: np.ndarray, request: pytest.FixtureRequest) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
    """A radius and the pair blurred by it."""
    return request.param, make_pair(photo, request.param)


def test_known_misalignment_is_found_to_hundredths_of_a_pixel(
    known: tuple[float, tuple[np.ndarray, np.ndarray]],
) -> None:
    radius, pair = known
    analysis = analyse(*pair)
    assert end_point_error(analysis.similarity, TRUTH, WIDTH, HEIGHT) < 0.02
    assert analysis.similarity.zoom == pytest.approx(TRUTH.zoom, abs=1e-4)
    assert analysis.similarity.rotation_deg == pytest.approx(TRUTH.rotation_deg, abs=0.004)
    assert analysis.blur_radius_px == pytest.approx(radius, abs=0.5)
    assert analysis.gain == pytest.approx(1.0, abs=0.05)
    assert analysis.confidence > 0.85
    assert analysis.kind == "shift"


def test_reduction_of_large_frames_keeps_the_convention(photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    size = (435, 299)  # not divisible by 2: the reduced frame has another centre
    pair = make_pair(photo, 2.0, size=size)
    monkeypatch.setattr("sdd_bench.registration.align.WORK_PIXELS", 60_000)
    assert end_point_error(analyse(*pair).similarity, TRUTH, *size) < 0.08


def test_a_fast_analysis_finds_hundredths_of_a_pixel_too(
    known: tuple[float, tuple[np.ndarray, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = known[1]
    monkeypatch.setattr("sdd_bench.registration.align.FAST_PIXELS", 100_000)  # half size, as for 2 megapixels
    assert end_point_error(analyse(*pair, fast=True).similarity, TRUTH, WIDTH, HEIGHT) < 0.08


def test_occlusion_and_exposure_do_not_move_the_answer(photo: np.ndarray) -> None:
    size = (360, 260)
    blur, sharp = make_pair(photo, 3.0, size=size)
    blur = (0.85 * blur**1.15).astype(np.float32)
    blur[60:170, 90:240] = photo[-110:, -150:][::-1]
    analysis = analyse(blur, sharp)
    assert end_point_error(analysis.similarity, TRUTH, *size) < 0.08
    assert analysis.kind == "nonrigid"
    assert analysis.residual_p95_px > 1


@pytest.mark.parametrize(
    ("truth", "kind"),
    [
        (Similarity(1.0, 0, 9.0, -4.0), "shift"),
        (Similarity(1.03, 0, 0.3, 0.2), "zoom"),
        (Similarity(1.0, 0, 0.05, 0.05), "aligned"),
    ],
)
def test_kind_says_what_dominates(photo: np.ndarray, truth: Similarity, kind: str) -> None:
    analysis = analyse(*make_pair(photo, 2.0, truth, SMALL))
    assert analysis.kind == kind
    assert analysis.corner_px == pytest.approx(truth.corner_px(*SMALL), abs=0.05)


def test_identical_images_are_aligned(photo: np.ndarray) -> None:
    analysis = analyse(photo[:240, :320], photo[:240, :320])
    assert (analysis.kind, analysis.corner_px) == ("aligned", pytest.approx(0, abs=2e-5))


@pytest.mark.parametrize("what", ["constant", "noise", "upside down", "mirrored", "another scene"])
def test_what_cannot_be_aligned_is_failed(photo: np.ndarray, what: str) -> None:
    from skimage import data

    rng = np.random.default_rng(0)
    photo = photo[:240, :320]
    other = np.asarray(data.astronaut(), np.float32)[:240, :320] / 255
    blur, sharp = {
        "constant": (np.full_like(photo, 0.4), np.full_like(photo, 0.4)),
        "noise": (rng.random(photo.shape, np.float32), rng.random(photo.shape, np.float32)),
        "upside down": (photo, np.ascontiguousarray(photo[::-1])),
        "mirrored": (photo, np.ascontiguousarray(photo[:, ::-1])),
        "another scene": (photo, other),
    }[what]
    analysis = analyse(blur, sharp)
    assert (analysis.kind, analysis.confidence) == ("failed", 0.0)
    assert math.isnan(analysis.row()["zoom"])


def test_sizes_that_differ_or_are_too_small_are_refused(photo: np.ndarray) -> None:
    with pytest.raises(ValueError, match="blur is 600x400, sharp is 599x400"):
        analyse(photo, photo[:, :-1])
    with pytest.raises(ValueError, match="at least 96 px, not 600x90"):
        analyse(photo[:90], photo[:90])


def test_light_blurred_in_each_colour_is_told_from_blurred_values(photo: np.ndarray) -> None:
    vivid = np.clip(photo[:280, :360] * [1.4, 0.9, 0.5], 0, 1).astype(np.float32)
    light, values = (np.asarray(cv2.filter2D(im, -1, disk(5)), np.float32) for im in (decode_srgb(vivid), vivid))
    inner = (slice(20, -20), slice(20, -20))
    analysis, match = align(encode_srgb(light)[inner], vivid[inner])
    assert match is not None
    assert match.linear
    assert analysis.corner_px < 0.02
    _, match = align(values[inner], vivid[inner])
    assert match is not None
    assert not match.linear


def run(*arguments: object) -> str:
    result = CliRunner().invoke(root, ["analyse", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def folders(photo: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs that can be aligned and one that cannot."""
    folder = tmp_path_factory.mktemp("analyse") / "pairs"
    for index, truth in enumerate((TRUTH, Similarity(0.97, -0.1, -3.0, 2.0))):
        blur, sharp = make_pair(photo, 3.0, truth, SMALL, seed=index)
        write_png(folder / "blur" / f"p{index}.png", to_pixels(blur))
        write_png(folder / "gt" / f"p{index}.png", to_pixels(sharp))
    for role in ("blur", "gt"):
        write_png(folder / role / "flat.png", np.full((120, 160, 3), 99, np.uint8))
    return folder


@pytest.fixture(scope="module")
def analysed(folders: Path) -> Path:
    """Their analysis by one process."""
    table = folders.parent / "full.csv"
    assert "3 pairs: 1 shift, 1 mixed, 1 failed" in run("--data", folders, "--out", table, "--jobs", 1)
    return table


def test_csv_is_in_the_names_of_the_truth_and_does_not_depend_on_workers(
    folders: Path, analysed: Path, tmp_path: Path
) -> None:
    # Two folders with two workers give the same bytes as one dataset with one.
    run("--blur", folders / "blur", "--sharp", folders / "gt", "--out", tmp_path / "2.csv", "--jobs", 2)
    assert (tmp_path / "2.csv").read_bytes() == analysed.read_bytes()
    with analysed.open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert tuple(rows["p0"]) == COLUMNS
    assert float(rows["p0"]["shift_x_px"]) == pytest.approx(TRUTH.shift_x_px, abs=0.03)
    assert (rows["flat"]["zoom"], rows["flat"]["kind"]) == ("", "failed")
    summary = json.loads(analysed.with_suffix(".json").read_text())
    assert summary["kinds"] == {"shift": 1, "mixed": 1, "failed": 1}


def test_a_fast_analysis_says_so_and_is_never_taken_for_a_full_one(
    folders: Path, analysed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks: dict[bool, set[str]] = {}

    def stopped(_function: object, items: list[Item], **_options: object) -> NoReturn:
        marks[items[0].payload[2]] = {item.fingerprint for item in items}
        raise UserError("seen")

    html = tmp_path / "fast.html"
    files = ("--blur", folders / "blur" / "p1.png", "--sharp", folders / "gt" / "p1.png")
    output = run(*files, "--out", tmp_path / "fast.csv", "--jobs", 1, "--fast", "--html", html)
    assert "1 pairs: 1 mixed" in output
    summaries = [json.loads(path.read_text()) for path in (analysed.with_suffix(".json"), tmp_path / "fast.json")]
    assert [summary["fast"] for summary in summaries] == [False, True]
    assert "(fast analysis)" in html.read_text(encoding="utf-8")
    full, fast = (path.read_text().splitlines() for path in (analysed, tmp_path / "fast.csv"))
    assert full[0] == fast[0]
    assert fast[1].startswith("p1,")
    assert fast[1] not in full
    monkeypatch.setattr(misalignment, "map_items", stopped)
    for option in ((), ("--fast",)):
        arguments = ["analyse", "--data", str(folders), "--out", str(tmp_path / "x.csv"), "--jobs", "1", *option]
        assert CliRunner().invoke(root, arguments).exit_code == 1
    assert not marks[True] & marks[False]


def test_analyse_refuses_half_a_pair_in_one_line(folders: Path) -> None:
    result = CliRunner().invoke(root, ["analyse", "--blur", str(folders / "blur")])
    assert result.exit_code == 1
    assert "give --blur and --sharp together, or --data alone" in result.output


def test_failed_analysis_has_a_row_of_nothing() -> None:
    row = FAILED.row()
    assert (row["kind"], row["confidence"]) == ("failed", 0.0)
    assert all(math.isnan(row[name]) for name in ("zoom", "corner_px", "gain"))
