"""The long jobs of the command line on small inputs, started as a user starts them, and their outputs."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TINY_TRAINING = {
    "width": 4, "reblur_width": 4, "blur_map": "false", "crop": 48, "batch": 2, "workers": 0, "val_scenes": 1,
    "val_every": 2, "sample_every": 2, "warmup_epochs": 1, "epochs": 6, "dropout": 0.1, "learning_rate": 1e-3,
}  # fmt: skip
NOT_COMPARED = ("tensorboard", "deblurring.pt", "last.pt", "best.pt", "log.csv")
"""Files of a training run that are not compared byte by byte: their contents are compared, or (TensorBoard) they hold
times."""


def hear_interrupts() -> None:
    """Enable Ctrl-C as for a command in a terminal; a shell makes background commands ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True)
class Job:
    """A command, its inputs, and the part of its output that is the same in every run.

    Attributes:
        name: Name of the subcommand, and of the job in tests.
        words: Arguments for an output folder.
        output: Output in that folder, as comparable values.
        started: Whether the job's work has begun in that folder.
        last_input: File that is read last.
    """

    name: str
    words: Callable[[Path], Sequence[object]]
    output: Callable[[Path], Mapping[str, str]]
    started: Callable[[Path], bool]
    last_input: Path

    def command(self, out: Path, *more: object) -> list[str]:
        return [sys.executable, "-m", "sdd_bench.cli", *(str(word) for word in (*self.words(out), *more))]

    def start(self, out: Path, *more: object, **environment: str) -> subprocess.Popen[str]:
        """Start the job in its own process group, as a terminal does."""
        return subprocess.Popen(
            self.command(out, *more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=hear_interrupts,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        )

    def run(self, out: Path, *more: object, **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.start(out, *more, **environment)
        try:
            stdout, stderr = process.communicate(timeout=180)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def finish(self, out: Path, *more: object) -> Mapping[str, str]:
        """Run the job to the end and return its output."""
        done = self.run(out, *more)
        assert done.returncode == 0, f"{self.name}: {done.stderr[-2000:]}"
        return self.output(out)

    def wait_for_work(self, out: Path, process: subprocess.Popen[str], seconds: float = 120) -> None:
        """Wait until the job's work has begun."""
        end = time.monotonic() + seconds
        while not self.started(out):
            assert process.poll() is None, f"{self.name} ended before its work began: {process.communicate()[1]}"
            assert time.monotonic() < end, f"{self.name} has not begun its work in {seconds} s"
            time.sleep(0.01)


def files_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in a folder, hidden ones included, by its relative path.

    Records of outputs are left out, because they name the inputs relative to the folder, and the folders of different
    runs lie at different depths.
    """
    found = sorted(path for path in folder.rglob("*") if not path.is_dir() and not path.name.endswith(".written"))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def training_of(folder: Path) -> dict[str, str]:
    """Return the output of a training: files, and the contents of checkpoints and log, without times."""
    import torch

    found = {name: digest for name, digest in files_of(folder).items() if Path(name).parts[0] not in NOT_COMPARED}
    for name in ("last.pt", "best.pt", "deblurring.pt"):
        state = torch.load(folder / name, weights_only=True)
        found[name] = _digest(state)
    with (folder / "log.csv").open(newline="", encoding="utf-8") as file:
        found["log.csv"] = json.dumps([row[:-1] for row in csv.reader(file)])
    return found


def _digest(value: object) -> str:
    """Return a digest of nested dicts and lists of tensors, by their bytes."""
    import torch

    digest = hashlib.sha256()

    def add(part: object) -> None:
        if isinstance(part, torch.Tensor):
            digest.update(f"{part.dtype} {tuple(part.shape)}".encode() + part.contiguous().numpy().tobytes())
        elif isinstance(part, dict):
            for key, inner in part.items():
                digest.update(repr(key).encode())
                add(inner)
        elif isinstance(part, list | tuple):
            for inner in part:
                add(inner)
        else:
            digest.update(repr(part).encode())

    add(value)
    return digest.hexdigest()


def one_line(stderr: str) -> str:
    """Return the message of a refusal, which must come without a traceback."""
    assert "Traceback" not in stderr, stderr
    lines = [line for line in stderr.strip().splitlines() if line]
    errors = [line for line in lines if line.startswith("Error: ")]
    assert len(errors) == 1, stderr
    return errors[0]
