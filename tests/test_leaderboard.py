"""Ranking: order, refusals to mix results, partial results, spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from known_results import mae_of
from known_results import write_results as write

from leaderboard.columns import COLUMNS as ALL_COLUMNS
from leaderboard.columns import OPTIONAL, PAIR_COLUMNS
from leaderboard.comparable import check_comparable
from leaderboard.csv_files import leaderboard_csv, metric_texts, pairwise_csv
from leaderboard.entry import Entry, read_entry
from leaderboard.formats import escape, latex, markdown, text_table
from leaderboard.groups import group_images, group_rows
from leaderboard.ranking import rank
from leaderboard.reported import add_reported, reported_rows
from leaderboard.table import Board, both_ways, build_board, differences
from sdd_bench.cli import root
from sdd_bench.errors import UserError
from sdd_bench.evaluation.results import read_results
from sdd_bench.io.serialise import frame_csv

COLUMNS = tuple(column for column in ALL_COLUMNS if column not in OPTIONAL)
"""Columns that are always present."""


def entries(*paths: Path) -> list[Entry]:
    return [read_entry(p) for p in paths]


def cells(board: Board, *columns: str) -> list[tuple[object, ...]]:
    """Return columns of a board's rows, None for missing values."""
    found = board.rows[list(columns)].astype(object)
    return list(found.where(found.notna(), None).itertuples(index=False, name=None))


def steady(psnr_db: float, images: int = 7) -> list[float]:
    """Return scores of images at intervals of 1 dB with a given mean."""
    return [psnr_db + image - (images - 1) / 2 for image in range(images)]


def test_higher_psnr_ranks_first_and_mean_is_over_images(tmp_path: Path) -> None:
    found = entries(write(tmp_path, "low", steady(20.25)), write(tmp_path, "high", steady(25.5)))
    assert cells(build_board(found), "rank", "method", "psnr_db") == [(1, "high", 25.5), (2, "low", 20.25)]


def test_equal_means_share_the_better_rank(tmp_path: Path) -> None:
    found = entries(*(write(tmp_path, n, steady(p)) for n, p in (("a", 20), ("b", 21), ("c", 21), ("d", 19))))
    assert cells(build_board(found), "rank", "rank_hi", "method") == [
        (1, 2, "b"), (1, 2, "c"), (3, 3, "a"), (4, 4, "d"),
    ]  # fmt: skip


@pytest.mark.parametrize("images", [1, 2, 5])
def test_few_images_claim_nothing(tmp_path: Path, images: int) -> None:
    found = entries(*(write(tmp_path, n, steady(p, images)) for n, p in (("a", 20), ("b", 30))))
    board = build_board(found)
    assert cells(board, "rank", "rank_lo", "tie", "method") == [(None, None, False, "b"), (None, None, False, "a")]
    assert board.rows["psnr_lo"].notna().all() == (images > 1)
    assert board.rows["best_probability"].isna().all()
    pair = board.pairs.iloc[0]
    assert (pair["tie"], pair["wins"]) == (True, 1)
    assert pair[["p", "p_holm", "p_adjusted"]].isna().all()
    assert f"that needs 6 images, here {'is 1' if images == 1 else f'are {images}'}" in markdown(board)
    assert "Bold" not in latex(board)
    against = differences(board, "a")
    assert against["difference"].tolist() == [10]
    assert against["lo"].notna().all() == (images > 1)


def test_any_order_gives_the_same_bytes(tmp_path: Path) -> None:
    found = entries(*(write(tmp_path, n, [p]) for n, p in (("a", 20), ("b", 21), ("c", 21))))
    assert len({leaderboard_csv(build_board(order).rows) for order in permutations(found)}) == 1


def test_partial_results_are_listed_last_without_a_rank(tmp_path: Path) -> None:
    found = entries(write(tmp_path, "part", [40.0], status="partial"), write(tmp_path, "whole", steady(20.0)))
    assert cells(build_board(found), "rank", "method", "status") == [
        (1, "whole", "measured"),
        (None, "part", "partial"),
    ]


