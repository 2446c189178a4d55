"""Ctrl-C: the command stops at once, prints how to resume, and resumes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from faults.known_jobs import Job, hear_interrupts
from faults.test_kill import members

FAREWELL = "stopped; finished work is kept, and the same command resumes from there"


@pytest.mark.parametrize("name", ["prepare", "ingest", "evaluate", "anchor", "train-baseline", "analyse", "synthesise"])
def test_ctrl_c_stops_and_the_same_command_goes_on(
    name: str, jobs: Mapping[str, Job], undisturbed: Callable[[str], Mapping[str, str]], tmp_path: Path
) -> None:
    job, out = jobs[name], tmp_path / "out"
    process = job.start(out)
    job.wait_for_work(out, process)
    os.killpg(process.pid, signal.SIGINT)  # to the command and its workers, as a terminal does
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    lines = [line for line in stderr.splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith("epoch ")]  # without training's progress
    assert said == [FAREWELL]
    assert members(process.pid) == []
    assert job.finish(out) == undisturbed(name)


WORKING = """
import sys, time
from pathlib import Path
from sdd_bench.cli import main, root
from sdd_bench.jobs.items import Item, map_items

@root.command("analyse")
def work():
    print("working", flush=True)
    map_items(time.sleep, [Item(str(n), 0.3) for n in range(200)], jobs=2, label="x")

root.get_command = lambda ctx, name: work
sys.argv = ["sdd-bench", "analyse"]
main()
"""


MOMENTS_S = {"at once": 0.0, "at work": 12.0} | {f"after {ms} ms": ms / 1000 for ms in range(150, 1350, 150)}
"""Moments of the interrupt; the workers start in the first second."""


@pytest.mark.parametrize("moment", MOMENTS_S)
def test_ctrl_c_is_quiet_at_any_moment(moment: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WORKING],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_interrupts,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    time.sleep(MOMENTS_S[moment])
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout, stderr.strip()) == (130, "", FAREWELL)
    assert members(process.pid) == []


BUSY = """
import sys, time
sys.argv = ["sdd-bench", "analyse"]
import numpy as np
from sdd_bench.cli import farewell
from sdd_bench.jobs.interrupt import end_on_interrupt
end_on_interrupt(farewell)
print("busy", flush=True)
a = np.random.default_rng(0).random((9000, 9000))
try:
    np.linalg.eigh(a)  # minutes in one call, during which Python handles no signal
except KeyboardInterrupt:
    pass
print("not interrupted", flush=True)
"""


def test_ctrl_c_ends_a_process_that_is_inside_a_library() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_interrupts,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "busy\n"
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    try:
        stdout, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, stderr
    assert stderr.strip() == FAREWELL
    assert stdout == ""
