"""Description of the machine of a benchmark, and measurement of time and memory."""

from __future__ import annotations

import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

LINUX = sys.platform == "linux"


def describe(*packages: str) -> str:
    """Return the machine and the versions of packages in two lines."""
    name = platform.processor() or platform.machine()
    if LINUX:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), name)
    versions = ", ".join(f"{package} {metadata.version(package)}" for package in packages)
    return f"{name}, {os.cpu_count()} CPUs, {platform.system()}, Python {platform.python_version()}\n{versions}"


def seconds_of(function: Callable[[], object], repeats: int) -> float:
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
    if LINUX:  # getrusage also counts the parent's memory before exec
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) * 1024 / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9


def reset_peak() -> None:
    """Reset the peak memory if the system allows it (Linux)."""
    if LINUX:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def alternating(functions: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the median wall time of each function; calls alternate so that other load affects all functions alike."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for round_number in range(repeats + 1):
        for name, function in functions.items():
            started = time.perf_counter()
            function()
            if round_number:  # the first round is the warm-up
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in times.items()}


def in_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of a module-level function run in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)
