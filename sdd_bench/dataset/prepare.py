"""A source folder to a prepared dataset: frames, splits, patches, manifest.

Every pair is one item of work; its frames and patches are written before it is journalled, so that a killed run
goes on where it stopped and ends with the same bytes. Nothing in the source is ever opened for writing.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np

from sdd_bench.dataset import store
from sdd_bench.dataset.manifest import PAIR_COLUMNS, SCHEMA, Pair, content_sha256, csv_text, json_text
from sdd_bench.dataset.patches import Recipe, choose_windows, cut
from sdd_bench.errors import UserError
from sdd_bench.image_io import file_sha256, read_header, read_pixels, write_bytes, write_text
from sdd_bench.version import __version__
from sdd_bench.work import Item, Journal, fingerprint, map_items

PATCH_COLUMNS = ("name", "pair", "x", "y", "scale", "sharpness")
WORK_FOLDER = ".prepare"
IMPORTED = "train_patches"
CONVENTIONS = {
    "image": "8- or 16-bit RGB files; 0..1 means 0..255 or 0..65535; EXIF orientation applied on reading",
    "pixel": "(0, 0) is the centre of the upper left pixel, x right, y down",
    "patch": "x, y in pixels of the frame resized by scale (width of the resized frame over the frame's)",
}


@dataclass(frozen=True)
class Preparation:
    """Everything that decides what a prepared dataset holds.

    Attributes:
        name: Dataset name written to dataset.json.
        layout: The layout the source was read as.
        pairs: Every pair with its split decided.
        split: How it was decided, for dataset.json.
        recipe: Patch recipe, or None for frames alone.
        store: `png` or `hdf5`.
        grey: `refuse` or `expand`.
        notes: Differences from the published counts, pairs left out.
    """

    name: str
    layout: str
    pairs: tuple[Pair, ...]
    split: dict[str, Any]
    recipe: Recipe | None
    store: str = "png"
    grey: str = "refuse"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.store not in store.STORES:
            raise ValueError(f"store must be one of {store.STORES}, not {self.store!r}")
        if any(not p.split for p in self.pairs):
            raise ValueError("every pair needs a split")

    def request(self) -> dict[str, Any]:
        """Return the configuration as JSON can hold it; two runs with the same request give the same dataset."""
        listing = "".join(
            f"{p.split}\t{p.name}\t{p.scene}\t{p.place}\t{p.blur.name}\t{p.blur.stat().st_size}"
            f"\t{p.sharp.name}\t{p.sharp.stat().st_size}\n"
            for p in self.pairs
        )
        return {
            "name": self.name,
            "layout": self.layout,
            "split": self.split,
            "recipe": _recipe_json(self.recipe),
            "store": self.store,
            "grey": self.grey,
            "source_listing_sha256": hashlib.sha256(listing.encode()).hexdigest(),
        }


@dataclass(frozen=True)
class Summary:
    """What a preparation wrote: pairs a split, number of patches, and whether it was there already."""

    pairs: dict[str, int]
    patches: int
    already_there: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Task:
    pair: Pair
    sharp_name: str
    root: Path
    recipe: Recipe | None
    store: str
    grey: str
    part: Path = field(default=Path())


def prepare(preparation: Preparation, out: Path, jobs: int) -> Summary:
    """Write a prepared dataset and return what it holds.

    Args:
        preparation: What to write.
        out: A new or empty folder, or one where the same preparation was started or finished.
        jobs: Worker processes; the bytes written do not depend on it.

    Raises:
        UserError: The folder holds something else; frames that cannot be decoded (all named, the others done).
    """
    request = preparation.request()
    if _is_finished(out, request):
        rows = json.loads((out / "dataset.json").read_text(encoding="utf-8"))
        return Summary(rows["pairs"], rows["patches"]["count"], already_there=True, notes=preparation.notes)
    work = out / WORK_FOLDER
    _claim(out, work, request)
    pairs = sorted(preparation.pairs, key=lambda p: (p.split, p.name))
    tasks = [_task(pair, preparation, out, work) for pair in _with_shared_names(pairs)]
    items = [
        Item(f"{t.pair.split}/{t.pair.name}", t, fingerprint(request, t.pair.blur, t.pair.sharp)) for t in tasks
    ]
    journal = Journal(work / "journal.jsonl")
    results = map_items(
        _prepare_pair,
        items,
        jobs=jobs,
        label="prepare",
        where="prepare",
        journal=journal,
        still_valid=lambda result: all((out / path).is_file() for path in result["files"]),
    )
    if preparation.store == "hdf5" and any(r["patches"] for r in results):
        parts = [t.part for t, r in zip(tasks, results, strict=True) if r["patches"]]
        store.merge_parts(parts, out / store.PATCH_FILE)
    summary = _write_listing(preparation, request, out, results)
    shutil.rmtree(work)
    return summary


def _prepare_pair(task: _Task) -> dict[str, Any]:
    """Copy a pair's frames, cut its patches, and return its rows for pairs.csv and patches.csv."""
    pair = task.pair
    blur, sharp = read_pixels(pair.blur, grey=task.grey), read_pixels(pair.sharp, grey=task.grey)
    if blur.shape != sharp.shape:
        sizes = f"blur is {blur.shape[1]}x{blur.shape[0]}, sharp is {sharp.shape[1]}x{sharp.shape[0]}"
        raise UserError(f"{pair.split}/{pair.name}: {sizes}")
    if pair.split == IMPORTED:
        return _import_patch(task, blur, sharp)
    row: dict[str, Any] = {"split": pair.split, "name": pair.name, "scene": pair.scene, "place": pair.place}
    row |= {"width": blur.shape[1], "height": blur.shape[0], "bits": max(blur.itemsize, sharp.itemsize) * 8}
    sources = {"blur": (pair.blur, pair.name, "blur"), "sharp": (pair.sharp, task.sharp_name, "gt")}
    if pair.defocus_map:
        sources["defocus_map"] = (pair.defocus_map, pair.name, "defocus_map")
    for role, (source, name, folder) in sources.items():
        target = f"{pair.split}/{folder}/{name}{source.suffix.lower()}"
        row[role] = target
        row[f"{role}_sha256"] = _copy(source, task.root / target)
    files = [row[role] for role in sources]
    patches: list[list[Any]] = []
    if pair.split == "train" and task.recipe:
        try:
            windows = choose_windows(sharp, task.recipe)
        except ValueError as error:
            raise UserError(f"{pair.split}/{pair.name}: {error}; take --window or another --recipe") from None
        digits = max(2, len(str(len(windows) - 1)))
        names = [f"{pair.name}_{index:0{digits}d}" for index in range(len(windows))]
        pairs = list(zip(cut(blur, windows, task.recipe), cut(sharp, windows, task.recipe), strict=True))
        files += _store_patches(task, names, [b for b, _ in pairs], [s for _, s in pairs])
        for name, window, (b, s) in zip(names, windows, pairs, strict=True):
            sharpness, scale = f"{window.sharpness:.6g}", f"{window.scale:.6g}"
            patches.append([name, pair.name, window.x, window.y, scale, sharpness, store.pixel_sha256(b, s)])
    return {"row": row, "patches": patches, "files": files}


