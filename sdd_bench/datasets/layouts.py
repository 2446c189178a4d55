"""Folders as datasets were released, to pairs: one function a layout, each with its own pairing rule.

A function returns None where its folders are not there, so that recognition is asking one after the other. What is
wrong with single files is collected in the listing; only a folder that is missing altogether is refused at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError
from sdd_bench.io.images import list_images
from sdd_bench.io.names import one_form, stem_of

Key = str | int
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Listing:
    """The pairs found in a folder and what is wrong with the rest.

    Attributes:
        name: Dataset name.
        layout: Which of the dataset's layouts it is: `released`, `split`, `full`, ...
        pairs: Sorted by split and name; split is empty where the dataset is not split yet.
        faults: One line each: missing partner, duplicate name, ...; the files concerned are in no pair.
        notes: What is worth knowing and no fault: counts that differ from the published ones, files passed over.
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
        list_pairs: Folder to the pairs in it, or None if the folder is not of this layout.
        title: What people call the dataset.
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


def list_sdd(root: Path) -> Listing | None:
    """Return SDD: released (train_patches and test), split (train and test) or full (150 pairs in one place)."""
    return _list_blur_gt(root, "sdd")


def list_pairs(root: Path) -> Listing | None:
    """Return anybody's pairs in folders named blur and gt, in the same three shapes as SDD."""
    return _list_blur_gt(root, "pairs")


def list_two_folders(blur: Path, sharp: Path) -> Listing:
    """Return the pairs of any two folders, matched by name."""
    draft = Draft(Path())
    _pair_up(draft, "", {"blur": blur, "sharp": sharp}, {})
    return draft.close("pairs", "two folders")


def list_realdof(root: Path) -> Listing | None:
    """Return RealDOF: source/NN and target/NN."""
    if not _any_folder(root, ("source", "target")):
        return None
    draft = Draft(root)
    blur, sharp = need_folders(root, "source", "target")
    _pair_up(draft, "test", {"blur": blur, "sharp": sharp}, {})
    return draft.close("realdof", "released")


def list_ded(root: Path) -> Listing | None:
    """Return DED: image_<n>, <prefix>_<n> and the defocus map defocus_filterd_<n> (spelt so), paired by n."""
    if not (root / "image").is_dir() or not _any_folder(root, ("sharp", "filtered")):
        return None
    draft = Draft(root)
    blur, sharp, defocus_map = need_folders(root, "image", "sharp", "filtered")
    keys = {"blur": r"image_(\d+)", "sharp": r".+_(\d+)", "defocus_map": r"defocus_filterd_(\d+)"}
    _pair_up(draft, "", {"blur": blur, "sharp": sharp, "defocus_map": defocus_map}, keys)
    return draft.close("ded", "released")


def list_rtf(root: Path) -> Listing | None:
    """Return RTF: image/0/image_NN and GT/sharp_NN, paired by NN."""
    if not (root / "image" / "0").is_dir():
        return None
    draft = Draft(root)
    sharp = root / "gt" if (root / "gt").is_dir() else need_folders(root, "GT")[0]
    keys = {"blur": r"image_(\d+)", "sharp": r"sharp_(\d+)"}
    _pair_up(draft, "test", {"blur": root / "image" / "0", "sharp": sharp}, keys)
    return draft.close("rtf", "released")


def list_lfdof(root: Path) -> Listing | None:
    """Return LFDOF: every input/IMG_x/IMG_x_ap*_kk belongs to ground_truth/IMG_x; the scene is IMG_x."""
    parts = [s for s in SPLITS if (root / f"{s}_data").is_dir()]
    if not parts:
        return None
    draft = Draft(root)
    for split in parts:
        inputs, truths = need_folders(root / f"{split}_data", "input", "ground_truth")
        sharp, spoilt = _index(draft, truths, stem_of)
        for stray in list_images(inputs):
            draft.faults.append(f"{draft.short(stray)}: not in the folder of a scene, input/IMG_x/IMG_x_ap*_kk.png")
        scenes = sorted(p for p in inputs.iterdir() if p.is_dir() and not p.name.startswith("."))
        for folder in scenes:
            blur, _ = _index(draft, folder, stem_of)
            scene = one_form(folder.name)
            if scene not in sharp:
                if blur and scene not in spoilt:
                    draft.faults.append(
                        f"{draft.short(folder)}: {len(blur)} images without a partner {scene} in {draft.short(truths)}"
                    )
                continue
            for stem, path in blur.items():
                if not str(stem).startswith(f"{scene}_"):
                    draft.faults.append(f"{draft.short(path)}: named otherwise than its scene {scene}")
                    continue
                draft.pairs.append(Pair(str(stem), split, path, sharp[scene], scene=scene))
        used = {one_form(folder.name) for folder in scenes}
        draft.notes += [f"{draft.short(path)}: has no inputs" for stem, path in sharp.items() if stem not in used]
    return draft.close("lfdof", "released")


