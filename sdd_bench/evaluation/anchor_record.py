"""Record of a pair's anchor: its files, its validity, and its columns in results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter, ValidationError

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError
from sdd_bench.evaluation.row_columns import BLUR_OWN
from sdd_bench.evaluation.rows import Number, TextTable
from sdd_bench.io.files import file_sha256
from sdd_bench.io.serialise import json_text
from sdd_bench.io.text import read_json
from sdd_bench.registration import anchor, truth
from sdd_bench.registration.ceiling import Ceiling

SCHEMA = 1

METHODS = (anchor.METHOD, truth.METHOD)
"""Anchor methods of `anchored/1` and `anchored/2`."""

UNSPLIT = "pairs"

CEILING_PARTS = tuple(item.name for item in fields(Ceiling))
"""Names of the mean squared errors that make up a ceiling."""

MEASURED = {"blur_radius_px": "blur_radius_px", "misalignment_px": "corner_px"}
"""Columns of results, with the name of the analysis number that each shows."""


@dataclass(frozen=True)
class AnchorFiles:
    """Files of one pair's anchor; those of `anchored/1` have no radius."""

    record: Path
    mask: Path
    truth: Path
    radius: Path | None = None

    @property
    def pictures(self) -> dict[str, Path]:
        """The image files, by their names in the record."""
        found = {"truth": self.truth, "mask": self.mask}
        return found if self.radius is None else {**found, "radius": self.radius}


def _has_measured(analysis: dict[str, float | str | None]) -> dict[str, float | str | None]:
    if not all(isinstance(analysis.get(name), float) for name in MEASURED.values()):
        raise ValueError(f"expected numbers under {', '.join(MEASURED.values())}")
    return analysis


@dataclass(frozen=True, kw_only=True)
class _PairOfImages:
    """Fields of every record: images and method."""

    schema: int = SCHEMA
    method: str
    name: str
    split: str
    blur_sha256: str
    sharp_sha256: str
    grey: str
    width: int = 0
    height: int = 0


@dataclass(frozen=True, kw_only=True)
class FailedAnchor(_PairOfImages):
    """Record of a pair that cannot be anchored, with the reason."""

    status: Literal["failed"] = "failed"
    why: Annotated[str, StringConstraints(min_length=1)]
    versions: TextTable = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FoundAnchor(_PairOfImages):
    """Record of an anchor.

    Attributes:
        analysis: Columns of misalignment.csv.
        field: Control points in pixels under `x_px` and `y_px`; None if only the similarity is used.
        field_px: Largest displacement by the field, in pixels.
        field_gain: Share by which the field lowered the residual on held-out tiles.
        convention: Convention of similarity and field, in words.
        motion: Parameters of the `registration.motion.Motion` that warped the truth, if it differs from the analysis.
        light: Parameters of the `registration.photometric_map.PhotometricMap` that was applied to the truth.
        coverage: Share of pixels that count.
        blur: Scores of the blur image itself: the columns of `BLUR_OWN` without the prefix `blur_`.
        ceiling_db: Highest PSNR that the truth can resolve, given its estimated errors; None for `anchored/1`.
        ceiling: Mean squared errors that make up the ceiling, see `registration.ceiling.Ceiling`.
        truth_sha256: SHA-256 of the truth's pixels.
        mask_sha256: SHA-256 of the mask, packed to 8 pixels per byte.
        radius_sha256: SHA-256 of the blur radius image's pixels; empty for `anchored/1`.
        files: SHA-256 of the files `truth` and `mask`, and of `radius` if there is one.
    """

    status: Literal["anchored"] = "anchored"
    why: str = ""
    motion: dict[str, Number | str | None] = field(default_factory=dict)
    light: dict[str, list[Number]] = field(default_factory=dict)
    ceiling_db: Number | None = None
    ceiling: dict[str, Number] = field(default_factory=dict)
    analysis: Annotated[dict[str, Number | str | None], AfterValidator(_has_measured)]
    field: dict[str, list[list[float]]] | None
    field_px: Number
    field_gain: float = 0.0
    convention: str = ""
    coverage: Annotated[float, Field(strict=True, ge=0, le=1)]
    blur: dict[str, Number | None]
    truth_sha256: str
    mask_sha256: str
    radius_sha256: str = ""
    files: TextTable
    versions: TextTable

    def __post_init__(self) -> None:
        """Check the fields that depend on the method.

        Raises:
            ValueError: The blur image's scores or the ceiling, which records of this method have, are missing.
        """
        own = BLUR_OWN.get(self.method, ())
        if self.blur.keys() != {name.removeprefix("blur_") for name in own}:
            raise ValueError(f"expected {', '.join(own)} without their first part")
        whole = self.ceiling_db is not None and self.ceiling.keys() == set(CEILING_PARTS) and self.radius_sha256
        if self.method == truth.METHOD and not whole:
            raise ValueError(f"expected a ceiling of {', '.join(CEILING_PARTS)}, and a blur radius")


AnchorRecord = FoundAnchor | FailedAnchor

_RECORD = TypeAdapter[AnchorRecord](Annotated[AnchorRecord, Field(discriminator="status")])

SINCE_2 = ("ceiling_db", "ceiling", "radius_sha256")
"""Keys that records of `anchored/1` do not have."""


def record_text(record: AnchorRecord) -> str:
    """Return a record as the text of its file."""
    content = asdict(record)
    if record.method != truth.METHOD:
        content = {key: value for key, value in content.items() if key not in SINCE_2}
    return json_text(content)


def folder_of(folder: Path, method: str) -> Path:
    """Return the folder for anchors of a method inside an anchor folder.

    >>> folder_of(Path("anchors"), "anchor/2").as_posix()
    'anchors/anchor-2'
    """
    return folder if method == METHODS[0] else folder / method.replace("/", "-")


def files_of(folder: Path, pair: Pair, method: str) -> AnchorFiles:
    """Return the anchor files of a pair and a method inside an anchor folder."""
    base = folder_of(folder, method) / (pair.split or UNSPLIT)
    ends = ("json", "mask.png", "truth.png", *(("radius.png",) if method == truth.METHOD else ()))
    return AnchorFiles(*(base / f"{pair.name}.{end}" for end in ends))


def measured(record: AnchorRecord | None) -> dict[str, float | None]:
    """Return the columns of `MEASURED` in pixels of the full frame; None without an anchor."""
    if record is None or record.status == "failed":
        return dict.fromkeys(MEASURED)
    return {column: cast(float, record.analysis[number]) for column, number in MEASURED.items()}


def read_record(files: AnchorFiles, of: Mapping[str, str]) -> AnchorRecord | None:
    """Return the record if it is of this method and these images and its files are intact, else None.

    Args:
        files: Files of the anchor.
        of: Required values of `method`, `blur_sha256`, `sharp_sha256` and `grey`.
    """
    record = stored_record(files, of)
    if record is None or record.status == "failed":
        return record
    try:
        whole = {name: file_sha256(path) for name, path in files.pictures.items()}
    except (OSError, UserError):
        return None
    return record if record.files == whole else None


def stored_record(files: AnchorFiles, of: Mapping[str, str]) -> AnchorRecord | None:
    """Return the record if it is complete and of this method and these images, else None.

    The files of truth and mask are not checked: enough for `measured`, not for `read_truth`.
    """
    try:
        record = _RECORD.validate_python(read_json(files.record))
    except (UserError, ValidationError):
        return None
    wanted = {"schema": SCHEMA, "name": files.record.name.removesuffix(".json"), **of}
    return record if all(getattr(record, key) == value for key, value in wanted.items()) else None
