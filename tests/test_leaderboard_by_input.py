"""Tables and pages of anchored/2: columns, ties by the uncertainty, unranked images, displacements in words."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from known_board import IMAGES, known_entry
from scipy import stats

from leaderboard.columns import BY_TRUTH, COLUMNS, COLUMNS_BY_INPUT, OPTIONAL
from leaderboard.comparable import check_comparable
from leaderboard.csv_files import leaderboard_csv, pairwise_csv
from leaderboard.entry import Entry, entry_of
from leaderboard.formats import latex, markdown, text_table
from leaderboard.groups import group_rows
from leaderboard.page.crops import error_map
from leaderboard.page.displacement import ALONE, INHERITED, common_shift, displacements, verdict_words
from leaderboard.page.methods import image_table, radius_charts
from leaderboard.page.write import write_page
from leaderboard.table import build_board
from sdd_bench.errors import UserError
from sdd_bench.evaluation.by_radius import COLUMNS as BY_RADIUS
from sdd_bench.evaluation.protocol import build_protocol
from sdd_bench.evaluation.results import Method, Results, protocol_block
from sdd_bench.evaluation.unranked import unranked_pairs, why_unranked

PROTOCOL = "anchored/2"
UNSURE = "is at least 0.01 dB and the uncertainty that the truth's own errors leave"


def judged(name: str, psnr_db: float, uncertainty_db: float = 0.1, images: int = 6, **changed: object) -> Entry:
    """An entry under anchored/2, better or worse than another by the same amount on every image."""
    entry = known_entry(name, psnr_db, PROTOCOL, **changed)
    names = pd.Index([*IMAGES, *(f"image {i:02d}" for i in range(len(IMAGES), images))], name="name")[:images]
    rows = entry.rows.drop(columns="gdi50_px").reindex(names, method=None).ffill()
    rows["psnr_db"] = psnr_db + np.arange(images)
    rows = rows.assign(
        gdi_px=0.2, gdi_se_px=0.02, gdi_global_px=0.1, gdi_local_px=0.17, displaced_x_px=0.1, displaced_y_px=0.0,
        displaced_se_px=0.02, asymmetry=0.0, measured_share=0.9, geometry="in place", forgiveness_excess_db=0.1,
        coverage=0.8, ceiling_db=41.0, uncertainty_db=uncertainty_db, no_harm_db=-0.5, not_ranked="",
        blur_radius_px=np.arange(images), place="",
        **{column: psnr_db - place for place, column in enumerate(BY_RADIUS)},
        **{f"blur_{column}": 25.0 - 3 * place for place, column in enumerate(BY_RADIUS)},
    )  # fmt: skip
    return replace(entry, rows=rows, means=rows.mean(numeric_only=True))


def ranks(*entries: Entry) -> dict[str, int]:
    board = build_board(entries)
    return dict(zip(board.rows["method"], board.rows["rank"], strict=True))


def test_the_table_has_the_columns_of_the_input_and_others_keep_theirs() -> None:
    (row,) = csv.DictReader(io.StringIO(leaderboard_csv(build_board([judged("a", 30)]).rows)))
    assert tuple(row) == tuple(name for name in COLUMNS_BY_INPUT if name not in OPTIONAL)
    assert not {"gdi50_px", "gdi95_px", "forgiveness_db"} & set(row)
    assert (row["gdi_px"], row["ceiling_db"], row["uncertainty_db"]) == ("0.2000", "41.0000", "0.1000")
    assert (row["no_harm_db"], row["coverage"]) == ("-0.5000", "0.8000")
    (row,) = csv.DictReader(io.StringIO(leaderboard_csv(build_board([known_entry("a", 30)]).rows)))
    assert tuple(row) == tuple(name for name in COLUMNS if name not in OPTIONAL)
    assert set(BY_TRUTH) <= set(row)


def test_a_difference_below_the_uncertainty_separates_nobody() -> None:
    pair = [judged("a", 30.3), judged("b", 30.0)]
    assert ranks(*pair) == {"a": 1, "b": 2}
    unsure = [judged("a", 30.3, 0.35), judged("b", 30.0, 0.1)]
    assert ranks(*unsure) == {"a": 1, "b": 1}
    board = build_board(unsure)
    assert board.rows["tie"].all()
    (found,) = [row for row in csv.DictReader(io.StringIO(pairwise_csv(board.pairs))) if row["metric"] == "psnr_db"]
    assert (found["tie"], found["difference"], float(found["lo"]) > 0) == ("tie", "0.3000", True)
    others = {row["metric"]: row["tie"] for row in csv.DictReader(io.StringIO(pairwise_csv(board.pairs)))}
    assert others["ssim"] == ""  # the uncertainty is that of the PSNR alone
    assert ranks(judged("a", 30.3, 0.35), judged("b", 29.9, 0.1)) == {"a": 1, "b": 2}
    assert ranks(known_entry("a", 30.3), known_entry("c", 30.0)) == {"a": 1, "c": 2}


def test_groups_of_images_are_ranked_with_their_own_uncertainty() -> None:
    one, other = judged("a", 30.3, images=21), judged("b", 30.0, images=21)
    for entry in (one, other):
        entry.rows.loc[entry.rows.index[-7:], "uncertainty_db"] = 0.5
    found = group_rows([one, other], "blur", "psnr_db")
    by_group = {group: part["rank"].tolist() for group, part in found.groupby("group", sort=False)}
    assert by_group == {"least": [1, 2], "middle": [1, 2], "most": [1, 1]}


def test_pixels_are_grouped_by_the_radius_of_the_blur() -> None:
    """A method may win in strong blur and lose where there is none; few images give no rank."""
    one, other = judged("a", 30.0), judged("b", 30.0)
    for entry, sharp, strong in ((one, 40.0, 25.0), (other, 42.0, 23.0)):
        entry.rows["psnr_sharp_db"] = sharp + np.arange(len(entry.rows))
        entry.rows["psnr_to_16px_db"] = [strong, strong + 1, *[np.nan] * (len(entry.rows) - 2)]
        entry.rows["psnr_over_16px_db"] = np.nan
    found = group_rows([one, other], "radius", "psnr_db").set_index(["group", "method"])
    assert found.loc[("sharp", "b"), ["rank", "n_images", "from", "to"]].tolist() == [1, 6, 0, 0.75]
    assert found.loc[("sharp", "a"), "rank"] == 2
    assert found.loc[("to 16 px", "a"), ["mean", "n_images"]].tolist() == [25.5, 2]
    assert found.loc["to 16 px", "rank"].isna().all()
    assert "over 16 px" not in found.index.get_level_values(0)
    with pytest.raises(UserError, match="--by radius compares the PSNR; it does not go with --sort ssim"):
        group_rows([one, other], "radius", "ssim")


def test_every_table_says_what_the_uncertainty_does() -> None:
    board = build_board([judged("a", 30.3), judged("b", 30.0)])
    assert UNSURE in markdown(board)
    assert UNSURE in latex(board)
    assert "displacement (px)" in markdown(board)
    assert {"gdi_px", "ceiling_db", "uncertainty_db"} <= set(text_table(board).split("\n")[0].split())
    plain = build_board([known_entry("a", 30), known_entry("b", 20)])
    assert "is at least 0.01 dB, and is significant" in markdown(plain)
    assert "uncertainty" not in latex(plain)


def results_of(name: str, coverage: float) -> Results:
    rows = []
    for number, image in enumerate("abc"):
        known = {"coverage": coverage if image == "b" else 0.8, "ceiling_db": 40.0}
        psnr = {"psnr_db": 10.0 if image == "b" else 30.0 + number, "ssim": 0.9, "mae": 0.1, "lpips": None}
        rows.append({"name": image, **psnr, **known, "uncertainty_db": 0.1, "not_ranked": why_unranked(**known)})
    dataset = {"name": "sdd", "split": "test", "sha256": "d" * 64, "n_images": 3, "unranked": unranked_pairs(rows)}
    return Results(Method(name), dataset, protocol_block(build_protocol(PROTOCOL, None)), tuple(rows))  # type: ignore[arg-type]


def test_an_image_that_is_not_ranked_counts_nowhere_and_is_named() -> None:
    entries = [entry_of(results_of(name, 0.3), name) for name in ("x", "y")]
    assert list(entries[0].rows.index) == ["a", "c"]
    assert list(entries[0].unranked.index) == ["b"]
    assert entries[0].table.unranked == "b"
    board = build_board(entries)
    assert board.rows["n_images"].tolist() == [2, 2]
    assert board.rows["psnr_db"].tolist() == [31, 31]
    assert "Scored but not ranked, because the truth tells too little: b." in markdown(board)
    assert image_table(entries)[-1] == ("b (not ranked)", "10.00", "10.00")
    with pytest.raises(UserError, match=r"unranked \(none against b\)"):
        check_comparable([entries[0], entry_of(results_of("z", 0.5), "z")])


def test_a_set_of_which_nothing_is_ranked_has_no_rank() -> None:
    results = results_of("x", 0.3)
    rows = [{**row, "coverage": 0.1, "not_ranked": "coverage 0.10, at least 0.4 is needed"} for row in results.images]
    found = replace(results, images=rows, dataset={**results.dataset, "unranked": unranked_pairs(rows)})
    board = build_board([entry_of(found, "x")])
    assert board.rows["rank"].isna().all()
    assert board.rows["n_images"].tolist() == [0]


SHIFTS = [0.5, 0.6, 0.4, 0.55, 0.45, 0.5]


def displaced(right: list[float], down: list[float], verdict: str = "displaced") -> Entry:
    entry = judged("a", 30)
    return replace(entry, rows=entry.rows.assign(displaced_x_px=right, displaced_y_px=down, geometry=verdict))


def test_the_common_shift_has_a_student_interval_of_both_directions_together() -> None:
    found = common_shift(displaced(SHIFTS, [0.1, -0.1, 0.05, -0.05, 0.0, 0.0]).rows)
    reach = stats.t.ppf(0.9875, 5) * np.std(SHIFTS, ddof=1) / math.sqrt(6)
    assert found.low[0] == pytest.approx(0.5 - reach)
    assert found.high[0] == pytest.approx(0.5 + reach)
    assert found.proven == (pytest.approx(0.5), 0.0)
    assert "+0.50 px to the right" in found.words
    assert "as if it had inherited a shift" in found.words
    rng = np.random.default_rng(0)
    wrong = sum(
        any(common_shift(pd.DataFrame(rng.normal(0, 1, (5, 2)), columns=["displaced_x_px", "displaced_y_px"])).proven)
        for _ in range(2000)
    )
    assert 0.03 < wrong / 2000 < 0.07


def test_inherited_is_said_only_of_a_shift_that_the_images_share() -> None:
    shared = displacements(displaced(SHIFTS, [0.0] * 6))
    assert shared is not None
    assert {line[-1] for line in shared.lines} == {INHERITED}
    mixed = [0.6, -0.5, 0.1, -0.6, 0.4, 0.3]
    alone = displacements(displaced(mixed, [0.0] * 6))
    assert alone is not None
    assert {line[-1] for line in alone.lines} == {ALONE}
    assert alone.common.words.endswith("No shift is shown to be inherited.")
    assert alone.lines[0][:5] == (IMAGES[0], "+0.60", "+0.00", "0.02", "0.20")
    entry = displaced(SHIFTS, [0.0] * 6)
    entry.rows.loc[IMAGES[1], "displaced_y_px"] = 3.0  # one image is moved in the other direction
    common = common_shift(displaced(SHIFTS, [0.0] * 6).rows)
    assert verdict_words(entry.rows.loc[IMAGES[1]], common) == ALONE


def test_a_common_shift_too_small_to_matter_is_not_called_inherited() -> None:
    found = common_shift(displaced([0.05, 0.051, 0.049, 0.052, 0.048, 0.05], [0.0] * 6).rows)
    assert found.low[0] > 0
    assert found.proven == (0, 0)


def test_images_that_were_not_measured_have_no_numbers_and_few_images_no_interval() -> None:
    unknown = [math.nan] * 5
    found = displacements(displaced([0.5, *unknown], [0.0, *unknown], "not measurable"))
    assert found is not None
    assert found.common.words == "One image could be measured, so nothing is known of a common shift."
    assert found.lines[1][1:3] == ("", "")
    assert found.lines[1][-1] == "not measurable"
    assert displacements(known_entry("a", 30)) is None


def test_a_chart_shows_the_score_by_blur_beside_the_blur_image() -> None:
    entry = judged("a", 30)
    chart = radius_charts([entry])["a"]
    assert "sharp 30.00 (blur image 25.00), to 2 px 29.00 (blur image 22.00)" in chart.words
    assert 'class="dots"' in chart.svg
    assert 'class="beside"' in chart.svg
    few = replace(entry, means=entry.means.where(~entry.means.index.isin(BY_RADIUS[3:])))
    assert "to 4 px" in radius_charts([few])["a"].words
    assert "to 8 px" not in radius_charts([few])["a"].svg
    assert radius_charts([known_entry("a", 30)]) == {}


def test_the_page_tells_displacements_charts_and_what_is_not_ranked(tmp_path: Path) -> None:
    entry = displaced(SHIFTS, [0.0] * 6)
    lost = entry.rows.iloc[:1].assign(not_ranked="coverage 0.20, at least 0.4 is needed").rename(lambda _: "lost")
    table = replace(entry.table, unranked="lost")
    entries = [replace(entry, table=table, unranked=lost), replace(judged("b", 25), table=table)]
    page = write_page(tmp_path / "page.html", build_board(entries), entries=entries).read_text(encoding="utf-8")
    assert "1 more scored and not ranked, because the truth tells too little: lost" in page
    assert "coverage under 0.4 or a ceiling under 25 dB" in page
    assert page.count(INHERITED) == 6 + 1
    assert "displaced as the other images are (inherited); not ranked: coverage 0.20" in page
    assert "PSNR (dB) by the radius of the blur" in page
    assert "displacement (px)" in page
    assert "gdi50" not in page
    assert UNSURE.replace("'", "&#39;") in page
    assert "needs results under anchored/1 and paper/1" not in page


def test_the_mask_is_seen_in_an_error_map() -> None:
    truth = np.zeros((64, 64, 3), np.float32)
    mask = np.ones((64, 64), bool)
    mask[:, :32] = False
    mask[::8, :32] = True  # an eighth of the left counts
    mask[::8, 32:] = False  # all but an eighth of the right
    error = error_map(truth + 0.5, truth, mask, 8)
    assert np.isnan(error[:, :4]).all()
    assert error[:, 4:] == pytest.approx(0.5)
