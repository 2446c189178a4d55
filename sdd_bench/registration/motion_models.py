"""The motions that a pair may have, from none to one that goes with depth, and what each adds to a displacement.

Displacements are those of the blurry image from the sharp one as drawn, in pixels of the blurry frame; coordinates are taken
from the frame's centre, half the diagonal being 1, so that the values of zoom, rotation and distortion are pixels at a corner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sdd_bench.registration.block_shifts import BlockShifts
from sdd_bench.registration.robust import Floats

KNOTS_PX = (0.0, 2.0, 4.0, 8.0, 16.0)
"""Blur radii between which the displacement that goes with depth is linear; it is 0 at the first."""

SIMILARITY = ("shift", "zoom", "rotation")

DEVIATION_PX = {"shift": np.inf, "zoom": np.inf, "rotation": np.inf, "distortion": 3.0, "depth": 1.0}
"""How large the values of a term are expected to be, in pixels: a standard deviation."""

ASYMMETRY = 0.5
"""The same of the asymmetry of the spread, which has no unit."""


@dataclass(frozen=True)
class MotionModel:
    """One of the motions compared.

    Attributes:
        name: As in tables.
        terms: What the displacement is a sum of: `shift`, `zoom`, `rotation`; `distortion` (radial, cubic);
            `depth` (a function of the blur radius).
        asymmetric: Whether the spread may move what is blurred as well: by the blur radius, away from the centre.
    """

    name: str
    terms: tuple[str, ...]
    asymmetric: bool = False

    @property
    def has_similarity(self) -> bool:
        """Whether a whole similarity is part of it; otherwise it is fitted from the identity."""
        return "rotation" in self.terms


MODELS = tuple(
    MotionModel(name, terms, asymmetric)
    for name, terms in (
        ("identity", ()),
        ("shift", ("shift",)),
        ("zoom", ("shift", "zoom")),
        ("similarity", SIMILARITY),
        ("distortion", (*SIMILARITY, "distortion")),
        ("parallax", (*SIMILARITY, "depth")),
        ("distortion+parallax", (*SIMILARITY, "distortion", "depth")),
    )
    for asymmetric in (False, True)
    if name != "identity" or not asymmetric
)
"""From the simplest on."""

RICHEST = MotionModel("distortion+parallax", (*SIMILARITY, "distortion", "depth"), asymmetric=True)
"""The scatter of blocks is measured about this."""


def columns(blocks: BlockShifts, terms: Sequence[str], *, asymmetric: bool) -> tuple[Floats, Floats]:
    """Return (N, 2, P), what each unknown adds to the displacement of each block, and (P,), the precision it is known with before.

    Args:
        blocks: Where.
        terms: Of a `MotionModel`.
        asymmetric: See there; its column is the last.
    """
    x, y = blocks.normalised()
    found: list[Floats] = []
    precision: list[float] = []
    for term in terms:
        new = _columns(term, x, y, blocks.radius_px)
        found += new
        precision += [DEVIATION_PX[term] ** -2.0] * len(new)
    if asymmetric:
        found.append(np.stack([x, y], axis=-1) * blocks.radius_px[:, None])
        precision.append(ASYMMETRY**-2)
    design = np.stack(found, axis=-1) if found else np.zeros((len(x), 2, 0))
    return design, np.array(precision)


def _columns(term: str, x: Floats, y: Floats, radius_px: Floats) -> list[Floats]:
    none = np.zeros_like(x)
    if term == "zoom":
        return [np.stack([x, y], axis=-1)]
    if term == "rotation":
        return [np.stack([-y, x], axis=-1)]
    if term == "distortion":
        return [np.stack([x, y], axis=-1) * (x * x + y * y)[:, None]]
    parts = [np.ones_like(x)] if term == "shift" else list(depth_shares(radius_px).T)
    return [np.stack([p, none], axis=-1) for p in parts] + [np.stack([none, p], axis=-1) for p in parts]


def depth_shares(radius_px: Floats) -> Floats:
    """Return how much each knot but the first has in the displacement at a blur radius, (N, knots - 1).

    >>> depth_shares(np.array([0.0, 3.0, 20.0])).tolist()
    [[0.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    """
    return np.stack([np.interp(radius_px, KNOTS_PX, row) for row in np.eye(len(KNOTS_PX))[1:]], axis=-1)
