"""Many items: order, faults together, journal, a dying worker."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from sdd_bench.errors import UserError
from sdd_bench.jobs.items import Item, Journal, fingerprint, map_items


def double(number: int) -> dict[str, Any]:
    return {"value": 2 * number}


def refuse_odd(number: int) -> dict[str, Any]:
    if number % 2:
        raise UserError(f"{number}: odd, expected even")
    return {"value": number}


def die_at_three(number: int) -> dict[str, Any]:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"value": number}


def items(count: int) -> list[Item]:
    return [Item(str(n), n, f"f{n}") for n in range(count)]


@pytest.mark.parametrize("jobs", [1, 3])
def test_results_come_in_the_order_of_the_items(jobs: int) -> None:
    assert [r["value"] for r in map_items(double, items(9), jobs=jobs, label="x")] == list(range(0, 18, 2))


@pytest.mark.parametrize("jobs", [1, 3])
def test_faults_are_reported_together_and_the_rest_is_kept(tmp_path: Path, jobs: int) -> None:
    journal = Journal(tmp_path / "j")
    with pytest.raises(UserError) as caught:
        map_items(refuse_odd, items(6), jobs=jobs, label="x", where="numbers", journal=journal)
    assert caught.value.message.splitlines() == [
        "numbers: 3 faults",
        *(f"  {n}: odd, expected even" for n in (1, 3, 5)),
    ]
    again = Journal(tmp_path / "j")
    assert [bool(again.result_of(item)) for item in items(6)] == [True, False] * 3


def test_journalled_items_are_done_again_when_they_changed_or_their_files_went(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    map_items(double, items(3), jobs=1, label="x", journal=journal)
    calls: list[int] = []

    def note(number: int) -> dict[str, Any]:
        calls.append(number)
        return {"value": number}

    changed = [Item("0", 0, "other"), *items(3)[1:]]
    results = map_items(
        note, changed, jobs=1, label="x", journal=Journal(tmp_path / "j"), still_valid=lambda r: r["value"] != 4
    )
    assert calls == [0, 2]
    assert [r["value"] for r in results] == [0, 2, 2]


def test_a_torn_journal_line_is_ignored(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    for item in items(2):
        journal.add(item, {"value": 7})
    content = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(content[:-15])
    again = Journal(tmp_path / "j")
    assert [again.result_of(item) for item in items(2)] == [{"value": 7}, None]
    again.add(items(2)[1], {"value": 8})
    assert [Journal(tmp_path / "j").result_of(item) for item in items(2)] == [{"value": 7}, {"value": 8}]


def test_an_item_whose_worker_dies_is_named_and_the_others_are_done(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError) as caught:
        map_items(die_at_three, items(6), jobs=4, label="x", journal=Journal(tmp_path / "j"))
    said = "x: 3: its worker process died although it was alone, most likely for lack of memory; give the same command "
    assert caught.value.message == said + "with --jobs 1 where more is free"
    assert (
        "x: a worker process died, most likely for lack of memory; going on with --jobs 2\n" in capfd.readouterr().err
    )
    again = Journal(tmp_path / "j")
    assert [bool(again.result_of(item)) for item in items(6)] == [True, True, True, False, True, True]


def fill_memory(number: int) -> dict[str, Any]:
    import resource

    import numpy as np

    if number == 1:
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, hard))
        try:
            np.ones((1 << 35,))
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    return {"value": number}


def lose_file(number: int) -> dict[str, Any]:
    return {"value": Path(f"/nowhere/{number}").read_text()} if number == 2 else {"value": number}


@pytest.mark.parametrize("jobs", [1, 2])
def test_too_little_memory_and_lost_files_are_faults_of_their_items(tmp_path: Path, jobs: int) -> None:
    with pytest.raises(UserError, match=r"^x: 1: too little memory \(.*\); give the same command with --jobs 1$"):
        map_items(fill_memory, items(3), jobs=jobs, label="x", journal=Journal(tmp_path / "j"))
    with pytest.raises(UserError, match=r"^x: 2: /nowhere/2: No such file or directory$"):
        map_items(lose_file, items(3), jobs=jobs, label="x", journal=Journal(tmp_path / "k"))


def test_fingerprint_follows_configuration_and_files(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    first = fingerprint({"b": 1, "a": 2}, file)
    assert fingerprint({"a": 2, "b": 1}, file) == first
    assert fingerprint({"a": 2, "b": 3}, file) != first
    file.write_text("other")
    assert fingerprint({"a": 2, "b": 1}, file) != first
