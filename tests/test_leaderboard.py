"""Ranking: order, refusals to mix, partial results, spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from leaderboard.comparable import check_comparable
from leaderboard.entry import Entry, read_entry
from leaderboard.formats import escape, latex, markdown, text_table
from leaderboard.groups import group_images, group_rows, groups_csv
from leaderboard.reported import add_reported, reported_rows
from leaderboard.table import COLUMNS, build_board, differences, leaderboard_csv, pairwise_csv
from sdd_bench.cli import root
from sdd_bench.errors import UserError
from sdd_bench.evaluation.protocol import build_protocol
from sdd_bench.evaluation.results import Method, Results, protocol_block, read_results, write_results


def write(
    folder: Path,
    name: str,
    psnrs: list[float],
    *,
    protocol: str = "direct/1",
    dataset: str = "d" * 64,
    status: str = "measured",
    crop: int = 1,
) -> Path:
    rows = tuple(
        {"name": f"{i:02d}", "psnr_db": p, "ssim": min(p / 50, 1.0), "mae": 0.1, "lpips": None, "restored_sha256": "0"}
        for i, p in enumerate(psnrs)
    )
    results = Results(
        Method(name),
        {"name": "sdd", "split": "test", "sha256": dataset, "n_images": len(rows)},
        protocol_block(build_protocol(protocol, {"estimator": "dis", "preset": "medium"}, crop)),
        rows,
        status,
        environment={"sdd-bench": "0.1.0"},
    )
    path = folder / f"{name.strip('=<>/ ')}-{protocol.replace('/', '-')}-{crop}.json"
    write_results(results, path)
    return path


def entries(*paths: Path) -> list[Entry]:
    return [read_entry(p) for p in paths]


def test_higher_psnr_ranks_first_and_mean_is_over_images(tmp_path: Path) -> None:
    found = entries(write(tmp_path, "low", [20, 20.5]), write(tmp_path, "high", [30, 21]))
    rows = build_board(found).rows
    assert [(r["rank"], r["method"], r["psnr_db"]) for r in rows] == [
        (1, "high", "25.5000"), (2, "low", "20.2500"),
    ]  # fmt: skip


def test_equal_means_share_the_better_rank(tmp_path: Path) -> None:
    found = entries(*(write(tmp_path, n, [p]) for n, p in (("a", 20), ("b", 21), ("c", 21), ("d", 19))))
    assert [(r["rank"], r["method"]) for r in build_board(found).rows] == [(1, "b"), (1, "c"), (3, "a"), (4, "d")]


def test_any_order_gives_the_same_bytes(tmp_path: Path) -> None:
    found = entries(*(write(tmp_path, n, [p]) for n, p in (("a", 20), ("b", 21), ("c", 21))))
    assert len({leaderboard_csv(build_board(order).rows) for order in permutations(found)}) == 1


def test_partial_results_are_listed_last_without_a_rank(tmp_path: Path) -> None:
    found = entries(write(tmp_path, "part", [40.0], status="partial"), write(tmp_path, "whole", [20.0]))
    assert [(r["rank"], r["method"], r["status"]) for r in build_board(found).rows] == [
        (1, "whole", "measured"),
        ("", "part", "partial"),
    ]


def test_lpips_ranks_upwards_and_skips_who_lacks_it(tmp_path: Path) -> None:
    found = entries(write(tmp_path, "a", [20]), write(tmp_path, "b", [21]))
    assert [r["rank"] for r in build_board(found, "lpips").rows] == ["", ""]
    assert [r["method"] for r in build_board(found, "mae").rows] == ["a", "b"]


def test_csv_has_the_columns_of_the_design(tmp_path: Path) -> None:
    text = leaderboard_csv(build_board(entries(write(tmp_path, "a", [20]))).rows)
    row = next(csv.DictReader(io.StringIO(text)))
    assert tuple(row) == COLUMNS
    assert (row["psnr_lo"], row["tie"], row["reported_psnr_db"], row["n_images"]) == ("20.0000", "", "", "1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"protocol": "paper/1"}, "in protocol (paper/1 against direct/1)"),
        ({"dataset": "e" * 64}, "in dataset_sha256 (eeeeeeeeeeee against dddddddddddd)"),
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
    with pytest.raises(UserError, match="the protocol's sha256 is not that of its fields"):
        read_entry(path)


def test_formula_names_do_no_harm_in_a_spreadsheet(tmp_path: Path) -> None:
    text = leaderboard_csv(build_board(entries(write(tmp_path, "=1+1", [20]))).rows)
    assert next(csv.DictReader(io.StringIO(text)))["method"] == "'=1+1"


def test_infinite_psnr_survives_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "perfect", [float("inf"), 30.0])
    assert '"inf"' in path.read_text()
    assert read_results(path).summary()["psnr_db"] == float("inf")
    assert build_board(entries(path)).rows[0]["psnr_db"] == "inf"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "not a results file of schema 1"),
        ('{"schema": 1}', r"damaged results file \(KeyError"),
        ('{"schema": 9}', r"schema 9"),
    ],
)
def test_damaged_results_are_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(UserError, match=words):
        read_entry(tmp_path / "r.json")


def test_terminal_table_is_aligned(tmp_path: Path) -> None:
    lines = text_table(
        build_board(entries(write(tmp_path, "a method", [20.123]), write(tmp_path, "b", [21])))
    ).splitlines()
    assert lines[0].split() == ["rank", "method", "n_images", "psnr_db", "95", "%", "ssim", "lpips", "mae", "status"]
    assert lines[3].split() == [
        "2",
        "a",
        "method",
        "1",
        "20.12",
        "20.12",
        "to",
        "20.12",
        "0.4025",
        "0.1000",
        "measured",
    ]
    assert lines[0].index("status") == lines[2].index("measured")


def close(folder: Path, seed: int = 0, **more: list[float]) -> list[Entry]:
    """Return entries of 35 images: `best` a quarter of a dB over `twin` and `other`, which nothing tells apart."""
    rng = np.random.default_rng(seed)
    images = rng.normal(26, 3, 35)
    scores = {"best": images + 0.25, "twin": images, "other": images + rng.normal(0.01, 0.2, 35)}
    return entries(*(write(folder, name, list(values)) for name, values in {**scores, **more}.items()))


def test_methods_that_cannot_be_told_apart_share_a_rank(tmp_path: Path) -> None:
    board = build_board(close(tmp_path))
    assert [(row["rank"], row["tie"]) for row in board.rows] == [(1, ""), (2, "tie"), (2, "tie")]
    assert board.rows[0]["best_probability"] > 0.95
    first = board.rows[0]
    assert float(first["psnr_lo"]) < float(first["psnr_db"]) < float(first["psnr_hi"])
    assert float(first["psnr_lo"]) < float(board.rows[1]["psnr_db"])  # the plain intervals overlap, the paired do not
    pairs = [(pair["method"], pair["other"], pair["tie"]) for pair in board.pairs if pair["metric"] == "psnr_db"]
    assert pairs[0][0] == pairs[1][0] == "best"
    assert [tie for *_, tie in pairs] == ["", "", "tie"]
    lines = list(csv.DictReader(io.StringIO(pairwise_csv(board.pairs))))
    assert float(lines[0]["p_holm"]) >= float(lines[0]["p"]) > 0
    assert {line["metric"] for line in lines} == {"psnr_db", "ssim", "mae"}


def test_a_difference_from_a_baseline_has_its_interval(tmp_path: Path) -> None:
    found = differences(build_board(close(tmp_path)), "twin")
    assert found["best"] == "+0.25 (+0.25 to +0.25)"
    assert re.fullmatch(r"[+-]0\.\d+ \(-0\.\d+ to \+0\.\d+\)", found["other"])
    assert "twin" not in found
    with pytest.raises(UserError, match="--baseline 'nobody' is not ranked here, found: best,"):
        differences(build_board(close(tmp_path)), "nobody")


def test_results_of_other_images_are_not_ranked_together(tmp_path: Path) -> None:
    found = entries(write(tmp_path, "a", [20, 21]), write(tmp_path, "b", [20]))
    with pytest.raises(UserError, match=r"b-\S+ and a-\S+ were not scored on the same images"):
        build_board(found)


def with_scenes(found: list[Entry], **columns: list[object]) -> list[Entry]:
    return [
        replace(
            entry, images=tuple({**row, **{c: v[i] for c, v in columns.items()}} for i, row in enumerate(entry.images))
        )
        for entry in found
    ]


def test_a_method_can_win_elsewhere_than_on_the_whole(tmp_path: Path) -> None:
    base = np.random.default_rng(1).normal(26, 2, 30)
    night = np.where(np.arange(30) < 10, 1.0, -0.5)
    found = entries(write(tmp_path, "steady", list(base)), write(tmp_path, "nightly", list(base + night)))
    found = with_scenes(
        found,
        place=["indoor" if i < 10 else "outdoor" for i in range(30)],
        blur_radius_px=[float(i % 10) for i in range(30)],
    )
    assert build_board(found).rows[0]["method"] == "steady" or build_board(found).rows[0]["tie"]
    rows = group_rows(found, "place", "psnr_db")
    assert [(r["group"], r["rank"], r["method"], r["n_images"]) for r in rows] == [
        ("indoor", 1, "nightly", 10), ("indoor", 2, "steady", 10),
        ("outdoor", 1, "steady", 20), ("outdoor", 2, "nightly", 20),
    ]  # fmt: skip
    groups = group_images(found, "blur")
    assert [(len(names), least, most) for names, least, most in groups.values()] == [
        (10, "0.00", "3.00"), (10, "3.00", "6.00"), (10, "6.00", "9.00"),
    ]  # fmt: skip
    assert groups_csv(rows).splitlines()[0].startswith("by,group,from,to,rank")
    with pytest.raises(UserError, match="--by misalignment: no results file says misalignment_px of all images"):
        group_rows(found, "misalignment", "psnr_db")


def test_markdown_and_latex_hold_the_numbers_and_harm_nothing(tmp_path: Path) -> None:
    evil = r"a|b_<script>&%\input{x}"
    found = close(tmp_path)
    found[1] = replace(found[1], method=replace(found[1].method, name=evil))
    board = build_board(found)
    text = markdown(board)
    assert r"a\|b\_\<script\>" in text
    assert "| 1 | best |" in text
    assert "| 2= |" in text
    table = latex(board)
    assert r"a|b\_<script>\&\%\textbackslash{}input\{x\}" in table
    best = f"{float(board.rows[0]['psnr_db']):.2f}"
    assert rf"best & \textbf{{{best}}}" in table
    assert table.count(r"\underline") == table.count("$^{=}$") == 2
    assert table.count(r"\toprule") == 1
    assert escape("a\nb") == "ab"


def test_published_numbers_stand_beside_the_measured_and_are_never_ranked(tmp_path: Path) -> None:
    found = entries(write(tmp_path, "JDRL, eq. (2)", [20.0, 21.0]), write(tmp_path, "mine", [30.0, 31.0]))
    board = add_reported(build_board(found))
    reported = reported_rows(board.table)
    rows = list(csv.DictReader(io.StringIO(leaderboard_csv([*board.rows, *reported]))))
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