def test_lpips_ranks_upwards_and_skips_who_lacks_it(tmp_path: Path) -> None:
    found = entries(write(tmp_path, "a", [20]), write(tmp_path, "b", [21]))
    assert cells(build_board(found, "lpips"), "rank", "lpips") == [(None, None), (None, None)]
    assert cells(build_board(found, "mae"), "method") == [("b",), ("a",)]


def test_csv_has_the_columns_of_the_design(tmp_path: Path) -> None:
    text = leaderboard_csv(build_board(entries(write(tmp_path, "a", [20]))).rows)
    row = next(csv.DictReader(io.StringIO(text)))
    assert tuple(row) == COLUMNS
    assert (row["psnr_lo"], row["tie"], row["reported_psnr_db"], row["n_images"]) == ("", "", "", "1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"protocol": "paper/1"}, "in protocol (paper/1 against direct/1)"),
        ({"images": "of another"}, "in dataset_sha256 ("),
        ({"crop": 8}, "in protocol_sha256 (crop_multiple=8 against crop_multiple=1)"),
    ],
)
def test_mixing_is_refused_and_the_difference_named(tmp_path: Path, change: dict, words: str) -> None:
    found = entries(write(tmp_path, "a", [20]), write(tmp_path, "b", [21], **change))
    with pytest.raises(UserError) as caught:
        check_comparable(found)
    assert words in caught.value.message
    assert re.search(r"cannot share a table differ: b-\S+ against a-direct-1-1.json in", caught.value.message)


def test_two_results_of_one_method_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    found = entries(write(tmp_path, "a", [20]), write(tmp_path / "x", "a", [21]))
    with pytest.raises(UserError, match="are both of method 'a'"):
        check_comparable(found)


def test_edited_protocol_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a", [20])
    content = json.loads(path.read_text())
    content["protocol"]["mask"] = "mine"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="the protocol is called direct/1, and its mask is 'mine', not 'none'"):
        read_entry(path)
    content["protocol"] |= {"id": "mine/1"}
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="the protocol's sha256 is not that of its fields"):
        read_entry(path)


def test_formula_names_do_no_harm_in_a_spreadsheet(tmp_path: Path) -> None:
    text = leaderboard_csv(build_board(entries(write(tmp_path, "=1+1", [20]))).rows)
    assert next(csv.DictReader(io.StringIO(text)))["method"] == "'=1+1"
    groups = group_rows(with_scenes(entries(tmp_path / "1+1-direct-1-1.json"), place=["indoor"]), "place", "psnr_db")
    assert frame_csv(metric_texts(groups)).splitlines()[1].startswith("place,indoor,,,,,,,'=1+1,psnr_db,20.0000,")


def test_numbers_for_people_are_rounded_once(tmp_path: Path) -> None:
    board = build_board(entries(write(tmp_path, "a", [20.13496] * 6)))
    assert "20.1350" in leaderboard_csv(board.rows)
    assert "| 1 | a | 20.13 (20.13 to 20.13) |" in markdown(board)
    assert " 20.13  20.13 to 20.13 " in text_table(board)


def test_infinite_psnr_survives_the_file_and_counts_with_60_db(tmp_path: Path) -> None:
    path = write(tmp_path, "perfect", [float("inf"), 30.0])
    assert '"inf"' in path.read_text()
    assert read_results(path).summary["psnr_db"] == 45
    (row,) = build_board(entries(path)).rows.to_dict("records")
    assert (row["psnr_db"], row["psnr_hi"], row["copies"]) == (45, 60, "1 truth")
    earlier = json.loads(path.read_text())
    earlier["summary"]["psnr_db"] = "inf"
    path.write_text(json.dumps(earlier))
    assert read_results(path).summary["psnr_db"] == 45
    earlier["summary"]["psnr_db"] = 46.0
    path.write_text(json.dumps(earlier))
    with pytest.raises(UserError, match="the mean psnr_db is 46, that of its rows 45"):
        read_results(path)