def _import_patch(task: _Task, blur: Any, sharp: Any) -> dict[str, Any]:
    """Take over a patch pair of a release as it is; where it lay in its frame is not known."""
    name = task.pair.name
    files = _store_patches(task, [name], [blur], [sharp])
    return {"row": None, "patches": [[name, "", "", "", "", "", store.pixel_sha256(blur, sharp)]], "files": files}


def _store_patches(task: _Task, names: list[str], blur: list[Any], sharp: list[Any]) -> list[str]:
    if task.store == "hdf5":
        store.write_part(task.part, names, blur, sharp)
        return [str(task.part.relative_to(task.root))]
    store.write_png_patches(task.root, names, blur, sharp)
    return [f"{store.PATCH_FOLDER}/{role}/{name}.png" for role in store.ROLES for name in names]


def _copy(source: Path, target: Path) -> str:
    """Copy a file whole or not at all and return its sha256; a sharp frame shared by pairs is copied once."""
    digest = file_sha256(source)
    if not (target.is_file() and target.stat().st_size == source.stat().st_size and file_sha256(target) == digest):
        write_bytes(target, source.read_bytes())
    return digest


def _with_shared_names(pairs: Sequence[Pair]) -> list[tuple[Pair, str]]:
    """Return each pair with the name of its sharp frame: the pair's, or its own stem in a split that shares any."""
    uses = Counter((p.split, p.sharp) for p in pairs)
    sharing = {split for (split, _), count in uses.items() if count > 1}
    return [(p, p.sharp.stem if p.split in sharing else p.name) for p in pairs]


