"""Types of pairs and datasets, and the files that store them: dataset.json and pairs.csv."""

from __future__ import annotations

import difflib
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path, PureWindowsPath
from typing import Annotated, overload

from pydantic import Field, TypeAdapter, ValidationError

from sdd_bench.errors import UserError, fault_report
from sdd_bench.io.models import faults_in
from sdd_bench.io.text import control_in, read_json, read_rows, short, shown

SCHEMA = 1
Count = Annotated[int, Field(strict=True)]


@dataclass(frozen=True)
class Pair:
    """A blurry and a sharp photograph of one scene.

    Attributes:
        name: Name, unique within the split; predictions are matched to it.
        split: `train`, `val`, `test`, `train_patches`, or empty if the dataset is not split yet.
        blur: Path of the blur image.
        sharp: Path of the sharp image; several pairs may share one (LFDOF).
        defocus_map: Path of the defocus map, which only DED has.
        scene: Scene, which a split keeps whole; the name if nothing else is known.
        place: `indoor`, `outdoor` or empty.
    """

    name: str
    split: str
    blur: Path
    sharp: Path
    defocus_map: Path | None = None
    scene: str = ""
    place: str = ""


@dataclass(frozen=True)
class PairRow:
    """A row of pairs.csv; files are relative to the dataset, and those of the defocus map are empty without one."""

    split: str
    name: str
    scene: str
    place: str
    blur: str
    sharp: str
    width: int
    height: int
    bits: int
    blur_sha256: str
    sharp_sha256: str
    defocus_map: str = ""
    defocus_map_sha256: str = ""

    def files(self) -> list[tuple[str, str]]:
        """Return every file with its SHA-256."""
        third = [(self.defocus_map, self.defocus_map_sha256)] if self.defocus_map else []
        return [(self.blur, self.blur_sha256), (self.sharp, self.sharp_sha256), *third]


PAIR_COLUMNS = tuple(f.name for f in fields(PairRow))


@dataclass(frozen=True)
class Patches:
    """Description of the patches in dataset.json, as far as it is read."""

    count: Count


@dataclass(frozen=True)
class Manifest:
    """Content of dataset.json, as far as it is read; `sdd_bench.datasets.prepare` writes it.

    Attributes:
        name: Name of the dataset.
        sha256: SHA-256 of the frames' names and digests.
        pairs: Number of pairs by split.
        patches: Number of patches.
        notes: Differences from the published counts, and pairs that were left out.
        values_as: Stated meaning of the source's values, see `io.values_as`.
    """

    name: str
    sha256: str = ""
    pairs: dict[str, Count] = field(default_factory=dict)
    patches: Patches = field(default_factory=lambda: Patches(0))
    notes: tuple[str, ...] = ()
    values_as: str = ""


@dataclass(frozen=True)
class Dataset:
    """A named list of pairs.

    Attributes:
        name: Name, such as `sdd` or `dpdd`; for a dataset that `prepare` wrote, the name in dataset.json.
        root: Folder of the dataset; with two folders, that of the blur images.
        pairs: Pairs sorted by split and name.
        sha256: SHA-256 of its frames, as in dataset.json; empty for a dataset in its released layout.
        sharp_root: Folder of the sharp images if two folders were given.
        values_as: Stated meaning of its values when it was prepared, see `io.values_as`.
    """

    name: str
    root: Path
    pairs: tuple[Pair, ...]
    sha256: str = ""
    sharp_root: Path | None = None
    values_as: str = ""

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.pairs)

    def __iter__(self) -> Iterator[Pair]:
        """Yield every pair."""
        return iter(self.pairs)

    @overload
    def __getitem__(self, key: int | str) -> Pair: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[Pair, ...]: ...
    def __getitem__(self, key: int | str | slice) -> Pair | tuple[Pair, ...]:
        """Return a pair by its index, or by its name with or without its split, such as `test/0012`.

        Raises:
            KeyError: There is no pair of that name, or several in different splits.
            IndexError: There is no pair at that index.
        """
        if not isinstance(key, str):
            return self.pairs[key]
        found = [pair for pair in self.pairs if key in (pair.name, f"{pair.split}/{pair.name}")]
        if len(found) != 1:
            names = ", ".join(f"{pair.split}/{pair.name}" for pair in found)
            near = difflib.get_close_matches(key, [pair.name for pair in self.pairs], n=1)
            hint = f", several: {names}" if found else f", did you mean {near[0]!r}?" if near else ""
            raise KeyError(f"{self.name} has no pair {key!r}{hint}" if not found else f"pair {key!r}{hint}")
        return found[0]

    def split(self, name: str) -> tuple[Pair, ...]:
        """Return the pairs of one split.

        Raises:
            UserError: The dataset has no such split; the message lists its splits.
        """
        chosen = tuple(p for p in self.pairs if p.split == name)
        if not chosen:
            found = ", ".join(sorted({p.split or "(not split)" for p in self.pairs}))
            raise UserError(f"{self.root}: no split {name!r} in dataset {self.name}, found: {found}")
        return chosen


