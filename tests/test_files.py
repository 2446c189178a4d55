"""Files that are written completely or not at all, leftovers of a kill, and paths that are not readable files."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sdd_bench.datasets.store import read_patch
from sdd_bench.errors import CannotWriteError, UserError
from sdd_bench.io.files import (
    PART,
    clear_leftovers,
    file_sha256,
    open_file,
    open_temporary,
    read_bytes,
    write_text,
)
from sdd_bench.io.hdf5_file import created_hdf5
from sdd_bench.io.headers import read_header
from sdd_bench.io.images import encode_png, read_pixels
from sdd_bench.io.serialise import csv_text, json_text, read_csv
from sdd_bench.io.text import read_json, read_rows, read_text
from sdd_bench.jobs.lock import run_lock


def leave(path: Path) -> Path:
    """Create the leftover that a kill during writing leaves of a file."""
    handle, name = open_temporary(path)
    os.close(handle)
    return name


def test_what_a_kill_left_of_a_file_goes_and_nothing_else(tmp_path: Path) -> None:
    mine, others = leave(tmp_path / "a.json"), [leave(tmp_path / "a.json.more"), leave(tmp_path / "b" / "a.json")]
    write_text(tmp_path / "a.json", "whole")
    clear_leftovers(tmp_path / "a.json")
    assert not mine.exists()
    assert all(path.exists() for path in others)
    assert (tmp_path / "a.json").read_text() == "whole"


def test_of_a_folder_goes_what_lies_in_it_or_anywhere_below(tmp_path: Path) -> None:
    near, far = leave(tmp_path / "a"), leave(tmp_path / "b" / "c")
    clear_leftovers(tmp_path)
    assert (near.exists(), far.exists()) == (False, True)
    clear_leftovers(tmp_path, deep=True)
    assert not far.exists()
    clear_leftovers(tmp_path / "nowhere" / "x")


def test_a_name_of_any_length_can_be_written(tmp_path: Path) -> None:
    name = "n" * 255
    write_text(tmp_path / name, "x")
    left = leave(tmp_path / name)
    assert left.name.startswith(PART)
    clear_leftovers(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_that_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(tmp_path / "a", "before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(CannotWriteError, match=r"a: cannot be written \(No space left on device\)"):
        write_text(tmp_path / "a", "after")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "before")]


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_new_files_and_folders_have_the_permissions_of_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_text(tmp_path / "new" / "a", "x")
        with created_hdf5(tmp_path / "new" / "b.h5") as (file, _):
            file["x"] = [1]
        with run_lock(tmp_path / "new" / "lock", tmp_path):
            held = [path.stat().st_mode & 0o777 for path in (tmp_path / "new").glob("lock*")]
    finally:
        os.umask(before)
    assert [(tmp_path / "new" / name).stat().st_mode & 0o777 for name in ("a", "b.h5")] == [mode, mode]
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o777 & ~umask
    assert all(of_lock & umask == 0 for of_lock in held)


def test_a_file_that_is_written_again_has_the_permissions_of_the_umask(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "x")
    before = os.umask(0o077)
    try:
        write_text(tmp_path / "a", "y")
    finally:
        os.umask(before)
    assert ((tmp_path / "a").read_text(), (tmp_path / "a").stat().st_mode & 0o777) == ("y", 0o600)


def _pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _socket(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _device(_: Path) -> Path:
    return Path("/dev/zero")


def _link_to_device(path: Path) -> Path:
    path.symlink_to("/dev/zero")
    return path


READERS: tuple[Callable[[Path], object], ...] = (
    read_header, read_pixels, read_text, read_json, file_sha256, lambda path: read_patch(path, 0, "a"), read_rows,
)  # fmt: skip


@pytest.mark.parametrize(
    ("make", "kind"),
    [(_pipe, "named pipe"), (_socket, "socket"), (_folder, "folder"), (_device, "device"), (_link_to_device, "device")],
)
def test_what_is_no_regular_file_is_refused_and_never_waited_for(
    make: Callable[[Path], Path], kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    path = make(Path("odd"))
    for read in READERS:
        with pytest.raises(UserError) as caught:
            read(path)
        assert caught.value.message.startswith(f"{path}: cannot be read")
        assert f"is a {kind}, expected a file" in caught.value.message
        assert "\n" not in caught.value.message


def test_a_file_that_becomes_a_pipe_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("x")
    looked = os.stat
    regular = looked(tmp_path / "a")
    monkeypatch.setattr(os, "stat", lambda path, **more: regular if str(path).endswith("/p") else looked(path, **more))
    os.mkfifo(tmp_path / "p")
    with pytest.raises(OSError, match="is a named pipe, expected a file"):
        open_file(tmp_path / "p")


@pytest.fixture
def sparse(tmp_path: Path) -> Callable[[str, bytes], Path]:
    """Write a sparse file of 3 GB that begins with the given bytes."""

    def write(name: str, start: bytes) -> Path:
        path = tmp_path / name
        with path.open("wb") as file:
            file.write(start)
            file.truncate(3 * 10**9)
        if path.stat().st_blocks * 512 > 10**8:
            path.unlink()
            pytest.skip("the file system has no sparse files")
        return path

    return write


SPARSE = """
import resource, sys
from pathlib import Path
from sdd_bench.errors import UserError
from sdd_bench.io.images import read_pixels
from sdd_bench.io.text import read_json, read_rows
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
for path in map(Path, sys.argv[1:]):
    try:
        {".json": read_json, ".csv": read_rows}.get(path.suffix, read_pixels)(path)
    except UserError as error:
        print(error.message)
