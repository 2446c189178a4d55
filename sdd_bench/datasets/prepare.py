"""Preparation of a dataset: frames, splits, patches, manifest.

Every pair is one item of work, whose frames and patches are written before it is journalled, so that a killed run
resumes where it stopped and ends with the same bytes. No file of the source is ever opened for writing.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
from pydantic import TypeAdapter

from sdd_bench.datasets import store
from sdd_bench.datasets.looks import Looks
from sdd_bench.datasets.manifest import PAIR_COLUMNS, SCHEMA, Pair, content_sha256, read_manifest, read_prepared
from sdd_bench.datasets.pair_files import IMPORTED, SMALLER_WINDOW, PairTask, Patch, Prepared, prepare_pair
from sdd_bench.datasets.patches import Recipe, window_origins
from sdd_bench.datasets.value_check import check_values
from sdd_bench.errors import UserError, fault_report
from sdd_bench.io.files import file_sha256, write_text
from sdd_bench.io.headers import read_header
from sdd_bench.io.serialise import csv_text, json_text
from sdd_bench.io.values_as import USUAL, ValuesAs
from sdd_bench.jobs.items import Item, Journal, fingerprint, map_items
from sdd_bench.jobs.run_folder import RunFolder
from sdd_bench.jobs.workers import Workers
from sdd_bench.version import __version__

PATCH_COLUMNS = Patch._fields[:-1]
CONVENTIONS = {
    "image": "8- or 16-bit sRGB; 0..1 means 0..255 or 0..65535; upright by the orientation tag, from the ICC profile",
    "pixel": "(0, 0) is the centre of the upper left pixel, x right, y down",
    "patch": "x, y in pixels of the frame resized by scale (width of the resized frame over the frame's)",
}


@dataclass(frozen=True)
class Preparation:
    """Settings that determine the content of a prepared dataset.

    Attributes:
        name: Name of the dataset in dataset.json.
        layout: Layout in which the source was read.
        pairs: All pairs with their split.
        split: Rule of the split, for dataset.json.
        recipe: Patch recipe, None for frames only.
        store: `png` or `hdf5`.
        grey: Handling of grey images, `refuse` or `expand`.
        notes: Differences from the published counts, and pairs that were left out.
        skip_faulty: Leave out pairs that cannot be decoded instead of refusing.
        only: Verdict of `ingest` that all pairs have, if others were left out, else None.
        values: Meaning of the values of the source's frames; those of the prepared dataset have the usual meaning.
    """

    name: str
    layout: str
    pairs: tuple[Pair, ...]
    split: dict[str, object]
    recipe: Recipe | None
    store: str = "png"
    grey: str = "refuse"
    notes: tuple[str, ...] = ()
    skip_faulty: bool = False
    only: str | None = None
    values: ValuesAs = USUAL

    def __post_init__(self) -> None:
        if self.store not in store.STORES:
            raise ValueError(f"store must be one of {store.STORES}, not {self.store!r}")
        if any(not p.split for p in self.pairs):
            raise ValueError("every pair needs a split")

    def request(self) -> dict[str, object]:
        """Return the configuration as JSON; two runs with the same request give the same dataset."""
        listing = hashlib.sha256()
        for pair in self.pairs:
            files = "\t".join(f"{path.name}\t{path.stat().st_size}" for path in (pair.blur, pair.sharp))
            listing.update(f"{pair.split}\t{pair.name}\t{pair.scene}\t{pair.place}\t{files}\n".encode())
        return {
            "name": self.name,
            "layout": self.layout,
            "split": self.split,
            "recipe": _recipe_json(self.recipe),
            "store": self.store,
            "grey": self.grey,
            "skip_faulty": self.skip_faulty,
            "source_listing_sha256": listing.hexdigest(),
            **({} if self.only is None else {"only": self.only}),
            **self.values_block(),
        }

    def values_block(self) -> dict[str, object]:
        """Return the stated meaning of the source's values, as JSON; empty if none was stated."""
        return {"values_as": self.values.text} if self.values.text else {}


@dataclass(frozen=True)
class Summary:
    """Summary of a preparation: pairs per split, number of patches, notes, and whether it existed already."""

    pairs: dict[str, int]
    patches: int
    notes: tuple[str, ...]
    already_there: bool = False


def prepare(preparation: Preparation, out: Path, jobs: Workers) -> Summary:
    """Write a prepared dataset and return its summary.

    Args:
        preparation: Settings of the dataset.
        out: A new or empty folder, or one in which the same preparation was started or finished.
        jobs: Number of worker processes; the bytes written do not depend on it.

    Raises:
        UserError: The folder contains something else; values have the wrong meaning, see `check_values`; frames are too
            small for a window (all are named, nothing is done); or frames cannot be decoded (all are named, the others
            are done).
    """
    request = preparation.request()
    folder = RunFolder(out, out / "dataset.json", request)
    if folder.is_finished:
        folder.end()
        read_prepared(out)
        manifest = read_manifest(out / "dataset.json")
        return Summary(manifest.pairs, manifest.patches.count, manifest.notes, already_there=True)
    if preparation.recipe and not preparation.skip_faulty:
        _check_frames(preparation.pairs, preparation.recipe)
    notes = check_values(preparation.pairs, Looks(jobs), preparation.values)
    preparation = replace(preparation, notes=(*preparation.notes, *notes))
    with folder.claimed() as journal:
        return _prepare(preparation, request, folder, journal, jobs)


