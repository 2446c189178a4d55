"""DPDD, whose source and target of one scene have different names: the camera's counter went on between the two.

In the released lists the numbers of a pair differ by one, up or down, except for 1P0A1983 and 1P0A1985 of the test
set. Sorted order therefore gives the right pairs while no file is missing, and a missing one moves all pairs behind
it by a scene. So the lists are used where they are given; where not, the numbers are checked, and a split whose
order cannot be trusted is not paired at all.
"""

from __future__ import annotations

import re
import sys
import tokenize
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sdd_bench.datasets.layouts import SPLITS, Draft, Listing, find_duplicates, need_folders
from sdd_bench.datasets.manifest import Pair, is_plain
from sdd_bench.errors import UserError
from sdd_bench.io.images import list_images
from sdd_bench.io.names import one_form, stem_of
from sdd_bench.io.text import short, shown

MAX_NAMES = 500_000
MAX_STEP = 2
"""Names further apart than this are no pair; two apart only where no other file is left that fits better."""


def list_dpdd(root: Path) -> Listing | None:
    """Return DPDD: {train,val,test}_c/{source,target}, any subset of the three; the name is the source's stem."""
    parts = [s for s in SPLITS if (root / f"{s}_c").is_dir()]
    if not parts:
        return None
    draft = Draft(root)
    doubled: set[Path] = set()
    for split in parts:
        source_folder, target_folder = need_folders(root / f"{split}_c", "source", "target")
        sources, targets = _images(draft, source_folder, doubled), _images(draft, target_folder, doubled)
        lists = [_find_list(root, split, role) for role in ("src", "trg")]
        if lists[0] and lists[1]:
            _pair_by_lists(draft, split, sources, targets, (lists[0], lists[1]))
        elif lists[0] or lists[1]:
            draft.faults.append(f"{split}_c: only one of the lists {split}_src.npy and {split}_trg.npy is there")
        else:
            _pair_by_order(draft, split, sources, targets)
    draft.pairs = [p for p in draft.pairs if not {p.blur, p.sharp} & doubled]
    return draft.close("dpdd", "released")


def _images(draft: Draft, folder: Path, doubled: set[Path]) -> dict[str, Path]:
    """Return the images of a folder by stem, in the order of the numbers their names end in.

    One of several files with the same stem stays, so that the order is kept; it is added to `doubled`.
    """
    paths = sorted(list_images(folder), key=lambda p: _order(p.stem))
    stems = find_duplicates(draft, paths)
    files = {stem_of(p): p for p in paths}
    doubled.update(p for p in files.values() if p.stem in stems)
    return files


def _order(stem: str) -> tuple[str, int, str]:
    number = _number(stem)
    return (re.sub(r"\d+$", "", stem), -1 if number is None else number, stem)


def _number(stem: str) -> int | None:
    match = re.search(r"\d+$", stem)
    return int(match[0]) if match else None


def _find_list(root: Path, split: str, role: str) -> Path | None:
    for folder in (root / "file_names", root.parent / "file_names", root):
        path = folder / f"{split}_{role}.npy"
        if path.is_file():
            return path
    return None


def _read_list(path: Path) -> list[str]:
    """Return the names that a list of the release holds, without folders.

    Raises:
        UserError: Not a numpy array of names, too many of them, or names that are no text.
    """
    try:
        names = np.load(path, mmap_mode="r", allow_pickle=False)  # an array that the file cannot hold is refused
        if not isinstance(names, np.ndarray) or names.ndim != 1 or names.dtype.kind not in "US":
            raise ValueError("expected a one-dimensional numpy array of names")
        if len(names) > MAX_NAMES:
            raise ValueError(f"{len(names):,} names, at most {MAX_NAMES:,} are read")
        if (
            names.dtype.kind == "U"
            and names.size
            and int(names.view(f"{names.dtype.byteorder}u4").max()) > sys.maxunicode
        ):
            raise ValueError("names that are no text")
        texts = np.array(names) if names.dtype.kind == "U" else np.char.decode(np.array(names), "utf-8")
    except (OSError, ValueError, EOFError, SyntaxError, TypeError, OverflowError, tokenize.TokenError) as error:
        reason = short(" ".join(str(error).split()), 160)
        raise UserError(f"{path}: not a numpy array of names ({reason})") from None
    found = [str(name).replace("\\", "/").rsplit("/", 1)[-1] for name in texts]
    wrong = next((name for name in found if not is_plain(name)), None)
    if wrong is not None:
        raise UserError(f"{path}: {shown(wrong)} is no plain file name")
    return found


