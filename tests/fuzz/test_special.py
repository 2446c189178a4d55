"""Pipes, devices, sockets, links and sparse files in the place of every kind of input: refused without waiting."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from corpora import KINDS
from harness import Warm, scratch, tree
from mutants import fill
from special import SPECIALS

from capture.session import read_session
from sdd_bench.errors import UserError
from sdd_bench.io.files import check_regular, file_sha256, read_bytes
from sdd_bench.io.headers import read_header
from sdd_bench.io.images import list_images, read_pixels, write_png
from sdd_bench.io.text import read_json, read_rows, read_toml

READERS: dict[str, Callable[[Path], object]] = {
    "header": read_header,
    "pixels": read_pixels,
    "JSON": read_json,
    "TOML": read_toml,
    "rows": read_rows,
    "digest": file_sha256,
    "regular": check_regular,
}
WORDS = {
    "named pipe": "is a named pipe, expected a file",
    "socket": "is a socket, expected a file",
    "device": "is a device, expected a file",
    "folder": "is a folder, expected a file",
    "link in a circle": "Too many levels of symbolic links",
    "link to nowhere": "No such file or directory",
}


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """End a test that waits for data from a pipe."""
    signal.alarm(120)
    yield
    signal.alarm(0)


@pytest.mark.parametrize("special", WORDS)
@pytest.mark.parametrize("reader", READERS)
def test_readers_refuse_what_is_no_file(tmp_path: Path, reader: str, special: str) -> None:
    path = tmp_path / "a.png"
    write_png(path, np.zeros((4, 4, 3), np.uint8))
    SPECIALS[special](path)
    with pytest.raises(UserError) as caught:
        READERS[reader](path)
    words = WORDS[special]
    assert words in caught.value.message or "no such" in caught.value.message.lower(), caught.value.message


@pytest.mark.parametrize("special", ["sparse end", "nothing but a hole"])
def test_a_sparse_file_is_read_no_further_than_its_kind_needs(tmp_path: Path, special: str) -> None:
    path = tmp_path / "a.png"
    write_png(path, np.zeros((4, 4, 3), np.uint8))
    SPECIALS[special](path)
    words = r"MB limit for such a file|a file of zeros|control character U\+0000"
    for read in (read_pixels, read_json, read_toml, lambda p: read_bytes(p, 1000)):
        with pytest.raises(UserError, match=words):
            read(path)


def test_a_sparse_end_of_a_tiff_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((4, 4, 3), np.uint8), photometric="rgb")
    assert read_pixels(path).shape == (4, 4, 3)
    SPECIALS["sparse end"](path)
    with pytest.raises(UserError, match="larger than the 50 MB limit for such a file"):
        read_pixels(path)


def test_what_is_called_an_image_and_is_none_is_listed(tmp_path: Path) -> None:
    for name in SPECIALS:
        write_png(tmp_path / f"{name}.png", np.zeros((4, 4, 3), np.uint8))
        SPECIALS[name](tmp_path / f"{name}.png")
    assert {path.stem for path in list_images(tmp_path)} == set(SPECIALS) - {"folder"}


def test_a_session_with_a_pipe_for_a_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "session.csv").touch()
    SPECIALS["named pipe"](tmp_path / "session.csv")
    with pytest.raises(UserError, match=r"session\.csv"):
        read_session(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_commands_refuse_what_is_no_file_or_mostly_a_hole(
    kind: str, warm: Warm, corpora: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    wrong: list[Any] = []
    signal.alarm(0)
    for number, (name, make) in enumerate(SPECIALS.items()):
        reader = KINDS[kind].readers[number % len(KINDS[kind].readers)]
        folder = scratch(tmp_path / "special", corpora / KINDS[kind].corpus)
        words = fill(reader.words, folder)
        target = random.Random(f"{kind}:{name}").choice(sorted(folder.glob(reader.target)))
        make(target)
        before = tree(folder)
        found = warm.run(words, folder)
        faults = found.faults() + (["an input was changed"] if tree(folder) != before else [])
        if faults:
            wrong.append((name, str(target.relative_to(folder)), words, faults, found.stderr[-1500:]))
        record = f"{kind}\t{name}\t{found.code}\t{found.seconds:.2f}\t{found.memory_mb:.0f}"
        request.node.add_report_section("call", "special files", record)
    assert not wrong, "\n".join(map(str, wrong))
