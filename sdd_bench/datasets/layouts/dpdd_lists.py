"""File lists released with DPDD: its pairs, and which of them are indoor or outdoor."""

from __future__ import annotations

import re
import sys
import tokenize
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sdd_bench.datasets.manifest import Pair, is_plain
from sdd_bench.errors import UserError
from sdd_bench.io.text import read_text, short, shown

MAX_NAMES = 500_000
PLACES = ("indoor", "outdoor")
T = TypeVar("T")


def read_names(path: Path) -> list[str]:
    """Return the names in a list of the release, without folders.

    Raises:
        UserError: The file is not a numpy array of names, has too many of them, or names that are not text.
    """
    return _plain_names(path, map(str, _read_array(path, "US", "names", _texts)))


def add_listed_places(pairs: Sequence[Pair], folders: Sequence[Path]) -> tuple[list[Pair], list[str]]:
    """Return pairs with `place` from indoor_labels and outdoor_labels (.npy or .txt), and notes on unusable lists.

    The lists of Restormer's test set contain the positions of the images, counted from 1, in the natural order of the
    sharp images' names. Positions counted from 0 and file names are accepted, too.

    Args:
        pairs: All pairs of a split.
        folders: Folders searched for the lists; the first that has both is used.

    Raises:
        UserError: A list cannot be read.
    """
    found = next((lists for folder in folders if (lists := _find_places(folder))), None)
    if found is None:
        return list(pairs), []
    entries = [_read_places(path) for path in found]
    ordered = sorted(pairs, key=lambda pair: natural(pair.sharp.name))
    listed = [entry for part in entries for entry in part]
    names = " and ".join(path.name for path in found)
    if all(isinstance(entry, int) for entry in listed):
        first = 0 if 0 in listed else 1
        if sorted(map(int, listed)) != list(range(first, first + len(pairs))):
            return list(pairs), [f"{names}: passed over, they do not number {len(pairs)} images, each once"]
        place_of = {ordered[int(n) - first].name: p for p, part in zip(PLACES, entries, strict=True) for n in part}
    else:
        both = {str(entry) for entry in entries[0]} & {str(entry) for entry in entries[1]}
        if both:
            return list(pairs), [f"{names}: passed over, {short(min(both))} is in both"]
        by_file = {str(entry): p for p, part in zip(PLACES, entries, strict=True) for entry in part}
        place_of = {
            pair.name: place
            for pair in pairs
            for file in (pair.sharp, pair.blur)
            if (place := by_file.get(file.name) or by_file.get(file.stem))
        }
    unknown = sum(pair.name not in place_of for pair in pairs)
    notes = [f"{names}: {unknown} of {len(pairs)} images are in neither"] if unknown else []
    return [replace(pair, place=place_of.get(pair.name, "")) for pair in pairs], notes


def natural(name: str) -> list[tuple[int, str]]:
    """Return the sort key of a name, by the numbers in it.

    >>> sorted(["10.png", "9.png", "1P0A10"], key=natural)
    ['1P0A10', '9.png', '10.png']
    """
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name) if part]


def _find_places(folder: Path) -> tuple[Path, Path] | None:
    """Return the two lists of a folder, None if it has none."""
    for suffix in (".npy", ".txt"):
        indoor, outdoor = (folder / f"{place}_labels{suffix}" for place in PLACES)
        if indoor.is_file() and outdoor.is_file():
            return indoor, outdoor
    return None


def _read_places(path: Path) -> list[int | str]:
    """Return the positions or file names in a list."""
    if path.suffix == ".npy":
        return _read_array(path, "USiu", "positions or names", _positions_or_texts)
    words = [line.split()[0] for line in read_text(path).splitlines() if line.strip()]
    if all(re.fullmatch(r"\d{1,9}", word) for word in words):
        return [int(word) for word in words]
    return list(_plain_names(path, words))


def _read_array(path: Path, kinds: str, what: str, values: Callable[[NDArray[Any]], list[T]]) -> list[T]:
    """Return the values of a one-dimensional array in an .npy file; errors as in `read_names`."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)  # an array larger than its file is refused
        if not isinstance(found, np.ndarray) or found.ndim != 1 or found.dtype.kind not in kinds:
            raise ValueError(f"expected a one-dimensional numpy array of {what}")
        if len(found) > MAX_NAMES:
            raise ValueError(f"{len(found):,} {what}, at most {MAX_NAMES:,} are read")
        return values(found)
    except (OSError, ValueError, EOFError, SyntaxError, TypeError, OverflowError, tokenize.TokenError) as error:
        reason = short(" ".join(str(error).split()), 160)
        raise UserError(f"{path}: not a numpy array of {what} ({reason})") from None


def _texts(names: NDArray[Any]) -> list[Any]:
    """Return an array's names; raise ValueError if they are not text."""
    if names.dtype.kind == "S":
        return list(np.char.decode(np.array(names), "utf-8"))
    if names.size and int(names.view(f"{names.dtype.byteorder}u4").max()) > sys.maxunicode:
        raise ValueError("names that are no text")
    return np.array(names).tolist()


def _positions_or_texts(values: NDArray[Any]) -> list[Any]:
    return _texts(values) if values.dtype.kind in "US" else np.array(values).tolist()


def _plain_names(path: Path, names: Iterable[str]) -> list[str]:
    """Return names without folders; raise UserError for one that is not a valid file name."""
    found = [name.replace("\\", "/").rsplit("/", 1)[-1] for name in names]
    wrong = next((name for name in found if not is_plain(name)), None)
    if wrong is not None:
        raise UserError(f"{path}: {shown(wrong)} is not a plain file name")
    return found
