"""Plots as SVG in a page: known positions, colours by name, hostile names, and reproducible bytes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from xml.etree import ElementTree as Xml

import numpy as np
import pytest

from sdd_bench.registration.similarity import Similarity
from sdd_bench.report.maps import displacement_map, residual_map
from sdd_bench.report.plots import KINDS, MANY, cloud, histogram, image_chart
from sdd_bench.report.scatter import Scatter, Value, label_boxes, scatter
from sdd_bench.report.svg import COLOURS, LIGHT, STYLE

HEADINGS = ("x", "y")
HOSTILE = ("$x_1$ <b>&amp;", "fill: #1c1c1c", "\x00\n", "\udce9", "中", "</svg><script>alert(1)</script>")


def drawn(values: Sequence[tuple[str, Value | None, Value | None]], **more: bool) -> tuple[Scatter, Xml.Element]:
    plot = scatter("t", HEADINGS, values, key="p", **more)
    return plot, Xml.fromstring(plot.svg)


def places(svg: Xml.Element) -> list[tuple[float, float]]:
    dots = [dot.find(".//use") for dot in svg.iter("g") if dot.get("class") == "dot"]
    return [(float(dot.get("x", "")), float(dot.get("y", ""))) for dot in dots if dot is not None]


def lines(svg: Xml.Element, part: str) -> list[list[float]]:
    found = [path.get("d", "") for g in svg.iter("g") if g.get("class") == part for path in g.iter("path")]
    return [[float(number) for number in re.findall(r"-?[\d.]+", path)] for path in found]


def texts(svg: Xml.Element) -> list[str]:
    return [text.text or "" for text in svg.iter("text")]


def test_points_and_intervals_are_placed_linearly() -> None:
    values = [("a", Value(1, 0.5, 2), Value(10)), ("b", Value(3), Value(20, 15, 25)), ("c", None, Value(1))]
    plot, svg = drawn(values)
    (ax, ay), (bx, by) = places(svg)
    across, _, _, up = lines(svg, "whisker")
    assert across == pytest.approx([ax - (bx - ax) / 4, ay, ax + (bx - ax) / 2, ay], abs=0.02)
    assert up == pytest.approx([bx, by - (by - ay) / 2, bx, by + (by - ay) / 2], abs=0.02)
    assert by < ay
    assert plot.absent == ("c",)
    assert plot.numbers[0] == ("a", "1.000 (0.500 to 2.000)", "10.00")
    assert (svg.findtext("title"), svg.findtext("desc", "")[:9]) == ("t", "2 methods")


def test_the_diagonal_is_where_both_axes_agree() -> None:
    plot, svg = drawn([("a", Value(20), Value(30)), ("b", Value(25), Value(28))], diagonal=True)
    ((left, bottom, right, top),) = lines(svg, "diagonal")
    (ax, ay), (bx, by) = places(svg)
    assert plot.diagonal
    assert (bx - ax) / (right - left) / 5 == pytest.approx((by - ay) / (bottom - top) / 2, rel=1e-3)
    assert (ax - left) / (right - left) == pytest.approx(0.8 / 11.6, rel=1e-3)  # 20 between 19.2 and 30.8
    assert not lines(drawn([("a", Value(20), Value(30))])[1], "diagonal")


def test_axes_of_wide_ranges_are_logarithmic_and_say_so() -> None:
    values = [("a", Value(0.1), Value(1)), ("b", Value(1), Value(2)), ("c", Value(10), Value(2))]
    wide = drawn(values)[1]
    (a, _), (b, _), (c, _) = places(wide)
    assert b - a == pytest.approx(c - b, abs=0.02)
    assert "x, logarithmic" in texts(wide)
    assert {"0.1", "0.2", "0.5", "1", "2", "5", "10"} <= set(texts(wide))
    narrow = drawn([("a", Value(1), Value(1)), ("b", Value(10), Value(2))])[1]
    assert {"x", "2", "4", "6", "8", "10"} <= set(texts(narrow))


def test_crowded_points_are_labelled_by_numbers() -> None:
    values = [(f"a rather long name {i}", Value(1 + i / 100), Value(1 + i / 100)) for i in range(30)]
    plot, svg = drawn(values)
    assert plot.numbered
    assert [text for text in texts(svg) if text.isdigit()][-30:] == [str(i) for i in range(1, 31)]
    few = drawn(values[:2])
    assert not few[0].numbered
    assert set(texts(few[1])) > {"a rather long name 0", "a rather long name 1"}


def test_long_names_stand_in_two_lines_that_keep_clear_of_each_other() -> None:
    values = [("Richardson-Lucy, disk of 2 px", Value(1), Value(1)), ("x" * 60, Value(2), Value(2))]
    shown = texts(drawn(values)[1])
    assert {"Richardson-Lucy,", "disk of 2 px", "x" * 24, "x" * 23 + "…"} <= set(shown)
    boxes, clear = label_boxes([(200, 150), (205, 150)], ["two\nlines", "two\nlines"], [])
    assert clear
    assert boxes[0][3] - boxes[0][1] == 28


def test_names_are_shown_as_they_are_and_do_no_harm() -> None:
    values = [(name, Value(i), Value(i % 3)) for i, name in enumerate(HOSTILE)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot, svg = drawn(values)
    shown = ["$x_1$ <b>&amp;", "fill: #1c1c1c", "\ufffd\ufffd", "\ufffd", "中"]
    assert texts(svg)[-len(HOSTILE) - 1 :] == [*shown, "ert(1)</script>", "</svg><script>al"]
    titles = [title.text for g in svg.iter("g") if g.get("class") == "dot" for title in g.iter("title")]
    assert titles == [*shown, HOSTILE[-1]]
    assert "<script" not in plot.svg
    assert plot.svg.count("</svg>") == 1


def every_plot(key: str) -> dict[str, str]:
    residual = np.linspace(0, 3, 60 * 40, dtype=np.float32).reshape(40, 60)
    residual[:5] = np.nan
    return {
        "scatter": scatter("t", HEADINGS, [("a", Value(1, 0, 2), Value(3)), ("b", Value(2), Value(3))], key=key).svg,
        "histogram": histogram(key, "t", {"a": [1.0, 2.0, np.nan], "b": [1.5]}, "x").svg,
        "cloud": cloud(key, "t", [(kind, 1.0 + i, i) for i, kind in enumerate(KINDS)], HEADINGS).svg,
        "chart": image_chart(key, "t", [1.0, np.nan, 2.0], [1.0, 1.5, np.inf], (0, 3), ["a", "b", "c"]),
        "displacement": displacement_map(key, "t", Similarity(1.01, 0.1, 4, -3), 60, 40).svg,
        "residual": residual_map(key, "t", residual, 60, 40, 2.0).svg,
    }


def test_colours_follow_the_page_ids_are_the_plots_own_and_nothing_else_reaches_out() -> None:
    assert len(set(LIGHT.values())) == len(COLOURS)
    for name, text in every_plot("key").items():
        svg = Xml.fromstring(text)
        assert set(re.findall(r"#[0-9a-f]{6}\b", text)) == ({"#fcfdbf"} if name == "residual" else set())  # magma's top
        used = set(re.findall(r"var\((--plot-[\w-]+)\)", text))
        assert used
        assert all(f" {variable}: light-dark(" in STYLE for variable in used)
        ids = {part.get("id", "") for part in svg.iter() if part.get("id")}
        assert all(re.fullmatch(r"key-(\d+|title|desc)", found) for found in ids), ids
        references = re.findall(r'(?:href="#|url\(#)([^")]+)', text)
        assert set(references) <= ids
        assert svg.get("aria-labelledby", "").split()[0] == "key-title"
        assert not re.search("http|<style|<metadata|<script|DejaVu", text)
        assert "nan" not in re.sub('"data:[^"]*"', "", text).lower()


@pytest.mark.long
def test_plots_are_the_same_bytes_every_time() -> None:
    assert every_plot("k") == every_plot("k")
    assert every_plot("k") != every_plot("other")


def test_points_without_a_number_have_no_dot_and_titles_stay_with_theirs() -> None:
    svg = Xml.fromstring(image_chart("k", "t", [1, np.inf, 3], [1, 2, 3], (0, 4), ["one", "two", "three"]))
    assert [(use.findtext("title"), use.get("x")) for use in svg.iter("use")] == [("one", "37.51"), ("three", "388.49")]
    silent = Xml.fromstring(image_chart("k", "t", [1, 2, 3], [1, 2, 3], (0, 4)))
    assert [use.find("title") for use in silent.iter("use")] == [None] * 3


def test_very_many_points_become_a_picture() -> None:
    many = [("zoom", float(i % 97), float(i % 89)) for i in range(MANY + 1)]
    assert cloud("k", "t", many[:-1], HEADINGS).svg.count("<use") > MANY
    found = cloud("k", "t", many, HEADINGS).svg
    assert found.count("<image") == 1
    assert len(found) < 200_000


def test_the_longest_arrow_is_drawn_longest_and_its_scale_is_said() -> None:
    svg = Xml.fromstring(displacement_map("k", "t", Similarity(shift_x_px=2.0), 120, 80).svg)
    assert "arrows drawn 4 times as long" in texts(svg)
    assert "displacement (px)" in texts(svg)
    still = Xml.fromstring(displacement_map("k", "t", Similarity(), 120, 80).svg)
    assert "arrows to scale" in texts(still)
