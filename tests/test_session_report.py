"""The report of a session: images next to it, contents of the page, and marks that agree with the verdict."""

from __future__ import annotations

import base64
import html
import io
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known import known_pair
from numpy.typing import NDArray
from PIL import Image

from capture.checks import FIGURES
from capture.record import HISTOGRAM_BINS, Developed, Original, Record
from capture.session import Shot
from capture.session_figures import ERRORS, HEADINGS, limit_words, value_text
from capture.session_pictures import histogram, histogram_plots, write_pictures
from capture.session_report import commonest_reasons, count_words, write_session_report
from capture.verdict import ACCEPTED, REFUSED, WARNING, Limits, Verdict, beyond, verdict, with_shift
from sdd_bench.errors import UserError
from sdd_bench.registration.similarity import Similarity

EVIL = "<script>alert(1)</script>"
WIDTH = 4096
GOOD: dict[str, float | str] = {
    "gt_sharper": 0.9, "sharpness_ratio": 2.5,
    "exposure_ratio": 1.02, "red_ratio": 0.99, "blue_ratio": 1.01, "clipped_blur": 0.0123,
    "clipped_gt": 0.0, "texture": 0.08, "direction_db": 4.0, "zoom": 1.0081, "shift_x_px": 3.0, "shift_y_px": -4.0,
    "rotation_deg": 0.05, "corner_px": 20.0, "residual_median_px": 0.1, "residual_p95_px": 0.4, "blur_radius_px": 5.5,
    "gain": 0.98, "confidence": 0.93, "model": "similarity", "kind": "mixed", "turn": "",
}  # fmt: skip
NOWHERE = Path("no-such-folder")


def figures(**changed: Any) -> dict[str, float | str]:
    """Good figures; further figures of `capture.checks` are 0."""
    return {name: GOOD.get(name, 0) for name in FIGURES} | changed


def make_record(name: str, status: str = ACCEPTED, *reasons: str, **changed: Any) -> Record:
    flat = [[1 / HISTOGRAM_BINS] * HISTOGRAM_BINS] * 3
    developed = Developed(
        WIDTH, 2160, 16, figures(), (1.0, 1.0, 1.0), None, "0" * 64, "b", "g", {"blur": flat, "gt": flat}
    )
    shot = Shot(f"{name}_b.CR2", "scene7", "blur", motor=1532.0, place="indoor", camera="Canon EOS 5D", lens="70-200")
    originals = (
        Original(f"{name}_b.CR2", "ab" * 32, time="2026-03-01T12:00:05", exposure_s=0.004, f_number=2.8, iso=400),
        Original(f"{name}_g.CR2", "cd" * 32, time="2026-03-01T12:00:09", exposure_s=0.8, f_number=2.8, iso=100),
    )
    record = Record(name, "monday", shot, *originals, developed, Verdict(status, reasons))
    return replace(record, **changed)


def page_of(tmp_path: Path, *records: Record, pictures: Path = NOWHERE, **more: Any) -> str:
    limits = {record.session: Limits() for record in records}
    written = write_session_report(tmp_path / "report.html", records, limits, pictures, **more)
    assert written == tmp_path / "report.html"
    return written.read_text(encoding="utf-8")


def section(page: str, number: int) -> str:
    return page.split(f'id="pair-{number}"')[1].split("</section>")[0]


def embedded(page: str) -> list[Image.Image]:
    found = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", page)
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in found]


def plain(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)))


@pytest.fixture
def pictures(tmp_path: Path, texture: NDArray[np.float32]) -> Path:
    """Images of pairs a to d; only b could be aligned."""
    for name in "abcd":
        similarity = Similarity(shift_x_px=2) if name == "b" else None
        write_pictures(tmp_path / "pictures", name, texture, texture, similarity)
    return tmp_path / "pictures"


def test_the_aligned_picture_lies_on_the_blur_picture(photo: NDArray[np.float32], tmp_path: Path) -> None:
    pair = known_pair(photo, Similarity(1.02, 0.3, 6, -4), radius_px=1.5, margin=20)
    write_pictures(tmp_path / "new", "x", pair.blur, pair.sharp, pair.similarity)
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["x.aligned.jpg", "x.blur.jpg", "x.gt.jpg"]
    shots = {key: Image.open(tmp_path / "new" / f"x.{key}.jpg") for key in ("blur", "gt", "aligned")}
    assert {image.size for image in shots.values()} == {(480, 309)}
    blur, gt, aligned = (np.asarray(shots[key], np.float64)[20:-20, 20:-20] for key in ("blur", "gt", "aligned"))
    assert np.abs(blur - aligned).mean() < 0.2 * np.abs(blur - gt).mean()


