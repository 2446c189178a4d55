"""Anchors of anchored/2 on disk: ceiling and blur radius in record, file, table and export."""

from __future__ import annotations

import csv
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from known_judged import METHOD, NAMES, PROTOCOL, SIZE, run

from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.evaluation import anchor_making
from sdd_bench.evaluation.anchor_record import CEILING_PARTS, files_of
from sdd_bench.evaluation.anchor_tables import COLUMNS_2, export_anchors, is_table, write_tables
from sdd_bench.evaluation.anchors import anchors_sha256, ensure_anchors, held_anchors
from sdd_bench.evaluation.by_radius import SHARP_PX
from sdd_bench.evaluation.results import Results
from sdd_bench.io.images import read_pixels, write_png


def no_work(*_: object) -> None:
    raise AssertionError("a truth was made though one holds")


def test_anchors_are_shipped_with_their_radius_and_serve_elsewhere(
    judged_data: Path, scored: dict[str, Results], monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs, folder = open_dataset(judged_data / "data", "test").pairs, judged_data / "data" / "anchors"
    records = ensure_anchors(pairs, folder, 1, method=METHOD)
    assert export_anchors(pairs, records, folder, judged_data / "shipped") == 2
    names = sorted(
        path.relative_to(judged_data / "shipped").as_posix() for path in (judged_data / "shipped").rglob("*.*")
    )
    ends = ("json", "mask.png", "radius.png", "truth.png")
    assert names == ["README.txt", "anchor-2/test.csv", *(f"anchor-2/test/{n}.{end}" for n in NAMES for end in ends)]
    assert "NAME.radius.png" in (judged_data / "shipped" / "README.txt").read_text()
    shutil.rmtree(folder)
    monkeypatch.setattr(anchor_making, "find_truth", no_work)
    assert run(judged_data, "moved", anchors=judged_data / "shipped")[PROTOCOL] == scored["moved"]


def test_the_radius_file_is_small_and_a_changed_one_does_not_hold(judged_data: Path) -> None:
    pairs, folder = open_dataset(judged_data / "data", "test").pairs, judged_data / "data" / "anchors"
    before = ensure_anchors(pairs, folder, 1, method=METHOD)
    path = files_of(folder, pairs[1], METHOD).radius
    assert path is not None
    pixels = read_pixels(path, grey="expand")[..., 0]
    assert pixels.dtype == np.uint16
    assert SIZE[1] % pixels.shape[0] == 0
    half = pixels.shape[1] // 2
    assert np.median(pixels[:, : half - 20]) <= 256 * SHARP_PX < np.median(pixels[:, half + 20 :])
    write_png(path, pixels + np.uint16(256))
    assert held_anchors(pairs, folder, 1, method=METHOD)[1] is None
    assert ensure_anchors(pairs, folder, 1, method=METHOD) == before
    other = replace(before[1], radius_sha256="0" * 64)  # type: ignore[type-var]
    assert anchors_sha256([before[0], other]) != anchors_sha256(before)  # type: ignore[list-item]


@pytest.mark.parametrize("part", ["ceiling_db", "ceiling", "doubt", "radius_sha256", "blur"])
def test_a_record_without_what_the_method_has_does_not_hold(judged_data: Path, part: str) -> None:
    pairs, folder = open_dataset(judged_data / "data", "test").pairs[:1], judged_data / "data" / "anchors"
    path = files_of(folder, pairs[0], METHOD).record
    content = json.loads(path.read_text())
    if part == "doubt":
        del content["ceiling"][part]
    else:
        del content[part]
    path.write_text(json.dumps(content))
    assert held_anchors(pairs, folder, 1, method=METHOD) == [None]


def test_the_table_of_anchors_tells_the_ceiling_and_its_parts(judged_data: Path) -> None:
    pairs, folder = open_dataset(judged_data / "data", "test").pairs, judged_data / "data" / "anchors"
    records = ensure_anchors(pairs, folder, 1, method=METHOD)
    (path,) = write_tables(records, folder)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert is_table(path)
    assert tuple(rows[0]) == COLUMNS_2
    parts = [float(rows[0][f"ceiling_{name}"]) for name in CEILING_PARTS]
    assert float(rows[0]["ceiling_db"]) == pytest.approx(-10 * math.log10(sum(parts)), abs=1e-3)
