"""Meanings of values through the commands: datasets and predictions refused or read accordingly, copies, low scores."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from known_cli import call, ok
from known_scenes import Write, bits_of, eight, pairs_in, predictions_in, scenes
from known_session import describe, views, write_pair

from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.datasets.looks import Looks
from sdd_bench.datasets.value_check import check_values
from sdd_bench.errors import UserError
from sdd_bench.evaluation.evaluate import Evaluation, evaluate
from sdd_bench.evaluation.results import Method, Results, read_results
from sdd_bench.io.images import read_image, read_pixels, to_pixels, write_png
from sdd_bench.io.srgb import decode_srgb
from sdd_bench.io.values_as import parse_values_as

FAST = ("psnr_db", "mae")


def evaluation(root: Path, predictions: Path, **changes: object) -> Evaluation:
    base = Evaluation(open_dataset(root, "test"), "test", predictions, ("direct/1",), metrics=FAST, method=Method("m"))
    return replace(base, **changes)  # type: ignore[arg-type]


def scored(wanted: Evaluation, out: Path, jobs: int = 1) -> Results:
    return evaluate(wanted, {wanted.protocols[0]: out}, jobs)[0]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    pairs_in(tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("write", "words", "option"),
    [
        (bits_of(12), "12-bit values in 16-bit files", "12bit"),
        (bits_of(8), "8-bit values in 16-bit files", "8bit"),
        (lambda image: eight(image[..., ::-1]), "in the order blue, green, red: red and blue are exchanged", "bgr"),
        (lambda image: eight(decode_srgb(image)), "linear light, expected values with the curve of sRGB", "linear"),
    ],
)
def test_predictions_of_other_values_are_refused_and_read_as_they_are_meant(
    root: Path, tmp_path: Path, write: Write, words: str, option: str
) -> None:
    predictions_in(tmp_path / "p", write)
    with pytest.raises(UserError) as error:
        scored(evaluation(root, tmp_path / "p"), tmp_path / "r.json")
    assert error.value.message == (
        f"predictions: 6 of 6 predictions are {words} (01.png, 02.png, 03.png, 04.png, 05.png, 06.png); "
        f"--values-as {option} reads them so, --values-as as-stored scores them as they are"
    )
    predictions_in(tmp_path / "usual")
    usual = scored(evaluation(root, tmp_path / "usual"), tmp_path / "usual.json")
    meant = scored(evaluation(root, tmp_path / "p", values_as=option), tmp_path / "r.json")
    for one, other in zip(meant.images, usual.images, strict=True):
        assert one["psnr_db"] == pytest.approx(other["psnr_db"], abs=0.25)
    assert meant.configuration["values_as"] == option
    as_stored = scored(evaluation(root, tmp_path / "p", values_as="as-stored"), tmp_path / "stored.json")
    assert as_stored.summary["psnr_db"] < usual.summary["psnr_db"] - 3


def test_bytes_of_zero_and_one_are_refused(root: Path, tmp_path: Path) -> None:
    predictions_in(tmp_path / "p", lambda image: np.rint(image).astype(np.uint8))
    with pytest.raises(UserError, match=r"6 of 6 predictions are 0 and 1 alone: values in \[0, 1\] were written"):
        scored(evaluation(root, tmp_path / "p"), tmp_path / "r.json")


def test_values_moved_to_the_left_are_scored_and_said(root: Path, tmp_path: Path) -> None:
    predictions_in(tmp_path / "p", bits_of(8, left=8))
    results = scored(evaluation(root, tmp_path / "p"), tmp_path / "r.json")
    assert results.configuration["matching"]["remarks"] == [
        "predictions are 8-bit values moved to the left in 16-bit files: white is 65280, expected 65535; "
        "--values-as 8bit-high reads them over the whole range"
    ]


def test_copies_of_the_blur_image_are_legal_and_said(root: Path, tmp_path: Path) -> None:
    results = scored(evaluation(root, root / "blur"), tmp_path / "r.json")
    assert results.configuration["matching"]["remarks"] == ["all 6 predictions are copies of the blur image"]
    assert (results.status, results.flags) == ("measured", ())
    files = predictions_in(tmp_path / "p")
    write_png(files["02"], read_pixels(root / "blur" / "02.png"))
    files["02"].write_bytes(files["02"].read_bytes() + b"\0")  # another file of the same pixels
    results = scored(evaluation(root, tmp_path / "p"), tmp_path / "some.json")
    assert results.configuration["matching"]["remarks"] == ["1 of 6 predictions are copies of the blur image: 02"]


def test_copies_of_the_sharp_image_are_flagged(root: Path, tmp_path: Path) -> None:
    files = predictions_in(tmp_path / "p")
    files["03"].write_bytes((root / "gt" / "03.png").read_bytes())
    write_png(files["04"], to_pixels(read_image(root / "gt" / "04.png"), 16))
    results = scored(evaluation(root, tmp_path / "p"), tmp_path / "r.json")
    assert results.status == "flagged"
    assert results.flags == (
        "1 of 6 predictions are byte for byte the sharp image: 03",
        "1 of 6 predictions are equal to the truth in every pixel: 04",
    )
    assert read_results(tmp_path / "r.json").flags == results.flags


def test_bytes_do_not_depend_on_workers(root: Path, tmp_path: Path) -> None:
    files = predictions_in(tmp_path / "p", bits_of(12, left=4))
    files["03"].write_bytes((root / "gt" / "03.png").read_bytes())
    write_png(files["05"], np.zeros((144, 192, 3), np.uint8))
    for jobs in (1, 2):
        scored(evaluation(root, tmp_path / "p"), tmp_path / f"{jobs}.json", jobs)
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()


def test_results_of_before_have_no_remarks(root: Path, tmp_path: Path) -> None:
    scored(evaluation(root, root / "blur"), tmp_path / "r.json")
    content = json.loads((tmp_path / "r.json").read_text())
    del content["remarks"], content["configuration"]["values_as"]
    (tmp_path / "old.json").write_text(json.dumps(content))
    assert read_results(tmp_path / "old.json").remarks == ()
    (tmp_path / "wrong.json").write_text(json.dumps({**content, "remarks": [1]}))
    with pytest.raises(UserError, match=r"remarks.*expected a list of texts"):
        read_results(tmp_path / "wrong.json")


def test_far_below_the_blur_image_is_said_in_the_summary(root: Path, tmp_path: Path) -> None:
    predictions_in(tmp_path / "p", lambda image: eight(image * 0.4))
    out = ok("evaluate", "--pred", tmp_path / "p", "--data", root, "--metrics", "psnr", "--out", tmp_path / "r.json",
             "--exclude-failed", "--jobs", 1)  # fmt: skip
    assert "predictions are over 3 dB below the blur image: are range, colours and order of the files right?" in out


def test_a_dataset_of_twelve_bits_is_refused_until_it_is_said(tmp_path: Path) -> None:
    pairs_in(tmp_path / "twelve", bits_of(12))
    pairs_in(tmp_path / "sixteen", lambda image: to_pixels(image, 16))
    predictions_in(tmp_path / "p")
    refused = call("evaluate", "--pred", tmp_path / "p", "--data", tmp_path / "twelve", "--out", tmp_path / "r.json",
                   "--metrics", "psnr", "--protocol", "direct/1", "--values-as", "as-stored")  # fmt: skip
    said = [
        f"the {role} images are 12-bit values in 16-bit files: the largest sample is 4095, white is 65535; prepare the "
        "dataset with --values-as 12bit, or with --values-as as-stored if they are this dark"
        for role in ("blur", "sharp")
    ]
    assert refused.exit_code == 1
    assert "the sharp images are 12-bit values" in refused.output
    refused = call("prepare", tmp_path / "twelve", "--out", tmp_path / "d", "--recipe", "none")
    assert refused.exit_code == 1
    assert said[1] in refused.output
    assert not (tmp_path / "d").exists()
    ok("prepare", tmp_path / "twelve", "--out", tmp_path / "d", "--recipe", "none", "--values-as", "12bit")
    content = json.loads((tmp_path / "d" / "dataset.json").read_text())
    assert content["values_as"] == content["request"]["values_as"] == "12bit"
    dataset = open_dataset(tmp_path / "d")
    for pair in dataset:
        expected = read_image(tmp_path / "sixteen" / "gt" / f"{pair.name}.png")
        assert np.abs(read_image(pair.sharp) - expected).max() < 0.51 / 4095 + 1e-5
    analysed = call("analyse", "--data", tmp_path / "twelve", "--out", tmp_path / "m.csv", "--fast")
    assert said[1] in analysed.output
    ok("analyse", "--data", tmp_path / "twelve", "--out", tmp_path / "m.csv", "--fast", "--values-as", "12bit")
    assert json.loads((tmp_path / "m.json").read_text())["values_as"] == "12bit"


def test_a_dataset_that_is_as_dark_as_it_says_is_taken(tmp_path: Path) -> None:
    pairs_in(tmp_path / "dark", lambda image: to_pixels(image * 0.06, 16))
    predictions_in(tmp_path / "p", lambda image: to_pixels(image * 0.06, 16))
    with pytest.raises(UserError, match="or with --values-as as-stored if they are this dark"):
        check_values(open_dataset(tmp_path / "dark", "test").pairs, Looks(1))
    ok("prepare", tmp_path / "dark", "--out", tmp_path / "d", "--recipe", "none", "--values-as", "as-stored",
       "--split", "0.4")  # fmt: skip
    dataset = open_dataset(tmp_path / "d", "test")
    assert dataset.values_as == "as-stored"
    wanted = Evaluation(dataset, "test", tmp_path / "p", ("direct/1",), metrics=FAST, allow_missing=True)
    for file in (tmp_path / "p").iterdir():
        if file.stem not in {pair.name for pair in dataset}:
            file.unlink()
    assert scored(wanted, tmp_path / "r.json").remarks == ()


@pytest.mark.parametrize("level", [0.04, 0.2, 0.5])
def test_a_dark_scene_among_others_and_a_few_dark_scenes_pass(tmp_path: Path, level: float) -> None:
    def darker(image: np.ndarray) -> np.ndarray:
        return to_pixels(image * level, 16)

    pairs = pairs_in(tmp_path / "data", lambda image: to_pixels(image, 16))
    for pair in pairs[:5]:
        write_png(pair.blur, darker(read_image(pair.blur)))
        write_png(pair.sharp, darker(read_image(pair.sharp)))
    assert check_values(pairs, Looks(1)) == ()
    notes = check_values(pairs[:1], Looks(1))
    assert len(notes) == (2 if level < 0.25 else 0)
    assert all("if they are this dark" in note for note in notes)


@pytest.mark.parametrize(
    ("write_sharp", "words"),
    [
        (lambda image: eight(image[..., ::-1]), "red and blue are exchanged in the blur or in the sharp image"),
        (lambda image: eight(decode_srgb(image)), "beside the blur image, the sharp image is linear light, expected"),
        (bits_of(14), "beside the blur image, the sharp image is 14-bit values in 16-bit files"),
    ],
)
def test_sides_that_differ_in_values_are_refused(tmp_path: Path, write_sharp: Write, words: str) -> None:
    pairs = pairs_in(tmp_path / "data", eight, write_sharp)
    with pytest.raises(UserError) as error:
        check_values(pairs, Looks(1), where="data")
    assert words in error.value.message or "14-bit values in 16-bit files" in error.value.message
    assert check_values(pairs, Looks(1), parse_values_as("as-stored")) == ()


def test_one_pair_of_exchanged_colours_is_a_note_and_a_warning_of_analyse(tmp_path: Path) -> None:
    pairs = pairs_in(tmp_path / "data")
    write_png(pairs[0].sharp, np.ascontiguousarray(eight(scenes()["01"][..., ::-1])))
    (note,) = check_values(pairs, Looks(1))
    assert note.startswith("red and blue are exchanged in the blur or in the sharp image; write one of them again")
    assert note.endswith("(test/01 of 6 pairs looked at)")
    out = ok("analyse", "--blur", pairs[0].blur, "--sharp", pairs[0].sharp, "--out", tmp_path / "m.csv", "--fast",
             "--values-as", "as-stored")  # fmt: skip
    assert "warning: 01: beside blur, the values of sharp are in the order blue, green, red" in out


def test_images_that_cannot_be_decoded_are_left_to_who_reads_them(tmp_path: Path) -> None:
    pairs = pairs_in(tmp_path / "data")
    pairs[0].blur.write_bytes(pairs[0].blur.read_bytes()[:3000])
    assert check_values(pairs, Looks(1)) == ()


def test_a_session_of_twelve_bits_is_refused_until_it_is_said(tmp_path: Path) -> None:
    session = tmp_path / "session"
    write_pair(session, "cup", views(2)[1], bits=16)
    describe(session, ["cup"])
    for file in session.glob("*.png"):
        write_png(file, bits_of(12)(read_image(file)))
    refused = call("ingest", session, "--out", tmp_path / "raw")
    assert refused.exit_code == 1
    assert "the sharp images are 12-bit values in 16-bit files: the largest sample is " in refused.output
    assert "ingest the session with --values-as 12bit" in refused.output
    assert not (tmp_path / "raw").exists()
    ok("ingest", session, "--out", tmp_path / "raw", "--values-as", "12bit")
    assert read_pixels(next((tmp_path / "raw" / "gt").iterdir())).max() > 40000