def _check_frames(pairs: Sequence[Pair], recipe: Recipe) -> None:
    """Raise UserError, before any work, for training pairs whose frames are too small for the recipe's windows."""
    faults = []
    for pair in pairs:
        if pair.split != "train":
            continue
        try:
            header = read_header(pair.sharp)
            for size in recipe.frame_sizes(header.width, header.height):
                window_origins(*size, recipe)
        except ValueError as error:
            faults.append(f"{pair.split}/{pair.name}: {error}; {SMALLER_WINDOW}")
        except UserError:
            continue  # damaged: reported later with all frames that cannot be decoded
    if faults:
        raise fault_report(faults, "prepare")


def _prepare(
    preparation: Preparation, request: dict[str, object], folder: RunFolder, journal: Journal, jobs: Workers
) -> Summary:
    """Prepare the dataset in a claimed folder."""
    out = folder.out
    pairs = sorted(preparation.pairs, key=lambda p: (p.split, p.name))
    found = map_items(
        prepare_pair,
        _items(pairs, preparation, request, folder),
        jobs=jobs,
        label="prepare",
        journal=journal,
        still_valid=lambda result: all((out / path).is_file() for path in result["files"]),
    )
    results = TypeAdapter(list[Prepared]).validate_python(found)
    parts = [_part(pair, folder) for pair, result in zip(pairs, results, strict=True) if result.patches]
    if preparation.store == "hdf5" and parts:
        store.merge_parts(parts, out / store.PATCH_FILE)
    summary = _write_listing(preparation, request, out, results)
    folder.end()
    return summary


def _items(
    pairs: Sequence[Pair], preparation: Preparation, request: dict[str, object], folder: RunFolder
) -> list[Item]:
    """Return the items of work; if pairs of a split share sharp frames, these keep their own names."""
    uses = Counter((p.split, p.sharp) for p in pairs)
    sharing = {split for (split, _), count in uses.items() if count > 1}
    recipe, grey, hdf5 = preparation.recipe, preparation.grey, preparation.store == "hdf5"
    items = []
    for pair in pairs:
        sharp_name, part = pair.sharp.stem if pair.split in sharing else pair.name, _part(pair, folder)
        stored, faulty = part if hdf5 else None, preparation.skip_faulty
        task = PairTask(pair, sharp_name, folder.out, recipe, grey, stored, faulty, preparation.values)
        mark = fingerprint(request, pair.blur, pair.sharp)
        items.append(Item(f"{pair.split}/{pair.name}", task, mark))
    return items


def _part(pair: Pair, folder: RunFolder) -> Path:
    return folder.work / "parts" / pair.split / f"{pair.name}.h5"


def _write_listing(
    preparation: Preparation, request: dict[str, object], out: Path, results: Sequence[Prepared]
) -> Summary:
    """Write split.csv, pairs.csv, patches.csv, and finally dataset.json, which marks the dataset complete."""
    rows = [result.row for result in results if result.row]
    patches = [patch for result in results for patch in result.patches]
    write_text(out / "split.csv", csv_text(("split", "name"), sorted((row.split, row.name) for row in rows)))
    write_text(out / "pairs.csv", csv_text(PAIR_COLUMNS, map(astuple, rows)))
    write_text(out / "patches.csv", csv_text(PATCH_COLUMNS, (patch[:-1] for patch in patches)))
    listed = sorted({f"{file}\t{digest}\n" for row in rows for file, digest in row.files()})
    counts = dict(sorted(Counter(row.split for row in rows).items()))
    patch_sha256 = hashlib.sha256()
    for patch in patches:
        patch_sha256.update(f"{patch.name}\t{patch.sha256}\n".encode())
    imported = any(pair.split == IMPORTED for pair in preparation.pairs)
    notes = (*preparation.notes, *(f"left out: {r.left_out}" for r in results if r.left_out))
    manifest = {
        "schema": SCHEMA,
        "name": preparation.name,
        "version": 1,
        "tool": {"sdd-bench": __version__},
        "libraries": {"imagecodecs": imagecodecs.__version__, "numpy": np.__version__, "opencv": cv2.__version__},
        "pairs": counts,
        "split_sha256": {
            split: content_sha256((r.name, r.blur_sha256, r.sharp_sha256) for r in rows if r.split == split)
            for split in counts
        },
        "sha256": hashlib.sha256("".join(listed).encode()).hexdigest(),
        "patches": {
            "count": len(patches),
            "recipe": {"name": "as released"} if imported else _recipe_json(preparation.recipe),
            "store": preparation.store if patches else None,
            "sha256": patch_sha256.hexdigest(),
        },
        "split": preparation.split,
        "split_file_sha256": file_sha256(out / "split.csv"),
        "conventions": CONVENTIONS,
        **preparation.values_block(),
        "notes": list(notes),
        "request": request,
    }
    write_text(out / "dataset.json", json_text(manifest))
    return Summary(counts, len(patches), notes)


def _recipe_json(recipe: Recipe | None) -> dict[str, object] | None:
    return json.loads(json.dumps(asdict(recipe))) if recipe else None
