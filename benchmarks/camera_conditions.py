"""Conditions of `cameras.py`: named cameras at three radii, and each ingredient alone at three strengths."""

from __future__ import annotations

from dataclasses import dataclass, field

from sdd_bench.synthesis.cameras import CAMERAS, build_camera

SIZE, LARGE_SIZE = (640, 480), (1024, 768)

MARGIN_PX = 40
"""Width of the border cut off around every pair. It suffices for every condition, so that all pairs of a photograph
show the same part and differ in one ingredient only."""

RADII_PX = (4, 8, 16)
QUICK_RADIUS_PX = 8

EXACT: dict[str, float | str] = {"zoom": 0.01, "rotation_deg": 0.1, "shift_px": 8, "noise": 1, "radius_high_px": 8}
"""The camera to which each ingredient is added: a similarity, disk blur, and noise of one count of 255 in the blur
image."""

CAMERA_GROUP, CONTROL_GROUP, LIGHT_GROUP = "Cameras", "Control", "Light"


@dataclass(frozen=True)
class Condition:
    """Condition under which the pairs of one table row are made.

    Attributes:
        name: Name as printed; unique.
        group: Heading in the tables.
        values: Ingredients of `synthesis.camera.Camera`.
        size: Width and height of the pairs.
        quick: Whether a quick run includes it.
    """

    name: str
    group: str
    values: dict[str, float | str] = field(default_factory=dict)
    size: tuple[int, int] = SIZE
    quick: bool = True


Strengths = tuple[tuple[str, dict[str, float | str]], ...]


def _one(name: str, text: str, strengths: tuple[float, ...], **fixed: float | str) -> Strengths:
    """Return one ingredient at several strengths; `{}` in the text is replaced by the strength."""
    return tuple((text.format(value), {name: value, **fixed}) for value in strengths)


SWEEPS: dict[str, tuple[Strengths, ...]] = {
    "Motion": (
        _one("parallax_px", "parallax {} px, steps", (0.5, 1, 2), scene="steps"),
        _one("parallax_px", "parallax {} px, ramp", (1, 2, 4), scene="ramp"),
        _one("parallax_px", "parallax {} px, through-focus", (1,), scene="through-focus"),
        _one("axial_parallax_px", "axial parallax {} px", (0.5, 1, 2)),
        _one("distortion_px", "distortion {} px", (0.5, 1, 3)),
        _one("moved_px", "5 % of the frame moved by {} px", (1, 3, 8), moved_share=0.05),
    ),
    "Spread": (
        _one("cats_eye", "cat's eye {}", (0.1, 0.25, 0.5)),
        _one("ring", "ring {}", (0.2, 0.5, -0.5)),
        (("gaussian", {"spread": "gaussian"}),),
        tuple(
            (f"radius of red {red}, blue {blue}", {"radius_red": red, "radius_blue": blue})
            for red, blue in ((1.02, 0.98), (1.04, 0.97), (1.08, 0.94))
        ),
        _one("lateral_colour_px", "lateral colour {} px", (0.2, 0.5, 1)),
    ),
    LIGHT_GROUP: (
        _one("gain", "gain {}", (1.01, 1.03, 1.1)),
        _one("tone", "tone {}", (1.02, 1.05, 1.1)),
        _one("vignetting", "vignetting {}", (0.05, 0.15, 0.3)),
    ),
    "Image quality": (
        _one("noise", "noise {} of 255, blur image", (2, 4, 8)),
        tuple((f"noise {n} of 255, both images", {"noise": n, "sharp_noise": n}) for n in (2, 4, 8)),
        _one("jpeg_quality", "JPEG quality {}", (95, 90, 80)),
    ),
}


def conditions() -> list[Condition]:
    """Return all conditions in the order of the tables.

    Raises:
        UserError: A condition has an ingredient that no camera has.

    >>> len({condition.name for condition in conditions()}) == len(conditions())
    True
    """
    found = [
        Condition(
            f"{name}, radius to {radius} px",
            CAMERA_GROUP,
            {**values, "radius_high_px": radius},
            quick=radius == QUICK_RADIUS_PX,
        )
        for name, values in CAMERAS.items()
        for radius in RADII_PX
    ]
    found.append(Condition("exact similarity", CONTROL_GROUP, EXACT))
    large = "x".join(str(side) for side in LARGE_SIZE)
    found.append(Condition(f"exact similarity, {large}", CONTROL_GROUP, EXACT, LARGE_SIZE, quick=False))
    for group, sweeps in SWEEPS.items():
        for strengths in sweeps:
            middle = len(strengths) // 2
            found += [
                Condition(name, group, {**EXACT, **values}, quick=place == middle)
                for place, (name, values) in enumerate(strengths)
            ]
    for condition in found:
        build_camera(condition.values, condition.name)
    return found
