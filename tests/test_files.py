"""Files that appear whole or not at all, and what a kill leaves of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdd_bench.errors import CannotWriteError
from sdd_bench.io.files import PART, clear_leftovers, open_temporary, write_text


def leave(path: Path) -> Path:
    """Leave what a kill leaves of a file."""
    import os

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
