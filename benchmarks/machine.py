"""What a benchmark was measured on, and how it is timed."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path


def describe(*packages: str) -> str:
    """Return the machine and the versions of packages in two lines."""
    name = platform.processor() or platform.machine()
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            name = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), name)
    except OSError:
        pass
    versions = ", ".join(f"{package} {metadata.version(package)}" for package in packages)
    return f"{name}, {os.cpu_count()} CPUs, {platform.system()}, Python {platform.python_version()}\n{versions}"


def median_seconds(function: Callable[[], object], repeats: int) -> float:
    """Return the median wall time of calls after one warm-up."""
    function()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def peak_gb() -> float:
    """Return the peak resident memory of this process so far, in GB."""
    try:
        with Path("/proc/self/status").open(encoding="utf-8") as file:  # getrusage also counts the parent before exec
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024 / 1e9
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