def test_without_a_similarity_no_aligned_picture_is_left(texture: NDArray[np.float32], tmp_path: Path) -> None:
    write_pictures(tmp_path, "x", texture, texture, Similarity())
    write_pictures(tmp_path, "x", texture, texture, None)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.blur.jpg", "x.gt.jpg"]
    assert Image.open(tmp_path / "x.gt.jpg").size == (128, 96)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_histogram_is_the_share_of_pixels_in_equal_parts(dtype: type[Any]) -> None:
    top = np.iinfo(dtype).max
    pixels = np.random.default_rng(5).integers(0, top + 1, (300, 200, 3)).astype(dtype)
    pixels[:30, :, 0], pixels[:60, :, 2] = top, 0
    expected = [np.histogram(pixels[..., c] / top, HISTOGRAM_BINS, (0, 1))[0] / 60000 for c in range(3)]
    np.testing.assert_allclose(histogram(pixels), expected, atol=1e-6)
    assert histogram(pixels)[0][-1] > 0.1
    assert histogram(pixels)[2][0] > 0.2


def test_histograms_of_a_pair_are_drawn_on_one_scale() -> None:
    dark, half, even = ([0.64, *[0.0] * 62, 0.36], [0.16, 0.84, *[0.0] * 62], [1 / 64] * 64)
    drawn = histogram_plots(1, {"blur": [dark, half, even], "gt": [even] * 3})
    bar = r'd="M([\d.]+) 110L[\d.]+ 110L[\d.]+ ([\d.]+)L[^"]*" style="fill: var\(--plot-red'
    bars = [(float(x), 110 - float(top)) for x, top in re.findall(bar, drawn["blur"])]
    ends = [110 * math.sqrt(share / 0.84) for share in (0.64, 0.36)]
    assert bars == [(0, pytest.approx(ends[0], abs=0.01)), (345, pytest.approx(ends[1], abs=0.01))]
    lines = re.findall(r'd="M([^"z]*)" style="fill: none[^"]*--plot-(\w+)', drawn["blur"])
    assert [colour for _, colour in lines] == ["red", "green", "blue"]
    assert lines[1][0].startswith("27.5 0L32.5 110L")
    (_, last) = re.findall(r'd="M([^"z]*)" style="fill: none', drawn["gt"])[2].rsplit(" ", 1)
    assert float(last) == pytest.approx(110 * (1 - math.sqrt(1 / 64 / 0.84)), abs=0.01)
    assert "nan" not in histogram_plots(1, {"gt": [[0.0] * 64] * 3})["gt"]


def test_the_page_says_what_was_made_of_every_pair_and_why(tmp_path: Path) -> None:
    records = [
        make_record("a"),
        make_record("b", WARNING, "zoom 1.0600, expected within 0.05 of 1", "12 dead pixels"),
        make_record("c", REFUSED, "gt is only 1.02 times as sharp as blur, expected 1.1", session="tuesday"),
        make_record("d", REFUSED, "d_b.CR2: the RAW file ends before its picture does", developed=None),
    ]
    page = page_of(tmp_path, *records)
    assert "4 pairs of 2 sessions: 1 accepted, 1 accepted with warning, 2 refused." in page
    for number, record in enumerate(records, 1):
        found = section(page, number)
        assert found.startswith(f' data-status="{record.verdict.status}"')
        assert all(f"<li>{reason}</li>" in found for reason in record.verdict.reasons)
        words = {ACCEPTED: "accepted", WARNING: "accepted with warning", REFUSED: "refused"}[record.verdict.status]
        assert f'<span class="status">{words}</span>' in found
        sheet = f'<li data-status="{record.verdict.status}"><a href="#pair-{number}">'
        assert f'{sheet}<span class="name">{record.name}</span> <span class="status">{words}</span></a></li>' in page
    assert "d_b.CR2; gt: d_g.CR2" in section(page, 4)
    assert "<table" not in section(page, 4)
    assert [re.findall(rf'id="only-{s}"[^>]*> ([^<]*)<', page) for s in ("all", WARNING, REFUSED)] == [
        ["all (4)"],
        ["accepted with warning (1)"],
        ["refused (2)"],
    ]
    assert "tuesday" in section(page, 3)
    assert "nan" not in plain(page).lower()


def test_every_figure_has_a_heading() -> None:
    assert {*HEADINGS, *ERRORS.values()} == {*FIGURES, "shift_px"}
    assert not HEADINGS.keys() & set(ERRORS.values())


