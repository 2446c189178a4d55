"""Layouts of other people's copies and of further datasets; datasets without ground truth are named as such."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from known_folders import named, plant

from sdd_bench.cli import root as cli
from sdd_bench.datasets.catalog import list_dataset, open_dataset
from sdd_bench.datasets.known import LAYOUTS
from sdd_bench.datasets.plan import Choices
from sdd_bench.datasets.prepare_source import prepare_source
from sdd_bench.errors import UserError


@pytest.mark.parametrize("folder", ["Ground_Truth_Data/", ""])
def test_rtf_as_its_zip_has_it(tmp_path: Path, folder: str) -> None:
    plant(tmp_path, *(f"{folder}{role}_{n:02d}.png" for role in ("image", "sharp") for n in (1, 2, 10)))
    listing = list_dataset(tmp_path)
    assert (listing.name, listing.layout, listing.faults) == ("rtf", "zip", ())
    assert [(p.split, p.name, p.sharp.name) for p in listing.pairs] == [
        ("test", f"image_{n:02d}", f"sharp_{n:02d}.png") for n in (1, 2, 10)
    ]
    assert listing.notes == ("test: 3 pairs, RTF has 22",)


def test_rtf_zip_faults_and_what_lies_beside(tmp_path: Path) -> None:
    folder = tmp_path / "Ground_Truth_Data"
    plant(folder, "image_01.png", "image_1.png", "sharp_01.png", "image_02.png", "sharp_03.png", "map_03.png")
    plant(tmp_path, "Noisy_Blurred_Images/image_01.png", "image_02.png")
    listing = list_dataset(tmp_path)
    assert listing.pairs == ()
    assert set(listing.faults) == {
        "Ground_Truth_Data: image_01.png, image_1.png have the same number 1",
        "Ground_Truth_Data/image_02.png: no partner in Ground_Truth_Data, sharp_NN",
        "Ground_Truth_Data/sharp_03.png: no partner in Ground_Truth_Data, image_NN",
    }
    assert listing.notes == ("Ground_Truth_Data/map_03.png: passed over, named neither image_NN nor sharp_NN",)


@pytest.mark.parametrize("inner", ["DPDD/", ""])
def test_restormers_dpdd_patches_and_whole_test_images(tmp_path: Path, inner: str) -> None:
    plant(
        tmp_path,
        *(f"train/{inner}{role}_crops/1P0A0917-{k}.png" for role in ("inputC", "inputL", "target") for k in (1, 2)),
        *(f"val/{inner}{role}_crops/1P0A0984.png" for role in ("inputC", "target")),
        *(f"test/{inner}{role}/{n}.png" for role in ("inputC", "inputL", "target") for n in (1, 2, 10)),
    )
    listing = list_dataset(tmp_path)
    assert (listing.name, listing.layout, listing.faults) == ("dpdd", "Restormer", ())
    assert named(listing.pairs, tmp_path) == [
        *(("test", n, f"test/{inner}inputC/{n}.png", f"test/{inner}target/{n}.png") for n in ("1", "10", "2")),
        *(
            ("train_patches", name, *(f"train/{inner}{role}_crops/{name}.png" for role in ("inputC", "target")))
            for name in ("1P0A0917-1", "1P0A0917-2")
        ),
        ("val", "1P0A0984", f"val/{inner}inputC_crops/1P0A0984.png", f"val/{inner}target_crops/1P0A0984.png"),
    ]
    assert listing.notes == ("test: 3 pairs, DPDD has 76", "val: 1 pairs, DPDD has 74")


def test_restormers_test_folder_alone_and_whole_images_before_patches(tmp_path: Path) -> None:
    plant(tmp_path / "test", "inputC/1.png", "target/1.png")
    assert [(p.split, p.name) for p in list_dataset(tmp_path / "test").pairs] == [("test", "1")]
    plant(tmp_path / "b", *(f"train/{r}/1.png" for r in ("inputC", "target", "inputC_crops", "target_crops")))
    listing = list_dataset(tmp_path / "b")
    assert [(p.split, p.blur.parent.name) for p in listing.pairs] == [("train", "inputC")]
    assert "train/inputC_crops: passed over, the whole images are there" in listing.notes


def test_restormers_folders_with_the_names_of_the_release_are_paired_by_order(tmp_path: Path) -> None:
    pairs = [("1P0A0917", "1P0A0916"), ("1P0A0984", "1P0A0985"), ("1P0A1444", "1P0A1445")]
    plant(tmp_path, *(f"test/inputC/{a}.png" for a, _ in pairs), *(f"test/target/{b}.png" for _, b in pairs))
    assert [(p.name, p.sharp.stem) for p in list_dataset(tmp_path).pairs] == pairs
    (tmp_path / "test/target/1P0A0985.png").unlink()
    listing = list_dataset(tmp_path)
    assert listing.pairs == ()
    assert listing.faults == (
        "test: 3 images in inputC, 2 in target (without a partner: inputC 1P0A0984); "
        "give the lists file_names/test_src.npy and test_trg.npy",
    )


def test_restormers_dpdd_names_what_has_no_partner(tmp_path: Path) -> None:
    plant(tmp_path, *(f"test/{r}/{n}.png" for r in ("inputC", "target") for n in (1, 2, 3)), "test/inputC/4.png")
    assert list_dataset(tmp_path).faults == ("test/inputC/4.png: no partner in test/target",)


def places_of(root: Path) -> dict[str, str]:
    return {pair.name: pair.place for pair in list_dataset(root).pairs}


@pytest.mark.parametrize("first", [0, 1])
def test_indoor_and_outdoor_lists_hold_positions_in_natural_order(tmp_path: Path, first: int) -> None:
    plant(tmp_path, *(f"test/{role}/{n}.png" for role in ("inputC", "target") for n in (1, 2, 10)))
    np.save(tmp_path / "test/indoor_labels.npy", np.array([first + 2]))
    np.save(tmp_path / "test/outdoor_labels.npy", np.array([first, first + 1]))
    assert places_of(tmp_path) == {"1": "outdoor", "2": "outdoor", "10": "indoor"}


def test_lists_of_places_of_the_release_and_places_csv_wins(tmp_path: Path) -> None:
    pairs = [("1P0A0917", "1P0A0916"), ("1P0A0984", "1P0A0985")]
    plant(tmp_path, *(f"test_c/source/{a}.png" for a, _ in pairs), *(f"test_c/target/{b}.png" for _, b in pairs))
    (tmp_path / "indoor_labels.txt").write_text("1P0A0985.png (1120,1680,3)\n")
    (tmp_path / "outdoor_labels.txt").write_text("1P0A0917\n")
    assert places_of(tmp_path) == {"1P0A0917": "outdoor", "1P0A0984": "indoor"}
    (tmp_path / "places.csv").write_text("name,place\n1P0A0917,indoor\n")
    assert places_of(tmp_path) == {"1P0A0917": "indoor", "1P0A0984": "indoor"}


@pytest.mark.parametrize(
    ("indoor", "outdoor", "note"),
    [
        ([1], [2, 4], "passed over, they do not number 3 images, each once"),
        ([1, 2], [2, 3], "passed over, they do not number 3 images, each once"),
        (["1", "2"], ["2", "3"], "passed over, 2 is in both"),
        (["1"], ["2"], "1 of 3 images are in neither"),
    ],
)
def test_lists_of_places_that_do_not_fit_are_said(tmp_path: Path, indoor: list, outdoor: list, note: str) -> None:
    plant(tmp_path, *(f"test/{role}/{n}.png" for role in ("inputC", "target") for n in (1, 2, 3)))
    for name, content in (("indoor", indoor), ("outdoor", outdoor)):
        np.save(tmp_path / f"{name}_labels.npy", np.array(content))
    listing = list_dataset(tmp_path)
    assert f"indoor_labels.npy and outdoor_labels.npy: {note}" in listing.notes
    assert [p.place for p in listing.pairs if p.place] == (["indoor", "outdoor"] if "neither" in note else [])


def test_a_list_of_places_that_is_none_is_refused(tmp_path: Path) -> None:
    plant(tmp_path, "test/inputC/1.png", "test/target/1.png")
    np.save(tmp_path / "indoor_labels.npy", np.array([0.5]))
    np.save(tmp_path / "outdoor_labels.npy", np.array([1]))
    with pytest.raises(UserError, match=r"indoor_labels.npy: not a numpy array of positions or names"):
        list_dataset(tmp_path)


def test_input_and_target_with_and_without_splits(tmp_path: Path) -> None:
    plant(tmp_path / "flat", "input/a.png", "target/a.png")
    plant(tmp_path / "split", *(f"{s}/{r}/{s}.png" for s in ("train", "test") for r in ("input", "target")))
    flat, split = list_dataset(tmp_path / "flat"), list_dataset(tmp_path / "split")
    assert (flat.name, flat.layout) == (split.name, split.layout) == ("pairs", "input and target")
    assert [(p.split, p.name, p.sharp.parent.name) for p in flat.pairs] == [("", "a", "target")]
    assert [(p.split, p.name) for p in split.pairs] == [("test", "test"), ("train", "train")]
    plant(tmp_path / "flat", "target/b.png")
    assert list_dataset(tmp_path / "flat").faults == ("target/b.png: no partner in input",)
    assert [p.split for p in open_dataset(tmp_path / "split", "test").pairs] == ["test"]


def test_realbokeh_wide_apertures_are_the_blur_images(tmp_path: Path) -> None:
    for split in ("train", "validation"):
        plant(tmp_path / split, "in/7_f22.png", *(f"gt/7/7_f{n}.png" for n in ("2.0", "5.6", "16")), "in/9_f22.png")
    plant(tmp_path / "train", "gt/8/8_f2.0.png", "in/odd.png")
    listing = list_dataset(tmp_path)
    assert (listing.name, listing.layout) == ("realbokeh", "released")
    assert named(listing.pairs, tmp_path) == [
        (split, f"7_f{n}", f"{folder}/gt/7/7_f{n}.png", f"{folder}/in/7_f22.png")
        for split, folder in (("train", "train"), ("val", "validation"))
        for n in ("16", "2.0", "5.6")
    ]
    assert {p.scene for p in listing.pairs} == {"7"}
    assert set(listing.faults) == {
        "train/in/odd.png: not named ID_fN, scene and aperture",
        "train/gt/8: 1 images without a partner 8 in train/in",
    }
    assert "train/in/9_f22.png: has no inputs" in listing.notes


def test_realbokeh_is_prepared_with_one_sharp_image_for_a_scene(tmp_path: Path) -> None:
    plant(tmp_path / "a", *(f"test/gt/7/7_f{n}.png" for n in ("2.0", "16")), "test/in/7_f22.png")
    _, target, _ = prepare_source(tmp_path / "a", Choices(recipe="none"), tmp_path / "out", 1)
    found = open_dataset(target, "test")
    assert [(p.name, p.sharp.name, p.scene) for p in found] == [(n, "7_f22.png", "7") for n in ("7_f16", "7_f2.0")]


@pytest.mark.parametrize("words", [["prepare", "{}"], ["analyse", "--data", "{}"], ["anchor", "--data", "{}"]])
def test_cuhk_is_named_with_the_command_that_takes_it(tmp_path: Path, words: list[str]) -> None:
    plant(tmp_path / "cuhk", "image/out_of_focus0001.png", "image/out_of_focus0002.png", "image/motion0001.png")
    plant(tmp_path / "cuhk", "gt/out_of_focus0001.png", pixels=np.zeros((16, 16), np.uint8))
    found = CliRunner().invoke(cli, [word.format(tmp_path / "cuhk") for word in words])
    assert found.exit_code == 1
    root = tmp_path / "cuhk"
    assert found.output == (
        f"Error: {root}: CUHK has blurred photographs (2 out of focus, 1 blurred by motion) and masks of what is "
        "blurred, but no sharp images. It cannot be prepared, analysed, anchored or scored, because every protocol "
        "compares with a sharp image. Restore them: sdd-bench predict --checkpoint FILE "
        f"--images {root}/image --out DIR\n"
    )


def test_a_folder_around_a_dataset_names_the_folder_to_give(tmp_path: Path) -> None:
    plant(tmp_path / "download/dd_dp_dataset_png", "test_c/source/1.png", "test_c/target/1.png")
    with pytest.raises(UserError, match=r"dd_dp_dataset_png has the layout of dpdd; give that folder"):
        list_dataset(tmp_path / "download")


def test_every_layout_stands_in_the_documentation() -> None:
    page = (Path(__file__).parent.parent / "docs" / "reference" / "datasets.md").read_text(encoding="utf-8")
    assert [name for name in LAYOUTS if f"| `{name}` |" not in page] == []
