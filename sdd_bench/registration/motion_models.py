"""Motion models of a pair, from none to one that depends on depth, and their design matrices.

Displacements are those of the blurry image from the sharp one as warped, in pixels of the blurry frame; coordinates are
taken from the frame's centre, half the diagonal being 1, so that the values of zoom, rotation and distortion are pixels
at a corner.

Parallax goes with the inverse of the depth, and so does the blur radius if it has a sign: behind the plane in focus, or
before it. A thin lens makes the one proportional to the other. A spread that is not round, as a lens shows it near the
corners, moves what is blurred by its radius with that sign as well, away from the centre or towards it. The sign of a
block is not seen; both are tried.
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
"""How large the values of a term are expected to be: pixels, or pixels a pixel of blur radius."""

UNKNOWNS = {
    "shift": ("shift_x", "shift_y"), "zoom": ("zoom",), "rotation": ("rotation",), "distortion": ("distortion",),
    "parallax": ("parallax_x", "parallax_y"), "asymmetry": ("asymmetry",),
}  # fmt: skip

SIGNED = ("parallax", "asymmetry")
"""Terms that change their sign with the side of the plane in focus."""


@dataclass(frozen=True)
class MotionModel:
    """One of the motions compared.

    Attributes:
        name: As in tables.
        terms: Terms of the displacement: some of `UNKNOWNS`, in that order.
    """

    name: str
    terms: tuple[str, ...]

    @property
    def has_similarity(self) -> bool:
        """Whether a whole similarity is part of it; otherwise it is fitted from the identity."""
        return "rotation" in self.terms

    @property
    def unknowns(self) -> tuple[str, ...]:
        """Names of the unknowns, those of signed terms last."""
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
"""Motion models from the simplest on. A spread that is not round comes after every motion without one: where the blur
is the same all over the frame, it looks like a zoom. A smooth field of cubic polynomials was tried as well: it took
what goes with the blur for motion, and bent pairs that are shifted only.
"""

RICHEST = MODELS[-1]


@dataclass(frozen=True)
class Design:
    """Contribution of each unknown to the displacement of each block.

    Attributes:
        even: (N, 2, P) of the terms without a sign.
        signed: (N, 2, Q) of those with one, where it is positive.
        precision: (P + Q,) how well the unknowns are known before.
    """

    even: Floats
    signed: Floats
    precision: Floats


def design_of(blocks: BlockShifts, model: MotionModel) -> Design:
    """Return what each unknown of a model adds to the displacement of each block."""
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