def test_a_standard_error_stands_beside_its_figure(tmp_path: Path) -> None:
    record = make_record("a")
    assert record.developed is not None
    measured = figures(zoom=1.00812, zoom_se=0.00014, parallax_px=0.512, parallax_se_px=0.03, model="parallax")
    page = page_of(tmp_path, replace(record, developed=replace(record.developed, figures=measured)))
    rows = [plain(row.replace("</td>", "|").replace("</th>", "|")) for row in re.findall(r"<tr.*?</tr>", page)]
    assert "zoom|1.0081 ± 0.0001|0.95 to 1.05||" in rows
    assert f"parallax over the depth of the scene (px)|0.51 ± 0.03|at most {Limits().parallax_px:g}||" in rows
    assert "motion model|parallax|||" in rows
    assert "distortion at the corners (px)|0.00|" in "".join(rows)
    assert [value_text(name, "") for name in ("model", "turn")] == ["not measured", "no"]


def test_figures_stand_beside_their_limits_and_how_the_shots_were_taken(tmp_path: Path) -> None:
    record = make_record("a", WARNING, "zoom 1.0600, expected within 0.05 of 1")
    assert record.developed is not None
    measured = figures(zoom=1.06, residual_median_px=math.nan, rotation_deg=-0.0001)
    made = replace(record.developed, figures=measured, gains=(1.1, 1.0, 0.9), white_balance=(2.0, 1.0, 1.5, 1.0))
    found = section(page_of(tmp_path, replace(record, developed=made)), 1)
    rows = [plain(row.replace("</td>", "|").replace("</th>", "|")) for row in re.findall(r"<tr.*?</tr>", found)]
    for row in (
        "zoom|1.0600|0.95 to 1.05|✕ exceeded|",
        "clipped pixels of blur|1.23%|at most 5%||",
        "shift, its length (px)|5.00|at most 143.4||",
        "rotation (°)|0.000|-1 to 1||",
        "residual, median (px)|not measured|||",
        "residual, 95th percentile (px)|0.40|at most 0.75||",
        "blur radius (px)|5.5|||",
        "kind|mixed|not moved or failed||",
        "exposure|1/250 s|0.8 s|",
        "f-number|f/2.8|f/2.8|",
        "ISO|400|100|",
        "time|2026-03-01 12:00:05|2026-03-01 12:00:09|",
        "file|a_b.CR2|a_g.CR2|",
        "focus motor of blur|1532|",
        "camera|Canon EOS 5D|",
        "lens|70-200|",
        "place|indoor|",
        "gains of blur (red, green, blue)|1.100, 1.000, 0.900|",
        "white balance|2.000, 1.000, 1.500, 1.000|",
    ):
        assert row in rows
    assert not [row for row in rows if row.startswith("focal length") or row.startswith("notes")]
    assert found.count('<svg class="plot"') == 2
    assert plain(found).count("darkest 1/64 R 1.6% G 1.6% B 1.6%, lightest 1/64") == 2


def test_names_and_what_files_say_are_escaped(tmp_path: Path) -> None:
    record = make_record("a", REFUSED, f"{EVIL}: no picture")
    shot = replace(record.shot, camera=EVIL, lens=EVIL, notes=EVIL, scene=EVIL, place=EVIL)
    blur = replace(record.blur, file=EVIL, time=EVIL)
    hostile = replace(record, name='a" onload="x', session=EVIL, shot=shot, blur=blur)
    page = page_of(tmp_path, hostile, replace(hostile, developed=None))
    assert "<script" not in page
    assert 'onload="' not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 12


def test_the_page_needs_no_other_file(tmp_path: Path, pictures: Path) -> None:
    page = page_of(tmp_path, make_record("a"), make_record("b", REFUSED), pictures=pictures)
    text = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    assert "http" not in text
    assert not re.search(r"<link|<iframe|<script|@import|src=\"(?!data:)|url\((?!data:)", text)
    assert page == page_of(tmp_path / "again", make_record("a"), make_record("b", REFUSED), pictures=pictures)


def test_pictures_are_embedded_and_blink_as_taken_and_aligned(tmp_path: Path, pictures: Path) -> None:
    page = page_of(tmp_path, make_record("a"), make_record("b"), pictures=pictures)
    # Thumbnails of both; blur and gt of both, the aligned one of b.
    assert len(embedded(page)) == 2 + 2 * 2 + 1
    assert "shown in pictures" not in page
    first, second = plain(section(page, 1)), plain(section(page, 2))
    assert "Both shots, as taken" in first
    assert "aligned with" not in first
    assert "Both shots, gt aligned with blur" in second
    assert section(page, 2).count('class="over"') == 2


