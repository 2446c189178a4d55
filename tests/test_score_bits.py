"""Bits of predictions: rounded to 8 for the scores, recorded in results, and never mixed in one table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result
from known_results import write_results
from numpy.typing import NDArray

import sdd_bench as sb
from leaderboard.comparable import check_comparable
from leaderboard.csv_files import leaderboard_csv
from leaderboard.entry import entry_of, read_entry
from leaderboard.formats import latex
from leaderboard.pack import write_entry
from leaderboard.rules import more_rules
from leaderboard.table import build_board
from leaderboard.verification import verify_entry
from sdd_bench.cli import root as cli
from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.errors import UserError
from sdd_bench.evaluation.plan import Evaluation
from sdd_bench.evaluation.results import Method, Results, read_results
from sdd_bench.io.files import file_sha256
from sdd_bench.io.images import at_most_bits, to_pixels, write_png

NAMES = ("a", "b")
SIZE = (48, 64)


def scene(seed: int) -> NDArray[np.float64]:
    """Smooth random texture in [0.1, 0.9]."""
    import cv2

    noise = cv2.GaussianBlur(np.random.default_rng(seed).random((*SIZE, 3)), (0, 0), 2.0)
    return np.asarray(0.1 + 0.8 * (noise - noise.min()) / (noise.max() - noise.min()))


def restored(name: str) -> NDArray[np.float64]:
    """A prediction with values between the levels of 8 bits."""
    return scene(NAMES.index(name)) * 0.97 + 0.0137


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs of 16 bits, and the same predictions of 8 bits, 16 bits and floating point."""
    root = tmp_path_factory.mktemp("bits")
    for seed, name in enumerate(NAMES):
        sharp = scene(seed)
        write_png(root / f"test/gt/{name}.png", to_pixels(sharp, 16))
        write_png(root / f"test/blur/{name}.png", to_pixels(sharp * 0.9 + 0.05, 16))
        write_png(root / f"eight/{name}.png", at_most_bits(to_pixels(restored(name), 16), 8))
        write_png(root / f"sixteen/{name}.png", to_pixels(restored(name), 16))
        (root / "floating").mkdir(exist_ok=True)
        tifffile.imwrite(root / f"floating/{name}.tif", restored(name).astype(np.float32), photometric="rgb")
    return root


def scored(data: Path, pred: str, **options: object) -> Results:
    return sb.evaluate(data / pred, data, protocol="direct/1", metrics=["psnr", "ssim", "mae"], **options)


def numbers(results: Results) -> list[list[float]]:
    return results.rows[["psnr_db", "ssim", "mae"]].to_numpy().tolist()


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_samples_of_16_bits_are_rounded_to_the_nearest_of_8_and_others_kept() -> None:
    every = np.arange(65536, dtype=np.uint16).reshape(-1, 1, 1)
    assert np.array_equal(at_most_bits(every, 8), np.rint(every / 257).astype(np.uint8))
    assert at_most_bits(every, 16) is every
    eight = np.zeros((1, 1, 3), np.uint8)
    assert at_most_bits(eight, 8) is eight
    with pytest.raises(ValueError, match="bits must be 8 or 16, not 12"):
        at_most_bits(eight, 12)


def test_predictions_of_16_bits_and_floating_point_score_as_those_of_8(data: Path) -> None:
    eight, sixteen, floating = (scored(data, pred) for pred in ("eight", "sixteen", "floating"))
    assert numbers(eight) == numbers(sixteen) == numbers(floating)
    own = scored(data, "sixteen", score_bits=16)
    assert numbers(own) != numbers(sixteen)
    truth, best = (sb.read_image(data / f"{folder}/a.png") for folder in ("test/gt", "sixteen"))
    expected = sb.score(best, truth, metrics=["psnr", "ssim", "mae"])
    assert numbers(own)[0] == list(expected.values())
    assert numbers(sixteen)[0] == list(sb.score(best, truth, metrics=["psnr", "ssim", "mae"], score_bits=8).values())


def test_scores_of_8_bits_do_not_depend_on_the_bits_that_are_scored(data: Path) -> None:
    assert numbers(scored(data, "eight")) == numbers(scored(data, "eight", score_bits=16))


