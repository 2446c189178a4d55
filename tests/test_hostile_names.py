"""Names with special meaning to a spreadsheet, LaTeX, Markdown, HTML or JSON, in every output file."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from known_board import known_entry, known_page
from known_outputs import DIRECT, ok

from leaderboard.files import Shown, write_boards
from leaderboard.formats import escape, latex, markdown
from leaderboard.stability import stability_markdown
from leaderboard.table import build_board
from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.evaluation.anchor_record import FailedAnchor
from sdd_bench.evaluation.anchor_tables import write_tables
from sdd_bench.evaluation.protocol import build_protocol
from sdd_bench.evaluation.results import Method, Results, protocol_block, read_results
from sdd_bench.io.formulas import guarded, unguarded
from sdd_bench.io.images import write_png
from sdd_bench.io.serialise import csv_text, frame_csv, json_text, read_csv
from sdd_bench.io.text import read_json

FORMULAS = ("=cmd|' -C calc'!A0", "@SUM(1+1)", "+1+cmd", "-1+2", "\uff1d1+1", "'=1")
"""Formulas that are also possible file names."""

FORMULA = re.compile("[=+@\t\r\n\uff1d]|-(?!\\d+(\\.\\d+)?(e-?\\d+)?$|inf$)")
READABLE = ("\tx", "\n=x", "''=1", "'", "'tis", "", "plain", "-0.5", "-inf", "-1e-05")
SPECIAL = (
    "[12] Restormer",
    "*Ours",
    "\\input{x}",
    "50 % of a_b & c",
    "#1 ~ ^2",
    "a | b",
    "<b>bold</b>",
    "[x](http://y)",
)


def formulas(path: Path) -> list[str]:
    """The cells of a CSV file that a spreadsheet takes for formulas."""
    with path.open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    return [cell for cell in cells if FORMULA.match(cell)]


@pytest.mark.parametrize("name", [*FORMULAS, *READABLE, "\rx"])
def test_a_guarded_cell_is_no_formula_and_reads_back(tmp_path: Path, name: str) -> None:
    cell = str(guarded(name))
    assert unguarded(cell) == name
    assert not FORMULA.match(cell)
    for text in (csv_text(("name", "n"), [(name, -1.5)]), frame_csv(pd.DataFrame({"name": [name], "n": [-1.5]}))):
        (tmp_path / "t.csv").write_text(text, encoding="utf-8", newline="")
        if "\r" not in name:  # text files do not keep it
            assert read_csv(tmp_path / "t.csv", ("name",)) == [{"name": name, "n": "-1.5"}]
        assert formulas(tmp_path / "t.csv") == []


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Outputs of the commands for pairs and methods named like formulas."""
    root = tmp_path_factory.mktemp("formulas")
    rng = np.random.default_rng(4)
    for name in FORMULAS:
        sharp = rng.integers(0, 256, (96, 128, 3), dtype=np.uint8)
        images = {"in/blur": sharp // 2 + 64, "in/gt": sharp, "one": sharp // 4 * 3 + 32, "two": sharp // 8 * 7 + 16}
        for folder, image in images.items():
            write_png(root / folder / f"{name}.png", image)
    rows = [(name, f"={i // 2}", ("indoor", "outdoor")[i % 2]) for i, name in enumerate(FORMULAS)]
    (root / "in/places.csv").write_text(csv_text(("name", "scene", "place"), rows), encoding="utf-8")
    recipe = ("--recipe", "dpdnet", "--window", 64)
    ok("prepare", root / "in", "--split", 0.5, "--seed", 1, *recipe, "--out", root / "data")
    ok("analyse", "--data", root / "data", "--fast", "--out", root / "out/misalignment.csv", "--jobs", 1)
    folders = ("--blur", root / "in/blur", "--sharp", root / "in/gt")
    for method in ("one", "two"):
        words = (*folders, *DIRECT, "--method", f"={method}", "--out", f"{root}/out/")
        ok("evaluate", "--pred", root / method, *words)
    files = sorted((root / "out").glob("*.direct-1.json"))
    ok("leaderboard", *files, "--out", f"{root}/out/", "--html", root / "out/page.html")
    ok("stability", *files, "--reference", "direct/1", "--out", f"{root}/out/")
    write_png(root / "photos/=1+1.png", rng.integers(0, 256, (160, 200, 3), dtype=np.uint8))
    ok("synthesise", root / "photos", "--out", root / "made", "--size", "96x96", "--max-radius", 2, "--jobs", 1)
    return root


def test_no_csv_of_any_command_holds_a_formula(written: Path) -> None:
    tables = {path.name for path in written.rglob("*.csv") if path.parent.name != "in"}
    assert {
        "pairs.csv", "split.csv", "patches.csv", "misalignment.csv", "leaderboard.csv", "leaderboard-pairwise.csv",
        "stability.csv", "truth.csv", "camera.csv", "places.csv", "one.pairs-test.direct-1.csv",
    } <= tables  # fmt: skip
    found = {path: cells for path in written.rglob("*.csv") if (cells := formulas(path))}
    assert found == {}


def test_what_was_guarded_is_read_again_as_it_was(written: Path) -> None:
    pairs = open_dataset(written / "data").pairs
    assert {pair.name for pair in pairs} == set(FORMULAS)
    assert {(pair.name, pair.place, pair.scene) for pair in pairs} == {
        (name, ("indoor", "outdoor")[i % 2], f"={i // 2}") for i, name in enumerate(FORMULAS)
    }
    results = read_results(written / "out/one.pairs-test.direct-1.json")
    table = read_csv(written / "out/one.pairs-test.direct-1.csv", ("name",))
    assert results.method.name == "=one"
    assert [row["name"] for row in table] == [str(row["name"]) for row in results.images] == sorted(FORMULAS)
    assert {row["pair"] for row in read_csv(written / "data/patches.csv", ("pair",))} <= set(FORMULAS)


def test_the_sides_of_a_leaderboard_hold_no_formula(tmp_path: Path) -> None:
    entries = [known_entry(name, 20.0 + i) for i, name in enumerate(FORMULAS[:3])]
    for entry in entries:
        entry.rows["place"] = ["=indoor", "=indoor", *["@out"] * (len(entry.rows) - 2)]
        entry.rows["blur_radius_px"] = entry.rows["misalignment_px"] = [float(i) for i in range(len(entry.rows))]
    shown = Shown(by=("place", "blur", "misalignment"))
    (board,) = write_boards(entries, tmp_path / "board.csv", shown)
    tables = [path for path in board.files if path.suffix == ".csv"]
    assert [path.name.removeprefix("board") for path in tables] == [
        ".csv", "-pairwise.csv", "-by-place.csv", "-by-blur.csv", "-by-misalignment.csv",
    ]  # fmt: skip
    assert {path.name: formulas(path) for path in tables} == {path.name: [] for path in tables}
    assert {row["method"] for row in read_csv(tmp_path / "board-by-place.csv", ("method",))} == set(FORMULAS[:3])


def test_the_table_of_anchors_holds_no_formula(tmp_path: Path) -> None:
    common: dict[str, Any] = {"split": "test", "method": "anchor/2", "blur_sha256": "a", "sharp_sha256": "b"}
    more = {"grey": "refuse", "height": 1, "width": 1, "versions": {}}
    records = [FailedAnchor(why="=why", name=name, **common, **more) for name in FORMULAS]
    (table,) = write_tables(records, tmp_path)
    assert formulas(table) == []
    assert [row["name"] for row in read_csv(table, ("name", "why"))] == list(FORMULAS)


def board_of(*names: str) -> Any:
    return build_board([known_entry(name, 20.0 + i) for i, name in enumerate(names)])


def test_latex_reads_every_name_as_text() -> None:
    text = latex(board_of(*SPECIAL))
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    first_cells = re.findall(r"(?:\\midrule|\\\\)\n((?:\\&|[^&])*) &", body)
    assert sorted(first_cells) == sorted(
        [
            "{[}12{]} Restormer", "{*}Ours", r"\textbackslash{}input\{x\}", r"50 \% of a\_b \& c",
            r"\#1 \textasciitilde{} \textasciicircum{}2", r"a \textbar{} b",
            r"\textless{}b\textgreater{}bold\textless{}/b\textgreater{}", "{[}x{]}(http://y)",
        ]
    )  # fmt: skip
    # A bracket or an asterisk after a line break or a rule would be its argument.
    assert not re.search(r"(\\\\|\\(top|mid|bottom)rule)\s*[\[*]", text)
    unescaped = re.sub(r"\\[\\&%$#_{}]", "", body.replace("$^{=}$", ""))
    assert not re.search(r"[#%~^_]", unescaped)


def test_latex_of_one_method_alone_whatever_it_is_called() -> None:
    for name in ("[", "*", "[1em]x", "\\\\", "%", "$", "{"):
        text = latex(board_of(name, "other"))
        assert not re.search(r"(\\\\|rule)\s*[\[*]", text)
    assert escape("\ud800[") == "\\textbackslash{}ud800{[}"


def test_markdown_shows_every_name_as_text() -> None:
    lines = markdown(board_of(*SPECIAL)).splitlines()
    table = [line for line in lines if line.startswith("|")]
    bars = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
    assert len(bars) == 1
    assert r"| \<b\>bold\</b\> |" in "\n".join(table)
    assert r"| \[x\](http://y) |" in "\n".join(table)
    rows = pd.DataFrame([["=c", "a/1", "<i>", "psnr_db", 2, 1.0, 0.5, 1, "a | b / <b>c</b>"]])
    rows.columns = pd.Index(["changed", "protocol", "flow", "metric", "methods", "tau", "tau_lo", "swapped", "swaps"])
    last = stability_markdown(rows).splitlines()[-1]
    assert r"a \| b / \<b\>c\</b\>" in last
    assert r"\<i\>" in last


def test_pages_escape_names(tmp_path: Path, written: Path) -> None:
    page = known_page(tmp_path).read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page
    assert "=one" in (written / "out/page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "written"), [("\ud800x", "\\ud800x"), ("s\udce9", "s\\xe9"), ("\udcc3\udca9", "é"), ("\ud83d\ude00", None)]
)
def test_json_and_csv_survive_halves_of_surrogate_pairs(tmp_path: Path, name: str, written: str | None) -> None:
    path = tmp_path / "x.json"
    path.write_text(json_text({name: [name]}), encoding="utf-8")
    found = read_json(path)
    expected = "\\ud83d\\ude00" if written is None else written
    assert found == {expected: [expected]}
    assert csv_text(("a",), [[name]]) == f"a\n{expected}\n"
    assert frame_csv(pd.DataFrame({"a": [name]}, dtype=object)) == f"a\n{expected}\n"


def test_results_of_a_method_in_no_encoding_are_written_and_read(tmp_path: Path) -> None:
    dataset: Any = {"name": "d", "split": "test", "n_images": 1, "sha256": "a", "excluded": {}}
    protocol = protocol_block(build_protocol("direct/1", None, None, "alex"))
    scores = {"psnr_db": 20.0, "ssim": None, "mae": None, "lpips": None}
    row = {"name": "a", **scores, "restored_sha256": "r", "blur_sha256": "b", "sharp_sha256": "s"}
    results = Results(Method("\ud800 Ours"), dataset, protocol, (row,))
    results.save(tmp_path / "r.json")
    assert read_results(tmp_path / "r.json").method.name == "\\ud800 Ours"
    assert json.loads((tmp_path / "r.json").read_bytes())["method"]["name"] == "\\ud800 Ours"


def test_direct_scores_of_a_folder_are_unchanged_by_what_it_is_called(written: Path) -> None:
    words = ("--data", written / "in", *DIRECT, "--method", "plain", "--out", written / "plain.json")
    ok("evaluate", "--pred", written / "one", *words)
    one, other = (read_results(written / name) for name in ("plain.json", "out/one.pairs-test.direct-1.json"))
    assert one.summary.equals(other.summary)
    assert one.dataset["sha256"] == other.dataset["sha256"]
