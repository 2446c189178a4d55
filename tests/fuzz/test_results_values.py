"""Impossible numbers in results, rows that contradict their summary, and JSON with duplicate keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sdd_bench.errors import UserError
from sdd_bench.evaluation.protocol import build_protocol
from sdd_bench.evaluation.results import Method, Results, protocol_block, read_results

NAMES = ("a", "b")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A results file of two images under anchored/1."""
    rows = tuple(
        {
            "name": name, "psnr_db": 30.0 + i, "ssim": 0.9, "mae": 0.02, "lpips": 0.1, "gdi50_px": 0.1, "gdi95_px": 0.2,
            "forgiveness_db": 0.1, "coverage": 0.9, "blur_psnr_db": 25.0, "blur_gdi50_px": 0.3, "blur_gdi95_px": 0.5,
            "blur_forgiveness_db": 0.2, "flags": [], "place": "indoor", "blur_radius_px": 3.0, "misalignment_px": 4.0,
        }
        for i, name in enumerate(NAMES)
    )  # fmt: skip
    dataset = {"name": "sdd", "split": "test", "sha256": "d" * 64, "n_images": 2}
    results = Results(Method("Mine"), dataset, protocol_block(build_protocol("anchored/1", None)), rows)
    results.save(tmp_path / "r.json")
    return tmp_path / "r.json"


def change(path: Path, edit: Callable[[dict[str, Any]], object], *, mend_summary: bool = True) -> None:
    content = json.loads(path.read_text())
    edit(content)
    if mend_summary:
        for name in content["summary"]:
            values = [row.get(name) for row in content["images"]]
            if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
                content["summary"][name] = sum(values) / len(values)
    path.write_text(json.dumps(content))


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_results(path)
    assert "\n" not in caught.value.message
    assert caught.value.message.startswith(f"{path}: ")
    return caught.value.message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("psnr_db", -1, "0 or more"),
        ("psnr_db", "nan", "0 or more"),
        ("psnr_db", "-inf", "0 or more"),
        ("psnr_db", True, "0 or more"),
        ("psnr_db", "30", "0 or more"),
        ("ssim", 1.01, "-1 to 1"),
        ("ssim", -1.01, "-1 to 1"),
        ("ssim", "inf", "-1 to 1"),
        ("mae", -0.01, "0 to 1"),
        ("mae", 1.01, "0 to 1"),
        ("lpips", -0.01, "0 or more"),
        ("lpips", "inf", "0 or more"),
        ("gdi50_px", -0.1, "0 or more"),
        ("coverage", 1.2, "0 to 1"),
        ("coverage", -0.2, "0 to 1"),
        ("forgiveness_db", "inf", "-1000 to 1000"),
        ("blur_psnr_db", -3, "0 or more"),
        ("blur_radius_px", -3, "0 or more"),
        ("misalignment_px", [], "0 or more"),
    ],
)
def test_a_number_that_cannot_be_is_named_by_image_and_column(
    path: Path, column: str, value: object, expected: str
) -> None:
    change(path, lambda content: content["images"][1].update({column: value}))
    assert refusal(path) == f"damaged results file (image 'b': {column} = {value!r}: expected {expected})"


@pytest.mark.parametrize(("column", "value"), [("ssim", -0.3), ("psnr_db", 0), ("lpips", 1.3), ("forgiveness_db", -2)])
def test_unusual_numbers_are_read(path: Path, column: str, value: float) -> None:
    change(path, lambda content: content["images"][1].update({column: value}))
    assert read_results(path).images[1][column] == value


@pytest.mark.parametrize("mean", ["inf", 45.0, 45.5])
def test_an_infinite_psnr_is_read_with_the_mean_of_any_version(path: Path, mean: str | float) -> None:
    def edit(content: dict[str, Any]) -> None:
        content["images"][0]["psnr_db"] = 30 if mean == 45.0 else 31
        content["images"][1]["psnr_db"], content["summary"]["psnr_db"] = "inf", mean

    change(path, edit, mend_summary=False)
    found = read_results(path)
    assert found.images[1]["psnr_db"] == float("inf")
    assert found.summary["psnr_db"] == (45 if mean == 45.0 else 45.5)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda c: c["summary"].update(psnr_db=31.5), "the mean psnr_db is 31.5, that of its rows 30.5"),
        (lambda c: c["summary"].update(ssim=0.900002), "the mean ssim is 0.900002, that of its rows 0.9"),
        (lambda c: c["summary"].update(lpips=None), "the mean lpips is None, that of its rows 0.1"),
        (lambda c: c["summary"].pop("mae"), "the mean mae is None, that of its rows 0.02"),
        (lambda c: c["summary"].update(psnr_db="inf"), "the mean psnr_db is inf, that of its rows 30.5"),
        (lambda c: c["summary"].update(coverage="high"), "the mean coverage is 'high', that of its rows 0.9"),
        (lambda c: c["images"][0].update(psnr_db=99), "the mean psnr_db is 30.5, that of its rows 45.5"),
        (lambda c: c["images"][0].update(mae=None), "the mean mae is 0.02, that of its rows None"),
        (
            lambda c: [row.update(psnr_db=1e308) for row in c["images"]],
            "the mean psnr_db is 30.5, that of its rows 60",
        ),
        (lambda c: c.update(summary=[]), "summary is [], expected a table"),
        (lambda c: c.pop("summary"), "summary is None, expected a table"),
    ],
)
def test_rows_that_do_not_give_the_summary_are_refused_with_both_numbers(
    path: Path, edit: Callable[[dict[str, Any]], object], words: str
) -> None:
    change(path, edit, mend_summary=False)
    assert refusal(path) == words