def test_one_copied_image_does_not_rank_first(tmp_path: Path) -> None:
    honest = [30.0, 31.0, 32.0, 30.0, 31.0, 32.0, 30.0, 31.0]
    found = entries(write(tmp_path, "honest", honest), write(tmp_path, "copier", [*honest[:7], float("inf")]))
    board = build_board(found)
    assert cells(board, "rank", "tie", "method") == [(1, True, "copier"), (1, True, "honest")]
    assert "copier: 1 of 8 predictions is equal to the truth in every pixel that counts (07)." in markdown(board)


def test_files_equal_to_the_sharp_or_the_blur_image_are_named(tmp_path: Path) -> None:
    (entry,) = entries(write(tmp_path, "a", steady(20)))
    digests = [f"{image}" for image in range(7)]
    rows = entry.rows.assign(
        restored_sha256=["b0", "b1", "s2", *digests[3:]],
        blur_sha256=[f"b{d}" for d in digests],
        sharp_sha256=[f"s{d}" for d in digests],
    )
    board = build_board([replace(entry, rows=rows)])
    assert board.copies == {"a": {"sharp": ["02"], "blur": ["00", "01"]}}
    assert board.rows["copies"].tolist() == ["1 sharp, 2 blur"]
    words = "a: 1 of 7 predictions is byte for byte the sharp image (02); 2 of 7 predictions are byte for byte the blur"
    assert words in latex(board)
    assert words in markdown(board)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "not a results file of schema 1"),
        ('{"schema": 1}', r"damaged results file \(method is missing"),
        ('{"schema": 9}', r"schema 9"),
    ],
)
def test_damaged_results_are_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(UserError, match=words):
        read_entry(tmp_path / "r.json")


def test_terminal_table_is_aligned(tmp_path: Path) -> None:
    lines = text_table(
        build_board(entries(write(tmp_path, "a method", [20.123] * 7), write(tmp_path, "b", [21] * 7)))
    ).splitlines()
    assert lines[0].split() == ["rank", "method", "n_images", "psnr_db", "95", "%", "ssim", "lpips", "mae", "status"]
    assert lines[3].split() == [
        "2",
        "a",
        "method",
        "7",
        "20.12",
        "20.12",
        "to",
        "20.12",
        "0.4025",
        f"{mae_of(20.123):.4f}",
        "measured",
    ]
    assert lines[0].index("status") == lines[2].index("measured")


def close(folder: Path, seed: int = 0, **more: list[float]) -> list[Entry]:
    """Return entries of 35 images: `best` a quarter of a dB above `twin` and `other`, which are not distinguishable."""
    rng = np.random.default_rng(seed)
    images = rng.normal(26, 3, 35)
    scores = {"best": images + 0.25, "twin": images, "other": images + rng.normal(0.01, 0.2, 35)}
    return entries(*(write(folder, name, list(values)) for name, values in {**scores, **more}.items()))


def test_methods_that_cannot_be_told_apart_share_a_rank(tmp_path: Path) -> None:
    board = build_board(close(tmp_path))
    assert cells(board, "rank", "tie") == [(1, False), (2, True), (2, True)]
    assert cells(board, "rank_lo", "rank_hi") == [(1, 1), (2, 3), (2, 3)]
    assert "| 2= (2 to 3) |" in markdown(board)
    assert "2= (2 to 3)  " in text_table(board)
    first, second = board.rows.iloc[0], board.rows.iloc[1]
    assert first["best_probability"] > 0.95
    assert first["psnr_lo"] < first["psnr_db"] < first["psnr_hi"]
    assert first["psnr_lo"] < second["psnr_db"]  # the plain intervals overlap, the paired do not
    pairs = board.pairs[board.pairs["metric"] == "psnr_db"]
    assert pairs["method"].tolist()[:2] == ["best", "best"]
    assert pairs["tie"].tolist() == [False, False, True]
    lines = list(csv.DictReader(io.StringIO(pairwise_csv(board.pairs))))
    assert float(lines[0]["p_holm"]) >= float(lines[0]["p"]) > 0
    assert float(lines[0]["p_adjusted"]) >= float(lines[0]["p"])
    twin = next(line for line in lines if (line["method"], line["other"]) == ("best", "twin"))
    assert (twin["wins"], twin["median_difference"]) == ("1.0000", "0.2500")
    assert {line["metric"] for line in lines} == {"psnr_db", "ssim", "mae"}


