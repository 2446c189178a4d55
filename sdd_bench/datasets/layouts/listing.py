"""Definition of a layout, the pairs it finds in a folder, and the problems of the remaining files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Listing:
    """The pairs found in a folder and what is wrong with the rest.

    Attributes:
        name: Dataset name.
        layout: Which of the dataset's layouts it is: `released`, `split`, `full`, ...
        pairs: Sorted by split and name; split is empty where the dataset is not split yet.
        faults: One line each: missing partner, duplicate name, ...; the files concerned are in no pair.
        notes: Remarks that are no faults: counts that differ from the published ones, files passed over.
        root: The folder listed.
    """

    name: str
    layout: str
    pairs: tuple[Pair, ...]
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    root: Path = Path()


@dataclass(frozen=True)
class Layout:
    """A dataset as it lies on a disk.

    Attributes:
        list_pairs: Folder to the pairs in it, or None if the folder is not of this layout. It may raise UserError for
            a folder that it knows and that has no pairs.
        title: Usual name of the dataset.
        source: Where it is had.
        tree: Lines that show its files.
        expected: Published number of pairs by split; the empty split is a dataset that is not split.
    """

    list_pairs: Callable[[Path], Listing | None]
    title: str
    source: str
    tree: tuple[str, ...]
    expected: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Draft:
    """A listing while it is being filled."""

    root: Path
    pairs: list[Pair] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def close(self, name: str, layout: str) -> Listing:
        """Return the finished listing."""
        return Listing(name, layout, tuple(self.pairs), tuple(self.faults), tuple(self.notes), self.root)

    def short(self, path: Path) -> str:
        """Return a path as it is written in faults: below the root where it lies there."""
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()


def need_folders(root: Path, *names: str) -> list[Path]:
    """Return the named folders of a folder.

    Raises:
        UserError: One is missing; the message says what was expected and what was found.
    """
    if not all((root / name).is_dir() for name in names):
        expected = ", ".join(f"{name}/" for name in names)
        raise UserError(f"{root}: expected the folders {expected}; found: {describe_folder(root)}")
    return [root / name for name in names]


def any_folder(root: Path, names: Iterable[str]) -> bool:
    """Return whether a folder has at least one of the named folders."""
    return any((root / name).is_dir() for name in names)


def describe_folder(folder: Path, most: int = 12) -> str:
    """Return what lies in a folder in one line, folders with a slash behind them."""
    entries = sorted(folder.iterdir(), key=lambda p: (not p.is_dir(), p.name)) if folder.is_dir() else []
    names = [f"{p.name}/" if p.is_dir() else p.name for p in entries if not p.name.startswith(".")]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") or "nothing"
