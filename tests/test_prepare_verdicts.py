"""`prepare` with the verdicts of `ingest`: omitted pairs are counted, reported and recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from known_rawdata import NAMES, tree, write_folder

from sdd_bench.cli import root as cli
from sdd_bench.datasets.archive import write_archive
from sdd_bench.io.serialise import csv_text, read_csv

WARNED = {NAMES[1], NAMES[3]}


def write_verdicts(folder: Path, statuses: dict[str, str]) -> None:
    (folder / "pairs.csv").write_text(csv_text(("name", "status"), sorted(statuses.items())), encoding="utf-8")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = write_folder(tmp_path / "raw")
    write_verdicts(folder, {name: "warning" if name in WARNED else "accepted" for name in NAMES})
    return folder


def prepare(source: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["prepare", str(source), "--out", str(out), "--recipe", "none", *options])


def names_in(data: Path) -> set[str]:
    return {row["name"] for row in read_csv(data / "pairs.csv", ("name",))}


@pytest.mark.parametrize(
    "options", [("--without-warned",), ("--only", "accepted"), ("--only=accepted", "--without-warned")]
)
def test_warned_pairs_are_left_out_counted_said_and_recorded(source: Path, tmp_path: Path, options: tuple[str]) -> None:
    result = prepare(source, tmp_path / "data", *options)
    assert result.exit_code == 0, result.output
    note = "left out: 2 of 5 pairs, which ingest warned of (only accepted): hall_0001, hall_0003"
    assert f"note: {note}" in result.output
    assert names_in(tmp_path / "data") == set(NAMES) - WARNED
    manifest = json.loads((tmp_path / "data" / "dataset.json").read_text(encoding="utf-8"))
    assert (manifest["request"]["only"], manifest["notes"]) == ("accepted", [note])
    assert sum(manifest["pairs"].values()) == 3


def test_the_warned_ones_alone_can_be_looked_at(source: Path, tmp_path: Path) -> None:
    result = prepare(source, tmp_path / "data", "--only", "warning")
    assert "left out: 3 of 5 pairs, which ingest accepted without a warning (only warning): hall_0000" in result.output
    assert names_in(tmp_path / "data") == WARNED


def test_what_is_asked_for_is_part_of_the_configuration(source: Path, tmp_path: Path) -> None:
    assert prepare(source, tmp_path / "data").exit_code == 0
    before = tree(tmp_path / "data")
    assert "only" not in json.loads((tmp_path / "data" / "dataset.json").read_text(encoding="utf-8"))["request"]
    other = prepare(source, tmp_path / "data", "--without-warned")
    assert other.exit_code == 1
    assert "holds another" in other.output
    assert "only (" in other.output
    assert tree(tmp_path / "data") == before


def test_an_archive_gives_the_same(source: Path, tmp_path: Path) -> None:
    write_archive(tmp_path / "raw.h5", source, source / "pairs.csv", {})
    assert prepare(tmp_path / "raw.h5", tmp_path / "packed", "--without-warned").exit_code == 0
    assert prepare(source, tmp_path / "data", "--without-warned").exit_code == 0
    assert tree(tmp_path / "packed") == tree(tmp_path / "data")


def test_without_verdicts_it_is_refused(source: Path, tmp_path: Path) -> None:
    def said(*options: str) -> str:
        result = prepare(source, tmp_path / "data", *options)
        assert result.exit_code == 1
        assert not (tmp_path / "data").exists()
        return result.output

    assert "--without-warned and --only warning: give only one of them" in said("--only", "warning", "--without-warned")
    write_verdicts(source, dict.fromkeys(NAMES, "accepted"))
    assert f"{source}: no pair is warning; its pairs.csv has 5 accepted" in said("--only", "warning")
    write_verdicts(source, {**dict.fromkeys(NAMES[:4], "accepted"), NAMES[0]: "refused"})
    assert said("--only", "accepted").splitlines() == [
        f"Error: {source}: 2 problems",
        "  pairs.csv line 2: status 'refused' of hall_0000, expected accepted or warning",
        "  pairs.csv: no verdict on hall_0004",
    ]
    (source / "pairs.csv").unlink()
    words = "no verdicts of ingest, expected pairs.csv with the columns name and status"
    assert f"{source}: {words}; leave --only and --without-warned out" in said("--without-warned")
