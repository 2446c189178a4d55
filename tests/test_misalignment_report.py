"""The misalignment report: contents of the page, files next to it, and reproducible bytes."""

from __future__ import annotations

import base64
import io
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError
from sdd_bench.io.images import to_pixels, write_png
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import warp
from sdd_bench.report.misalignment import explain, overview_plots, write_report
from sdd_bench.report.pair_pictures import COLUMNS, ReportedPair, look_at_pair
from sdd_bench.report.pictures import reduce, reduced_flow

EVIL = "<script>alert(1)</script>"
MOVES = [Similarity(1.01, 0.1, 4.0, -3.0), Similarity(0.995, -0.2, -2.0, 5.0), Similarity()]
NOWHERE = Path("nowhere")
Report = list[ReportedPair]


def reported(
    name: str, similarity: Similarity | None, kind: str, blur: Path = NOWHERE, sharp: Path = NOWHERE, split: str = ""
) -> ReportedPair:
    values: dict[str, float] = dict.fromkeys(COLUMNS, math.nan)
    if similarity is not None:
        values = dict.fromkeys(COLUMNS, 0.001) | asdict(similarity)
        values |= {"corner_px": similarity.corner_px(600, 400), "residual_median_px": 0.08, "residual_p95_px": 0.31}
        values |= {"blur_radius_px": 2.5, "gain_g": 1.02, "confidence": 0.9}
    row: Mapping[str, str | float] = {"kind": kind, **values}
    return ReportedPair.of_row(Pair(name, split, blur, sharp), row)


@pytest.fixture(scope="module")
def report(photo: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory) -> list[ReportedPair]:
    """Three aligned pairs, one with a hostile name, and a failed one."""
    folder = tmp_path_factory.mktemp("pairs")
    height, width = photo.shape[:2]
    found = []
    named = zip(("first", EVIL, "a $x_1$ & b"), MOVES, ("mixed", "shift", "aligned"), strict=True)
    for number, (name, move, kind) in enumerate(named):
        files = folder / f"{number}-blur.png", folder / f"{number}-sharp.png"
        write_png(files[0], to_pixels(warp(photo, move.inverse().flow(width, height))[0]))
        write_png(files[1], to_pixels(photo))
        found.append(reported(name, move, kind, *files))
    return [*found, reported("lost", None, "failed", found[0].pair.blur, found[0].pair.sharp)]


def pictures(page: str) -> list[Image.Image]:
    found = re.findall(r"data:image/(?:png|jpeg);base64,([A-Za-z0-9+/=]+)", page)
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in found]


def without_pictures(page: str) -> str:
    return re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


@pytest.mark.long
def test_the_page_and_its_plots_are_the_same_bytes_with_any_number_of_workers(report: Report, tmp_path: Path) -> None:
    for jobs in (1, 2):
        written = write_report(tmp_path / str(jobs) / "report.html", "coffee", report, jobs=jobs)
        assert written == tmp_path / str(jobs) / "report.html"
    one, two = contents(tmp_path / "1"), contents(tmp_path / "2")
    assert one == two
    plots = {name.removeprefix("report-plots/") for name in one} - {"report.html"}
    assert plots == {
        "histogram-zoom.png",
        "histogram-shift.png",
        "histogram-rotation.png",
        "histogram-residual.png",
        "zoom-against-shift.png",
        *(f"{stem}-{plot}.png" for plot in ("displacement", "residual")
          for stem in ("001-first", "002-script-alert-1-script", "003-a-x_1-b")),
    }  # fmt: skip
    page = (tmp_path / "1" / "report.html").read_text(encoding="utf-8")
    check_names_are_escaped(page)
    check_pictures(page, one)
    check_failed_pair(page)


def check_names_are_escaped(page: str) -> None:
    assert EVIL not in page
    assert page.count("<script>") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "a $x_1$ &amp; b" in page
    text = without_pictures(page)
    assert "http" not in text
    assert "//" not in text.replace("// ", "")  # no address without a scheme either
    assert not re.search(r"<link|<iframe|@import|src=\"(?!data:)", text)


def check_pictures(page: str, files: dict[str, bytes]) -> None:
    # Five plots of the dataset; blur, sharp, aligned and two maps for each of three pairs; blur and sharp of the failed
    # one.
    shown = pictures(page)
    assert [image.format for image in shown].count("JPEG") == 3 * 3 + 2
    assert all(image.width <= 480 for image in shown)
    assert page.count('<svg class="plot"') == 5 + 3 * 2
    assert not any(b"Software" in content[:200] for name, content in files.items() if name.endswith(".png"))
    sizes = Counter(Image.open(io.BytesIO(png)).size for name, png in files.items() if name.endswith(".png"))
    assert sizes[720, 510] == 5
    assert sum(count for size, count in sizes.items() if size[0] == 480) == 6
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', page)) <= set(ids)


def check_failed_pair(page: str) -> None:
    row = re.search(r"<tr><td data-value=\"lost\".*?</tr>", page)
    assert row is not None
    assert row.group().count('<td data-value="">\u2013</td>') == len(COLUMNS)
    assert "nan" not in without_pictures(page).lower().replace("nan(", "")
    section = page[page.index('id="pair-4"') :]
    assert "could not be aligned" in section
    assert "After:" not in section


def test_the_table_holds_rounded_numbers_and_sorts_by_exact_ones(report: Report, tmp_path: Path) -> None:
    page = write_report(tmp_path / "r.html", "t", report, limit=0).read_text(encoding="utf-8")
    assert '<td data-value="1.01">1.01000</td>' in page
    assert '<td data-value="-0.2">-0.200</td>' in page
    assert page.count('<svg class="plot"') == 5  # the dataset's plots alone
    assert not pictures(page)
    assert page.count('<th scope="col"><button type="button">') == 2 + len(COLUMNS)