def _pair_by_lists(
    draft: Draft, split: str, sources: dict[str, Path], targets: dict[str, Path], lists: tuple[Path, Path]
) -> None:
    listed = []
    for path, files, role in zip(lists, (sources, targets), ("source", "target"), strict=True):
        stems = [name if name in files else Path(name).stem for name in map(one_form, _read_list(path))]
        uses = Counter(stems)
        draft.faults += [f"{path.name}: {stem} is listed twice" for stem in sorted(uses) if uses[stem] > 1]
        draft.faults += [
            f"{split}_c/{role}: {stem} is listed in {path.name} and missing" for stem in stems if stem not in files
        ]
        draft.notes += [
            f"{split}_c/{role}: {files[stem].name} is not listed in {path.name}, passed over"
            for stem in files
            if stem not in uses
        ]
        listed.append(stems)
    if len(listed[0]) != len(listed[1]):
        draft.faults.append(f"{split}_c: {lists[0].name} has {len(listed[0])} names, {lists[1].name} {len(listed[1])}")
        return
    done: set[str] = set()
    for source, target in zip(*listed, strict=True):
        if source in sources and target in targets and source not in done:
            draft.pairs.append(Pair(source, split, sources[source], targets[target]))
            done.add(source)


def _pair_by_order(draft: Draft, split: str, sources: dict[str, Path], targets: dict[str, Path]) -> None:
    advice = f"give the lists file_names/{split}_src.npy and {split}_trg.npy"
    if len(sources) != len(targets):
        alone = _without_partner(list(sources), list(targets))
        draft.faults.append(f"{split}_c: {len(sources)} images in source, {len(targets)} in target{alone}; {advice}")
        return
    pairs = list(zip(sources, targets, strict=True))
    apart, wide = _far_apart(pairs)
    if apart:
        (first, second), alone = apart[0], _without_partner(list(sources), list(targets))
        draft.faults.append(
            f"{split}_c: sorted order pairs source {first} with target {second} and {len(apart) - 1} more names that "
            f"do not belong together, a file is probably missing{alone}; {advice}"
        )
        return
    draft.notes += [f"{split}_c: source {a} and target {b} are paired, their numbers are two apart" for a, b in wide]
    draft.pairs += [Pair(a, split, sources[a], targets[b]) for a, b in pairs]


def _far_apart(pairs: Sequence[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the pairs whose numbers say that they are none, and those two apart that nothing contradicts."""
    steps = {}
    for pair in pairs:
        a, b = _number(pair[0]), _number(pair[1])
        if a is not None and b is not None and abs(a - b) > 1:
            steps[pair] = (a, b)
    apart: list[tuple[str, str]] = []
    wide: list[tuple[str, str]] = []
    for pair, (a, b) in steps.items():
        # Only files that are themselves in a doubtful pair can be the better partner of this one.
        fits = any(abs(a - d) <= 1 or abs(b - c) <= 1 for other, (c, d) in steps.items() if other != pair)
        (apart if abs(a - b) > MAX_STEP or fits else wide).append(pair)
    return apart, wide


def _without_partner(sources: Sequence[str], targets: Sequence[str], most: int = 3) -> str:
    """Return in words which files have no counterpart within `MAX_STEP`, or nothing where names have no numbers."""
    words = []
    for role, stems, others in (("source", sources, targets), ("target", targets, sources)):
        numbers = {n for n in map(_number, others) if n is not None}
        near = range(-MAX_STEP, MAX_STEP + 1)
        alone = [s for s in stems if (n := _number(s)) is not None and not numbers.intersection(n + d for d in near)]
        if numbers and alone:
            words.append(f"{role} {', '.join(alone[:most])}" + (" and others" if len(alone) > most else ""))
    return f" (without a partner: {'; '.join(words)})" if words else ""