def _task(named: tuple[Pair, str], preparation: Preparation, out: Path, work: Path) -> _Task:
    pair, sharp_name = named
    part = work / "parts" / pair.split / f"{pair.name}.h5"
    return _Task(pair, sharp_name, out, preparation.recipe, preparation.store, preparation.grey, part)


def _is_finished(out: Path, request: dict[str, Any]) -> bool:
    """Return whether the folder holds this very dataset.

    Raises:
        UserError: It holds another one.
    """
    if not (out / "dataset.json").exists():
        return False
    try:
        found = json.loads((out / "dataset.json").read_text(encoding="utf-8"))["request"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{out}: holds a dataset.json that cannot be read; choose another --out") from None
    if found != request:
        raise UserError(f"{out}: already holds a dataset with another {_first_difference(found, request)}; "
                        "choose another --out")  # fmt: skip
    return True


def _claim(out: Path, work: Path, request: dict[str, Any]) -> None:
    """Take a new, empty or interrupted folder for this request.

    Raises:
        UserError: The folder holds other files, or an unfinished preparation of another request.
    """
    note = work / "request.json"
    if note.is_file():
        try:
            found = json.loads(note.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if found != request:
            raise UserError(
                f"{out}: holds an unfinished preparation with another {_first_difference(found, request)}; "
                "finish that one, delete the folder, or choose another --out"
            )
        for leftover in out.rglob(".part-*"):
            leftover.unlink()
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: is not an empty folder and not a preparation to go on with; choose another --out")
    write_text(note, json_text(request))


def _first_difference(found: object, request: dict[str, Any]) -> str:
    if isinstance(found, dict):
        for key, value in request.items():
            if found.get(key) != value:
                return "source" if key == "source_listing_sha256" else key
    return "configuration"


def _write_listing(
    preparation: Preparation, request: dict[str, Any], out: Path, results: Sequence[dict[str, Any]]
) -> Summary:
    """Write split.csv, pairs.csv, patches.csv and last dataset.json, which marks the dataset complete."""
    rows = [r["row"] for r in results if r["row"]]
    patches = [patch for r in results for patch in r["patches"]]
    write_text(out / "split.csv", csv_text(("split", "name"), sorted((r["split"], r["name"]) for r in rows)))
    write_text(out / "pairs.csv", csv_text(PAIR_COLUMNS, ([row.get(c, "") for c in PAIR_COLUMNS] for row in rows)))
    write_text(out / "patches.csv", csv_text(PATCH_COLUMNS, (patch[: len(PATCH_COLUMNS)] for patch in patches)))
    listed = sorted({(row[role], row[f"{role}_sha256"]) for row in rows for role in ("blur", "sharp", "defocus_map")
                     if role in row})  # fmt: skip
    counts = dict(sorted(Counter(row["split"] for row in rows).items()))
    imported = any(r["row"] is None for r in results)
    manifest = {
        "schema": SCHEMA,
        "name": preparation.name,
        "version": 1,
        "tool": {"sdd-bench": __version__},
        "libraries": {
            "imagecodecs": imagecodecs.__version__,
            "numpy": np.__version__,
            "opencv": cv2.__version__,
        },
        "pairs": counts,
        "split_sha256": {
            split: content_sha256((r["name"], r["blur_sha256"], r["sharp_sha256"]) for r in rows if r["split"] == split)
            for split in counts
        },
        "sha256": hashlib.sha256("".join(f"{p}\t{h}\n" for p, h in listed).encode()).hexdigest(),
        "patches": {
            "count": len(patches),
            "recipe": {"name": "as released"} if imported else _recipe_json(preparation.recipe),
            "store": preparation.store if patches else None,
            "sha256": hashlib.sha256("".join(f"{p[0]}\t{p[-1]}\n" for p in patches).encode()).hexdigest(),
        },
        "split": preparation.split,
        "split_file_sha256": file_sha256(out / "split.csv"),
        "conventions": CONVENTIONS,
        "notes": list(preparation.notes),
        "request": request,
    }
    write_text(out / "dataset.json", json_text(manifest))
    return Summary(counts, len(patches), notes=preparation.notes)


def _recipe_json(recipe: Recipe | None) -> dict[str, Any] | None:
    return json.loads(json.dumps(asdict(recipe))) if recipe else None
