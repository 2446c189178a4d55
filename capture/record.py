"""What is known of one pair of a session once it has been ingested: its originals, its figures, its verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from capture.session import Shot
from capture.verdict import Verdict
from sdd_bench.io.text import shown

HISTOGRAM_BINS = 64
NUMBERS = ("exposure_s", "f_number", "iso", "focal_length_mm", "focus_distance_m")
"""What the EXIF of an original may say in numbers."""


@dataclass(frozen=True)
class Original:
    """A file that a shot was developed from.

    Attributes:
        file: Path relative to the session's folder.
        sha256: Of its bytes; empty where it cannot be read.
        size: In bytes.
        time: Local time of the camera, ISO 8601, or empty; this and the rest as its EXIF says.
        exposure_s: Exposure time.
        f_number: Aperture.
        iso: Sensitivity.
        focal_length_mm: As it is, not converted.
        focus_distance_m: As the camera thinks.
    """

    file: str
    sha256: str = ""
    size: int = 0
    time: str = ""
    exposure_s: float | None = None
    f_number: float | None = None
    iso: float | None = None
    focal_length_mm: float | None = None
    focus_distance_m: float | None = None


@dataclass(frozen=True)
class Developed:
    """A pair that could be developed.

    Attributes:
        width: In pixels.
        height: In pixels.
        bits: 8 or 16.
        figures: By the names of `capture.checks.FIGURES`; NaN where a number could not be measured.
        gains: Of red, green and blue, in linear light, that the blur shot was multiplied by; 1 unless asked for.
        white_balance: Given to both shots, see `capture.develop.WhiteBalance`; None for photographs.
        gt_hash: Perceptual hash of the gt shot, 64 characters of 0 and 1.
        blur_sha256: Of the PNG written.
        gt_sha256: Of the PNG written.
        histograms: Of `blur` and `gt`: for red, green and blue the share of pixels in each of `HISTOGRAM_BINS` equal
            parts of the sRGB values [0, 1].
    """

    width: int
    height: int
    bits: int
    figures: dict[str, float | str]
    gains: tuple[float, float, float]
    white_balance: tuple[float, ...] | None
    gt_hash: str
    blur_sha256: str
    gt_sha256: str
    histograms: dict[str, list[list[float]]]


@dataclass(frozen=True)
class Record:
    """One pair.

    Attributes:
        name: Of its files; unique over all sessions of a folder.
        session: Its session's name.
        shot: The blur shot as described; its scene, place, camera, lens, motor and aperture are the pair's.
        blur: The blur shot's file.
        gt: The gt shot's file.
        developed: None where the pair could not be developed; the verdict then says why.
        verdict: What was made of it.
    """

    name: str
    session: str
    shot: Shot
    blur: Original
    gt: Original
    developed: Developed | None
    verdict: Verdict

    @property
    def scene_name(self) -> str:
        """What the scene is called beside those of other sessions."""
        return f"{self.session}_{self.shot.scene}"


def as_json(value: Original | Developed) -> dict[str, Any]:
    """Return a part of a record as JSON has it, null for NaN."""
    content = asdict(value)
    if isinstance(value, Developed):
        content["figures"] = {
            k: None if isinstance(v, float) and math.isnan(v) else v for k, v in value.figures.items()
        }
    return content


def developed_from_json(content: Mapping[str, Any]) -> Developed:
    """Return what `as_json` made of a `Developed`; raises as `original_from_json`."""
    made = {**content, "gains": tuple(content["gains"])}
    made["figures"] = {k: math.nan if v is None else v for k, v in content["figures"].items()}
    made["white_balance"] = None if content["white_balance"] is None else tuple(content["white_balance"])
    found = Developed(**made)
    _need_texts(found.blur_sha256, found.gt_sha256, found.figures.get("kind"))
    _need_numbers(found.width, found.height, found.bits, *found.gains, *(found.white_balance or (1,) * 4))
    _need_numbers(*(value for name, value in found.figures.items() if name != "kind"))
    if len(found.gains) != 3 or len(found.white_balance or (1,) * 4) != 4:
        raise ValueError("gains or white balance")
    if len(found.gt_hash) != 64 or set(found.gt_hash) - {"0", "1"}:
        raise ValueError("hash")
    for role in ("blur", "gt"):
        shares = found.histograms[role]
        if [len(colour) for colour in shares] != [HISTOGRAM_BINS] * 3:
            raise ValueError("histogram")
        _need_numbers(*(share for colour in shares for share in colour))
    return found


def original_from_json(content: Mapping[str, Any]) -> Original:
    """Return what `as_json` made of an `Original`.

    Raises:
        KeyError: Something is missing.
        TypeError: Something is of another type, or is not known.
        ValueError: Something cannot be.
    """
    found = Original(**content)
    _need_texts(found.file, found.sha256, found.time)
    _need_numbers(found.size, *(content.get(name) or 0 for name in NUMBERS))
    return found


def shot_from_json(content: Mapping[str, Any]) -> Shot:
    """Return a `Shot` that was written as JSON; raises as `original_from_json`."""
    found = Shot(**content)
    _need_texts(found.file, found.scene, found.role, found.place, found.camera, found.lens, found.notes)
    _need_numbers(found.line, found.motor or 0, found.aperture or 0)
    return found


def _need_texts(*values: object) -> None:
    wrong = [value for value in values if not isinstance(value, str)]
    if wrong:
        raise TypeError(f"{shown(wrong[0])}, expected text")


def _need_numbers(*values: object) -> None:
    wrong = [value for value in values if not isinstance(value, int | float) or isinstance(value, bool)]
    if wrong:
        raise TypeError(f"{shown(wrong[0])}, expected a number")
