"""Opening of dataset folders: the pairs that a layout lists, checked, with their scenes and places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from sdd_bench.datasets.known import LAYOUTS, WHERE_DATA
from sdd_bench.datasets.layouts.listing import Listing, describe_folder
from sdd_bench.datasets.layouts.same_name import list_two_folders
from sdd_bench.datasets.manifest import Dataset, Pair, read_prepared
from sdd_bench.datasets.parquet_source import is_parquet
from sdd_bench.errors import UserError, fault_report
from sdd_bench.io.headers import ImageHeader, headers_or_faults, orientations_apart
from sdd_bench.io.names import one_form
from sdd_bench.io.nearest import missing_folder
from sdd_bench.io.reading_notes import reading_notes
from sdd_bench.io.text import read_rows, short, shown
from sdd_bench.jobs.run_folder import WORK_FOLDER

MAX_FOLDERS = 50
"""Maximum number of sub-folders that are searched for a known layout."""

PLACES = ("", "indoor", "outdoor")


def list_dataset(root: Path, name: str | None = None) -> Listing:
    """Return the pairs of a released dataset, with all faults in its file names.

    Args:
        root: Folder of the dataset, which is not changed.
        name: A key of `LAYOUTS`; None detects the layout from the folders. Folders named blur and gt without
            train_patches are then `pairs`.

    Raises:
        UserError: The folder does not exist or belongs to an unfinished run, the name is unknown, the folder does not
            match any (or the named) layout, or it contains no images.
    """
    if not root.is_dir():
        raise UserError(f"{missing_folder(root)}. {WHERE_DATA}")
    if (root / WORK_FOLDER).is_dir():
        raise UserError(
            f"{root}: an unfinished run of ingest, prepare or synthesise; give the same command again to finish it"
        )
    if name is not None and name not in LAYOUTS:
        raise UserError(f"unknown dataset {name!r}, known datasets: {', '.join(LAYOUTS)}")
    listing = recognise(root, name)
    if listing is None:
        looked_for = "\n".join(f"  {n}: {'; '.join(LAYOUTS[n].tree)}" for n in ([name] if name else LAYOUTS))
        what = f"not the layout of {name}" if name else "no layout is recognised"
        raise UserError(f"{root}: {what}, found: {describe_folder(root)}{_hint(root, name)}; expected:\n{looked_for}")
    if not listing.pairs and not listing.faults:
        raise UserError(f"{root}: layout {listing.layout} of {listing.name}, but no PNG, TIFF or JPEG image in it")
    listing = _add_places(listing)
    pairs = sorted((replace(p, scene=p.scene or p.name) for p in listing.pairs), key=lambda p: (p.split, p.name))
    return replace(listing, pairs=tuple(pairs), notes=(*listing.notes, *_count_notes(listing)))


def recognise(root: Path, name: str | None = None) -> Listing | None:
    """Return the listing of the first layout that matches a folder, None if none does; arguments as in `list_dataset`.

    Raises:
        UserError: A layout matches the folder, but a part of it is missing.
    """
    return next((found for n in _candidates(root, name) if (found := LAYOUTS[n].list_pairs(root)) is not None), None)


def check_listing(listing: Listing, *, skip_faulty: bool = False, grey: str = "refuse") -> Listing:
    """Return the listing without faults, after reading every image's header.

    Args:
        listing: Listing from `list_dataset`.
        skip_faulty: Leave out faulty pairs and turn their faults into notes.
        grey: With `refuse`, a grey image is a fault; with `expand`, it is not. Defocus maps may always be grey.

    Raises:
        UserError: There are faults, which are reported together; with `skip_faulty`, no pair is left.
    """
    headers = headers_or_faults(path for pair in listing.pairs for path in _files_of(pair).values())
    found = [(pair, _pair_faults(pair, headers, grey)) for pair in listing.pairs]
    faults = list(dict.fromkeys([*listing.faults, *(fault for _, of_pair in found for fault in of_pair)]))
    kept = tuple(pair for pair, of_pair in found if not of_pair)
    if faults and (not skip_faulty or not kept):
        raise fault_report(faults, f"{listing.root} ({listing.name}, {listing.layout})")
    read = reading_notes(headers[path] for path in {path for pair in kept for path in _files_of(pair).values()})
    notes = (*listing.notes, *read, *(f"left out: {f}" for f in faults))
    return replace(listing, pairs=kept, faults=(), notes=notes)


def open_dataset(path: Path, split: str | None = None, name: str | None = None, grey: str = "refuse") -> Dataset:
    """Return a dataset that `prepare` wrote, or one in its released layout.

    Args:
        path: Folder of the dataset; with a dataset.json, it is a prepared one.
        split: Split to return; headers of other splits are not read. A released dataset without splits is all `test`.
        name: A key of `LAYOUTS` for a released dataset; None detects the layout.
        grey: Handling of grey images, `refuse` or `expand`.

    Raises:
        UserError: The folder matches no layout, the split does not exist, or there are faults (all are named).
    """
    if (path / "dataset.json").is_file():
        dataset = read_prepared(path)
        return replace(dataset, pairs=dataset.split(split)) if split is not None else dataset
    listing = list_dataset(path, name)
    if split == "test" and not any(pair.split for pair in listing.pairs):
        listing = replace(listing, pairs=tuple(replace(pair, split="test") for pair in listing.pairs))
    if split is not None and not listing.faults:
        listing = replace(listing, pairs=Dataset(listing.name, path, listing.pairs).split(split))
    return Dataset(listing.name, path, check_listing(listing, grey=grey).pairs)


def open_two_folders(
    blur: Path, sharp: Path, split: str = "test", name: str | None = None, grey: str = "refuse"
) -> Dataset:
    """Return the pairs of any two folders, matched by name, as a dataset; errors as in `pair_folders`.

    Args:
        blur: Folder of the blur images.
        sharp: Folder of the sharp images.
        split: Split of all pairs.
        name: Name of the dataset; `pairs` if None.
        grey: Handling of grey images, `refuse` or `expand`.
    """
    pairs = (replace(pair, split=split) for pair in pair_folders(blur, sharp, grey))
    return Dataset(name or "pairs", blur, tuple(sorted(pairs, key=lambda pair: pair.name)), sharp_root=sharp)


def pair_folders(blur: Path, sharp: Path, grey: str = "refuse") -> tuple[Pair, ...]:
    """Return the pairs of any two folders, matched by name.

    Raises:
        UserError: Names have no partner, sizes differ, or images are unreadable; all are named.
    """
    pairs = check_listing(list_two_folders(blur, sharp), grey=grey).pairs
    if not pairs:
        raise UserError(f"{blur} and {sharp}: no PNG, TIFF or JPEG images")
    return pairs


def _hint(root: Path, name: str | None) -> str:
    """Return advice for a folder of unknown layout; empty if there is none."""
    if is_parquet(root):
        return f"\nParquet files are unpacked by sdd-bench prepare {root} --out DIR; give DIR instead"
    for folder in sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))[:MAX_FOLDERS]:
        with suppress(UserError, OSError):
            found = recognise(folder, name)
            if found is not None:
                return f"\n{folder} has the layout of {found.name}; give that folder"
    return ""


def _candidates(root: Path, name: str | None) -> Iterable[str]:
    """Return the datasets to try; without a name, blur and gt are SDD only if train_patches exists."""
    if name is not None:
        return [name]
    return [n for n in LAYOUTS if n != "sdd" or (root / "train_patches").is_dir()]


def _count_notes(listing: Listing) -> list[str]:
    layout, counts = LAYOUTS.get(listing.name), Counter(p.split for p in listing.pairs)
    return [
        f"{split + ': ' if split else ''}{n} pairs, {layout.title} has {layout.expected[split]}"
        for split, n in sorted(counts.items())
        if layout and split in layout.expected and n != layout.expected[split]
    ]


def _add_places(listing: Listing) -> Listing:
    """Return the listing with scene and place from places.csv, else from pairs.csv, if one exists."""
    path = listing.root / "places.csv"
    if path.is_file():
        columns, rows = read_rows(path, ("name",))
        if not {"place", "scene"} & set(columns):
            raise UserError(f"{path}: missing column place or scene; found: {', '.join(map(short, columns[:20]))}")
    else:
        path = listing.root / "pairs.csv"
        if not path.is_file() or (listing.root / "dataset.json").exists():
            return listing
        columns, rows = read_rows(path)
        if "name" not in columns or not {"place", "scene"} & set(columns):
            return listing  # an unrelated table of that name
    known = {p.name for p in listing.pairs}
    faults: list[str] = []
    given: dict[str, tuple[str, str]] = {}
    wrong: set[str] = set()
    for line, row in rows:
        name, place = one_form(row["name"]), row.get("place", "").strip()
        if name in given:
            faults.append(f"{path.name} line {line}: duplicate name {short(name)}")
            wrong.add(name)
        elif name not in known:
            faults.append(f"{path.name} line {line}: there is no pair {short(name)}")
        if place not in PLACES:
            what = f"place {shown(place)} of {short(name)}"
            faults.append(f"{path.name} line {line}: {what}, expected indoor, outdoor or nothing")
            wrong.add(name)
        given[name] = row.get("scene", "").strip(), place
    pairs = []
    for pair in listing.pairs:
        if pair.name not in wrong:
            scene, place = given.get(pair.name, ("", ""))
            pairs.append(replace(pair, scene=scene or pair.scene, place=place or pair.place))
    return replace(listing, pairs=tuple(pairs), faults=(*listing.faults, *faults))


def _files_of(pair: Pair) -> dict[str, Path]:
    """Return the files by role."""
    third = pair.defocus_map
    return {"blur": pair.blur, "sharp": pair.sharp, **({"defocus map": third} if third else {})}


def _pair_faults(pair: Pair, headers: Mapping[Path, ImageHeader | str], grey: str) -> list[str]:
    faults, sizes = [], {}
    for role, path in _files_of(pair).items():
        header = headers[path]
        if isinstance(header, str):
            faults.append(header)
            continue
        sizes[role] = f"{header.width}x{header.height}"
        if header.channels <= 2 and grey != "expand" and role != "defocus map":
            faults.append(f"{path}: a grey image, expected RGB (convert it, or allow it with --grey expand)")
    if len(set(sizes.values())) > 1:
        where = f"{pair.split}/{pair.name}" if pair.split else pair.name
        turned = _turned_words(headers[pair.blur], headers[pair.sharp])
        faults.append(f"{where}: " + ", ".join(f"{role} is {size}" for role, size in sizes.items()) + turned)
    return faults


def _turned_words(blur: ImageHeader | str, sharp: ImageHeader | str) -> str:
    """Return an addition to the message about two sizes if one is the other transposed."""
    if isinstance(blur, str) or isinstance(sharp, str) or (blur.width, blur.height) != (sharp.height, sharp.width):
        return ""
    tags = orientations_apart(blur.orientation, sharp.orientation)
    same = blur.width == blur.height
    return "" if same else ": one of the two is turned by 90 degrees" + (f" ({tags})" if tags else "")
