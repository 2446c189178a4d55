"""What a pair and a dataset are, and the files that hold them: dataset.json, pairs.csv."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdd_bench.errors import UserError, fault_report

PAIR_COLUMNS = (
    "split", "name", "scene", "place", "blur", "sharp", "width", "height", "bits", "blur_sha256", "sharp_sha256",
    "defocus_map", "defocus_map_sha256",
)  # fmt: skip
SCHEMA = 1


@dataclass(frozen=True)
class Pair:
    """A blurry and a sharp photograph of one scene, and where they are.

    Attributes:
        name: Unique within its split; predictions are matched to it.
        split: `train`, `val`, `test`, `train_patches`, or empty where the dataset is not split yet.
        blur: The blurry image.
        sharp: The sharp image; several pairs may share one (LFDOF).
        defocus_map: The third role of DED, where there is one.
        scene: What must stay on one side of a split; the name where nothing else is known.
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
class Dataset:
    """A named list of pairs.

    Attributes:
        name: `sdd`, `dpdd`, ...; the name in dataset.json where `prepare` wrote it.
        root: The folder given.
        pairs: Sorted by split and name.
        manifest: The content of dataset.json; empty for a dataset read as it was released.
    """

    name: str
    root: Path
    pairs: tuple[Pair, ...]
    manifest: dict[str, Any]

    def split(self, name: str) -> tuple[Pair, ...]:
        """Return the pairs of one split.

        Raises:
            UserError: The dataset has no such split; the message lists those it has.
        """
        chosen = tuple(p for p in self.pairs if p.split == name)
        if not chosen:
            found = ", ".join(sorted({p.split or "(not split)" for p in self.pairs}))
            raise UserError(f"{self.root}: no split {name!r} in dataset {self.name}, found: {found}")
        return chosen


def content_sha256(rows: Iterable[tuple[str, str, str]]) -> str:
    """Return the digest of a list of (name, blur_sha256, sharp_sha256), whatever its order.

    The same photographs give the same digest whether they were prepared or are read as released.
    """
    lines = sorted(f"{name}\t{blur}\t{sharp}\n" for name, blur, sharp in rows)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV text with a header line and plain newlines."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def safe_cell(value: object) -> object:
    """Return a cell that a spreadsheet will not take for a formula: an apostrophe before what might be one.

    >>> safe_cell("-1+1"), safe_cell("-0.25"), safe_cell("a-b")
    ("'-1+1", '-0.25', 'a-b')
    """
    if not isinstance(value, str) or value[:1] not in ("=", "+", "-", "@", "\t", "\r"):
        return value
    return value if re.fullmatch(r"-(\d+(\.\d+)?|inf)", value) else f"'{value}"


def json_text(value: object) -> str:
    """Return a value as indented JSON text, non-ASCII kept, ending in a newline."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_csv(path: Path, required: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV file as dicts.

    Raises:
        UserError: Unreadable, not UTF-8, a required column missing, or a row with too few or too many cells.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as UTF-8 text ({error})") from None
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        rows = list(reader)
    except csv.Error as error:
        raise UserError(f"{path}: not a CSV file ({error})") from None
    columns = reader.fieldnames or []
    missing = [c for c in required if c not in columns]
    if missing:
        raise UserError(f"{path}: no column {', '.join(missing)}; found: {', '.join(columns) or 'nothing'}")
    ragged = [n for n, row in enumerate(rows, 2) if None in row or None in row.values()]
    if ragged:
        raise UserError(f"{path}: line {ragged[0]} does not have {len(columns)} cells")
    return rows


def read_prepared(root: Path) -> Dataset:
    """Return a dataset that `prepare` wrote.

    Raises:
        UserError: dataset.json or pairs.csv is damaged, or listed files are missing (all named).
    """
    manifest = _read_manifest(root / "dataset.json")
    pairs, faults = [], []
    seen: set[tuple[str, str]] = set()
    for line, row in enumerate(read_csv(root / "pairs.csv", PAIR_COLUMNS[:6]), 2):
        if (row["split"], row["name"]) in seen:
            faults.append(f"line {line}: {row['split']}/{row['name']} stands twice")
        seen.add((row["split"], row["name"]))
        paths = {}
        for role in ("blur", "sharp", "defocus_map"):
            relative = row.get(role, "")
            if not relative:
                continue
            if Path(relative).is_absolute() or ".." in Path(relative).parts:
                faults.append(f"line {line}: {role} {relative!r} points outside the dataset")
            elif not (root / relative).is_file():
                faults.append(f"line {line}: {role} {relative} is missing")
            paths[role] = root / relative
        if "blur" not in paths or "sharp" not in paths:
            faults.append(f"line {line}: blur or sharp is empty")
            continue
        pairs.append(
            Pair(
                row["name"],
                row["split"],
                paths["blur"],
                paths["sharp"],
                paths.get("defocus_map"),
                row["scene"],
                row["place"],
            )
        )
    if faults:
        raise fault_report(faults, str(root / "pairs.csv"))
    return Dataset(str(manifest["name"]), root, tuple(sorted(pairs, key=lambda p: (p.split, p.name))), manifest)


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("name"), str):
        raise UserError(f"{path}: no dataset name; not written by sdd-bench prepare")
    if manifest.get("schema") != SCHEMA:
        raise UserError(f"{path}: schema {manifest.get('schema')!r}, this version reads schema {SCHEMA}")
    return manifest
