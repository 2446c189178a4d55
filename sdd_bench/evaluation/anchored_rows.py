"""Rows of a prediction under anchored protocols; measurements that protocols share are made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sdd_bench.evaluation.anchors import StoredTruth
from sdd_bench.evaluation.by_radius import NO_HARM, SHARP, no_harm_db, psnr_by_radius, radius_bins
from sdd_bench.evaluation.diagnostics import (
    block_displacement,
    diagnose,
    flow_between,
    forgiveness_db,
    residual_similarity,
    why_flagged,
)
from sdd_bench.evaluation.forgiveness import excess_db, row_uncertainty_db
from sdd_bench.evaluation.input_check import check_against_input
from sdd_bench.evaluation.naming.cut import Array, Cut
from sdd_bench.evaluation.protocol import Distance, Protocol, score
from sdd_bench.evaluation.row_columns import CEILING, FORGIVENESS, UNCERTAINTY
from sdd_bench.evaluation.rows import Row
from sdd_bench.evaluation.unranked import COLUMN as NOT_RANKED
from sdd_bench.evaluation.unranked import why_unranked
from sdd_bench.metrics.fidelity import psnr_db
from sdd_bench.registration.warp import remapped

Image = NDArray[np.floating]
Mask = NDArray[np.bool_]


@dataclass
class AnchoredPrediction:
    """A prediction and the stored truth of its pair.

    Flow and geometry are measured once, however many protocols need them.

    Attributes:
        restored: (H, W, 3) prediction as read.
        stored: Stored truth with its mask.
        metrics: Names of the metrics to measure.
        diagnostics: Whether rows include diagnostics.
        read_blur: Function that reads the blur image; called only if the geometry against it is measured.
        cut: Region shared with the frame if the prediction is cropped or padded, else None.
    """

    restored: Image
    stored: StoredTruth
    metrics: Sequence[str]
    diagnostics: bool
    read_blur: Callable[[], Image]
    cut: Cut | None = None
    _flow: NDArray[np.floating] | None = field(default=None, init=False)
    _geometry: tuple[dict[str, float | str | None], str] | None = field(default=None, init=False)

    def row(self, protocol: Protocol, loaded: Mapping[str, Distance]) -> tuple[Row, Image]:
        """Return the row of an anchored protocol, and the truth that it was scored against.

        Args:
            protocol: Protocol with the same anchor method.
            loaded: Functions of the metrics that need weights.
        """
        restored, truth = cropped(self.restored, self._within(self.stored.truth), protocol)
        mask = np.ascontiguousarray(self._within(self.stored.mask)[: truth.shape[0], : truth.shape[1]])
        if not mask.any():
            raise ValueError("no pixel of the anchor's mask lies within the crop")
        if (self.diagnostics or protocol.follows) and (self._flow is None or self._flow.shape[:2] != mask.shape):
            self._flow = flow_between(restored, truth)
        target = truth
        if protocol.follows:
            assert self._flow is not None
            blocks = block_displacement(self._flow, truth, mask)
            moved = residual_similarity(blocks, truth.shape[1], truth.shape[0])
            target = np.clip(remapped(truth, moved.flow(truth.shape[1], truth.shape[0])), 0, 1)
        scores = score(restored, target, self.metrics, loaded, mask)
        if self.stored.ceiling_db is not None:
            return self._judged_by_input(scores, restored, truth, target, mask), target
        scores["coverage"] = float(mask.mean())
        if not self.diagnostics:
            return dict(scores), target
        scores |= diagnose(restored, truth, mask, self._flow)
        scores |= {f"blur_{key}": value for key, value in self.stored.blur.items()}
        return {**scores, "flags": why_flagged(scores)}, target

    def _judged_by_input(
        self, scores: dict[str, float | None], restored: Image, truth: Image, target: Image, mask: Mask
    ) -> Row:
        """Return the row of a prediction whose geometry is judged by its input instead of the truth."""
        ceiling_db, radius_px = self.stored.ceiling_db, self.stored.radius_px
        assert ceiling_db is not None
        assert radius_px is not None
        coverage = float(mask.mean())
        bins = self._within(radius_bins(radius_px, self.stored.mask))[: mask.shape[0], : mask.shape[1]]
        parts = psnr_by_radius(restored, target, bins)
        blur = {f"blur_{key}": value for key, value in self.stored.blur.items()}
        row: Row = dict(scores)
        if self.diagnostics:
            numbers, why = self._against_input(restored)
            forgiven = forgiveness_db(restored, truth, mask, self._known_flow())
            plain = scores["psnr_db"] if target is truth else None
            plain = psnr_db(restored, truth, mask) if plain is None else plain
            row |= numbers
            row[FORGIVENESS] = excess_db(forgiven, plain, self.stored.ceiling)
        row |= {"coverage": coverage, CEILING: ceiling_db}
        row[UNCERTAINTY] = row_uncertainty_db(scores["psnr_db"], ceiling_db)
        row |= parts
        row[NO_HARM] = no_harm_db(parts[SHARP], self._blur_where_sharp(truth, bins))
        row |= blur
        if self.diagnostics:
            row["flags"] = [why] if why else []
        row[NOT_RANKED] = why_unranked(coverage, ceiling_db)
        return row

    def _blur_where_sharp(self, truth: Image, bins: NDArray[np.uint8]) -> float | None:
        """Return the blur image's `SHARP` over the scored pixels; the stored value unless the frame is cropped."""
        if bins.shape == self.stored.mask.shape:
            return self.stored.blur[SHARP]
        height, width = bins.shape
        return psnr_by_radius(self._within(self.read_blur())[:height, :width], truth, bins)[SHARP]

    def _within(self, frame: Array) -> Array:
        """Return the part of a frame that the prediction covers."""
        return frame if self.cut is None else self.cut.of_frame(frame)

    def _known_flow(self) -> NDArray[np.floating]:
        assert self._flow is not None
        return self._flow

    def _against_input(self, restored: Image) -> tuple[dict[str, float | str | None], str]:
        """Return the geometry of the scored part of a prediction, and why it is flagged."""
        if self._geometry is None:
            blur = self._within(self.read_blur())[: restored.shape[0], : restored.shape[1]]
            self._geometry = check_against_input(blur, restored)
        return self._geometry


def cropped(restored: Image, reference: Image, protocol: Protocol) -> tuple[Image, Image]:
    """Return a prediction and its reference, cropped to the part that a protocol scores.

    Raises:
        ValueError: The cropped images differ in size.
    """
    width, height = protocol.cropped(reference.shape[1], reference.shape[0])
    restored, reference = restored[:height, :width], reference[:height, :width]
    if restored.shape != reference.shape:
        raise ValueError(f"prediction decodes to {restored.shape}, the sharp image to {reference.shape}")
    return restored, reference
