"""Record of one ingested pair: its originals, measurements and verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, PlainSerializer, PlainValidator, TypeAdapter

from capture.session import Shot, only
from capture.verdict import TEXTS, Verdict
from sdd_bench.io.headers import orientations_apart

HISTOGRAM_BINS = 64

EXIF_NUMBERS = ("exposure_s", "f_number", "iso", "focal_length_mm", "focus_distance_m")
Role = Literal["blur", "gt"]
ROLES: tuple[Role, Role] = ("blur", "gt")

Count = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True)]
Hash = Annotated[str, Field(pattern="^[01]{64}$")]
Shares = Annotated[list[Number], Field(min_length=HISTOGRAM_BINS, max_length=HISTOGRAM_BINS)]
Colours = Annotated[list[Shares], Field(min_length=3, max_length=3)]


def _with_nan(figures: dict[str, float | str | None]) -> dict[str, float | str]:
    """Return figures with NaN for JSON's null and integers kept as integers; only `TEXTS` are text."""
    for name, value in figures.items():
        if isinstance(value, bool) or not isinstance(value, str if name in TEXTS else int | float | None):
            raise ValueError(f"{name}: expected a number or null; text only for {', '.join(TEXTS)}")
    return {name: math.nan if value is None else value for name, value in figures.items()}


def _with_null(figures: dict[str, float | str]) -> dict[str, object]:
    return {k: None if isinstance(value, float) and math.isnan(value) else value for k, value in figures.items()}


Figures = Annotated[dict[str, float | str], PlainValidator(_with_nan), PlainSerializer(_with_null)]


@dataclass(frozen=True)
class Original:
    """File that a shot was developed from.

    Attributes:
        file: Path relative to the session's folder.
        sha256: SHA-256 of the file; empty if it cannot be read.
        size: Size in bytes.
        time: Local time of the camera, ISO 8601, or empty; from EXIF, as the following fields.
        exposure_s: Exposure time.
        f_number: F-number.
        iso: Sensitivity.
        focal_length_mm: Focal length, not converted to another sensor size.
        focus_distance_m: Focus distance as estimated by the camera.
        orientation: Orientation tag of the file, see `capture.exif.Taken`.
        read_as: Conversions of its values on reading, as in `ImageHeader.conversions`; empty for RAW and most
            photographs.
    """

    file: str
    sha256: str = ""
    size: Count = 0
    time: str = ""
    exposure_s: Number | None = None
    f_number: Number | None = None
    iso: Number | None = None
    focal_length_mm: Number | None = None
    focus_distance_m: Number | None = None
    orientation: Count = 1
    read_as: str = ""


@dataclass(frozen=True)
class Developed:
    """A pair that could be developed.

    Attributes:
        width: Width in pixels.
        height: Height in pixels.
        bits: 8 or 16.
        figures: Figures by the names of `capture.checks.FIGURES`; NaN if a number could not be measured.
        gains: Gains of red, green and blue, in linear light, applied to the blur shot; 1 unless exposure is matched.
        white_balance: White balance of both shots, see `capture.dump.WhiteBalance`; None for photographs.
        gt_hash: Perceptual hash of the gt shot, 64 characters of 0 and 1.
        blur_sha256: SHA-256 of the PNG written.
        gt_sha256: SHA-256 of the PNG written.
        histograms: Histograms of `blur` and `gt`: for red, green and blue, the share of pixels in each of
            `HISTOGRAM_BINS` equal bins of the sRGB values [0, 1].
        laid_as_gt: Whether the blur shot was rotated by gt's orientation tag, which differs from its own.
    """

    width: Count
    height: Count
    bits: Count
    figures: Figures
    gains: tuple[Number, Number, Number]
    white_balance: tuple[Number, Number, Number, Number] | None
    gt_hash: Hash
    blur_sha256: str
    gt_sha256: str
    histograms: Annotated[dict[Annotated[str, only(ROLES.__contains__)], Colours], Field(min_length=2)]
    laid_as_gt: Annotated[bool, Field(strict=True)] = False


@dataclass(frozen=True)
class Ingested:
    """Result of developing and measuring a pair.

    Attributes:
        blur: File of the blur shot.
        gt: File of the gt shot.
        developed: The developed pair; None if the pair could not be developed.
        fault: Reason why it could not, or empty.
        bytes: Sizes of the images written, by role.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    blur: Original
    gt: Original
    developed: Developed | None = None
    fault: str = ""
    bytes: dict[Role, Count] = field(default_factory=dict)


INGESTED = TypeAdapter(Ingested)


@dataclass(frozen=True)
class Record:
    """Record of one pair.

    Attributes:
        name: Name of its files, unique over all sessions of a folder.
        session: Name of its session.
        shot: The blur shot as described; the pair has its scene, place, camera, lens, motor and aperture.
        blur: File of the blur shot.
        gt: File of the gt shot.
        developed: The developed pair; None if it could not be developed, for which the verdict gives the reason.
        verdict: Verdict on the pair.
    """

    name: str
    session: str
    shot: Shot
    blur: Original
    gt: Original
    developed: Developed | None
    verdict: Verdict

    @property
    def tags(self) -> str:
        """Statement that the orientation tags of its files differ and how that was handled; empty if they agree."""
        words = orientations_apart(self.blur.orientation, self.gt.orientation, "gt")
        return f"{words}; both are shown as gt's says" if self.developed and self.developed.laid_as_gt else words

    @property
    def scene_name(self) -> str:
        """Name of the scene, unique over sessions."""
        return f"{self.session}_{self.shot.scene}"