print(peak() - before)
"""


@pytest.mark.long
def test_sparse_files_take_no_memory(sparse: Callable[[str, bytes], Path]) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8)
    png = encode_png(pixels)
    huge = struct.pack("<HHII", 270, 2, 2_000_000_000, 400)  # a description of 2 GB
    paths = [
        sparse("whole.png", png),
        sparse("chunk.png", png[:33] + struct.pack(">I", 2**31 - 1) + b"iCCP"),
        sparse("tag.tif", b"II*\0" + struct.pack("<IH", 8, 1) + huge),
        sparse("a.jpg", b"\xff\xd8\xff\xe0"),
        sparse("a.json", b"[1"),
        sparse("a.csv", b"a,b\n"),
    ]
    done = subprocess.run([sys.executable, "-c", SPARSE, *map(str, paths)], capture_output=True, text=True, check=True)
    *refusals, used_mb = done.stdout.splitlines()
    assert [line.split(": ")[0] for line in refusals] == [str(path) for path in paths]
    assert "larger than the 50 MB limit for such a file" in refusals[0]
    assert "line 1: control character U+0000, expected text" in refusals[4]
    assert float(used_mb) < 200
    assert done.stderr == ""


def test_a_file_that_holds_more_than_its_size_says_is_read_to_the_limit_only() -> None:
    """Files of /proc have a size of 0."""
    status = Path("/proc/self/status")
    if not status.is_file():
        pytest.skip("no /proc here")
    assert read_bytes(status, 100_000).startswith(b"Name:")
    with pytest.raises(UserError, match="/proc/self/status: larger than the 0 MB"):
        read_bytes(status, 10)


def test_a_limited_file_gives_no_byte_more_after_its_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    with open_file(tmp_path / "a", 10) as file:
        assert file.read() == b"0123456789"
    with open_file(tmp_path / "a", 9) as file:
        for _ in range(2):
            with pytest.raises(UserError, match="larger than"):
                file.read(10)


def test_names_in_another_encoding_are_written_out_and_read_back(tmp_path: Path) -> None:
    name = os.fsdecode(b"s\xe9sultat \xc3\xa9")
    write_text(tmp_path / "a.csv", csv_text(["name"], [[name]]))
    assert read_csv(tmp_path / "a.csv", ["name"]) == [{"name": r"s\xe9sultat é"}]
    write_text(tmp_path / "a.json", json_text({name: [name]}))
    assert read_json(tmp_path / "a.json") == {r"s\xe9sultat é": [r"s\xe9sultat é"]}
