"""Things in the place of an expected file that are not regular files or have less content than they declare."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

SPARSE_BYTES = 1_500_000_000


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _socket(path: Path) -> None:
    path.unlink()
    os.mknod(path, stat.S_IFSOCK | 0o600)


def _device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/null")


def _circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("not there")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _sparse(path: Path) -> None:
    os.truncate(path, SPARSE_BYTES)


def _hole(path: Path) -> None:
    os.truncate(path, 0)
    os.truncate(path, SPARSE_BYTES)


SPECIALS: dict[str, Callable[[Path], None]] = {
    "named pipe": _fifo,
    "socket": _socket,
    "device": _device,
    "link in a circle": _circle,
    "link to nowhere": _nowhere,
    "folder": _folder,
    "sparse end": _sparse,
    "nothing but a hole": _hole,
}
"""Name to the function that makes it in the place of a file."""
