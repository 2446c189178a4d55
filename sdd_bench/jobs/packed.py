"""Many small tables of values in little memory: compressed in blocks, read one block at a time."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

Row = dict[str, Any]

BLOCK = 256
"""Rows of a block. A row of scores takes 1.5 KB as a dict and .2 KB here, most of it digests."""

CACHED = 4
"""Blocks held open: results of an earlier and of this run stand in turns."""


class Packed(Sequence[Row]):
    """Rows that JSON can hold, in the order in which they were added; what is read is a copy.

    >>> rows = Packed([{"a": 1}, {"a": 2.5}])
    >>> len(rows), rows[-1], [row["a"] for row in rows]
    (2, {'a': 2.5}, [1, 2.5])
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._blocks: list[bytes] = []
        self._last: list[str] = []
        self._open: dict[int, list[Row]] = {}
        for row in rows:
            self.append(row)

    def append(self, row: Row) -> None:
        """Add a row at the end."""
        self._last.append(json.dumps(row))
        if len(self._last) == BLOCK:
            self._blocks.append(zlib.compress(f"[{','.join(self._last)}]".encode(), 1))
            self._last = []

    def __len__(self) -> int:
        """Return the number of rows."""
        return BLOCK * len(self._blocks) + len(self._last)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        """Return a row, or a list of rows."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(index)
        number, within = divmod(place, BLOCK)
        if number == len(self._blocks):
            return dict(json.loads(self._last[within]))
        if number not in self._open:
            while len(self._open) >= CACHED:
                self._open.pop(next(iter(self._open)))
            self._open[number] = json.loads(zlib.decompress(self._blocks[number]))
        return dict(self._open[number][within])

    def __eq__(self, other: object) -> bool:
        """Return whether another sequence holds the same rows."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[Row]:
        """Yield every row."""
        for block in self._blocks:
            yield from json.loads(zlib.decompress(block))
        for text in self._last:
            yield json.loads(text)


class Reordered(Sequence[Row]):
    """Rows of another sequence in another order: `places` are their indices there."""

    def __init__(self, rows: Sequence[Row], places: Sequence[int]) -> None:
        self._rows, self._places = rows, places

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        """Return a row, or a list of rows."""
        if isinstance(index, slice):
            return [self._rows[place] for place in self._places[index]]
        return self._rows[self._places[index]]
