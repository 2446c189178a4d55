"""One command of sdd-bench as a process of its own, with one thread."""

from __future__ import annotations

import os
import subprocess
import sys

COMMAND = (sys.executable, "-m", "sdd_bench.cli")


def call(*words: object, most_s: float | None = None) -> float | None:
    """Run a command of sdd-bench with one thread; return its processor seconds, None where it took too long.

    Raises:
        SystemExit: It failed; with what it said.
    """
    before = os.times()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [*COMMAND, *map(str, words)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=most_s)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        raise SystemExit(f"sdd-bench {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system