def test_a_missing_picture_is_not_shown(tmp_path: Path, pictures: Path) -> None:
    (pictures / "a.blur.jpg").unlink()
    (pictures / "b.gt.jpg").unlink()
    page = page_of(tmp_path, make_record("a"), make_record("b"), make_record("lost"), pictures=pictures)
    shown = [re.findall(r'(?:aria-label="|-title">)(\w+ \w+)', section(page, number)) for number in (1, 2, 3)]
    histograms = ["Histogram of"] * 2
    assert shown == [["The gt", *histograms], ["The blur", "Both shots", *histograms], histograms]
    assert page.count('class="toggle"') == 0
    assert page.count("<img") == 1


def test_a_damaged_picture_is_named(tmp_path: Path, pictures: Path) -> None:
    (pictures / "a.gt.jpg").write_bytes(b"\xff\xd8")
    with pytest.raises(UserError, match=r"a\.gt\.jpg"):
        page_of(tmp_path, make_record("a"), pictures=pictures)
    assert not (tmp_path / "report.html").exists()


def test_beyond_the_limit_refused_and_warned_pairs_have_the_pictures_and_all_are_listed(
    tmp_path: Path, pictures: Path
) -> None:
    broken = make_record("broken", REFUSED, "no picture", developed=None)
    statuses = {"a": ACCEPTED, "b": WARNING, "c": ACCEPTED, "d": REFUSED}
    records = [broken, *(make_record(name, status) for name, status in statuses.items())]
    page = page_of(tmp_path, *records, pictures=pictures, limit=3)
    assert "3 of 4 developed pairs are shown in pictures" in page
    assert "in the folder pictures." in page
    shown = ["-shot: url(" in section(page, number) for number in range(1, 6)]
    assert shown == [False, True, True, False, True]
    assert page.count('<span class="name">') == page.count('<section class="pair"') == 5
    assert page.count("<img") == 3


def test_no_pairs_still_give_a_page(tmp_path: Path) -> None:
    assert "0 pairs of 0 sessions." in page_of(tmp_path)


BEYOND = [
    ("gt_sharper", 0.04), ("blur_sharper", 0.2), ("dead_pixels", 2), ("dust_spots", 3),
    ("exposure_ratio", 1.4), ("exposure_ratio", 0.7),
    ("red_ratio", 1.2), ("blue_ratio", 0.8), ("clipped_blur", 0.2), ("clipped_gt", 0.06), ("texture", 0.001),
    ("direction_db", 20.0), ("zoom", 1.06), ("zoom", 0.94), ("rotation_deg", -1.2), ("residual_p95_px", 0.8),
    ("kind", "failed"), ("kind", "moved"), ("displaced_share", 0.01),
    ("shift_x_px", -150.0), ("parallax_px", 2.1), ("distortion_px", -2.1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), BEYOND)
def test_the_mark_is_where_the_verdict_has_its_reason(name: str, value: float | str) -> None:
    measured = figures(**{name: value})
    assert len(verdict(measured, Limits(), WIDTH).reasons) == 1
    marked = [figure for figure, found in with_shift(measured).items() if beyond(figure, found, Limits(), WIDTH)]
    assert marked == ["shift_px" if name == "shift_x_px" else name]


def test_good_figures_have_no_mark_and_limits_are_said_in_words() -> None:
    assert verdict(figures(), Limits(), WIDTH).status == ACCEPTED
    assert not [name for name, value in figures(shift_px=5.0).items() if beyond(name, value, Limits(), WIDTH)]
    assert not beyond("zoom", math.nan, Limits(), WIDTH)
    assert limit_words("zoom", Limits(zoom=0.002), WIDTH) == "0.998 to 1.002"
    assert limit_words("clipped_gt", Limits(clipped=0.125), WIDTH) == "at most 12.5%"
    assert limit_words("texture", Limits(), WIDTH) == "at least 0.01"
    assert limit_words("gain", Limits(), WIDTH) == ""


def test_reasons_that_differ_in_numbers_alone_are_counted_together() -> None:
    records = [
        make_record("a", WARNING, "gt lacks detail", "zoom 1.0600, expected within 0.05 of 1"),
        make_record("b", WARNING, "zoom 1.0700, expected within 0.05 of 1"),
        make_record("c", WARNING, "shift 7.5 px, expected at most 5"),
    ]
    assert commonest_reasons(records) == [
        ("zoom …, expected within 0.05 of 1", 2),
        ("gt lacks detail", 1),
        ("shift 7.5 px, expected at most 5", 1),
    ]
    assert count_words(records[:1]) == "1 pair of 1 session: 1 accepted with warning."