def test_a_difference_from_a_baseline_has_its_interval(tmp_path: Path) -> None:
    board = build_board(close(tmp_path))
    found = differences(board, "twin")
    assert found.loc["best"].tolist() == pytest.approx([0.25, 0.25, 0.25])
    assert found.loc["other", "lo"] < 0 < found.loc["other", "hi"]
    assert "twin" not in found.index
    turned = differences(board, "best").loc["twin"]
    assert turned.tolist() == pytest.approx([-0.25, -0.25, -0.25])
    whole = both_ways(board).set_index(["method", "other"])
    assert whole.loc[("best", "twin"), "wins"] == 1 == 1 - whole.loc[("twin", "best"), "wins"]
    assert whole.loc[("twin", "best"), "median_difference"] == pytest.approx(-0.25)
    text = text_table(board, found)
    assert re.search(r"best .*  \+0\.25 \(\+0\.25 to \+0\.25\) +measured", text)
    assert re.search(r"other .*  [+-]0\.\d+ \(-0\.\d+ to \+0\.\d+\) +measured", text)
    with pytest.raises(UserError, match="--baseline 'nobody' is not ranked here; found: best,"):
        differences(build_board(close(tmp_path)), "nobody")


def test_results_of_other_images_are_not_ranked_together(tmp_path: Path) -> None:
    found = entries(write(tmp_path, "a", [20, 21]), write(tmp_path, "b", [20]))
    with pytest.raises(UserError, match=r"b-\S+ and a-\S+ were not scored on the same images"):
        build_board(found)


def with_scenes(found: list[Entry], **columns: list[object]) -> list[Entry]:
    return [replace(entry, rows=entry.rows.assign(**columns)) for entry in found]


def test_a_method_can_win_elsewhere_than_on_the_whole(tmp_path: Path) -> None:
    base = np.random.default_rng(1).normal(26, 2, 30)
    night = np.where(np.arange(30) < 10, 1.0, -0.5)
    found = entries(write(tmp_path, "steady", list(base)), write(tmp_path, "nightly", list(base + night)))
    found = with_scenes(
        found,
        place=["indoor" if i < 10 else "outdoor" for i in range(30)],
        blur_radius_px=[float(i % 10) for i in range(30)],
    )
    first = build_board(found).rows.iloc[0]
    assert first["method"] == "steady" or first["tie"]
    rows = group_rows(found, "place", "psnr_db")
    assert list(rows[["group", "rank", "method", "n_images"]].itertuples(index=False, name=None)) == [
        ("indoor", 1, "nightly", 10), ("indoor", 2, "steady", 10),
        ("outdoor", 1, "steady", 20), ("outdoor", 2, "nightly", 20),
    ]  # fmt: skip
    values = group_images(found, "blur").groupby("group", sort=False)["value"]
    assert [tuple(row) for row in values.agg(["size", "min", "max"]).to_numpy().tolist()] == [
        (10, 0, 3), (10, 3, 6), (10, 6, 9),
    ]  # fmt: skip
    assert frame_csv(metric_texts(rows)).splitlines()[:2] == [
        "by,group,from,to,rank,rank_lo,rank_hi,tie,method,metric,mean,lo,hi,n_images",
        "place,indoor,,,1,1,1,,nightly,psnr_db,{mean:.4f},{lo:.4f},{hi:.4f},10".format(**rows.loc[0]),
    ]
    least = frame_csv(metric_texts(group_rows(found, "blur", "psnr_db"))).splitlines()[1]
    assert least.startswith("blur,least,0.00,3.00,1,1,2,tie,")
    with pytest.raises(UserError, match="--by misalignment: no results file has misalignment_px of all images"):
        group_rows(found, "misalignment", "psnr_db")
    with pytest.raises(
        UserError, match=r"--by radius: nightly-direct-1-1\.json has no PSNR by blur radius; evaluate it again"
    ):
        group_rows(found, "radius", "psnr_db")


