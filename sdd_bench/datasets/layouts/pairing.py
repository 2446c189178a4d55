"""Pairing of files in several folders, by name or by a number in the name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from sdd_bench.datasets.layouts.listing import Draft
from sdd_bench.datasets.manifest import Pair
from sdd_bench.io.images import list_images
from sdd_bench.io.names import one_form, stem_of

Key = str | int
KeyOf = Callable[[Path], Key | None]


def pair_up(draft: Draft, split: str, folders: Mapping[str, Path], patterns: Mapping[str, str] | None = None) -> None:
    """Add the pairs whose key occurs in every folder, and the faults.

    Args:
        draft: Listing to fill.
        split: Split of the pairs.
        folders: Folders by role; the roles are `blur`, `sharp` and optionally `defocus_map`.
        patterns: Regular expressions by role that extract the number by which files are paired. Roles without one are
            paired by stem.
    """
    patterns = patterns or {}
    files: dict[str, dict[Key, Path]] = {}
    spoilt: set[Key] = set()
    for role, folder in folders.items():
        key_of = _number_key(draft, patterns[role]) if role in patterns else stem_of
        files[role], bad = index_images(draft, folder, key_of)
        spoilt |= bad
    pair_indexed(draft, split, files, spoilt, {role: draft.short(folder) for role, folder in folders.items()})


def pair_indexed(
    draft: Draft, split: str, files: Mapping[str, Mapping[Key, Path]], spoilt: set[Key], where: Mapping[str, str]
) -> None:
    """Add the pairs whose key occurs in every role, and a fault for each other key except the spoilt ones.

    Args:
        draft: Listing to fill.
        split: Split of the pairs.
        files: Files by role and key.
        spoilt: Keys whose faults have been reported.
        where: Places of the roles' files, for messages.
    """
    keys = {key for by_key in files.values() for key in by_key} - spoilt
    for key in sorted(keys, key=lambda k: (str(type(k)), k)):
        found = {role: by_key[key] for role, by_key in files.items() if key in by_key}
        missing = [where[role] for role in files if role not in found]
        if missing:
            draft.faults.append(f"{draft.short(next(iter(found.values())))}: no partner in {', '.join(missing)}")
            continue
        draft.pairs.append(Pair(stem_of(found["blur"]), split, found["blur"], found["sharp"], found.get("defocus_map")))


def index_images(draft: Draft, folder: Path, key_of: KeyOf) -> tuple[dict[Key, Path], set[Key]]:
    """Return the images of a folder by key, and the keys spoilt by duplicates; see `index_files`."""
    return index_files(draft, folder, list_images(folder), key_of)


def index_files(draft: Draft, folder: Path, paths: list[Path], key_of: KeyOf) -> tuple[dict[Key, Path], set[Key]]:
    """Return images by key, and the keys spoilt by duplicates; each group of duplicates becomes a fault.

    Args:
        draft: Listing that collects the faults.
        folder: Folder of the images.
        paths: Paths of the images.
        key_of: Function from a path to its key, None for files to skip.
    """
    doubled = find_duplicates(draft, paths)
    files: dict[Key, Path] = {}
    spoilt: set[Key] = set()
    for path in paths:
        key = key_of(path)
        if key is None:
            continue
        if path.stem in doubled:
            spoilt.add(key)
        elif key in files:
            draft.faults.append(f"{draft.short(folder)}: {files[key].name}, {path.name} have the same number {key}")
            spoilt.add(key)
        else:
            files[key] = path
    return {key: path for key, path in files.items() if key not in spoilt}, spoilt


def find_duplicates(draft: Draft, paths: Iterable[Path]) -> set[str]:
    """Return the stems that several files share, ignoring case and Unicode form, and add a fault for each group."""
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(one_form(stem_of(path).casefold()), []).append(path)
    doubled: set[str] = set()
    for group in groups.values():
        if len(group) > 1:
            names = ", ".join(p.name for p in group)
            draft.faults.append(f"{draft.short(group[0].parent)}: {names} {_what_they_share(group)}")
            doubled |= {p.stem for p in group}
    return doubled


def _what_they_share(group: list[Path]) -> str:
    """Return the reason why several names count as one."""
    if len({path.stem for path in group}) == 1:
        return "share one name"
    if len({stem_of(path) for path in group}) == 1:
        return "are one name, its letters composed in one and decomposed in the other (Unicode's NFC and NFD)"
    return "differ only in case"


def _number_key(draft: Draft, pattern: str) -> KeyOf:
    """Return a function that reads the number from a file's name; a name of another form is a fault."""

    def key_of(path: Path) -> Key | None:
        match = re.fullmatch(pattern, path.stem)
        if match is None:
            form = pattern.replace(r"(\d+)", "<n>").replace(".+", "<prefix>")
            draft.faults.append(f"{draft.short(path)}: not named {form}")
            return None
        return int(match[1])

    return key_of
