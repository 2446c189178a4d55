"""Small inputs for the long jobs, made once; every test here is marked `faults`."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from known_run import run_command
from known_session import describe, views, write_pair

from faults.known_jobs import TINY_TRAINING, Job, files_of, training_of

KILLS = int(os.environ.get("SDD_BENCH_KILLS", "2"))
"""Number of kills of each job; `make faults` sets 30."""


SHORT = (
    "test_a_killed_job_ends_with_the_bytes_of_an_undisturbed_one[prepare",
    "test_ctrl_c_stops_and_the_same_command_goes_on[prepare",
    "test_files_that_may_not_grow_are_one_line[prepare",
    "test_the_second_run_refuses_and_names_the_first[prepare",
    "test_a_lock",
    "test_a_waiting_run",
    "test_two_processes_that_take_turns_never_hold_the_lock_both[folder",
    "test_a_folder_that_is_claimed",
    "test_a_request_with_a_name",
    "test_jobs_and_scheduler_are_not_given_together",
    "test_ctrl_c_is_quiet_at_any_moment[at once",
)
"""Names of the tests that `make test` runs: one for each kind of fault, and all quick ones."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.faults)
            if not any(item.name.startswith(short) for short in SHORT):
                item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs, a camera session, and a prepared dataset with predictions and without anchors."""
    root = tmp_path_factory.mktemp("inputs")
    size = ("--size", "192x128", "--max-radius", 2, "--seed", 5, "--jobs", 1)
    run_command("synthesise", "--out", root / "pairs", "--count", 8, *size)
    choices = ("--split", 0.5, "--group-by", "scene", "--window", 64, "--recipe", "dpdnet", "--jobs", 1)
    run_command("prepare", root / "pairs", "--out", root / "data", *choices)
    (root / "session").mkdir()
    stems = [f"view{number}" for number in range(6)]
    for number, (stem, view) in enumerate(zip(stems, views(6), strict=True)):
        write_pair(root / "session", stem, view, seed=number)
    describe(root / "session", stems)
    return root


@pytest.fixture(scope="session")
def jobs(inputs: Path) -> Mapping[str, Job]:
    """The jobs by name."""
    data = ("--data", inputs / "data")
    pair = sorted((inputs / "pairs" / "blur").iterdir())[-1]
    tested = sorted((inputs / "data" / "test" / "blur").iterdir())[-1]
    trained = [word for key, value in TINY_TRAINING.items() for word in ("--set", f"{key}={value}")]

    def journal(out: Path) -> bool:
        return any(path.stat().st_size for path in (*out.glob(".*journal"), *out.glob(".run/*.jsonl")))

    listed = [
        Job(
            "prepare",
            lambda out: ("prepare", inputs / "pairs", "--out", out, "--split", 0.5, "--window", 64),
            files_of,
            journal,
            pair,
        ),
        Job("ingest", lambda out: ("ingest", inputs / "session", "--out", out), files_of, journal, inputs / "session"),
        Job(
            "evaluate",
            lambda out: (
                *("evaluate", "--pred", inputs / "data/test/blur", *data, "--protocol", "all"),
                *("--anchors", out / "anchors", "--out", out),
            ),
            files_of,
            journal,
            tested,
        ),
        Job(
            "anchor",
            lambda out: ("anchor", *data, "--split", "all", "--anchors", out),
            files_of,
            lambda out: any(out.glob("*/*/*.json")),
            tested,
        ),
        Job(
            "train-baseline",
            lambda out: (
                "train-baseline", *data, "--preset", "unet-eq1", *trained, "--accelerator", "cpu", "--out", out,
            ),
            training_of,
            lambda out: (out / "last.pt").is_file(),
            inputs / "data",
        ),
        Job("analyse", lambda out: ("analyse", *data, "--out", out / "m.csv"), files_of, journal, tested),
        Job(
            "synthesise",
            lambda out: ("synthesise", "--out", out, "--count", 8, "--size", "256x160", "--seed", 2),
            files_of,
            journal,
            inputs,
        ),
    ]  # fmt: skip
    return {job.name: job for job in listed}


@pytest.fixture(scope="session")
def undisturbed(
    jobs: Mapping[str, Job], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Mapping[str, str]]:
    """Output of an undisturbed run of a job with one worker, by the job's name."""

    @cache
    def output(name: str) -> Mapping[str, str]:
        more = () if name == "train-baseline" else ("--jobs", 1)
        return jobs[name].finish(tmp_path_factory.mktemp("undisturbed") / name, *more)

    return output


class Disk:
    """A small separate disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def set(self, options: str) -> None:
        """Remount the disk with options such as `size=1m` or `ro`; workers of a killed run may hold files open."""
        end = time.monotonic() + 20
        while subprocess.run(["mount", "-o", f"remount,{options}", self.folder], capture_output=True).returncode:
            assert time.monotonic() < end, f"cannot be remounted with {options}"
            time.sleep(0.1)


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Disk]:
    folder.mkdir(parents=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("no small disk can be mounted here (needs root): tried with a limit on the size of files instead")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 4 MB."""
    with mounted(tmp_path / "disk", "4m") as disk:
        yield disk