def test_a_summary_within_a_millionth_is_taken(path: Path) -> None:
    change(path, lambda c: c["summary"].update(ssim=0.9000009), mend_summary=False)
    assert read_results(path).summary["ssim"] == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda c: c["images"].append(dict(c["images"][0])), "duplicate image 'a'"),
        (lambda c: c.update(images=[]), "images: 0 images, expected a list of 1 to 100,000"),
        (lambda c: c.update(images={"a": 1}), "images: {'a': 1}, expected a list"),
        (lambda c: c["images"].append(7), "image 3 = 7: expected a table"),
        (lambda c: c["images"][0].update(name=7), "image 1: name = 7: expected a line of text"),
        (lambda c: c["images"][0].update(name="a\nb"), r"image 1: name = 'a\nb': expected a line of text"),
        (lambda c: c["images"][0].update(flags="x"), "image 'a': flags = 'x': expected a list of texts"),
        (lambda c: c["images"][0].pop("ssim"), "image 'a': ssim is missing"),
        (lambda c: c["images"][1].pop("gdi50_px"), "image 'b': gdi50_px is missing"),
        (lambda c: c["images"][1].pop("name"), "image 2: name is missing"),
        (lambda c: c["images"][1].update(blur_sha256=7), "image 'b': blur_sha256 = 7: expected text"),
        (lambda c: c.pop("why_empty"), "why_empty is missing"),
        (lambda c: c["why_empty"].update(lpips=1), "why_empty = {'lpips': 1}: expected a table of texts"),
        (lambda c: c.update(missing="a"), "missing = 'a': expected a list of texts"),
        (lambda c: c["dataset"].update(excluded={"a": 1}), "dataset.excluded = {'a': 1}: expected a table"),
        (lambda c: c["method"].update(selection_on_test="maybe"), "must be yes, no or unknown, not 'maybe'"),
        (
            lambda c: c.update(status="best"),
            "status = 'best': expected 'measured', 'unchecked', 'flagged' or 'partial'",
        ),
        (lambda c: c["method"].update(name=[]), "method.name = []: expected text"),
        (lambda c: c["method"].update(params_m=-1), "method.params_m = -1: expected at least 0"),
        (lambda c: c["method"].update(colour="red"), "method: unknown key 'colour', expected one of name, paper"),
        (lambda c: c["dataset"].update(split=None), "dataset.split = None: expected text"),
        (lambda c: c["dataset"].pop("sha256"), "dataset.sha256 is missing"),
        (lambda c: c["protocol"].update(flow=["dis"]), "protocol.flow = ['dis']: expected a table of texts"),
        (lambda c: c.update(environment="linux"), "environment = 'linux': expected a table of texts"),
    ],
)
def test_a_part_of_another_type_is_refused(path: Path, edit: Callable[[dict[str, Any]], object], words: str) -> None:
    change(path, edit, mend_summary=False)
    said = refusal(path)
    assert said.startswith("damaged results file (")
    assert words in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"schema": 1, "schema": 1}', "duplicate key 'schema'"),
        ('{"schema": 1, "images": [{"ssim": 1, "ssim": 0}]}', "duplicate key 'ssim'"),
        ('{"schema": NaN}', "NaN is no number of JSON"),
        ('{"schema": -Infinity}', "-Infinity is no number of JSON"),
        ('{"schema": 1e999}', "1e999 is not a finite number"),
        (f'{{"schema": {"9" * 400}}}', "a number of over 300 digits"),
        (f'{{"schema": {"9" * 5000}}}', "a number of over 300 digits"),
        ('{"x": ' * 100_000, "nested deeper than 30"),
        ("[" * 100_000, "nested deeper than 30"),
        ("[" * 40 + "]" * 40, "nested deeper than 30"),
        ('{"schema": "\\ud800"}', "schema: control character U+D800, expected text"),
        ('{"\\u001b[2J": 1}', "the whole: control character U+001B, expected text"),
        ("", "Expecting value"),
    ],
)
def test_json_that_is_none_or_says_two_things_is_refused_in_one_line(path: Path, text: str, words: str) -> None:
    path.write_text(text)
    said = refusal(path)
    assert said.startswith("cannot be read as JSON (")
    assert words in said
    assert len(said) < 300
