"""Files of one synthetic pair and its truth."""

from __future__ import annotations

import numpy as np

from sdd_bench.io.images import read_image
from sdd_bench.synthesis.camera_pair import draw_stage
from sdd_bench.synthesis.known_pair import cut_stage
from sdd_bench.synthesis.truth_files import PairPlan, row_of, write_truth


def make_camera_pair(plan: PairPlan) -> dict[str, float | str]:
    """Write the files of one pair, and return its rows of truth.csv and camera.csv."""
    synthesis = plan.synthesis
    rng = np.random.default_rng([synthesis.seed, plan.index])
    similarity = synthesis.draw_similarity(rng)
    photo = read_image(plan.photo)
    width, height, margin_x, margin_y = synthesis.frame(photo.shape[1], photo.shape[0])
    stage = cut_stage(photo, width + 2 * margin_x, height + 2 * margin_y, plan, rng)
    camera, seed = synthesis.resolved_camera, (synthesis.seed, plan.index)
    pair = draw_stage(stage, camera, similarity, (margin_y, margin_x), seed)
    images = pair.blur, pair.sharp, pair.truth
    write_truth(plan, images, pair.radius_px, pair.flow_blur_to_sharp, pair.visible)
    return row_of(plan, pair.drawn, pair.radius_px)
