"""Creation of one anchor: reused if it is valid, otherwise computed from the pair and written."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy
from numpy.typing import NDArray

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError
from sdd_bench.evaluation.anchor_record import (
    AnchorFiles,
    AnchorRecord,
    FailedAnchor,
    FoundAnchor,
    files_of,
    read_record,
    record_text,
)
from sdd_bench.evaluation.by_radius import psnr_by_radius, radius_bins, radius_of, radius_pixels
from sdd_bench.evaluation.diagnostics import diagnose, flow_between, forgiveness_db
from sdd_bench.evaluation.forgiveness import excess_db
from sdd_bench.evaluation.row_columns import FORGIVENESS
from sdd_bench.io.files import file_sha256, write_bytes, write_text
from sdd_bench.io.images import encode_png, read_image, to_float, to_pixels
from sdd_bench.metrics.fidelity import psnr_db
from sdd_bench.registration import truth
from sdd_bench.registration.anchor import Anchor, find_anchor
from sdd_bench.registration.photometric_map import PhotometricMap
from sdd_bench.registration.truth import Truth, find_truth
from sdd_bench.version import __version__

CONVENTION = (
    "p_blur = c + zoom * R(rotation) * (p_sharp - c) + shift; pixel p of the truth is read in the sharp image where "
    "p + field(p) comes from; field: cubic B-splines, clamped, control points over the whole frame"
)
CONVENTION_2 = (
    "as that of anchor/1, by the numbers of motion: p_blur = s - distortion + parallax, s by the similarity; parallax "
    "is proportional to each pixel's blur radius, which has the sign of its side of the plane in focus"
)

AnchorTask = tuple[Pair, Path, str, str, str]
"""A pair, the anchor folder, the anchor method, the handling of grey images, and the reason why no anchor may be made
in the folder (empty if it may)."""


def inputs_of(pair: Pair, method: str, grey: str) -> dict[str, str]:
    """Return the inputs that determine an anchor, by their names in the record."""
    hashes = {"blur_sha256": file_sha256(pair.blur), "sharp_sha256": file_sha256(pair.sharp)}
    return {"method": method, **hashes, "grey": grey}


def ensure_anchor(task: AnchorTask) -> AnchorRecord:
    """Return the valid anchor record of a pair; make the anchor if there is none.

    Raises:
        UserError: There is no valid anchor, and none may be made in this folder.
    """
    pair, folder, method, grey, closed = task
    files, inputs = files_of(folder, pair, method), inputs_of(pair, method, grey)
    known = read_record(files, inputs)
    if known is not None:
        return known
    if closed:
        raise UserError(f"{pair.name}: no anchor of its present images; {closed}; give another folder with --anchors")
    blur, sharp = (read_image(path, grey=grey) for path in (pair.blur, pair.sharp))
    common: dict[str, Any] = {
        "name": pair.name, "split": pair.split, **inputs,
        "height": blur.shape[0], "width": blur.shape[1],
        "versions": {
            "sdd-bench": __version__, "numpy": np.__version__, "opencv": cv2.__version__, "scipy": scipy.__version__,
        },
    }  # fmt: skip
    try:
        found = find_truth(blur, sharp) if method == truth.METHOD else find_anchor(blur, sharp)
    except ValueError as error:
        record: AnchorRecord = FailedAnchor(why=str(error), **common)
    else:
        record = _written(files, found, blur, sharp, common)
    write_text(files.record, record_text(record))
    return record


def _light_of(light: PhotometricMap) -> dict[str, list[float]]:
    """Return the parameters of a photometric map, empty for the identity."""
    if light.identity:
        return {}
    return {name: list(value) for name, value in asdict(light).items() if name != "held_out_gain"}


def _written(
    files: AnchorFiles,
    found: Anchor | Truth,
    blur: NDArray[np.float32],
    sharp: NDArray[np.float32],
    common: dict[str, Any],
) -> FoundAnchor:
    """Write truth, mask and blur radius; return the anchor's record with the fields common to all records."""
    drawn = to_pixels(found.image if isinstance(found, Truth) else found.draw(sharp), bits=16)
    contents = {"truth": encode_png(drawn), "mask": encode_png(found.mask.astype(np.uint8) * 255)}
    more: dict[str, Any] = {}
    seen = to_float(drawn)
    own = psnr_db(blur, seen, found.mask)
    blur_own: dict[str, float | None] = {"psnr_db": own if math.isfinite(own) else None}
    if isinstance(found, Truth):
        radius = radius_pixels(found.blur_radius_px)
        contents["radius"] = encode_png(radius)
        more = {
            "motion": found.motion.row(),
            "light": _light_of(found.light),
            "ceiling_db": found.ceiling.db,
            "ceiling": asdict(found.ceiling),
            "radius_sha256": hashlib.sha256(radius.tobytes()).hexdigest(),
        }
        forgiven = forgiveness_db(blur, seen, found.mask, flow_between(blur, seen))
        blur_own[FORGIVENESS] = excess_db(forgiven, own, asdict(found.ceiling))
        parts = psnr_by_radius(blur, seen, radius_bins(radius_of(radius), found.mask))
        blur_own |= {name: part if part is None or math.isfinite(part) else None for name, part in parts.items()}
    else:
        blur_own |= diagnose(blur, seen, found.mask)
    for name, path in files.pictures.items():
        write_bytes(path, contents[name])
    field = found.field
    height, width = found.mask.shape
    numbers = found.analysis.row().items()
    return FoundAnchor(
        analysis={name: None if isinstance(value, float) and math.isnan(value) else value for name, value in numbers},
        field=None if field is None else {"x_px": field.x_px.tolist(), "y_px": field.y_px.tolist()},
        field_px=0.0 if field is None else field.largest_px(width, height),
        field_gain=found.field_gain,
        convention=CONVENTION_2 if isinstance(found, Truth) else CONVENTION,
        coverage=found.coverage,
        blur=blur_own,
        truth_sha256=hashlib.sha256(drawn.tobytes()).hexdigest(),
        mask_sha256=hashlib.sha256(np.packbits(found.mask).tobytes()).hexdigest(),
        files={key: hashlib.sha256(content).hexdigest() for key, content in contents.items()},
        **more,
        **common,
    )
