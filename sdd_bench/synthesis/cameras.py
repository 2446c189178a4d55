"""Named cameras, cameras from TOML files, and changes of single ingredients."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from sdd_bench.errors import UserError
from sdd_bench.io.text import read_toml, short, shown
from sdd_bench.synthesis.camera import Camera

CAMERAS: dict[str, dict[str, float | str]] = {
    "similarity": {},
    "motor": {
        "rotation_deg": 0.1,
        "parallax_px": 0.5,
        "distortion_px": 0.5,
        "cats_eye": 0.2,
        "radius_red": 1.04,
        "radius_blue": 0.97,
        "lateral_colour_px": 0.2,
        "gain": 1.01,
        "vignetting": 0.02,
        "moved_share": 0.02,
        "moved_px": 2,
        "sharp_noise": 1,
        "radius_high_px": 6,
    },
    "aperture": {
        "zoom": 0,
        "rotation_deg": 0.02,
        "shift_px": 1,
        "cats_eye": 0.5,
        "ring": 0.2,
        "radius_red": 1.08,
        "radius_blue": 0.94,
        "lateral_colour_px": 0.3,
        "gain": 1.03,
        "tone": 1.02,
        "vignetting": 0.15,
        "moved_share": 0.02,
        "moved_px": 3,
        "sharp_noise": 2,
        "radius_high_px": 16,
    },
    "splitter": {
        "zoom": 0.003,
        "rotation_deg": 0.05,
        "shift_px": 3,
        "parallax_px": 1,
        "distortion_px": 1,
        "radius_red": 1.04,
        "radius_blue": 0.97,
        "lateral_colour_px": 0.3,
        "gain": 1.05,
        "tone": 1.03,
        "vignetting": 0.05,
        "noise": 2,
        "sharp_noise": 2,
        "radius_high_px": 12,
    },
    "stack": {
        "rotation_deg": 0.1,
        "shift_px": 5,
        "parallax_px": 2,
        "distortion_px": 0.5,
        "sharp_noise": 1,
        "jpeg_quality": 95,
        "radius_high_px": 12,
    },
}
"""Differences of each named camera from the defaults of `Camera`: motorised focus as in SDD, a changed aperture as in
DPDD, a beam splitter as in RealDOF, and a focus stack."""


def read_camera(text: str, settings: Sequence[str] = ()) -> Camera:
    """Return a camera by name or from a TOML file, with single ingredients changed.

    Args:
        text: A key of `CAMERAS`, or the path of a TOML file with ingredients and `camera = "NAME"` for the base camera
            (default "similarity").
        settings: `name=value` settings, each overriding one ingredient.

    Raises:
        UserError: Names are unknown, or values have the wrong type or are out of range.

    >>> read_camera("motor", ["parallax_px=1"]).parallax_px
    1
    """
    values: dict[str, object] = {}
    base = text
    if text not in CAMERAS:
        if not text.lower().endswith(".toml"):
            raise UserError(f"camera {shown(text)}: expected one of {', '.join(CAMERAS)}, or a TOML file")
        values = read_toml(Path(text))
        base = str(values.pop("camera", "similarity"))
        if base not in CAMERAS:
            raise UserError(f"{text}: camera {shown(base)}: expected one of {', '.join(CAMERAS)}")
        build_camera({**CAMERAS[base], **values}, text)  # so that the message for a fault of the file names the file
    return build_camera({**CAMERAS[base], **values, **_parse(settings)}, "--set" if settings else text)


def build_camera(values: Mapping[str, object], where: str) -> Camera:
    """Return a camera from names and values of ingredients.

    Raises:
        UserError: Names are unknown, or values have the wrong type or are out of range; `where` begins the message.
    """
    known = [field.name for field in fields(Camera)]
    unknown = [name for name in values if name not in known]
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, 1)
        guess = f" (did you mean {near[0]}?)" if near else ""
        raise UserError(f"{where}: unknown ingredient {short(unknown[0])}{guess}; known: {', '.join(known)}")
    try:
        return Camera(**values)  # type: ignore[arg-type]  # it checks itself
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None


def _parse(settings: Sequence[str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for setting in settings:
        name, equals, text = (part.strip() for part in setting.partition("="))
        if not equals:
            raise UserError(f"--set {shown(setting)}: expected NAME=VALUE")
        try:
            values[name] = tomllib.loads(f"value = {text}")["value"]
        except (ValueError, RecursionError):
            values[name] = text
    return values
