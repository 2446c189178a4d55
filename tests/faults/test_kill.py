"""kill -9 at random moments: repeating the command gives the output of an undisturbed run, byte for byte."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from faults.conftest import KILLS
from faults.known_jobs import Job

CHAIN = 3
"""Number of kills in one output folder before the job runs to its end."""


def killed(job: Job, out: Path, seconds: float, *, alone: bool, at_work: bool) -> bool:
    """Start a job and kill it after a time, with its workers or alone; return whether it was still running.

    The time counts from the start, or from the moment when the job is first seen at work.
    """
    process = job.start(out)
    while at_work and not job.started(out) and process.poll() is None:
        time.sleep(0.005)
    time.sleep(seconds)
    if process.poll() is not None:
        process.communicate()
        return False
    if alone:
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


@pytest.mark.parametrize("name", ["prepare", "ingest", "evaluate", "anchor", "train-baseline"])
def test_a_killed_job_ends_with_the_bytes_of_an_undisturbed_one(
    name: str,
    jobs: Mapping[str, Job],
    undisturbed: Callable[[str], Mapping[str, str]],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    job, wanted = jobs[name], undisturbed(name)
    random_ = random.Random(f"{name} {KILLS}")
    started = time.monotonic()
    assert job.finish(tmp_path / "timed") == wanted, "with several workers"
    whole = time.monotonic() - started
    kills = trials = within = 0
    while kills < KILLS:
        out = tmp_path / f"trial{trials}"
        trials += 1
        for turn in range(min(CHAIN, KILLS - kills)):
            at_work = turn == 0 and random_.random() < 0.7
            seconds = 0.3 * random_.random() ** 3 * whole if at_work else random_.uniform(0.1, 1.0) * whole
            if killed(job, out, seconds, alone=random_.random() < 0.5, at_work=at_work):
                kills += 1
                within += job.started(out)
        assert job.finish(out) == wanted, f"trial {trials} of {name}"
    record_property("kills", f"{name}: {kills}, of them after the first finished item {within}; {trials} folders")
    print(f"{name}: {kills} kills, {within} of them after the first finished item, {trials} folders")
    assert kills == KILLS


@pytest.mark.parametrize("name", ["prepare", "evaluate"])
def test_workers_end_with_their_parent(name: str, jobs: Mapping[str, Job], tmp_path: Path) -> None:
    process = jobs[name].start(tmp_path / "out", "--jobs", 2)
    jobs[name].wait_for_work(tmp_path / "out", process)
    group = process.pid
    process.kill()
    process.wait()
    end = time.monotonic() + 20
    while members(group) and time.monotonic() < end:
        time.sleep(0.1)
    assert members(group) == []


def members(group: int) -> list[int]:
    """Return the processes of a group that run a worker."""
    listed = subprocess.run(["ps", "-o", "pid=,args=", "-g", str(group)], capture_output=True, text=True, check=False)
    return [int(line.split()[0]) for line in listed.stdout.splitlines() if "loky" in line and "resource" not in line]
