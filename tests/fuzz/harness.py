"""Requirements on commands given a mutant, and a client of the warm process that checks them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MEMORY_LIMIT_MB = 1024
INPUT_LIMIT_BYTES = 10_000_000
MESSAGE_LIMIT = 20_000


@dataclass(frozen=True)
class Outcome:
    """Outcome of one command.

    Attributes:
        code: Exit code, None after a signal.
        signal: Signal that ended it, 0 for none.
        timed_out: Whether it used up its time.
        seconds: CPU time.
        memory_mb: Peak memory above that of the warm process.
        stdout: Standard output.
        stderr: Standard error.
        strays: Files written outside its output folder.
    """

    code: int | None
    signal: int
    timed_out: bool
    seconds: float
    memory_mb: float
    stdout: str
    stderr: str
    strays: Sequence[str]

    def faults(self, *, usage_allowed: bool = False) -> list[str]:
        """Return the faults of the outcome; exit code 2 is right only if the arguments themselves were changed."""
        found = []
        if self.timed_out:
            found.append("it hangs")
        elif self.signal:
            found.append(f"died of signal {self.signal}")
        elif self.code not in ((0, 1, 2) if usage_allowed else (0, 1)):
            found.append(f"exit code {self.code}")
        if "Traceback" in self.stderr:
            found.append("a traceback")
        said = self.stderr.startswith("Error: ") or "\nError: " in self.stderr or self.stdout.strip()
        if self.code == 1 and not said:
            found.append("exit code 1 without a word")
        if len(self.stderr) > MESSAGE_LIMIT:
            found.append(f"a message of {len(self.stderr)} characters")
        raw = sorted({c for c in self.stdout + self.stderr if unicodedata.category(c) == "Cc" and c not in "\n\t"})
        if raw:
            found.append(f"control characters {raw} for the terminal")
        if self.memory_mb > MEMORY_LIMIT_MB:
            found.append(f"{self.memory_mb:.0f} MB")
        if self.strays:
            found.append(f"writes to {', '.join(self.strays[:3])}")
        return found


class Warm:
    """The warm process, see `warm.py`."""

    def __init__(self, home: Path) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        environment |= {"PYTHONPATH": os.pathsep.join([str(HERE.parent.parent), str(HERE.parent)])}
        environment |= {"HOME": str(home), "TORCH_HOME": str(home / "torch"), "MPLCONFIGDIR": str(home / "mpl")}
        for name in ("SDD_BENCH_LPIPS_TRUNK", "SDD_BENCH_DATA", "SDD_BENCH_SOURCE"):
            environment.pop(name, None)
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "warm.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        self.ready_s = float(self._read()["ready_s"])

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the warm process has ended"
        found: dict[str, Any] = json.loads(line)
        return found

    def run(self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Outcome:
        """Run a command in a folder; it may write below folder/out only."""
        (folder / "out" / "tmp").mkdir(parents=True, exist_ok=True)
        writable = (folder / "out").resolve()
        asked = {
            "arguments": list(arguments),
            "folder": str(folder.resolve()),
            "writable": str(writable),
            "environment": {"TMPDIR": str(writable / "tmp"), **(environment or {})},
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return Outcome(**self._read())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)


def tree(folder: Path, without: str = "out") -> dict[str, str]:
    """Return the files and links of a folder with their SHA-256, except those in one of its folders."""
    found = {}
    for place, folders, names in os.walk(folder):
        if Path(place) == folder:
            folders[:] = [name for name in folders if name != without]
        for name in names:
            path = Path(place, name)
            content = _content(path)
            found[str(path.relative_to(folder))] = hashlib.sha256(content).hexdigest()
    return found


def _content(path: Path) -> bytes:
    """Return a file's content, a link's target, the kind of other entries, or the size of a large file."""
    if path.is_symlink():
        return str(path.readlink()).encode()
    found = path.stat()
    if not path.is_file() or found.st_size > INPUT_LIMIT_BYTES:
        return f"{found.st_mode} {found.st_size} {found.st_mtime_ns}".encode()
    return path.read_bytes()


def scratch(base: Path, corpus: Path) -> Path:
    """Return a new copy of a corpus, base/w/scratch; an earlier copy is removed."""
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(parents=True)
    shutil.copytree(corpus, base / "scratch", symlinks=True)
    return base / "scratch"
