"""DPDD: paired by order or by its lists, all faults named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from known_folders import plant

from sdd_bench.datasets.catalog import list_dataset
from sdd_bench.errors import UserError

DPDD = [
    ("1P0A0917", "1P0A0916"),
    ("1P0A0984", "1P0A0985"),
    ("1P0A1444", "1P0A1445"),
    ("1P0A1979", "1P0A1980"),
    ("1P0A1983", "1P0A1985"),
    ("1P0A1987", "1P0A1986"),
    ("1P0A2003", "1P0A2002"),
]


def plant_dpdd(root: Path, pairs: list[tuple[str, str]] = DPDD, split: str = "test") -> Path:
    folder = f"{split}_c"
    return plant(root, *(f"{folder}/source/{a}.png" for a, _ in pairs), *(f"{folder}/target/{b}.png" for _, b in pairs))


def test_dpdd_by_order_takes_the_one_pair_that_is_two_apart(tmp_path: Path) -> None:
    listing = list_dataset(plant_dpdd(tmp_path))
    assert (listing.name, listing.faults) == ("dpdd", ())
    assert [(p.split, p.name, p.sharp.stem) for p in listing.pairs] == [("test", a, b) for a, b in DPDD]
    assert listing.notes == (
        "test_c: source 1P0A1983 and target 1P0A1985 are paired, their numbers are two apart",
        "test: 7 pairs, DPDD has 76",
    )


def test_dpdd_order_is_by_number(tmp_path: Path) -> None:
    pairs = [("s9", "t10"), ("s11", "t12"), ("s99", "t100")]
    listing = list_dataset(plant_dpdd(tmp_path, pairs, "val"))
    assert [(p.name, p.sharp.stem) for p in listing.pairs] == [("s11", "t12"), ("s9", "t10"), ("s99", "t100")]


def test_dpdd_names_a_missing_file(tmp_path: Path) -> None:
    plant_dpdd(tmp_path)
    (tmp_path / "test_c/source/1P0A0984.png").unlink()
    listing = list_dataset(tmp_path)
    assert listing.pairs == ()
    assert listing.faults == (
        "test_c: 6 images in source, 7 in target (without a partner: target 1P0A0985); "
        "give the lists file_names/test_src.npy and test_trg.npy",
    )


def test_dpdd_sees_missing_files_that_keep_the_counts_equal(tmp_path: Path) -> None:
    plant_dpdd(tmp_path)
    (tmp_path / "test_c/source/1P0A0984.png").unlink()
    (tmp_path / "test_c/target/1P0A1445.png").unlink()
    (fault,) = list_dataset(tmp_path).faults
    assert "sorted order pairs source 1P0A1444 with target 1P0A0985" in fault
    assert "a file is probably missing" in fault
    assert "give the lists file_names/test_src.npy" in fault
    assert list_dataset(tmp_path).pairs == ()


@pytest.mark.parametrize("where", ["root/file_names", "file_names", "root"])
@pytest.mark.parametrize("suffix", ["", ".png"])
def test_dpdd_lists_give_the_order(tmp_path: Path, where: str, suffix: str) -> None:
    root = plant_dpdd(tmp_path / "root", [("a", "z"), ("b", "y")], "train")
    (tmp_path / where).mkdir(parents=True, exist_ok=True)
    np.save(tmp_path / where / "train_src.npy", np.array([f"a{suffix}", f"b{suffix}"]))
    np.save(tmp_path / where / "train_trg.npy", np.array([f"z{suffix}", f"y{suffix}"]))
    listing = list_dataset(root)
    assert [(p.name, p.sharp.stem) for p in listing.pairs] == [("a", "z"), ("b", "y")]
    assert listing.faults == ()


def test_dpdd_lists_that_do_not_fit(tmp_path: Path) -> None:
    root = plant_dpdd(tmp_path, [("a", "z"), ("b", "y"), ("extra", "x")], "train")
    (tmp_path / "file_names").mkdir()
    np.save(tmp_path / "file_names/train_src.npy", np.array(["a", "b", "gone"]))
    np.save(tmp_path / "file_names/train_trg.npy", np.array(["z", "y", "x"]))
    listing = list_dataset(root)
    assert listing.faults == ("train_c/source: gone is listed in train_src.npy and missing",)
    assert listing.notes[0] == "train_c/source: extra.png is not listed in train_src.npy, passed over"
    assert [p.name for p in listing.pairs] == ["a", "b"]
    (tmp_path / "file_names/train_trg.npy").unlink()
    assert list_dataset(root).faults == ("train_c: only one of the lists train_src.npy and train_trg.npy is there",)
    np.save(tmp_path / "file_names/train_trg.npy", np.array(["z", None], object))
    with pytest.raises(UserError, match=r"train_trg\.npy: not a numpy array of names"):
        list_dataset(root)


def test_dpdd_duplicate(tmp_path: Path) -> None:
    plant_dpdd(tmp_path)
    plant(tmp_path, "test_c/source/1P0A0984.tif")
    listing = list_dataset(tmp_path)
    assert listing.faults == ("test_c/source: 1P0A0984.png, 1P0A0984.tif share one name",)
    assert len(listing.pairs) == 6