def need_folders(root: Path, *names: str) -> list[Path]:
    """Return the named folders of a folder.

    Raises:
        UserError: One is missing; the message says what was expected and what was found.
    """
    if not all((root / name).is_dir() for name in names):
        expected = ", ".join(f"{name}/" for name in names)
        raise UserError(f"{root}: expected the folders {expected}; found: {describe_folder(root)}")
    return [root / name for name in names]


def describe_folder(folder: Path, most: int = 12) -> str:
    """Return what lies in a folder in one line, folders with a slash behind them."""
    entries = sorted(folder.iterdir(), key=lambda p: (not p.is_dir(), p.name)) if folder.is_dir() else []
    names = [f"{p.name}/" if p.is_dir() else p.name for p in entries if not p.name.startswith(".")]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") or "nothing"


def find_duplicates(draft: Draft, paths: Iterable[Path]) -> set[str]:
    """Return the stems that several files share, in whatever case and form, and add a fault for each such group."""
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


def _list_blur_gt(root: Path, name: str) -> Listing | None:
    draft = Draft(root)
    if (root / "train_patches").is_dir():
        layout = "released"
        parts = [s for s in ("train_patches", "test") if (root / s).is_dir()]
        over = [f"{s}/" for s in ("train", "val") if _any_folder(root / s, ("blur", "gt"))]
        draft.notes += [f"{s}: passed over, the layout released is train_patches/ and test/" for s in over]
    else:
        parts = [s for s in SPLITS if _any_folder(root / s, ("blur", "gt"))]
        layout = "released" if name == "sdd" and parts == ["test"] else "split"
    if not parts and _any_folder(root, ("blur", "gt")):
        layout, parts = "full", [""]
    if not parts:
        return None
    for split in parts:
        blur, sharp = need_folders(root / split, "blur", "gt")
        _pair_up(draft, split, {"blur": blur, "sharp": sharp}, {})
    return draft.close(name, layout)


def _any_folder(root: Path, names: Iterable[str]) -> bool:
    return any((root / name).is_dir() for name in names)


def _what_they_share(group: list[Path]) -> str:
    """Return in words how several names are one."""
    if len({path.stem for path in group}) == 1:
        return "share one name"
    if len({stem_of(path) for path in group}) == 1:
        return "are one name, its letters composed in one and decomposed in the other (Unicode's NFC and NFD)"
    return "differ only in case"


def _index(draft: Draft, folder: Path, key_of: Callable[[Path], Key | None]) -> tuple[dict[Key, Path], set[Key]]:
    """Return the images of a folder by key, and the keys that duplicates have spoilt."""
    paths = list_images(folder)
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


def _number_key(draft: Draft, pattern: str) -> Callable[[Path], Key | None]:
    """Return a function that reads the number out of a file's name; a name of another form is a fault."""

    def key_of(path: Path) -> Key | None:
        match = re.fullmatch(pattern, path.stem)
        if match is None:
            form = pattern.replace(r"(\d+)", "<n>").replace(".+", "<prefix>")
            draft.faults.append(f"{draft.short(path)}: not named {form}")
            return None
        return int(match[1])

    return key_of


def _pair_up(draft: Draft, split: str, folders: Mapping[str, Path], patterns: Mapping[str, str]) -> None:
    """Add the pairs whose key is in every folder (the stem, or the number a pattern finds), and the faults."""
    files: dict[str, dict[Key, Path]] = {}
    spoilt: set[Key] = set()
    for role, folder in folders.items():
        key_of = _number_key(draft, patterns[role]) if role in patterns else stem_of
        files[role], bad = _index(draft, folder, key_of)
        spoilt |= bad
    keys = {key for by_key in files.values() for key in by_key} - spoilt
    for key in sorted(keys, key=lambda k: (str(type(k)), k)):
        found = {role: by_key[key] for role, by_key in files.items() if key in by_key}
        missing = [draft.short(folders[role]) for role in folders if role not in found]
        if missing:
            draft.faults.append(f"{draft.short(next(iter(found.values())))}: no partner in {', '.join(missing)}")
            continue
        draft.pairs.append(Pair(stem_of(found["blur"]), split, found["blur"], found["sharp"], found.get("defocus_map")))
