"""Ranking: order, refusals to mix, partial results, spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import re
from itertools import permutations
from pathlib import Path

import pytest

from leaderboard.entry import Entry, read_entry
from leaderboard.table import COLUMNS, check_comparable, leaderboard_csv, rank, text_table
from sdd_bench.errors import UserError
from sdd_bench.scoring.protocol import build_protocol
from sdd_bench.scoring.results import Method, Results, protocol_block, read_results, write_results


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
        {"name": f"{i:02d}", "psnr_db": p, "ssim": p / 50, "mae": 0.1, "lpips": None, "restored_sha256": "0"}
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
    found = entries(write(tmp_path, "low", [20, 22]), write(tmp_path, "high", [30, 20.5]))
    rows = rank(found)
    assert [(r["rank"], r["method"], r["psnr_db"]) for r in rows] == [(1, "high", "25.2500"), (2, "low", "21.0000")]


def test_equal_means_share_the_better_rank(tmp_path: Path) -> None:
    found = entries(*(write(tmp_path, n, [p]) for n, p in (("a", 20), ("b", 21), ("c", 21), ("d", 19))))
    assert [(r["rank"], r["method"]) for r in rank(found)] == [(1, "b"), (1, "c"), (3, "a"), (4, "d")]


def test_any_order_gives_the_same_bytes(tmp_path: Path) -> None:
    found = entries(*(write(tmp_path, n, [p]) for n, p in (("a", 20), ("b", 21), ("c", 21))))
    assert len({leaderboard_csv(rank(order)) for order in permutations(found)}) == 1


def test_partial_results_are_listed_last_without_a_rank(tmp_path: Path) -> None:
    found = entries(write(tmp_path, "part", [40.0], status="partial"), write(tmp_path, "whole", [20.0]))
    assert [(r["rank"], r["method"], r["status"]) for r in rank(found)] == [
        (1, "whole", "measured"),
        ("", "part", "partial"),
    ]


def test_lpips_ranks_upwards_and_skips_who_lacks_it(tmp_path: Path) -> None:
    found = entries(write(tmp_path, "a", [20]), write(tmp_path, "b", [21]))
    assert [r["rank"] for r in rank(found, "lpips")] == ["", ""]
    assert [r["method"] for r in rank(found, "mae")] == ["a", "b"]


def test_csv_has_the_columns_of_the_design(tmp_path: Path) -> None:
    text = leaderboard_csv(rank(entries(write(tmp_path, "a", [20]))))
    row = next(csv.DictReader(io.StringIO(text)))
    assert tuple(row) == COLUMNS
    assert (row["psnr_lo"], row["tie"], row["reported_psnr_db"], row["n_images"]) == ("", "", "", "1")


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
    text = leaderboard_csv(rank(entries(write(tmp_path, "=1+1", [20]))))
    assert next(csv.DictReader(io.StringIO(text)))["method"] == "'=1+1"


def test_infinite_psnr_survives_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "perfect", [float("inf"), 30.0])
    assert '"inf"' in path.read_text()
    assert read_results(path).summary()["psnr_db"] == float("inf")
    assert rank(entries(path))[0]["psnr_db"] == "inf"


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
    lines = text_table(rank(entries(write(tmp_path, "a method", [20.123]), write(tmp_path, "b", [21])))).splitlines()
    assert lines[0].split() == ["rank", "method", "n_images", "psnr_db", "ssim", "lpips", "mae", "status"]
    assert lines[3].split() == ["2", "a", "method", "1", "20.12", "0.4025", "0.1000", "measured"]
    assert lines[0].index("status") == lines[2].index("measured")
