"""Folders as the released code of each method writes them: scored correctly as they are, or refused with advice.

The output of each method was determined from the sources that the table of `naming.methods` names. KPAC and GRL are
missing, because their output has not been determined.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from known_namings import COUNT, Image, match, numbers_of, restored, scene, write_dataset, write_predictions

from sdd_bench.cli import root
from sdd_bench.datasets.manifest import Dataset, Pair
from sdd_bench.errors import UserError
from sdd_bench.evaluation.evaluate import score_predictions
from sdd_bench.evaluation.naming.methods import METHODS, naming_of
from sdd_bench.evaluation.plan import Evaluation
from sdd_bench.io.images import to_pixels, write_png
from sdd_bench.metrics.fidelity import psnr_db

ORDER_ON_DISK = [7, 2, 11, 0, 5, 9, 4, 1, 8, 10, 6, 3]


def blur_name(number: int) -> str:
    """Name as in DPDD, whose sides differ by one."""
    return f"1P0A{1000 + 3 * number}"


def sharp_name(number: int) -> str:
    return f"1P0A{1001 + 3 * number}"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    return write_dataset(tmp_path_factory.mktemp("dpdd"), blur_name, sharp_name)


def whole(image: Image) -> Image:
    return image


def corner(multiple: int) -> Callable[[Image], Image]:
    return lambda image: image[: image.shape[0] // multiple * multiple, : image.shape[1] // multiple * multiple]


def middle(image: Image) -> Image:
    return image[2:74, 2:98]  # 100x76 to 96x72


def padded(image: Image) -> Image:
    return np.pad(image, ((0, 4), (0, 12), (0, 0)), "reflect")


@dataclass(frozen=True)
class Writes:
    """Folder of a method.

    Attributes:
        call: Number of an image to its file.
        change: Change that the code makes to the restored image.
        beside: Number of an image to additional files and their contents.
        rule: Rule by which it is matched without options.
        needs: Options that it needs because of its sizes, with the words of the message that names them.
        bits: Bits of the files.
        alpha: Whether they have an opaque fourth channel.
        order: Order of the images on the disk, if it matters.
    """

    call: Callable[[int], str]
    change: Callable[[Image], Image] = whole
    beside: dict[str, Callable[[int], Image]] = field(default_factory=dict)
    rule: str = "names"
    needs: str = ""
    crop: str = ""
    bits: int = 8
    alpha: bool = False
    order: list[int] = field(default_factory=lambda: list(range(COUNT)))


def truth(number: int) -> Image:
    return scene(number)


def blur(number: int) -> Image:
    return np.asarray(cv2.GaussianBlur(scene(number), (0, 0), 1.5), np.float32)


def flat(_: int) -> Image:
    return np.full((76, 100, 3), 0.25, np.float32)


TO_8 = "--crop-multiple 8, or --pred-crop top-left"
TO_16 = "--crop-multiple 16 or 32, or --pred-crop top-left"
PADDED_16 = "padded to multiples of 16? --pred-crop top-left"

FOLDERS = {
    "jnb": Writes(lambda n: f"{n + 1:02d}.png", rule="order"),
    "ebdb": Writes(lambda n: f"{n + 1:02d}.png", rule="order"),
    "dmenet": Writes(lambda n: f"output/DPDD/{n:02d}.png", rule="order"),
    "dpdnet": Writes(
        lambda n: f"{n}_p.png", beside={"{}_i.png": blur, "{}_g.png": truth}, rule="order", bits=16
    ),
    "ifan": Writes(lambda n: f"output/png/{n:02d}.png", corner(8), rule="order", needs=TO_8, crop="top-left"),
    "drbnet": Writes(lambda n: f"output/{blur_name(n)}.png", corner(16), needs=TO_16, crop="top-left"),
    "nrknet": Writes(lambda n: f"{n:04d}.png", padded, rule="order", needs=PADDED_16, crop="top-left"),
    "iniknet": Writes(lambda n: f"{n:04d}.png", padded, rule="order", needs=PADDED_16, crop="top-left"),
    "mprnet": Writes(lambda n: f"{blur_name(n)}.png"),
    "restormer": Writes(lambda n: f"{sharp_name(n)}.png", rule="sharp names"),
    "loformer": Writes(lambda n: f"{blur_name(n)}.png"),
    "dmphn": Writes(lambda n: f"{blur_name(n)}.png", corner(8), needs=TO_8, crop="top-left"),
    "did-anet": Writes(lambda n: f"{blur_name(n)}deblur.png", beside={"{}defest.png": flat}, alpha=True),
    "nafnet": Writes(lambda n: f"visualization/DPDD/{blur_name(n)}.png", beside={"{}_gt.png": truth}),
    "lakdnet": Writes(lambda n: f"output/{blur_name(n)}.png"),
    "sfnet": Writes(lambda n: f"{blur_name(n)}.png"),
    "uformer": Writes(lambda n: f"{blur_name(n)}.PNG"),
    "basicsr": Writes(lambda n: f"visualization/DPDD/{blur_name(n)}_test_Swintormer_map.png"),
    "defocusgan": Writes(lambda n: f"{sharp_name(n)}_recover.png", rule="sharp names", bits=16),
    "jdrl": Writes(
        lambda n: f"{n}_output.png", corner(16), {"{}.png": blur, "{}_wgt.png": truth, "{}_gt.png": truth}, "content",
        TO_16, "top-left", order=ORDER_ON_DISK,
    ),
    "jdrl-mprnet": Writes(
        lambda n: f"{n}_output.png", middle, {"{}.png": blur, "{}_wgt.png": truth, "{}_gt.png": truth}, "content",
        "--pred-crop centre", "centre", order=ORDER_ON_DISK,
    ),
    "cldefocus": Writes(lambda n: f"img/MODEL/TRAIN/TEST/{sharp_name(n)}.png", rule="sharp names"),
}  # fmt: skip


def write(folder: Path, own: Writes) -> Path:
    """Write the folder; files are numbered in the order in which the code finds the images."""
    for place, number in enumerate(own.order):
        path = folder / own.call(place)
        pixels = to_pixels(own.change(restored(number)), own.bits)
        path.parent.mkdir(parents=True, exist_ok=True)
        if own.alpha:
            cv2.imwrite(str(path), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGRA))
        else:
            write_png(path, pixels)
        stem = path.stem.removesuffix("_p").removesuffix("deblur").removesuffix("_output")
        for called, made in own.beside.items():
            write_png(path.parent / called.format(stem), to_pixels(own.change(made(number))))
    return folder


def test_every_method_of_the_table_has_a_folder_here() -> None:
    assert FOLDERS.keys() == METHODS.keys()


@pytest.mark.parametrize("method", METHODS)
def test_the_page_on_folders_has_every_method(method: str) -> None:
    own = METHODS[method]
    with (Path(__file__).parent.parent / "docs/reference/data/naming-methods.csv").open(encoding="utf-8") as file:
        (row,) = [row for row in csv.DictReader(file) if row["naming"] == method]
    words = {"names": "blur image", "sharp names": "sharp image", "order": "order", "content": "content"}[own.rule]
    assert row["matched by"].startswith(words)
    assert own.pattern == "{name}" or own.pattern in row["matched by"]
    assert str(own.multiple) in row["sizes"] if own.multiple > 1 else " to " not in row["sizes"]


@pytest.mark.parametrize("method", METHODS)
def test_a_methods_folder_is_matched_as_it_lies(method: str, tmp_path: Path, pairs: list[Pair]) -> None:
    own = FOLDERS[method]
    folder = write(tmp_path / "p", own)
    if own.needs:
        with pytest.raises(UserError) as caught:
            match(folder, pairs)
        assert "12 problems: 12 of another size" in caught.value.message
        assert own.needs in caught.value.message
    found = match(folder, pairs, pred_crop=own.crop)
    assert (found.rule, numbers_of(found, pairs)) == (own.rule, list(range(COUNT)))
    assert sorted(found.companions.values()) == [COUNT] * len(own.beside)


@pytest.mark.parametrize("method", METHODS)
def test_its_name_is_all_that_has_to_be_said(method: str, tmp_path: Path, pairs: list[Pair]) -> None:
    own = FOLDERS[method]
    found = match(write(tmp_path / "p", own), pairs, method=method.upper())
    assert numbers_of(found, pairs) == list(range(COUNT))
    assert sum(found.companions.values()) + found.passed_over == COUNT * len(own.beside)


def scored(folder: Path, pairs: list[Pair], **more: object) -> dict[str, float]:
    evaluation = Evaluation(
        Dataset("dpdd", folder, tuple(pairs)), "test", folder, ("direct/1",), metrics=("psnr_db",), **more
    )  # type: ignore[arg-type]
    results = score_predictions(evaluation)[0]
    return {str(row["name"]): float(row["psnr_db"]) for row in results.images}  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["nrknet", "jdrl", "jdrl-mprnet", "dpdnet"])
def test_cut_predictions_score_where_they_lie(method: str, tmp_path: Path, pairs: list[Pair]) -> None:
    own = FOLDERS[method]
    parts = {"nrknet": np.s_[:, :], "jdrl": np.s_[:64, :96], "jdrl-mprnet": np.s_[2:74, 2:98], "dpdnet": np.s_[:, :]}
    found = scored(write(tmp_path / "p", own), pairs, naming=method)
    top = 255 if own.bits == 8 else 65535
    for number, pair in enumerate(pairs):
        written = to_pixels(restored(number), own.bits)
        eight = np.round(written / (top / 255))  # more bits are rounded to 8 for the score
        shown = np.float32(eight) / np.float32(255)
        sharp = np.float32(to_pixels(scene(number))) / np.float32(255)
        part = parts[method]
        assert found[pair.name] == psnr_db(shown[part], sharp[part]), number


def test_portraits_that_were_turned_are_called_turned(tmp_path: Path, pairs: list[Pair]) -> None:
    folder = write(tmp_path / "p", FOLDERS["defocusgan"])
    write_predictions(folder, {4: f"{sharp_name(4)}_recover.png"}, lambda image: np.rot90(image))
    with pytest.raises(UserError, match=r"1P0A1012: prediction is 76x100, expected 100x76 \(turned by 90 degrees\)"):
        match(folder, pairs)


def test_the_table_is_shown_and_unknown_methods_are_told_with_the_nearest() -> None:
    shown = CliRunner().invoke(root, ["evaluate", "--naming", "list"])
    assert shown.exit_code == 0, shown.output
    assert len(shown.output.splitlines()) == 1 + len(METHODS)
    assert "restormer    <sharp image>" in shown.output
    assert "swintormer" not in METHODS
    assert naming_of("Swintormer") is METHODS["basicsr"]
    with pytest.raises(
        UserError, match=r"--naming: unknown method 'restomer', did you mean 'restormer'\?; --naming list"
    ):
        naming_of("restomer")
