"""Names in Unicode's composed and decomposed forms, which look the same, are one name."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from known_cli import call, ok, rows
from known_folders import plant

from sdd_bench.datasets.catalog import check_listing, list_dataset
from sdd_bench.datasets.split import read_split_file
from sdd_bench.errors import UserError

NFC = "Grün.png"
NFD = unicodedata.normalize("NFD", NFC)
pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="this file system has one form alone")


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def test_blur_and_sharp_in_two_forms_are_a_pair_in_the_composed_one(tmp_path: Path) -> None:
    plant(tmp_path / "test" / "blur", NFD, pixels=pixels(0))
    plant(tmp_path / "test" / "gt", NFC, pixels=pixels(0))
    (pair,) = check_listing(list_dataset(tmp_path)).pairs
    assert (pair.name, pair.blur.name, pair.sharp.name) == ("Grün", NFD, NFC)
    assert len(pair.name) == 4


def test_dpdd_and_lfdof_too(tmp_path: Path) -> None:
    plant(tmp_path / "dpdd" / "test_c" / "source", f"{NFD[:-4]}1.png")
    plant(tmp_path / "dpdd" / "test_c" / "target", f"{NFC[:-4]}1.png")
    np.save(tmp_path / "dpdd" / "test_src.npy", np.array([f"{NFC[:-4]}1.png"]))
    np.save(tmp_path / "dpdd" / "test_trg.npy", np.array([f"{NFD[:-4]}1.png"]))
    assert [pair.name for pair in list_dataset(tmp_path / "dpdd").pairs] == ["Grün1"]
    plant(tmp_path / "lfdof" / "test_data" / "input" / NFD[:-4], f"{NFC[:-4]}_ap1_0.png")
    plant(tmp_path / "lfdof" / "test_data" / "ground_truth", NFC)
    listing = list_dataset(tmp_path / "lfdof")
    assert [(pair.name, pair.scene) for pair in listing.pairs] == [("Grün_ap1_0", "Grün")]
    assert not listing.faults


def test_a_folder_with_both_is_a_fault(tmp_path: Path) -> None:
    plant(tmp_path / "test" / "blur", NFD, NFC)
    plant(tmp_path / "test" / "gt", NFC)
    words = "are one name, its letters composed in one and decomposed in the other \\(Unicode's NFC and NFD\\)"
    with pytest.raises(UserError, match=f"(?s)test/blur: .*{words}"):
        check_listing(list_dataset(tmp_path))


def test_lists_name_pairs_in_either_form(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text(f"name,split\n{NFD[:-4]},test\n")
    assert read_split_file(tmp_path / "split.csv", ["Grün"]) == {"Grün": "test"}
    plant(tmp_path / "blur", NFC)
    plant(tmp_path / "gt", NFC)
    (tmp_path / "places.csv").write_text(f"name,place\n{NFD[:-4]},indoor\n")
    assert [pair.place for pair in list_dataset(tmp_path).pairs] == ["indoor"]


def test_predictions_in_the_other_form_are_scored(tmp_path: Path) -> None:
    for role in ("blur", "gt"):
        plant(tmp_path / "data" / "test" / role, NFD, pixels=pixels(0))
    plant(tmp_path / "pred", NFD, pixels=pixels(0))
    asked = ("evaluate", "--protocol", "direct/1", "--metrics", "psnr", "--jobs", "1", "--data", tmp_path / "data")
    ok(*asked, "--pred", tmp_path / "pred", "--out", tmp_path / "r.json")
    assert [row["name"] for row in rows(tmp_path / "r.csv")] == ["Grün"]


def test_predict_names_its_images_in_the_composed_form_and_once(tmp_path: Path) -> None:
    plant(tmp_path / "in", NFC, NFD)
    result = call("predict", "--checkpoint", tmp_path / "none.pt", "--images", tmp_path / "in", "--out", tmp_path / "o")
    assert result.exit_code in (1, 2)
    if result.exit_code == 1:
        assert "another image of that name, whose prediction would be the same file" in result.output
