"""Motion models of a pair, from the identity to one that depends on depth, and their design matrices.

Displacements are those of the blur image from the warped sharp image, in pixels of the blur image's frame. Coordinates
are relative to the frame's centre, in units of half the diagonal, so that the values of zoom, rotation and distortion
are pixels at a corner.

Parallax is linear in the inverse of the depth, and so is the blur radius if it has a sign (behind or in front of the
focal plane); a thin lens makes them proportional. An asymmetric point spread, as lenses have near the corners, also
displaces blurred objects in proportion to the signed radius, away from the frame's centre or towards it. The sign of a
block cannot be seen; both are tried.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sdd_bench.registration.block_shifts import BlockShifts
from sdd_bench.registration.robust import Floats

SIMILARITY = ("shift", "zoom", "rotation")

DEVIATION = {
    "shift": np.inf, "zoom": np.inf, "rotation": np.inf, "distortion": 3.0, "parallax": 0.3, "asymmetry": 0.25,
}  # fmt: skip
"""Prior standard deviations of a term's values: pixels, or pixels per pixel of blur radius."""

UNKNOWNS = {
    "shift": ("shift_x", "shift_y"), "zoom": ("zoom",), "rotation": ("rotation",), "distortion": ("distortion",),
    "parallax": ("parallax_x", "parallax_y"), "asymmetry": ("asymmetry",),
}  # fmt: skip

SIGNED = ("parallax", "asymmetry")
"""Terms that change their sign with the side of the focal plane."""


@dataclass(frozen=True)
class MotionModel:
    """One of the motion models that are compared.

    Attributes:
        name: Name of the model in tables.
        terms: Terms of the displacement, a subset of `UNKNOWNS` in the same order.
    """

    name: str
    terms: tuple[str, ...]

    @property
    def has_similarity(self) -> bool:
        """Whether it includes a whole similarity; otherwise it is fitted from the identity."""
        return "rotation" in self.terms

    @property
    def unknowns(self) -> tuple[str, ...]:
        """Names of the unknowns; those of signed terms come last."""
        return tuple(name for term in self.terms for name in UNKNOWNS[term])


_ROUND = (
    ("identity", ()),
    ("shift", ("shift",)),
    ("zoom", ("shift", "zoom")),
    ("similarity", SIMILARITY),
    ("distortion", (*SIMILARITY, "distortion")),
)
_DEEP = (("parallax", (*SIMILARITY, "parallax")), ("distortion+parallax", (*SIMILARITY, "distortion", "parallax")))


def _models(named: tuple[tuple[str, tuple[str, ...]], ...], *more: str) -> tuple[MotionModel, ...]:
    return tuple(MotionModel(name, (*terms, *more)) for name, terms in named)


MODELS = (
    *_models(_ROUND),
    *_models(_ROUND[1:], "asymmetry"),
    *_models(_DEEP),
    *_models(_DEEP, "asymmetry"),
)
"""Motion models in order of complexity. Models with an asymmetric point spread come after all models without one,
because it looks like a zoom if the blur is uniform over the frame. A smooth field of cubic polynomials was tried as
well: it took effects of the blur for motion and bent pairs that are only shifted.
"""

RICHEST = MODELS[-1]


@dataclass(frozen=True)
class Design:
    """Derivatives of the block displacements with respect to a model's unknowns.

    Attributes:
        even: (N, 2, P) derivatives of the terms without a sign.
        signed: (N, 2, Q) derivatives of the signed terms, for the positive sign.
        precision: (P + Q,) prior precision of the unknowns.
    """

    even: Floats
    signed: Floats
    precision: Floats


def design_of(blocks: BlockShifts, model: MotionModel) -> Design:
    """Return the derivatives of the block displacements with respect to a model's unknowns."""
    x, y = blocks.normalised()
    parts: dict[bool, list[Floats]] = {False: [], True: []}
    for term in model.terms:
        parts[term in SIGNED] += _columns(term, x, y, blocks.radius_px)
    even, signed = (np.stack(p, axis=-1) if p else np.zeros((len(x), 2, 0)) for p in (parts[False], parts[True]))
    precision = [DEVIATION[term] ** -2.0 for term in model.terms for _ in UNKNOWNS[term]]
    return Design(even, signed, np.array(precision))


def _columns(term: str, x: Floats, y: Floats, radius_px: Floats) -> list[Floats]:
    none = np.zeros_like(x)
    if term in ("shift", "parallax"):
        size = np.ones_like(x) if term == "shift" else radius_px
        return [np.stack([size, none], axis=-1), np.stack([none, size], axis=-1)]
    if term == "rotation":
        return [np.stack([-y, x], axis=-1)]
    size = {"zoom": np.ones_like(x), "distortion": x * x + y * y, "asymmetry": radius_px}[term]
    return [np.stack([x, y], axis=-1) * size[:, None]]
