"""Definition of a layout, the pairs found in a folder, and the faults of the remaining files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Listing:
    """The pairs found in a folder, and the faults of the remaining files.

    Attributes:
        name: Name of the dataset.
        layout: Variant of the dataset's layout, such as `released`, `split` or `full`.
        pairs: Pairs sorted by split and name; the split is empty if the dataset is not split yet.
        faults: Faults, one line each, such as a missing partner or a duplicate name; the files concerned are in no
            pair.
        notes: Remarks that are no faults: counts that differ from the published ones, skipped files.
        root: Folder that was listed.
    """

    name: str
    layout: str
    pairs: tuple[Pair, ...]
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    root: Path = Path()


@dataclass(frozen=True)
class Layout:
    """A dataset's folder layout.

    Attributes:
        list_pairs: Function from a folder to its pairs, or None if the folder does not have this layout. It may raise
            UserError for a folder with this layout but without pairs.
        title: Usual name of the dataset.
        source: Address from which the dataset can be obtained.
        tree: Lines that show the folder structure.
        expected: Published number of pairs by split; an empty split name is for datasets without splits.
    """

    list_pairs: Callable[[Path], Listing | None]
    title: str
    source: str
    tree: tuple[str, ...]
    expected: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Draft:
    """A listing under construction."""

    root: Path
    pairs: list[Pair] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def close(self, name: str, layout: str) -> Listing:
        """Return the finished listing."""
        return Listing(name, layout, tuple(self.pairs), tuple(self.faults), tuple(self.notes), self.root)

    def short(self, path: Path) -> str:
        """Return a path for messages, relative to the root if it lies inside."""
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()


def need_folders(root: Path, *names: str) -> list[Path]:
    """Return the named sub-folders of a folder.

    Raises:
        UserError: A folder is missing; the message states the expected and the existing folders.
    """
    if not all((root / name).is_dir() for name in names):
        expected = ", ".join(f"{name}/" for name in names)
        raise UserError(f"{root}: expected the folders {expected}; found: {describe_folder(root)}")
    return [root / name for name in names]


def any_folder(root: Path, names: Iterable[str]) -> bool:
    """Return whether a folder has at least one of the named sub-folders."""
    return any((root / name).is_dir() for name in names)


def describe_folder(folder: Path, most: int = 12) -> str:
    """Return the content of a folder in one line; folders end in a slash."""
    entries = sorted(folder.iterdir(), key=lambda p: (not p.is_dir(), p.name)) if folder.is_dir() else []
    names = [f"{p.name}/" if p.is_dir() else p.name for p in entries if not p.name.startswith(".")]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") or "nothing"
