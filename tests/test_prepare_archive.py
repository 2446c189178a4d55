"""`prepare` from an archive: the same bytes as from the folder, also after a kill."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import h5py
import pytest
from click.testing import CliRunner
from known_rawdata import NAMES, tree, write_folder

from sdd_bench.cli import root as cli
from sdd_bench.datasets import archive as module
from sdd_bench.datasets.archive import write_archive
from sdd_bench.datasets.catalog import list_dataset, open_dataset
from sdd_bench.datasets.plan import Choices, plan
from sdd_bench.datasets.prepare import prepare
from sdd_bench.datasets.prepare_source import prepare_source
from sdd_bench.errors import UserError
from sdd_bench.io.files import file_sha256
from sdd_bench.io.serialise import read_csv

DOCS = (Path(__file__).parent.parent / "docs" / "reference" / "datasets.md").read_text(encoding="utf-8")
CHOICES = Choices(dataset="sdd", recipe="dpdnet", window_px=40)


def from_folder(rawdata: Path, out: Path, choices: Choices = CHOICES) -> dict[str, str]:
    prepare(plan(rawdata, choices, 1), out, 1)
    return tree(out)


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_dataset_is_that_of_the_folder(packed: Path, rawdata: Path, tmp_path: Path, jobs: int) -> None:
    expected = from_folder(rawdata, tmp_path / "folder")
    before = file_sha256(packed)
    _, target, summary = prepare_source(packed, CHOICES, tmp_path / "out" / "x", jobs)
    assert not summary.already_there
    assert tree(target) == expected
    assert [p.name for p in target.parent.iterdir()] == ["x"]
    assert file_sha256(packed) == before


def test_the_second_run_finds_it_prepared_without_decoding_a_frame(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out" / "x"
    prepare_source(packed, CHOICES, out, 1)
    times = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    monkeypatch.setattr(module, "_read_frame", lambda _: pytest.fail("a frame was read"))
    assert prepare_source(packed, CHOICES, out, 1)[2].already_there
    with pytest.raises(UserError, match=r"holds another split seed \(0, now 3\)"):
        prepare_source(packed, Choices(dataset="sdd", recipe="dpdnet", window_px=40, seed=3), out, 1)
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*")} == times
    assert [p.name for p in out.parent.iterdir()] == ["x"]


def test_without_digests_or_links_the_second_run_unpacks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rawdata = write_folder(tmp_path / "rawdata")
    write_archive(tmp_path / "a.h5", rawdata, rawdata / "pairs.csv", {})
    out = tmp_path / "out" / "x"
    prepare_source(tmp_path / "a.h5", CHOICES, out, 1)
    assert prepare_source(tmp_path / "a.h5", CHOICES, out, 1)[2].already_there
    digests = write_folder(tmp_path / "again", ("name", "scene", "place", "notes", "blur_sha256", "sharp_sha256"))
    write_archive(tmp_path / "b.h5", digests, digests / "pairs.csv", {})

    def no_links(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", no_links)
    assert prepare_source(tmp_path / "b.h5", CHOICES, out, 1)[2].already_there
    assert [p.name for p in out.parent.iterdir()] == ["x"]


@pytest.mark.parametrize("unpacked_is_lost", [False, True])
def test_a_killed_run_goes_on(
    packed: Path, rawdata: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unpacked_is_lost: bool
) -> None:
    expected = from_folder(rawdata, tmp_path / "folder")
    from sdd_bench.datasets import prepare as preparing

    original, calls = preparing.prepare_pair, []

    def killed_after_two(task: object) -> dict:
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(task)
        return original(task)  # type: ignore[arg-type]

    out = tmp_path / "out" / "x"
    monkeypatch.setattr(preparing, "prepare_pair", killed_after_two)
    with pytest.raises(KeyboardInterrupt):
        prepare_source(packed, CHOICES, out, 1)
    assert sorted(p.name for p in out.parent.iterdir()) == [".x.unpacked", "x"]
    if unpacked_is_lost:
        shutil.rmtree(out.parent / ".x.unpacked")
    again: list = []
    monkeypatch.setattr(preparing, "prepare_pair", lambda task: (again.append(task), original(task))[1])
    prepare_source(packed, CHOICES, out, 1)
    assert len(again) == 3
    assert tree(out) == expected
    assert [p.name for p in out.parent.iterdir()] == ["x"]


def test_what_will_be_refused_is_refused_before_unpacking(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    for choices, out, words in [
        (CHOICES, tmp_path / "mine", "is not empty and does not belong to an earlier run"),
        (Choices(dataset="dpdd"), tmp_path / "x", "an archive is never dpdd; --dataset can be sdd or pairs"),
        (Choices(recipe="half-71"), tmp_path / "x", "--recipe half-71: expected one of"),
    ]:
        with pytest.raises(UserError, match=words):
            prepare_source(packed, choices, out, 1)
    assert not list(tmp_path.glob(".*"))


def test_the_command_takes_an_archive_and_says_the_proportions(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["prepare", str(packed), "--dataset", "sdd", "--recipe", "none", "--jobs", "1"]
    first = CliRunner().invoke(cli, arguments)
    assert first.exit_code == 0, first.output
    note = (
        "not SDD's 150 pairs: the same proportion, 115 of 150 on train, is 4 of 5; "
        "by place: indoor 2 of 2, outdoor 2 of 3"
    )
    assert f"note: {note}" in first.output
    assert "note: 5 pairs, SDD has 150" in first.output
    assert "prepared: data/sdd" in first.output
    assert note in json.loads((tmp_path / "data" / "sdd" / "dataset.json").read_text())["notes"]
    rows = read_csv(tmp_path / "data" / "sdd" / "pairs.csv", ["split", "place"])
    assert sorted(r["place"] for r in rows if r["split"] == "train") == ["indoor", "indoor", "outdoor", "outdoor"]
    assert "already prepared, nothing to do: data/sdd" in CliRunner().invoke(cli, arguments).output
    gone = CliRunner().invoke(cli, ["prepare", "gone.h5"])
    assert gone.exit_code == 1
    assert "gone.h5: no such folder, archive (.h5) or parquet file" in gone.output


def test_unfinished_runs_are_no_dataset(rawdata: Path) -> None:
    (rawdata / ".run").mkdir()
    for read in (list_dataset, open_dataset):
        with pytest.raises(
            UserError, match="an unfinished run of ingest, prepare or synthesise; give the same command"
        ):
            read(rawdata)


def test_a_kill_between_the_last_two_steps_does_not_matter(rawdata: Path, tmp_path: Path) -> None:
    expected = from_folder(rawdata, tmp_path / "data")
    (tmp_path / "data" / ".run").mkdir()
    assert len(open_dataset(tmp_path / "data").pairs) == 5
    assert prepare(plan(rawdata, CHOICES, 1), tmp_path / "data", 1).already_there
    assert tree(tmp_path / "data") == expected
    assert not (tmp_path / "data" / ".run").exists()


def test_digest_columns_are_those_of_the_files(packed: Path, rawdata: Path) -> None:
    with h5py.File(packed) as file:
        for role, column in module.DIGEST_COLUMNS.items():
            found = hashlib.sha256((rawdata / role / f"{NAMES[0]}.png").read_bytes()).hexdigest()
            assert file["pairs"][column].asstr()[0] == found
