"""Published numbers of papers, stored in published/, checked on reading, never ranked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from sdd_bench.datasets.known import LAYOUTS
from sdd_bench.errors import fault_report
from sdd_bench.io.models import faults_in
from sdd_bench.io.text import read_rows

PROTOCOLS = {
    "": "not said",
    "paper/1-like": "sharp image warped onto each prediction by a pretrained flow network; which network, how it was "
    "sampled, what lies outside it, whether pixels are masked, and how SSIM and LPIPS are defined are not said",
    "warped": "sharp image warped by flow; onto what is not clear",
    "direct-16": "16-bit predictions against the sharp image as it is; LPIPS with SqueezeNet on blue, green, red",
}
"""Descriptions of how papers scored. None is a protocol of sdd-bench, because no paper describes its scoring
completely."""

DED_TEST = ("ded", "test")
"""A split that the released dataset does not have; the journal paper defined it."""

_CITATION = re.compile(r"\[[\d\s,\u2013-]+\]")
_LEFT_OUT = re.compile(r"[\s.,()_\u2010-\u2015\u2212-]")


def _number_or_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


EmptyIsNone = BeforeValidator(_number_or_none)
Psnr = Annotated[Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None, EmptyIsNone]
Share = Annotated[Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None, EmptyIsNone]
Cost = Annotated[Annotated[float, Field(gt=0, allow_inf_nan=False)] | None, EmptyIsNone]


class Reported(BaseModel):
    """One row of a paper's table.

    Attributes:
        method: Name of the method here; the paper's name if that identifies it.
        psnr_db: Mean as printed; None if not given, as in the next four.
        ssim: Mean as printed, in [0, 1].
        lpips: Mean as printed, in [0, 1].
        lpips_net: Backbone of LPIPS if known, `alex`, `squeeze` or `vgg`; a file may omit the column.
        params_m: Parameters in millions; a file omits the column if its table has none.
        macs_g: Multiply-accumulate operations in 1e9; a file omits the column if its table has none.
        table: Label of the table, such as `Table 1`; empty if the number is not from a table.
        row: Label of the row as printed, with citation mark, without markup.
        dataset: Name of the dataset in the catalogue; empty if not named.
        split: Split of that dataset; empty if unknown.
        protocol: A key of `PROTOCOLS`.
        paper: Authors and title.
        source: Text and place in it from which the numbers are taken.
        note: Further information.

    Raises:
        ValueError: A field is out of range or missing; all faults of the row are reported together.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)

    method: str
    psnr_db: Psnr
    ssim: Share
    lpips: Share
    lpips_net: Literal["", "alex", "squeeze", "vgg"] = ""
    params_m: Cost = None
    macs_g: Cost = None
    table: str
    row: str
    dataset: str
    split: str
    protocol: str
    paper: str = Field(min_length=1)
    source: str = Field(min_length=1)
    note: str

    @model_validator(mode="after")
    def _check(self) -> Reported:
        faults = []
        if not method_key(self.method):
            faults.append(f"method {self.method!r} is no name")
        if self.psnr_db is None and self.ssim is None and self.lpips is None:
            faults.append("none of psnr_db, ssim, lpips is given")
        if bool(self.table) != bool(self.row):
            faults.append("table and row go together")
        if self.dataset and self.dataset not in LAYOUTS:
            faults.append(f"unknown dataset {self.dataset!r}, expected one of {', '.join(LAYOUTS)}")
        splits = LAYOUTS[self.dataset].expected if self.dataset in LAYOUTS else ()
        if self.split and self.split not in splits and (self.dataset, self.split) != DED_TEST:
            faults.append(f"dataset {self.dataset!r} has no split {self.split!r}")
        if self.protocol not in PROTOCOLS:
            faults.append(f"unknown protocol {self.protocol!r}, expected one of {', '.join(filter(None, PROTOCOLS))}")
        if faults:
            raise ValueError("; ".join(faults))
        return self


def read_reported(folder: Path | None = None) -> tuple[Reported, ...]:
    """Return all reported rows, in the order of the files' names and of their lines.

    Args:
        folder: Folder of CSV files; None for those included in sdd-bench.

    Raises:
        UserError: A file is damaged, a row is out of range, or two rows are of one method on one dataset and split; all
            such rows are named by file and line.
    """
    place = folder or resources.files("leaderboard") / "published"
    rows: list[Reported] = []
    faults: list[str] = []
    seen: dict[tuple[str, str, str], str] = {}
    for file in sorted((f for f in place.iterdir() if f.name.endswith(".csv")), key=lambda f: f.name):
        with resources.as_file(file) as path:
            _, lines = read_rows(path, [name for name, field in Reported.model_fields.items() if field.is_required()])
        for number, line in lines:
            where = f"{file.name} line {number}"
            try:
                row = Reported.model_validate(line)
            except ValidationError as error:
                faults.append(f"{where}: {'; '.join(faults_in(error))}")
                continue
            first = seen.setdefault((row.dataset, row.split, method_key(row.method)), where)
            if first != where:
                faults.append(f"{where}: method {row.method!r} on this dataset and split stands in {first} already")
            rows.append(row)
    if faults:
        raise fault_report(faults, str(place))
    return tuple(rows)


def reported_for(dataset: str, split: str) -> tuple[Reported, ...]:
    """Return the reported rows of a split, in the order of `read_reported`; the case of a dataset's name is ignored.

    >>> [(row.method, row.psnr_db) for row in reported_for("DED", "test")]
    [('DID-ANet', 29.59), ('Restormer', 31.29), ('JDRL, eq. (2)', 31.35)]
    """
    return tuple(row for row in read_reported() if (row.dataset, row.split) == (dataset.lower(), split))


def match(method_name: str, reported: Iterable[Reported]) -> Reported | None:
    """Return the reported row of a measured method, None if there is none; names are compared by `method_key`.

    Args:
        method_name: Name in the results file.
        reported: Rows of one dataset and split; see `reported_for`.

    Raises:
        ValueError: Several rows are of this method, so that they are not of one dataset and split.
    """
    key = method_key(method_name)
    found = [row for row in reported if key and method_key(row.method) == key]
    if len(found) > 1:
        raise ValueError(f"{method_name!r} stands in {len(found)} rows; give rows of one dataset and split")
    return found[0] if found else None


def method_key(name: str) -> str:
    """Return a method's name without features in which spellings differ.

    These are case, citation marks, spaces, hyphens, dots, commas, parentheses, and underscores, which mark a subscript
    here. Other characters distinguish methods.

    >>> method_key("GRL_S-B [18]"), method_key("JDRL (Eq. (2))"), method_key("Restormer+")
    ('grlsb', 'jdrleq2', 'restormer+')
    """
    return _LEFT_OUT.sub("", _CITATION.sub("", unicodedata.normalize("NFKC", name))).casefold()
