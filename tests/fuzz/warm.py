"""A warm process that runs commands of sdd-bench in forks of itself: started once, controlled over its standard input.

Each request is a line of JSON: `arguments`, `folder` (the working folder), `writable` (the only folder that may be
written to), `environment`. Each response is a line of JSON: `code`, `signal`, `timed_out`, `seconds` (CPU), `memory_mb`
(peak above that at the fork), `stdout`, `stderr`, `strays` (files opened for writing elsewhere).
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import resource
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CPU_LIMIT_S = 10
WALL_LIMIT_S = 60
"""Limit of wall time, for commands that wait for something or share the machine's cores."""

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
KEPT = 60_000
"""Number of characters of output that are returned."""

MODULES = ("h5py", "tifffile", "imagecodecs", "imagehash", "rawpy", "lightning.fabric", "scipy.stats", "jinja2")


def load() -> None:
    """Import the modules that commands need without using them, because threads of a parent are lost in its forks."""
    for package in ("sdd_bench", "capture", "leaderboard", "jdrl_baseline"):
        root = importlib.import_module(package)
        for found in pkgutil.walk_packages(root.__path__, f"{package}."):
            importlib.import_module(found.name)
    for name in MODULES:
        importlib.import_module(name)
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def watch_writes(folder: Path, writable: Path) -> list[str]:
    """Return a list that is filled with the files that Python opens for writing or renames outside one folder."""
    strays: list[str] = []
    inside = str(writable)

    def note(path: Any) -> None:
        if isinstance(path, bytes | str | os.PathLike):
            full = os.path.realpath(os.path.join(folder, os.fsdecode(path)))  # noqa: PTH118
            if not (full == inside or full.startswith((inside + "/", "/dev/", "/proc/"))):
                strays.append(full)

    def is_new(place: Any) -> bool:
        return not Path(os.fsdecode(place)).is_dir()

    whole: dict[str, Callable[[tuple[Any, ...]], bool]] = {
        "os.remove": lambda args: args[1] == -1,  # otherwise a name in a folder that was opened before
        "os.rmdir": lambda args: args[1] == -1,
        "os.mkdir": lambda args: args[2] == -1 and is_new(args[0]),
        "os.truncate": lambda args: isinstance(args[0], bytes | str | os.PathLike),
        "shutil.rmtree": lambda args: bool(args[0]),
    }

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(args[2], int) and args[2] & WRITING:
            note(args[0])
        elif event in ("os.rename", "os.link", "os.symlink"):
            note(args[1])
        elif event in whole and whole[event](args):
            note(args[0])

    sys.addaudithook(hook)
    return strays


def run(asked: dict[str, Any], report: int) -> None:
    """Run the command in this fork, in the folder, with its output in files; never returns."""
    os.write(report, f"{_resident_kb()}\n".encode())
    folder, writable = Path(asked["folder"]), Path(asked["writable"])
    os.chdir(folder)
    os.environ.update(asked["environment"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_LIMIT_S, CPU_LIMIT_S + 5))
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(folder.parent / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    tempfile.tempdir = None
    sys.argv = ["sdd-bench", *asked["arguments"]]
    strays = watch_writes(folder, writable)
    from sdd_bench.cli import main

    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(report, json.dumps(strays[:20]).encode())
    os._exit(code)


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Run a command in a fork and return its outcome."""
    folder = Path(asked["folder"])
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        run(asked, write)
    os.close(write)
    handle = os.pidfd_open(child)
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    timed_out = not poll.poll(WALL_LIMIT_S * 1000)
    if timed_out:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    os.close(handle)
    _, status, usage = os.wait4(child, 0)
    with os.fdopen(read, "rb") as pipe:
        before_kb, strays = int(pipe.readline()), json.loads(pipe.read() or b"[]")
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    texts = {n: _text(folder.parent / n) for n in ("stdout", "stderr")}
    return {
        "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        "signal": number,
        "timed_out": timed_out or number == signal.SIGXCPU,
        "seconds": usage.ru_utime + usage.ru_stime,
        "memory_mb": (usage.ru_maxrss - before_kb) / 1024,
        "strays": strays,
        **texts,
    }


def _resident_kb() -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0])


def _text(path: Path) -> str:
    return path.read_bytes()[:KEPT].decode("utf-8", "replace") if path.is_file() else ""


def serve() -> None:
    """Answer requests until the input ends."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    started = time.process_time()
    load()
    print(json.dumps({"ready_s": time.process_time() - started}), file=channel, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=channel, flush=True)


if __name__ == "__main__":
    serve()