def test_pairs_beyond_the_limit_stand_in_the_table_only_and_the_page_says_so(report: Report, tmp_path: Path) -> None:
    page = write_report(tmp_path / "r.html", "t", report, limit=1).read_text(encoding="utf-8")
    assert "1 of 4 pairs are shown in pictures" in page
    assert page.count('<section class="pair"') == 1
    assert page.count("<tr><td") == 4
    assert page.count('<svg class="plot"') == 5 + 2


def test_the_aligned_picture_lies_on_the_blur_picture(report: Report) -> None:
    look = look_at_pair(report[1])
    blur, sharp, aligned = (
        np.asarray(Image.open(io.BytesIO(content)), dtype=np.float64)[20:-20, 20:-20]
        for content in (look.blur, look.sharp, look.aligned)
        if content
    )
    assert look.scale == 600 / 480
    assert np.abs(blur - aligned).mean() < 0.25 * np.abs(blur - sharp).mean()
    assert look.residual_px is not None
    # After an exact similarity, no residual is significant.
    assert float(np.nanmean(look.residual_px > 0)) < 0.02


def test_reduced_flow_draws_what_reducing_the_full_drawing_gives() -> None:
    # Reducing 601x403 to 480x322 changes the two sides by different factors. An image whose values are its own
    # coordinates shows the error in pixels of the full frame.
    y, x = np.mgrid[0:403, 0:601].astype(np.float32)
    places = np.stack([x, y, x], axis=-1)
    full = reduce(np.asarray(warp(places, MOVES[0].inverse().flow(601, 403))[0], dtype=np.float32))
    small = warp(reduce(places), reduced_flow(MOVES[0], 601, 403, (480, 322)))[0]
    assert full.shape == small.shape == (322, 480, 3)
    error = (full - small)[10:-10, 10:-10].astype(np.float64)
    assert float(np.abs(error).max()) < 0.2  # averaging whole pixels over fractional areas gives ripples
    assert np.abs(error.mean(axis=(0, 1))).max() < 0.01


def test_a_tiny_frame_has_no_residual_map(tmp_path: Path, texture: NDArray[np.float32]) -> None:
    write_png(tmp_path / "a.png", to_pixels(texture[:20, :40]))
    look = look_at_pair(reported("tiny", Similarity(), "aligned", tmp_path / "a.png", tmp_path / "a.png"))
    assert look.aligned is not None
    assert look.residual_px is None


def test_images_of_two_sizes_are_refused_by_name(tmp_path: Path, texture: NDArray[np.float32]) -> None:
    write_png(tmp_path / "a.png", to_pixels(texture))
    write_png(tmp_path / "b.png", to_pixels(texture[:64]))
    odd = reported("odd", MOVES[0], "zoom", tmp_path / "a.png", tmp_path / "b.png", split="test")
    with pytest.raises(UserError, match="test/odd: blur is 128x96, sharp is 128x64"):
        write_report(tmp_path / "r.html", "t", [odd])
    assert not (tmp_path / "r.html").exists()


def test_no_measured_pair_still_gives_a_page(tmp_path: Path) -> None:
    page = write_report(tmp_path / "r.html", "t", [reported("lost", None, "failed")], limit=0).read_text("utf-8")
    assert "1 pair: 1 failed." in page
    assert page.count("no pair was measured") == 5


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind 'wild'"):
        reported("x", MOVES[0], "wild")


def test_explain_speaks_of_the_middle_pair_without_the_failed() -> None:
    rows = [reported(str(n), Similarity(shift_x_px=float(n)), "shift", split="val") for n in (3, 4, 50)]
    rows.append(reported("lost", None, "failed"))
    rows[1] = replace(rows[1], numbers={**rows[1].numbers, "confidence": 0.4})
    words = explain(rows)
    assert words[0] == "4 pairs: 3 shift, 1 failed."
    assert "corner of the sharp photograph lies 4.0 px off" in words[1]
    assert "0.08 px remain, beside a blur of 2.5 px radius" in words[1]
    assert words[2] == "The lowest confidence is 0.40, of val/4."


def test_pairs_of_two_splits_may_share_a_name(report: Report, tmp_path: Path) -> None:
    train, test = (
        replace(pair, pair=replace(pair.pair, name="0001", split=split))
        for pair, split in zip(report, ("train", "test"), strict=False)
    )
    both = write_report(tmp_path / "both.html", "t", [train, test]).read_text("utf-8")
    alone = [
        write_report(tmp_path / f"{pair.pair.split}.html", "t", [pair]).read_text("utf-8") for pair in (train, test)
    ]
    jpegs = r"data:image/jpeg;base64,[A-Za-z0-9+/=]+"
    sections = both.split('<section class="pair"')[1:]
    assert [re.findall(jpegs, section) for section in sections] == [re.findall(jpegs, page) for page in alone]
    assert [re.findall("<h3>([^ ]+)", section) for section in sections] == [["train/0001"], ["test/0001"]]
    assert 'data-value="train/0001"' in both
    beside = {file.name for file in (tmp_path / "both-plots").iterdir()}
    assert {"001-train-0001-residual.png", "002-test-0001-residual.png"} <= beside


@pytest.mark.long
def test_plots_do_not_depend_on_the_persons_matplotlib_settings_and_change_none(report: Report) -> None:
    import matplotlib

    plain = overview_plots(report)
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "svg.fonttype": "path"}):
        assert overview_plots(report) == plain
        assert matplotlib.rcParams["font.size"] == 20
    assert overview_plots(report[:2]) != plain