def test_results_say_bits_size_and_how_files_were_read(data: Path) -> None:
    said = {pred: scored(data, pred) for pred in ("eight", "sixteen", "floating")}
    assert {r.configuration["score_bits"] for r in said.values()} == {8}
    assert said["eight"].predictions == {"predictions_bits": "8", "evaluated_size": "64x48", "notes": []}
    rounded = "2 files: more than 8 bits rounded to 8 for the scores"
    assert said["sixteen"].predictions["predictions_bits"] == "16"
    assert said["sixteen"].predictions["notes"] == [rounded]
    assert said["floating"].predictions["predictions_bits"] == "32 (floating point)"
    assert said["floating"].predictions["notes"] == [
        "2 files: 32-bit floating point rounded to 16 bits as they are read", rounded
    ]  # fmt: skip
    assert scored(data, "sixteen", score_bits=16).predictions["notes"] == []
    cut = sb.evaluate(data / "eight", data, protocol="direct/1", metrics="psnr", crop_multiple=20)
    assert cut.predictions["evaluated_size"] == "60x40"


def test_notes_name_orientation_and_values(data: Path, tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / "turned"
    folder.mkdir()
    for name in NAMES:
        turned = Image.fromarray(np.rot90(at_most_bits(to_pixels(restored(name), 16), 8)).copy())
        exif = Image.Exif()
        exif[0x0112] = 6  # shown rotated to the right
        turned.save(folder / f"{name}.png", exif=exif)
    found = scored(data, str(folder), values_as="as-stored")
    assert found.predictions["notes"] == ["2 files: turned upright by the orientation tag"]
    assert numbers(found) == numbers(scored(data, "eight"))
    for name in NAMES:
        write_png(tmp_path / f"bgr/{name}.png", at_most_bits(to_pixels(restored(name), 16), 8)[..., ::-1])
    other = scored(data, str(tmp_path / "bgr"), values_as="bgr")
    assert other.predictions["notes"] == ["2 files: read as bgr"]
    assert numbers(other) == numbers(scored(data, "eight"))


def test_images_of_a_function_are_rounded_to_8_bits(data: Path) -> None:
    def method(blur: NDArray[np.float32]) -> NDArray[np.float64]:
        first = np.abs(blur - sb.read_image(data / "test/blur/a.png")).max() == 0
        return restored("a" if first else "b")

    options = {"protocol": "direct/1", "metrics": ["psnr", "ssim", "mae"]}
    plain = sb.evaluate(method, data, **options)
    assert numbers(plain) == numbers(scored(data, "eight"))
    assert plain.predictions["predictions_bits"] == "8"
    fine = sb.evaluate(method, data, score_bits=16, **options)
    assert numbers(fine) == numbers(scored(data, "sixteen", score_bits=16))
    assert fine.predictions["predictions_bits"] == "16"
    assert numbers(sb.evaluate(method, data, bits=16, **options)) == numbers(plain)
    with pytest.raises(ValueError, match="score_bits=12, expected 8 or 16"):
        sb.evaluate(method, data, score_bits=12)
    with pytest.raises(ValueError, match="score_bits=1, expected 8 or 16, or None"):
        sb.score(np.zeros((16, 16, 3)), np.zeros((16, 16, 3)), score_bits=1)


def test_results_of_different_bits_share_no_table_and_no_name(data: Path, tmp_path: Path) -> None:
    common = ("evaluate", "--data", data, "--protocol", "direct/1", "--metrics", "psnr", "--out", f"{tmp_path}/")
    assert run(*common, "--pred", data / "eight", "--method", "eight").exit_code == 0
    made = run(*common, "--pred", data / "sixteen", "--method", "sixteen", "--score-bits", 16)
    assert made.exit_code == 0, made.output
    assert "rounded" not in made.output
    rounded = run(*common, "--pred", data / "sixteen", "--method", "rounded")
    assert "note: predictions, 2 files: more than 8 bits rounded to 8 for the scores" in rounded.output
    next(tmp_path.glob("rounded.*.json")).unlink()
    files = sorted(tmp_path.glob("*.json"))
    assert [f.name for f in files] == ["eight.pairs-test.direct-1.json", "sixteen.pairs-test.direct-1-score16bits.json"]
    with pytest.raises(UserError, match=r"in score_bits \(16 against 8\)"):
        check_comparable([read_entry(file) for file in files])
    refused = run("leaderboard", *files, "--out", tmp_path / "board.csv")
    assert refused.exit_code == 1
    assert "score_bits (16 against 8)" in refused.output
    assert run("evaluate", "--pred", data / "eight", "--data", data, "--score-bits", 12).exit_code == 2


def test_bits_and_size_are_columns_and_the_caption_says_that_16_were_rounded(data: Path) -> None:
    entries = [entry_of(scored(data, pred), pred) for pred in ("eight", "sixteen")]
    board = build_board(entries)
    told = board.rows.set_index("method")[["score_bits", "predictions_bits", "evaluated_size"]]
    assert told.loc["eight"].tolist() == [8, "8", "64x48"]
    assert told.loc["sixteen"].tolist() == [8, "16", "64x48"]
    header, *lines = leaderboard_csv(board.rows).splitlines()
    assert "n_images,score_bits,predictions_bits,evaluated_size,psnr_db" in header
    assert any("direct/1,2,8,16,64x48," in line for line in lines)
    assert "Predictions of more than 8 bits are rounded to 8 before they are scored." in more_rules(board)
    alone = build_board([entry_of(scored(data, "sixteen", score_bits=16), "sixteen")])
    assert "Predictions are scored with 16 bits, as their files have them." in more_rules(alone)
    assert "Scored with 16 bits." in latex(alone)
    assert "Scored with" not in latex(board)


def test_results_of_versions_without_the_fields_are_read_and_taken_as_of_8_bits(data: Path, tmp_path: Path) -> None:
    path = write_results(tmp_path, "older", [20.0, 21.0])
    content = json.loads(path.read_text())
    del content["predictions"]
    path.write_text(json.dumps(content))
    older = read_entry(path)
    assert (older.table.score_bits, older.predictions_bits, older.evaluated_size) == (8, "", "")
    assert read_results(path).predictions == {}
    new = entry_of(scored(data, "eight"), "eight")
    board = build_board([replace(older, table=new.table, rows=new.rows, means=new.means), new])
    words = "Results that do not say how many bits predictions have are taken as of 8: older."
    assert words in more_rules(board)


def test_a_results_file_with_other_bits_is_damaged(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    scored(data, "eight").save(path)
    assert read_results(path) == scored(data, "eight")
    path.write_text(path.read_text().replace('"score_bits": 8', '"score_bits": 12'))
    with pytest.raises(UserError, match=r"damaged results file .*score_bits"):
        read_results(path)


def entry_in(folder: Path, data: Path, score_bits: int) -> Path:
    """An entry of the predictions of 16 bits."""
    meta = folder / "meta.toml"
    meta.write_text('name = "Mine"')
    asked = Evaluation(
        open_dataset(data, "test"), "test", data / "sixteen", ("direct/1",), metrics=("psnr_db", "ssim", "mae"),
        method=Method("Mine"), score_bits=score_bits,
    )  # fmt: skip
    write_entry(asked, meta, folder / "entry", {"direct/1": "r.json"}, 1)
    return folder / "entry"


def test_an_entry_is_verified_with_the_bits_it_was_scored_with(data: Path, tmp_path: Path) -> None:
    for score_bits in (8, 16):
        (tmp_path / str(score_bits)).mkdir()
        entry = entry_in(tmp_path / str(score_bits), data, score_bits)
        assert verify_entry(entry, data / "sixteen", data, 1) == []
        with pytest.raises(UserError, match="holds another"):
            entry_in(tmp_path / str(score_bits), data, 24 - score_bits)


def test_an_entry_of_a_version_that_did_not_round_is_verified_without_rounding(data: Path, tmp_path: Path) -> None:
    entry = entry_in(tmp_path, data, 16)
    results, said = (json.loads((entry / name).read_text()) for name in ("results/r.json", "entry.json"))
    del results["predictions"], results["configuration"]["score_bits"], said["configuration"]["score_bits"]
    (entry / "results/r.json").write_text(json.dumps(results))
    said["files"]["results/r.json"] = file_sha256(entry / "results/r.json")
    (entry / "entry.json").write_text(json.dumps(said))
    assert verify_entry(entry, data / "sixteen", data, 1) == []
    said["configuration"]["score_bits"] = 8  # not the value used for scoring
    (entry / "entry.json").write_text(json.dumps(said))
    assert any("psnr_db is" in line for line in verify_entry(entry, data / "sixteen", data, 1))
