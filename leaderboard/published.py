"""The numbers that papers print in their tables: data in published/, checked on reading, never ranked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable
from dataclasses import dataclass, fields
from importlib import resources
from math import isfinite
from pathlib import Path
from typing import Any

from sdd_bench.datasets.known import LAYOUTS
from sdd_bench.errors import fault_report
from sdd_bench.io.serialise import read_csv

RANGES = {"psnr_db": (0.0, 100.0), "ssim": (0.0, 1.0), "lpips": (0.0, 1.0)}
"""Metric to the least and the greatest mean that a row may report."""

COSTS = ("params_m", "macs_g")
"""Columns that a file leaves out where its table has none."""

PROTOCOLS = {
    "": "not said",
    "paper/1-like": "sharp image warped onto each prediction by a pretrained flow network; which network, how it was "
    "sampled, what lies outside it, whether pixels are masked, and how SSIM and LPIPS are defined are not said",
    "warped": "sharp image warped by flow; onto what is not clear",
}
"""What is known of how a paper scored. No value is a protocol of sdd-bench: none is told in full."""

DED_TEST = ("ded", "test")
"""A split that the dataset does not have as released: the journal made it."""

_NUMBER = re.compile(r"\d+(\.\d+)?")
_CITATION = re.compile(r"\[[\d\s,\u2013-]+\]")
_LEFT_OUT = re.compile(r"[\s.,()_\u2010-\u2015\u2212-]")


@dataclass(frozen=True)
class Reported:
    """One row of a paper's table.

    Attributes:
        method: What the method is called here; the paper's name where that says who it is.
        psnr_db: Mean as printed; None where not given. So are the next four.
        ssim: In [0, 1].
        lpips: In [0, 1].
        params_m: Parameters in millions.
        macs_g: Multiply-accumulates in 1e9.
        table: `Table 1`; empty where the number is not from a table.
        row: The row's label as printed, citation mark included, without markup.
        dataset: The catalog's name; empty where not named.
        split: Of that dataset; empty where not known.
        protocol: A key of `PROTOCOLS`.
        paper: Authors and title.
        source: Where in which text the numbers stand.
        note: What else is known.

    Raises:
        ValueError: A field is out of range or missing; all faults of the row together.
    """

    method: str
    psnr_db: float | None
    ssim: float | None
    lpips: float | None
    params_m: float | None
    macs_g: float | None
    table: str
    row: str
    dataset: str
    split: str
    protocol: str
    paper: str
    source: str
    note: str

    def __post_init__(self) -> None:
        faults = [f"no {name}" for name in ("paper", "source") if not getattr(self, name).strip()]
        if not method_key(self.method):
            faults.append(f"method {self.method!r} is no name")
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                faults.append(f"{name} {value:g} is outside {low:g} to {high:g}")
        for name in COSTS:
            value = getattr(self, name)
            if value is not None and not (isfinite(value) and value > 0):
                faults.append(f"{name} {value:g} is not positive")
        if all(getattr(self, name) is None for name in RANGES):
            faults.append(f"none of {', '.join(RANGES)} is given")
        if bool(self.table) != bool(self.row):
            faults.append("table and row go together")
        if self.dataset and self.dataset not in LAYOUTS:
            faults.append(f"unknown dataset {self.dataset!r}, expected one of {', '.join(LAYOUTS)}")
        if self.split and self.split not in _splits(self.dataset) and (self.dataset, self.split) != DED_TEST:
            faults.append(f"dataset {self.dataset!r} has no split {self.split!r}")
        if self.protocol not in PROTOCOLS:
            faults.append(f"unknown protocol {self.protocol!r}, expected one of {', '.join(filter(None, PROTOCOLS))}")
        if faults:
            raise ValueError("; ".join(faults))


def read_reported(folder: Path | None = None) -> tuple[Reported, ...]:
    """Return every reported row, in the order of the files' names and of their lines.

    Args:
        folder: Of CSV files; None for those that come with sdd-bench.

    Raises:
        UserError: A file is damaged, a row is out of range, or two rows are of one method on one dataset and split;
            all such rows are named by file and line.
    """
    place = folder or resources.files("leaderboard") / "published"
    rows: list[Reported] = []
    faults: list[str] = []
    seen: dict[tuple[str, str, str], str] = {}
    for file in sorted((f for f in place.iterdir() if f.name.endswith(".csv")), key=lambda f: f.name):
        with resources.as_file(file) as path:
            lines = read_csv(path, [f.name for f in fields(Reported) if f.name not in COSTS])
        for number, line in enumerate(lines, 2):
            where = f"{file.name} line {number}"
            try:
                row = _parse(line)
            except ValueError as error:
                faults.append(f"{where}: {error}")
                continue
            first = seen.setdefault((row.dataset, row.split, method_key(row.method)), where)
            if first != where:
                faults.append(f"{where}: method {row.method!r} on this dataset and split stands in {first} already")
            rows.append(row)
    if faults:
        raise fault_report(faults, str(place))
    return tuple(rows)


def reported_for(dataset: str, split: str) -> tuple[Reported, ...]:
    """Return the reported rows of a split, in the order of `read_reported`.

    >>> [(row.method, row.psnr_db) for row in reported_for("ded", "test")]
    [('DID-ANet', 29.59), ('Restormer', 31.29), ('JDRL, eq. (2)', 31.35)]
    """
    return tuple(row for row in read_reported() if (row.dataset, row.split) == (dataset, split))


def match(method_name: str, reported: Iterable[Reported]) -> Reported | None:
    """Return the reported row of a measured method, None where there is none; names are compared by `method_key`.

    Args:
        method_name: As the results file has it.
        reported: Rows of one dataset and split; see `reported_for`.

    Raises:
        ValueError: Several rows are of this method, so they are not of one dataset and split.
    """
    key = method_key(method_name)
    found = [row for row in reported if key and method_key(row.method) == key]
    if len(found) > 1:
        raise ValueError(f"{method_name!r} stands in {len(found)} rows; give rows of one dataset and split")
    return found[0] if found else None


def method_key(name: str) -> str:
    """Return a method's name without what spellings differ in.

    That is case, citation marks, spaces, hyphens, dots, commas, parentheses, and underscores, which here mark a
    subscript. Other signs tell methods apart.

    >>> method_key("GRL_S-B [18]"), method_key("JDRL (Eq. (2))"), method_key("Restormer+")
    ('grlsb', 'jdrleq2', 'restormer+')
    """
    return _LEFT_OUT.sub("", _CITATION.sub("", unicodedata.normalize("NFKC", name))).casefold()


def _parse(line: dict[str, str]) -> Reported:
    values: dict[str, Any] = {f.name: line.get(f.name, "").strip() for f in fields(Reported)}
    wrong = []
    for name in (*RANGES, *COSTS):
        text = values[name]
        if text and not _NUMBER.fullmatch(text):
            wrong.append(f"{name} {text!r} is no number")
        else:
            values[name] = float(text) if text else None
    if wrong:
        raise ValueError("; ".join(wrong))
    return Reported(**values)


def _splits(dataset: str) -> Container[str]:
    """Return the splits whose size a dataset's authors published; none of one that is not known."""
    return LAYOUTS[dataset].expected if dataset in LAYOUTS else ()
