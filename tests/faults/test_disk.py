"""A full or read-only disk: a one-line error, nothing lost, and the same command resumes once there is space."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from faults.conftest import Disk
from faults.known_jobs import Job, one_line

WRITERS = ["prepare", "ingest", "evaluate", "anchor", "train-baseline", "analyse", "synthesise"]
SHARES = (0.02, 0.3, 0.6, 0.95)


def size_of(folder: Path) -> int:
    """Return the bytes that a folder's files take on a disk with pages of 4 KB."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_one_line_and_the_job_goes_on(
    name: str,
    jobs: Mapping[str, Job],
    undisturbed: Callable[[str], Mapping[str, str]],
    tmp_path: Path,
    small_disk: Disk,
) -> None:
    job, wanted = jobs[name], undisturbed(name)
    assert job.finish(tmp_path / "measured") == wanted
    needed = size_of(tmp_path / "measured")
    out = small_disk.folder / "out"
    refused = 0
    for share in SHARES:
        small_disk.set(f"size={max(int(share * needed) // 4096, 2) * 4096}")
        done = job.run(out)
        if done.returncode == 0:
            break
        refused += 1
        assert done.returncode == 1, done.stderr
        assert "No space left on device" in one_line(done.stderr)
    assert refused, f"{needed} bytes always fitted"
    small_disk.set("size=64m")
    assert job.finish(out) == wanted


@pytest.mark.parametrize(
    ("name", "more"),
    [("prepare", ("--store", "hdf5")), ("ingest", ("--archive", "archive.h5"))],
    ids=["store", "archive"],
)
def test_hdf5_on_a_full_disk_is_one_line(
    name: str, more: tuple[str, str], jobs: Mapping[str, Job], tmp_path: Path, small_disk: Disk
) -> None:
    def words(root: Path) -> tuple[str, ...]:
        return tuple(str(root / word) if word.endswith(".h5") else word for word in more)

    whole = tmp_path / "measured"
    wanted = jobs[name].finish(whole / "out", *words(whole))
    needed = size_of(whole)
    for share in (0.3, 0.6, 0.8, 0.9):
        small_disk.set(f"size={int(share * needed) // 4096 * 4096}")
        done = jobs[name].run(small_disk.folder / "out", *words(small_disk.folder))
        assert done.returncode == 1, (share, done.stderr)
        assert "No space left on device" in one_line(done.stderr)
    small_disk.set("size=64m")
    assert jobs[name].finish(small_disk.folder / "out", *words(small_disk.folder)) == wanted


@pytest.mark.parametrize("name", WRITERS)
def test_a_disk_that_cannot_be_written_is_one_line(
    name: str,
    jobs: Mapping[str, Job],
    undisturbed: Callable[[str], Mapping[str, str]],
    small_disk: Disk,
) -> None:
    job, wanted = jobs[name], undisturbed(name)
    small_disk.set("size=64m")
    small_disk.set("ro")
    done = job.run(small_disk.folder / "out")
    assert done.returncode == 1
    assert "Read-only file system" in one_line(done.stderr)
    small_disk.set("rw")
    process = job.start(small_disk.folder / "out")
    job.wait_for_work(small_disk.folder / "out", process)
    os.killpg(process.pid, 9)
    process.wait()
    small_disk.set("ro")
    done = job.run(small_disk.folder / "out")
    if name != "anchor" or done.returncode:  # with all anchors present, nothing is written
        assert done.returncode == 1, done.stdout
        assert "Read-only file system" in one_line(done.stderr)
    small_disk.set("rw")
    assert job.finish(small_disk.folder / "out") == wanted


@pytest.mark.parametrize("name", WRITERS)
def test_files_that_may_not_grow_are_one_line(name: str, jobs: Mapping[str, Job], tmp_path: Path) -> None:
    """Simulate a full disk by a limit on file sizes, for machines on which no disk can be mounted."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))

    command = jobs[name].command(tmp_path / "out")
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit, check=False, timeout=300)
    assert done.returncode == 1, done.stderr
    assert "File too large" in one_line(done.stderr)
