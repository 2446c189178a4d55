"""Many items: order, faults reported together, journal, a dying worker, and an unchanged process."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known_work import (
    die_at_three,
    double,
    fill_memory,
    lose_file,
    lose_track,
    nothing_of_even,
    refuse_odd,
    wait_a_little,
)
from PIL import Image

from sdd_bench.errors import UserError
from sdd_bench.io.images import read_pixels
from sdd_bench.jobs import items as items_module
from sdd_bench.jobs.items import Item, Journal, fingerprint, map_items
from sdd_bench.jobs.workers import run


def items(count: int) -> list[Item[int]]:
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
        "numbers: 3 problems",
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
    said = "x: 3: its worker process died although it ran alone, most likely for lack of memory; give the same command "
    assert caught.value.message == said + "with --jobs 1 where more is free"
    assert (
        "x: a worker process died, most likely for lack of memory; continuing with --jobs 2\n" in capfd.readouterr().err
    )
    again = Journal(tmp_path / "j")
    assert [bool(again.result_of(item)) for item in items(6)] == [True, True, True, False, True, True]


@pytest.mark.parametrize("jobs", [1, 2])
def test_too_little_memory_and_lost_files_are_faults_of_their_items(tmp_path: Path, jobs: int) -> None:
    with pytest.raises(UserError, match=r"^x: 1: too little memory \(.*\); give the same command with --jobs 1$"):
        map_items(fill_memory, items(3), jobs=jobs, label="x", journal=Journal(tmp_path / "j"))
    with pytest.raises(UserError, match=r"^x: 2: /nowhere/2: No such file or directory$"):
        map_items(lose_file, items(3), jobs=jobs, label="x", journal=Journal(tmp_path / "k"))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_fault_of_the_program_is_no_fault_of_an_item(jobs: int) -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        map_items(lose_track, items(3), jobs=jobs, label="x")


def test_a_result_may_be_anything_also_nothing() -> None:
    assert map_items(nothing_of_even, items(4), jobs=1, label="x") == [None, 1, None, 3]


def state_of_the_process() -> dict[str, object]:
    """Return the state of the process that calls of the library must not change."""
    import cv2
    import torch

    return {
        "OpenCV threads": cv2.getNumThreads(),
        "torch threads": torch.get_num_threads(),
        "folder": Path.cwd(),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "blocked signals": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        "hook of threads": threading.excepthook,
        "hook": sys.excepthook,
        "limit of Pillow": Image.MAX_IMAGE_PIXELS,
        "loggers": {n: (logging.getLogger(n).level, list(logging.getLogger(n).filters)) for n in ("tifffile", "PIL")},
        "warnings": list(warnings.filters),
        "environment": dict(os.environ),
    }


def read_and_count(path: Path) -> dict[str, Any]:
    import cv2
    import torch

    if not path.suffix:
        raise UserError(f"{path}: no image")
    return {"threads": [cv2.getNumThreads(), torch.get_num_threads()], "sum": int(read_pixels(path).sum())}


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("failing", [False, True])
def test_nothing_of_the_process_is_changed(tmp_path: Path, jobs: int, failing: bool) -> None:
    import cv2
    import torch

    pixels = np.random.default_rng(0).integers(0, 255, (8, 9, 3), dtype=np.uint8)
    for suffix in (".png", ".jpg", ".tif"):
        Image.fromarray(pixels).save(tmp_path / f"a{suffix}")
    work = [Item(path.name, path) for path in sorted(tmp_path.iterdir())]
    own = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(2)
    torch.set_num_threads(3)
    try:
        before = state_of_the_process()
        if failing:
            with pytest.raises(UserError, match="no image"):
                map_items(read_and_count, [*work, Item("b", Path("b"))], jobs=jobs, label="x")
        else:
            results = map_items(read_and_count, work, jobs=jobs, label="x")
            assert [result["threads"] for result in results] == [[1, 1]] * 3
            assert results[1]["sum"] == results[2]["sum"] == pixels.sum(dtype=int)
        assert state_of_the_process() == before
    finally:
        cv2.setNumThreads(own[0])
        torch.set_num_threads(own[1])


def test_whoever_stops_asking_changes_nothing_and_leaves_no_worker() -> None:
    before = state_of_the_process()
    for count in (0, 1, 4):
        outcomes = run(wait_a_little, [(str(n), n) for n in range(50)], 2, "x")
        for _ in range(count):
            next(outcomes)
        outcomes.close()
    assert state_of_the_process() == before
    assert [child for child in multiprocessing.active_children() if "Loky" in child.name] == []


def test_a_journal_of_another_version_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a"
    file.write_text("one")

    def marked() -> list[Item[int]]:
        return [Item(str(n), n, fingerprint({"seed": 1}, file)) for n in range(3)]

    map_items(double, marked()[:2], jobs=1, label="x", journal=Journal(tmp_path / "j"))
    calls: list[int] = []

    def note(number: int) -> dict[str, Any]:
        calls.append(number)
        return {"value": -number}

    assert [r["value"] for r in map_items(note, marked(), jobs=1, label="x", journal=Journal(tmp_path / "j"))] == [
        *(0, 2, -2)
    ]
    monkeypatch.setattr(items_module, "__version__", "0.0.1")
    results = map_items(note, marked(), jobs=1, label="x", journal=Journal(tmp_path / "j"))
    assert (calls, [r["value"] for r in results]) == ([2, 0, 1, 2], [0, -1, -2])


def test_fingerprint_follows_configuration_and_files(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    first = fingerprint({"b": 1, "a": 2}, file)
    assert fingerprint({"a": 2, "b": 1}, file) == first
    assert fingerprint({"a": 2, "b": 3}, file) != first
    file.write_text("other")
    assert fingerprint({"a": 2, "b": 1}, file) != first
