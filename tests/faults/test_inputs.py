"""Inputs that disappear while a job runs, and clocks that go backwards."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from faults.known_jobs import Job, one_line


@pytest.mark.parametrize("name", ["prepare", "evaluate", "anchor", "analyse"])
def test_an_input_that_goes_away_is_named_and_the_rest_is_done(
    name: str, jobs: Mapping[str, Job], undisturbed: Callable[[str], Mapping[str, str]], tmp_path: Path
) -> None:
    job, out = jobs[name], tmp_path / "out"
    process = job.start(out, "--jobs", 1)
    job.wait_for_work(out, process)
    os.killpg(process.pid, signal.SIGSTOP)
    kept = tmp_path / job.last_input.name
    shutil.move(job.last_input, kept)
    try:
        os.killpg(process.pid, signal.SIGCONT)
        stderr = process.communicate(timeout=300)[1]
        assert process.returncode == 1, stderr
        said = one_line(stderr)
        assert job.last_input.name in said, said
        assert "No such file or directory" in said, said
        again = job.run(out, "--jobs", 1)
        assert again.returncode == 1, again.stdout
        one_line(again.stderr)
    finally:
        shutil.move(kept, job.last_input)
    assert job.finish(out) == undisturbed(name)


BACKWARDS = """
import time
_time, _start = time.time, time.time()
time.time = lambda: 2 * _start - _time() - 3600.0
time.time_ns = lambda: int(time.time() * 1e9)
"""


@pytest.mark.parametrize("name", ["prepare", "ingest", "evaluate", "anchor", "train-baseline", "analyse"])
def test_a_clock_that_goes_backwards_changes_nothing(
    name: str, jobs: Mapping[str, Job], undisturbed: Callable[[str], Mapping[str, str]], tmp_path: Path
) -> None:
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(BACKWARDS)
    job, out = jobs[name], tmp_path / "out"
    process = job.start(out, PYTHONPATH=str(tmp_path / "clock"))
    job.wait_for_work(out, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for path in out.rglob("*"):
        os.utime(path, (4e9, 4e9))  # files of the first run are dated 2096
    done = job.run(out, PYTHONPATH=str(tmp_path / "clock"))
    assert done.returncode == 0, done.stderr
    assert job.output(out) == undisturbed(name)