def test_a_group_of_two_images_claims_nothing(tmp_path: Path) -> None:
    found = entries(write(tmp_path, "a", steady(20, 9)), write(tmp_path, "b", steady(30, 9)))
    found = with_scenes(found, place=["indoor"] * 2 + ["outdoor"] * 7)
    rows = group_rows(found, "place", "psnr_db")
    assert rows["method"].tolist() == ["b", "a", "b", "a"]
    assert rows["rank"].astype(object).where(rows["rank"].notna(), None).tolist() == [None, None, 1, 2]
    assert not rows["tie"].any()
    assert rows[["lo", "hi"]].notna().all(axis=None)


def test_markdown_and_latex_hold_the_numbers_and_harm_nothing(tmp_path: Path) -> None:
    evil = r"a|b_<script>&%\input{x}"
    found = close(tmp_path)
    found[1] = replace(found[1], method=replace(found[1].method, name=evil))
    board = build_board(found)
    text = markdown(board)
    assert r"a\|b\_\<script\>" in text
    assert "| 1 | best |" in text
    assert "| 2= (2 to 3) |" in text
    table = latex(board)
    assert r"a\textbar{}b\_\textless{}script\textgreater{}\&\%\textbackslash{}input\{x\}" in table
    best = f"{board.rows['psnr_db'][0]:.2f}"
    assert rf"best & \textbf{{{best}}}" in table
    assert table.count(r"\underline") == table.count("$^{=}$") == 2
    assert table.count(r"\toprule") == 1
    assert escape("a\nb") == "ab"


def test_published_numbers_stand_beside_the_measured_and_are_never_ranked(tmp_path: Path) -> None:
    found = entries(write(tmp_path, "JDRL, eq. (2)", steady(20.5)), write(tmp_path, "mine", steady(30.5)))
    board = add_reported(build_board(found))
    reported = reported_rows(board.table)
    rows = list(csv.DictReader(io.StringIO(leaderboard_csv(pd.concat([board.rows, reported])))))
    known = float(rows[1]["reported_psnr_db"])
    assert [(row["rank"], row["method"]) for row in rows[:2]] == [("1", "mine"), ("2", "JDRL, eq. (2)")]
    assert rows[0]["reported_psnr_db"] == ""
    assert known > 20
    assert len(reported) == 12 + 7
    assert {(row["status"], row["rank"], row["psnr_db"]) for row in rows[2:]} == {("reported", "", "")}
    text = markdown(board, reported)
    assert f"{known:.2f} dB, {20.5 - known:+.2f} here" in text
    assert text.count("| reported |") == 19 + 1
    results = [tmp_path / entry.source for entry in found]
    out = tmp_path / "board" / "leaderboard.csv"
    result = CliRunner().invoke(root, ["leaderboard", *map(str, results), "--out", str(out), "--published"])
    assert result.exit_code == 0, result.output
    assert "reported by a paper, not measured here" in result.output
    assert {p.name for p in out.parent.iterdir()} == {
        "leaderboard.csv", "leaderboard.md", "leaderboard.tex", "leaderboard-pairwise.csv", ".leaderboard.csv.written",
    }  # fmt: skip