def content_sha256(rows: Iterable[tuple[str, str, str]]) -> str:
    """Return the digest of a list of (name, blur_sha256, sharp_sha256), independent of its order.

    The same photographs give the same digest, whether they were prepared or are read in their released layout.
    """
    lines = sorted(f"{name}\t{blur}\t{sharp}\n" for name, blur, sharp in rows)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_prepared(root: Path) -> Dataset:
    """Return a dataset that `prepare` wrote.

    The folder itself may be a link; listed files must lie in it after all links are resolved.

    Raises:
        UserError: dataset.json or pairs.csv is damaged, or listed files are missing or lie elsewhere (all are named).
    """
    manifest = read_manifest(root / "dataset.json")
    home = root.resolve()
    pairs, faults = [], []
    seen: set[tuple[str, str]] = set()
    for line, row in read_rows(root / "pairs.csv", PAIR_COLUMNS[:6])[1]:
        split, name = row["split"], row["name"]
        found = [f"{key} {shown(row[key])} is no plain name" for key in ("split", "name") if not is_plain(row[key])]
        if (split, name) in seen:
            found.append(f"duplicate pair {split}/{name}")
        seen.add((split, name))
        paths = {role: row[role] for role in ("blur", "sharp", "defocus_map") if row.get(role)}
        found += [fault for role, relative in paths.items() if (fault := _file_fault(root, home, role, relative))]
        if "blur" not in paths or "sharp" not in paths:
            found.append("blur or sharp is empty")
        faults += [f"line {line}: {fault}" for fault in found]
        if not found:
            blur, sharp = (root / paths[role] for role in ("blur", "sharp"))
            third = root / paths["defocus_map"] if "defocus_map" in paths else None
            pairs.append(Pair(name, split, blur, sharp, third, row["scene"], row["place"]))
    if faults:
        raise fault_report(faults, str(root / "pairs.csv"))
    ordered = tuple(sorted(pairs, key=lambda p: (p.split, p.name)))
    return Dataset(manifest.name, root, ordered, manifest.sha256, values_as=manifest.values_as)


def read_manifest(path: Path) -> Manifest:
    """Return the content of dataset.json.

    Raises:
        UserError: The file was not written by `prepare`, has another schema, or is damaged.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("name"), str):
        raise UserError(f"{path}: no dataset name; not written by sdd-bench prepare")
    if content.get("schema") != SCHEMA:
        raise UserError(f"{path}: schema {shown(content.get('schema'))}, this version reads schema {SCHEMA}")
    written = dict.fromkeys(("pairs", "patches", "notes")) if "request" in content else {}
    try:
        return TypeAdapter(Manifest).validate_python(written | content)
    except ValidationError as error:
        raise UserError(f"{path}: {'; '.join(faults_in(error)[:3])}, damaged; prepare the dataset again") from None


def is_plain(name: str) -> bool:
    """Return whether a text is a valid file name on every system: without separator, drive, or dot at its start.

    >>> [is_plain(name) for name in ("0001", "..", "a/b", "C:x", ".hidden", "a\\nb")]
    [True, False, False, False, False, False]
    """
    if name[:1] in ("", ".") or control_in(name) is not None or any(c in name for c in "\t\n\r"):
        return False
    return PureWindowsPath(name).name == name


def _file_fault(root: Path, home: Path, role: str, relative: str) -> str:
    """Return the fault of a file that a dataset lists; empty if there is none.

    Args:
        root: Folder of the dataset.
        home: The same folder with links resolved, in which the file must lie.
        role: Role of the file.
        relative: Path relative to the root.
    """
    if relative[0] == "/" or relative[1:2] == ":" or "\\" in relative or ".." in relative.split("/"):
        return f"{role} {shown(relative)} points outside the dataset"
    try:
        full = Path(os.path.realpath(root / relative, strict=True))
        kind = full.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return f"{role} {short(relative)} is missing"
    except OSError as error:
        return f"{role} {short(relative)} cannot be read ({error.strerror or error})"
    if not full.is_relative_to(home):
        return f"{role} {short(relative)} lies outside the dataset, where a link leads"
    return "" if stat.S_ISREG(kind) else f"{role} {short(relative)} is no file"
