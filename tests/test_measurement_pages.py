"""Pages of measurements: long tables move to CSV files, every number stays, every link has its file."""

from __future__ import annotations

import csv
import dataclasses
import importlib
from pathlib import Path
from types import ModuleType

import pytest

from sdd_bench.synthesis.cameras import CAMERAS, Camera, read_camera

ROOT = Path(__file__).parent.parent
TABLES = ROOT / "docs" / "tables"


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("pages")


def long_page(rows: int) -> str:
    lines = [
        f"| `a|b {n}`, x | +{n}.50 ± 0.1 | {n} of 9 | {n}00 / 1,{n}00 | - |".replace("a|b", "a\\|b")
        for n in range(1, rows + 1)
    ]
    head = "| pair | zoom | flagged | error, median / largest ↓ | time |\n|---|--:|---|---|---|\n"
    return (
        f"# Page\n\nHow it was done.\n\n## What is the Answer, at 5 px?\n\n{head}"
        + "\n".join(lines)
        + "\n\nIts conclusion.\n"
    )


def test_a_long_table_becomes_a_link_and_a_csv_file_with_numbers_as_numbers(pages: ModuleType, tmp_path: Path) -> None:
    written = pages.write_page(tmp_path / "page.md", long_page(12))
    assert written == [tmp_path / "data/page-answer-5-px.csv"]
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert page == (
        "# Page\n\nHow it was done.\n\n## What is the Answer, at 5 px?\n\n"
        "[All 12 rows by pair](data/page-answer-5-px.csv)\n\nIts conclusion.\n"
    )
    rows = list(csv.reader(written[0].read_text(encoding="utf-8").splitlines()))
    assert rows[0] == [
        "pair", "zoom", "zoom ±", "flagged", "flagged, of", "error, median ↓", "error, largest ↓", "time",
    ]  # fmt: skip
    assert rows[1] == ["a|b 1, x", "1.50", "0.1", "1", "9", "100", "1100", ""]
    assert len(rows) == 13


def test_short_tables_stay_and_files_that_are_no_longer_linked_go(pages: ModuleType, tmp_path: Path) -> None:
    pages.write_page(tmp_path / "page.md", long_page(12))
    other = tmp_path / "data" / "page-of-another.csv"
    other.write_text("a\n1\n", encoding="utf-8")
    assert pages.write_page(tmp_path / "page.md", long_page(10)) == []
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == long_page(10)
    assert [file.name for file in (tmp_path / "data").iterdir()] == [other.name]


def test_two_tables_under_one_heading_get_two_names_and_code_is_left_alone(pages: ModuleType) -> None:
    table = "| n |\n|---|\n" + "| 1 |\n" * 11
    page, files = pages.with_files(f"# A\n\n{table}\n{table}\n```\n{table}```\n", "a")
    assert list(files) == ["data/a.csv", "data/a-2.csv"]
    assert page.endswith(f"```\n{table}```\n")


def test_a_page_that_is_written_again_as_it_is_keeps_its_files(pages: ModuleType, tmp_path: Path) -> None:
    (file,) = pages.write_page(tmp_path / "page.md", long_page(12))
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert pages.write_page(tmp_path / "page.md", page) == []
    assert file.is_file()
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == page


def test_every_page_has_short_tables_only(pages: ModuleType) -> None:
    for path in sorted(TABLES.glob("*.md")):
        assert pages.with_files(path.read_text(encoding="utf-8"), path.stem)[1] == {}, path.name


@pytest.mark.parametrize("folder", ["tables", "reference", "explanation"])
def test_every_file_of_a_table_is_linked_by_one_page(pages: ModuleType, folder: str) -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "docs" / folder).glob("*.md")]
    linked = [name for text in texts for name in pages.LINK.findall(text)]
    assert sorted(linked) == sorted(f"data/{file.name}" for file in (ROOT / "docs" / folder / "data").iterdir())


def test_the_table_of_cameras_has_the_values_of_the_code() -> None:
    with (ROOT / "docs/reference/data/camera-ingredients.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["ingredient"] for row in rows} == {field.name for field in dataclasses.fields(Camera)}
    for name in CAMERAS:
        camera = read_camera(name)
        shown = {row["ingredient"]: row[name] for row in rows}
        assert shown == {
            key: f"{value:g}" if not isinstance(value, str) else value for key, value in vars(camera).items()
        }


@pytest.mark.parametrize("script", sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py")))
def test_every_benchmark_finds_what_it_imports(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Benchmarks run seldom, so that a name that has gone from the package would be missed."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    importlib.import_module(script)