def test_the_bytes_of_the_csv_files(tmp_path: Path) -> None:
    costs = {"params_m": 12.5, "macs_g": 1234567.0}
    scores = {"b, best": [40.0] * 6, "=1+1": [29.0] * 5 + [41.0], "perfect": [float("inf")] * 6}
    found = entries(*(write(tmp_path, name, values) for name, values in scores.items()))
    found[0] = replace(found[0], method=replace(found[0].method, **costs))
    board = build_board([*found, *entries(write(tmp_path, "part", [40.0], status="partial"))])
    tail = ",sdd,test,direct/1"
    hashes = f"{found[0].table.protocol_sha256},{found[0].table.dataset_sha256}"
    mae = {name: f"{np.mean([mae_of(value) for value in values]):.6f}" for name, values in scores.items()}
    digest = {entry.method.name: entry.predictions_sha256 for entry in found}
    (partial,) = entries(tmp_path / "part-direct-1-1.json")
    part, of_part = partial.predictions_sha256, f"{partial.table.protocol_sha256},{partial.table.dataset_sha256}"
    low, high = (f"{board.rows.loc[2, end]:.4f}" for end in ("psnr_lo", "psnr_hi"))
    bounds = ",".join(f"{board.rows.loc[2, end]:.5f}" for end in ("ssim", "ssim_lo", "ssim_hi"))
    assert leaderboard_csv(board.rows) == (
        f"{','.join(COLUMNS)}\n"
        f"1,1,1,,perfect{tail},6,8,,,60.0000,60.0000,60.0000,1.00000,1.00000,1.00000,,,,0.000000,,,,,,,,flagged,"
        f"6 truth,,,,perfect-direct-1-1.json,{hashes},{digest['perfect']},,0.1.0\n"
        f'2,2,3,tie,"b, best"{tail},6,8,,,40.0000,40.0000,40.0000,0.80000,0.80000,0.80000,,,,{mae["b, best"]},,,,,12.5,'
        f"1.23457e+06,,"
        f'measured,,,,,"b, best-direct-1-1.json",{hashes},{digest["b, best"]},,0.1.0\n'
        f"2,2,3,tie,'=1+1{tail},6,8,,,31.0000,{low},{high},{bounds},,,,{mae['=1+1']},,,,,,,,measured,,,,,"
        f"1+1-direct-1-1.json,{hashes},{digest['=1+1']},,0.1.0\n"
        f",,,,part{tail},1,8,,,40.0000,,,0.80000,,,,,,{mae_of(40):.6f},,,,,,,,partial,,,,,"
        f"part-direct-1-1.json,{of_part},{part},,0.1.0\n"
    )
    lines = pairwise_csv(board.pairs).splitlines()
    assert lines[:2] == [
        ",".join(PAIR_COLUMNS),
        'perfect,"b, best",psnr_db,20.0000,20.0000,20.0000,0.03125,,0.03125,,6,20.0000,1.0000',
    ]
    assert lines[-1].startswith('"b, best",\'=1+1,mae,-')
    assert pairwise_csv(build_board(found[:1]).pairs) == f"{','.join(PAIR_COLUMNS)}\n"


def test_the_table_of_the_api_is_that_of_the_command(tmp_path: Path) -> None:
    paths = [write(tmp_path, "a", [20.0] * 7), write(tmp_path, "b", [30.0] * 7)]
    table = rank([read_results(paths[0]), str(paths[1])])
    assert table["method"].tolist() == ["b", "a"]
    assert table[["rank", "psnr_db", "psnr_lo", "n_images"]].to_numpy().tolist() == [[1, 30, 30, 7], [2, 20, 20, 7]]
    assert table["lpips"].isna().all()
    assert table["tie"].tolist() == [False, False]
    pd.testing.assert_frame_equal(table[list(COLUMNS[4:9])], build_board(entries(*paths)).rows[list(COLUMNS[4:9])])
    assert rank(reversed(paths), sort="mae")["method"].tolist() == ["b", "a"]


def test_the_api_refuses_what_cannot_share_a_table(tmp_path: Path) -> None:
    first = read_results(write(tmp_path, "a", [20.0]))
    other = read_results(write(tmp_path, "b", [20.0], protocol="paper/1"))
    with pytest.raises(UserError, match=r"differ: results of 'b' against results of 'a' in protocol"):
        rank([first, other])
    with pytest.raises(UserError, match="are both of method 'a'"):
        rank([first, first])
    with pytest.raises(UserError, match="no results files given"):
        rank([])
    with pytest.raises(UserError, match="sort brisque: expected one or more of psnr"):
        rank([first], sort="brisque")


def test_a_file_name_in_another_encoding_is_shown_and_breaks_no_table(tmp_path: Path) -> None:
    path = write(tmp_path, "a", [20.0]).rename(tmp_path / "r\udce9sultat.json")
    board = build_board([read_entry(path)])
    assert board.rows["source"].tolist() == [r"r\udce9sultat.json"]
    assert r"r\udce9sultat.json" in leaderboard_csv(board.rows).encode().decode()
