"""The analyser on realistic pairs: effects that it distinguishes, effects that it must not invent, and the light."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from known_camera import PLAIN, taken
from known_camera import TAKEN_SIZE as SIZE

from sdd_bench.datasets.misalignment import summarise
from sdd_bench.io.serialise import json_text
from sdd_bench.registration.analyse import analyse, analyse_and_map
from sdd_bench.registration.analysis import FAILED, KINDS, NUMBERS
from sdd_bench.synthesis.camera_pair import CameraPair


@pytest.fixture(scope="module")
def similar() -> CameraPair:
    return taken("similarity", *PLAIN)


def test_an_exact_similarity_is_one_and_nothing_significant_remains(similar: CameraPair) -> None:
    found, left = analyse_and_map(similar.blur, similar.sharp)
    assert found.model in ("similarity", "zoom", "shift")
    assert found.similarity.after(similar.drawn.similarity.inverse()).corner_px(*SIZE) < 0.06
    assert found.residual_share < 0.02
    assert np.nanmean(left > 0) < 0.02
    assert found.confidence > 0.9
    assert set(found.row()) == {*NUMBERS, "confidence", "model", "kind"}
    light = found.light
    assert [light.gain_r, light.gain_g, light.gain_b, light.tone] == pytest.approx([1, 1, 1, 1], abs=0.01)
    assert light.vignetting == pytest.approx(0, abs=0.01)


@pytest.mark.long
def test_two_apertures_do_not_zoom() -> None:
    settings = ("cats_eye=0.5", "zoom=0", "rotation_deg=0", "shift_px=1", "moved_share=0", "moved_px=0", "scene=steps")
    pair = taken("aperture", *settings, radius=6, seed=3)
    found = analyse(pair.blur, pair.sharp)
    assert abs(found.similarity.zoom - 1) < 2e-5
    assert found.similarity.after(pair.drawn.similarity.inverse()).corner_px(*SIZE) < 0.1
    assert abs(found.motion.asymmetry if found.motion else 0) == pytest.approx(0.25, abs=0.08)


def test_parallax_and_distortion_are_told_apart() -> None:
    pair = taken("similarity", *PLAIN, "parallax_px=2", "scene=steps")
    found = analyse(pair.blur, pair.sharp)
    assert found.motion is not None
    assert (found.kind, "parallax" in found.model) == ("parallax", True)
    assert found.motion.parallax_px == pytest.approx(2, abs=0.7)
    pair = taken("similarity", *PLAIN, "distortion_px=2")
    found = analyse(pair.blur, pair.sharp)
    assert found.motion is not None
    assert (found.kind, "distortion" in found.model) == ("distortion", True)
    assert found.motion.distortion_px == pytest.approx(pair.drawn.distortion_px, abs=0.3)


def test_an_object_that_moved_is_named() -> None:
    pair = taken("similarity", *PLAIN, "moved_share=0.08", "moved_px=3", seed=1)
    found = analyse(pair.blur, pair.sharp)
    assert found.kind == "moved"
    assert 0.02 < found.residual_share < 0.25


def test_exposure_tone_and_vignetting_are_figures() -> None:
    settings = ("gain=1.1", "gain_red=1.05", "vignetting=0.2")
    pair = taken("similarity", *PLAIN, *settings)
    light, drawn = analyse(pair.blur, pair.sharp).light, pair.drawn
    gains = [drawn.gain_red, drawn.gain_green, drawn.gain_blue]
    assert [light.gain_r, light.gain_g, light.gain_b] == pytest.approx(gains, abs=0.03)
    assert light.vignetting == pytest.approx(0.2, abs=0.03)


def test_a_summary_leaves_out_what_is_not_known() -> None:
    pair = taken("similarity", *PLAIN)
    rows = [found.row() for found in (FAILED, analyse(pair.blur, pair.sharp))]
    summary = json.loads(json_text(summarise([*rows, rows[1] | {"zoom_se": math.nan}])))
    assert (summary["pairs"], summary["kinds"]["failed"]) == (3, 1)
    assert summary["numbers"]["zoom_se"]["min"] == rows[1]["zoom_se"]
    assert "in_focus_px" not in summary["numbers"]


def test_kinds_of_what_failed() -> None:
    assert FAILED.kind in KINDS
    assert FAILED.model == ""
    assert all(np.isnan(float(FAILED.row()[name])) for name in NUMBERS)
