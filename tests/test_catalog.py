"""Each layout from a tiny tree: recognised, paired by its own rule, counted, all faults named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from known_folders import named, plant
from PIL import Image

from sdd_bench.datasets import catalog
from sdd_bench.datasets.catalog import check_listing, list_dataset, open_dataset
from sdd_bench.errors import UserError
from sdd_bench.evaluation.naming.sizes import size_problems
from sdd_bench.io import headers
from sdd_bench.io.headers import ImageHeader

# --- one test per layout


def test_sdd_as_released(tmp_path: Path) -> None:
    plant(tmp_path, "train_patches/blur/b.png", "train_patches/gt/b.png", "test/blur/0001.png", "test/gt/0001.tif")
    listing = list_dataset(tmp_path)
    assert (listing.name, listing.layout, listing.faults) == ("sdd", "released", ())
    assert named(listing.pairs, tmp_path) == [
        ("test", "0001", "test/blur/0001.png", "test/gt/0001.tif"),
        ("train_patches", "b", "train_patches/blur/b.png", "train_patches/gt/b.png"),
    ]
    assert listing.notes == ("test: 1 pairs, SDD has 35", "train_patches: 1 pairs, SDD has 4830")
    assert [p.scene for p in listing.pairs] == ["0001", "b"]


def test_sdd_test_alone_split_and_full(tmp_path: Path) -> None:
    plant(tmp_path / "a", "test/blur/1.png", "test/gt/1.png")
    plant(tmp_path / "b", "train/blur/1.png", "train/gt/1.png", "test/blur/2.png", "test/gt/2.png")
    plant(tmp_path / "c", "blur/1.png", "gt/1.png")
    assert [list_dataset(tmp_path / d, "sdd").layout for d in "abc"] == ["released", "split", "full"]
    assert [list_dataset(tmp_path / d).name for d in "abc"] == ["pairs"] * 3
    assert [(p.split, p.name) for p in list_dataset(tmp_path / "b", "sdd").pairs] == [("test", "2"), ("train", "1")]
    assert list_dataset(tmp_path / "c", "sdd").notes == ("1 pairs, SDD has 150",)
    assert list_dataset(tmp_path / "c").notes == ()


def test_no_note_where_the_count_is_the_published_one(tmp_path: Path) -> None:
    for n in range(50):
        for role in ("source", "target"):
            (tmp_path / role).mkdir(exist_ok=True)
            (tmp_path / role / f"{n:02d}.png").touch()
    listing = list_dataset(tmp_path)
    assert (listing.name, len(listing.pairs), listing.notes) == ("realdof", 50, ())
    assert {p.split for p in listing.pairs} == {"test"}


def test_ded_pairs_by_number_and_keeps_the_map(tmp_path: Path) -> None:
    plant(
        tmp_path,
        "image/image_7.png",
        "image/image_12.png",
        "sharp/lf_12.png",
        "sharp/multi_view_007.png",
        "filtered/defocus_filterd_7.png",
        "filtered/defocus_filterd_12.png",
    )
    listing = list_dataset(tmp_path)
    assert (listing.name, listing.faults) == ("ded", ())
    by_name = {p.name: p for p in listing.pairs}
    assert by_name["image_7"].sharp.name == "multi_view_007.png"
    assert by_name["image_12"].sharp.name == "lf_12.png"
    maps = {n: p.defocus_map.name for n, p in by_name.items() if p.defocus_map}
    assert maps == {"image_7": "defocus_filterd_7.png", "image_12": "defocus_filterd_12.png"}
    assert {p.split for p in listing.pairs} == {""}
    assert listing.notes == ("2 pairs, DED has 1112",)


def test_ded_faults(tmp_path: Path) -> None:
    plant(
        tmp_path,
        *(f"image/image_{n}.png" for n in (1, 2, 3, 4)),
        "sharp/a_1.png",
        "sharp/b_01.png",
        "sharp/a_2.png",
        "sharp/a_4.png",
        "sharp/odd.png",
        *(f"filtered/defocus_filterd_{n}.png" for n in (1, 3, 4, 5)),
    )
    listing = list_dataset(tmp_path)
    assert [p.name for p in listing.pairs] == ["image_4"]
    assert set(listing.faults) == {
        "sharp: a_1.png, b_01.png have the same number 1",
        "sharp/odd.png: not named <prefix>_<n>",
        "image/image_2.png: no partner in filtered",
        "image/image_3.png: no partner in sharp",
        "filtered/defocus_filterd_5.png: no partner in image, sharp",
    }


def test_lfdof_many_to_one(tmp_path: Path) -> None:
    plant(
        tmp_path,
        *(f"test_data/input/IMG_1/IMG_1_ap{a}_00.png" for a in (1, 2, 3)),
        "test_data/ground_truth/IMG_1.png",
        "test_data/ground_truth/IMG_9.png",
        "test_data/input/IMG_2/IMG_2_ap1_00.png",
        "test_data/input/IMG_1/IMG_12_ap1_00.png",
        "test_data/input/stray.png",
        "train_data/input/IMG_3/IMG_3_ap1_04.png",
        "train_data/ground_truth/IMG_3.png",
    )
    listing = list_dataset(tmp_path)
    assert listing.name == "lfdof"
    assert named(listing.pairs, tmp_path) == [
        ("test", f"IMG_1_ap{a}_00", f"test_data/input/IMG_1/IMG_1_ap{a}_00.png", "test_data/ground_truth/IMG_1.png")
        for a in (1, 2, 3)
    ] + [("train", "IMG_3_ap1_04", "train_data/input/IMG_3/IMG_3_ap1_04.png", "train_data/ground_truth/IMG_3.png")]
    assert [p.scene for p in listing.pairs] == ["IMG_1"] * 3 + ["IMG_3"]
    assert set(listing.faults) == {
        "test_data/input/stray.png: not in the folder of a scene, input/IMG_x/IMG_x_ap*_kk.png",
        "test_data/input/IMG_2: 1 images without a partner IMG_2 in test_data/ground_truth",
        "test_data/input/IMG_1/IMG_12_ap1_00.png: named otherwise than its scene IMG_1",
    }
    assert listing.notes == (
        "test_data/ground_truth/IMG_9.png: has no inputs",
        "test: 3 pairs, LFDOF has 725",
        "train: 1 pairs, LFDOF has 11261",
    )


@pytest.mark.parametrize("truth", ["GT", "gt"])
def test_rtf(tmp_path: Path, truth: str) -> None:
    plant(tmp_path, "image/0/image_01.png", "image/0/image_02.png", f"{truth}/sharp_01.png", f"{truth}/sharp_02.png")
    listing = list_dataset(tmp_path)
    assert (listing.name, listing.faults, listing.notes) == ("rtf", (), ("test: 2 pairs, RTF has 22",))
    assert [(p.split, p.name, p.sharp.name) for p in listing.pairs] == [
        ("test", "image_01", "sharp_01.png"),
        ("test", "image_02", "sharp_02.png"),
    ]


# --- faults, reported together


def test_all_faults_together_or_left_out(tmp_path: Path) -> None:
    plant(tmp_path, *(f"{role}/{n}.png" for role in ("blur", "gt") for n in ("good", "size", "grey", "dup", "torn")))
    plant(tmp_path, "blur/alone.png", "gt/widow.png", "blur/dup.tif", "gt/Case.png", "gt/case.png")
    plant(tmp_path, "gt/size.png", pixels=np.zeros((16, 17, 3), np.uint8))
    plant(tmp_path, "blur/grey.png", pixels=np.zeros((16, 16), np.uint8))
    (tmp_path / "blur/torn.png").write_bytes(b"not an image")
    (tmp_path / "blur/notes.txt").write_text("no image")
    listing = list_dataset(tmp_path)
    with pytest.raises(UserError) as caught:
        check_listing(listing)
    words = [
        "7 problems",
        "blur: dup.png, dup.tif share one name",
        "gt: Case.png, case.png differ only in case",
        "blur/alone.png: no partner in gt",
        "gt/widow.png: no partner in blur",
        "size: blur is 16x16, sharp is 17x16",
        "torn.png: not a PNG, TIFF or JPEG image",
        "grey.png: a grey image, expected RGB (convert it, or allow it with --grey expand)",
    ]
    assert [word for word in words if word not in caught.value.message] == []
    kept = check_listing(listing, skip_faulty=True)
    assert ([p.name for p in kept.pairs], kept.faults, len(kept.notes)) == (["good"], (), 7)
    assert kept.notes[0] == "left out: blur: dup.png, dup.tif share one name"
    assert [p.name for p in check_listing(listing, skip_faulty=True, grey="expand").pairs] == ["good", "grey"]


def test_grey_defocus_map_is_no_fault_but_its_size_is(tmp_path: Path) -> None:
    plant(tmp_path, "image/image_1.png", "sharp/a_1.png")
    plant(tmp_path, "filtered/defocus_filterd_1.png", pixels=np.zeros((16, 16), np.uint8))
    assert len(check_listing(list_dataset(tmp_path)).pairs) == 1
    plant(tmp_path, "filtered/defocus_filterd_1.png", pixels=np.zeros((8, 16), np.uint8))
    with pytest.raises(UserError, match="image_1: blur is 16x16, sharp is 16x16, defocus map is 16x8"):
        check_listing(list_dataset(tmp_path))


def test_sizes_that_lie_on_their_side_are_named(tmp_path: Path) -> None:
    plant(tmp_path, "blur/a.png", pixels=np.zeros((16, 24, 3), np.uint8))
    plant(tmp_path, "gt/a.png", pixels=np.zeros((24, 16, 3), np.uint8))
    words = "a: blur is 24x16, sharp is 16x24: one of the two is turned by 90 degrees"
    with pytest.raises(UserError, match=f"{words}$"):
        check_listing(list_dataset(tmp_path))
    for role, orientation in (("blur", 1), ("gt", 6)):
        tags = Image.Exif()
        tags[0x0112] = orientation
        (tmp_path / role / "a.png").unlink()
        Image.new("RGB", (24, 16)).save(tmp_path / role / "a.jpg", exif=tags)
    with pytest.raises(UserError, match=rf"{words} \(EXIF orientation differs: blur 1, sharp 6\)$"):
        check_listing(list_dataset(tmp_path))


def test_no_pair_left_is_refused_with_its_faults(tmp_path: Path) -> None:
    plant(tmp_path, "blur/a.png", "gt/b.png")
    with pytest.raises(UserError, match=r"\(pairs, full\): 2 problems\n  blur/a.png: no partner in gt\n"):
        check_listing(list_dataset(tmp_path), skip_faulty=True)


# --- recognition


def test_each_file_is_opened_once_before_the_work_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = plant(tmp_path, *(f"train_data/ground_truth/IMG_{i}.png" for i in range(2)))
    plant(tmp_path, *(f"train_data/input/IMG_{i}/IMG_{i}_ap{k}.png" for i in range(2) for k in range(3)))
    opened: list[Path] = []
    original = headers.read_header

    def counted(path: Path) -> ImageHeader:
        opened.append(path)
        return original(path)

    monkeypatch.setattr(headers, "read_header", counted)
    pairs = open_dataset(shared).pairs
    assert len(pairs) == 6
    assert len(opened) == len(set(opened)) == 8
    opened.clear()
    assert size_problems({pair.name: pair.blur for pair in pairs}, pairs, 1) == ([], False)
    assert len(opened) == len(set(opened)) == 8


def test_rules_of_recognition(tmp_path: Path) -> None:
    everything = plant(tmp_path / "x", "blur/a.png", "gt/a.png", "source/a.png", "target/a.png")
    assert list_dataset(everything).name == "realdof"
    assert list_dataset(everything, "pairs").name == "pairs"
    plant(everything, "train_patches/blur/a.png", "train_patches/gt/a.png", "train/blur/a.png", "train/gt/a.png")
    listing = list_dataset(everything)
    assert listing.name == "sdd"
    assert listing.notes[0] == "train/: passed over, the layout released is train_patches/ and test/"


def test_unrecognised_folder_lists_layouts_and_content(tmp_path: Path) -> None:
    plant(tmp_path, "photos/a.png")
    with pytest.raises(UserError) as caught:
        list_dataset(tmp_path)
    assert "no layout is recognised, found: photos/; expected:" in caught.value.message
    assert all(f"\n  {name}: {catalog.LAYOUTS[name].tree[0]}" in caught.value.message for name in catalog.LAYOUTS)
    with pytest.raises(UserError, match=r"not the layout of realdof, found: photos/; expected:\n  realdof: source/NN"):
        list_dataset(tmp_path, "realdof")
    with pytest.raises(UserError, match="unknown dataset 'dpd', known datasets: sdd, dpdd"):
        list_dataset(tmp_path, "dpd")


@pytest.mark.parametrize(
    ("file", "name", "words"),
    [
        ("blur/a.png", None, "expected the folders blur/, gt/; found: blur/"),
        ("image/image_1.png", "ded", "not the layout of ded"),
        ("sharp/a_1.png", "ded", "not the layout of ded"),
        ("test_c/source/a.png", None, "test_c: expected the folders source/, target/; found: source/"),
        ("train_data/input/IMG_1/IMG_1_ap1_00.png", None, "train_data: expected the folders input/, ground_truth/"),
        ("image/0/image_01.png", None, "expected the folders GT/; found: image/"),
    ],
)
def test_a_missing_folder_is_named(tmp_path: Path, file: str, name: str | None, words: str) -> None:
    plant(tmp_path, file)
    with pytest.raises(UserError) as caught:
        list_dataset(tmp_path, name)
    assert words in caught.value.message


def test_empty_and_absent_folders(tmp_path: Path) -> None:
    (tmp_path / "blur").mkdir()
    (tmp_path / "gt").mkdir()
    with pytest.raises(UserError, match="no PNG, TIFF or JPEG image in it"):
        list_dataset(tmp_path)
    with pytest.raises(UserError) as caught:
        open_dataset(tmp_path / "blurr")
    assert caught.value.message.startswith(
        f"{tmp_path}/blurr: no such folder; the nearest is {tmp_path}/blur. 'sdd-bench"
    )
    assert "https://" not in caught.value.message


# --- places and opening


def test_places(tmp_path: Path) -> None:
    plant(tmp_path, *(f"{role}/{n}.png" for role in ("blur", "gt") for n in "abc"))
    (tmp_path / "places.csv").write_text("place,scene,name\nindoor,hall,a\noutdoor,,b\n")
    listing = list_dataset(tmp_path, "sdd")
    assert [(p.name, p.scene, p.place) for p in listing.pairs] == [
        ("a", "hall", "indoor"),
        ("b", "b", "outdoor"),
        ("c", "c", ""),
    ]
    (tmp_path / "places.csv").write_text("name,place\na,indoor\na,outdoor\nb,garden\nd,indoor\n")
    listing = list_dataset(tmp_path, "sdd")
    assert listing.faults == (
        "places.csv line 3: duplicate name a",
        "places.csv line 4: place 'garden' of b, expected indoor, outdoor or nothing",
        "places.csv line 5: there is no pair d",
    )
    assert [p.name for p in listing.pairs] == ["c"]
    (tmp_path / "places.csv").write_text("name,room\na,indoor\n")
    with pytest.raises(UserError, match="missing column place or scene; found: name, room"):
        list_dataset(tmp_path)


def test_scene_from_pairs_csv(tmp_path: Path) -> None:
    plant(tmp_path, "blur/a.png", "gt/a.png", "blur/b.png", "gt/b.png")
    (tmp_path / "pairs.csv").write_text("name,scene,place,blur\na,yard,outdoor,x\nb,yard,outdoor,y\n")
    assert [(p.scene, p.place) for p in list_dataset(tmp_path).pairs] == [("yard", "outdoor")] * 2
    (tmp_path / "pairs.csv").write_text("left,right\n1,2\n")
    assert [(p.scene, p.place) for p in list_dataset(tmp_path).pairs] == [("a", ""), ("b", "")]


def test_open_dataset_as_released(tmp_path: Path) -> None:
    plant(tmp_path, "test/blur/1.png", "test/gt/1.png", "train/blur/2.png", "train/gt/2.png")
    (tmp_path / "train/gt/2.png").write_bytes(b"")
    dataset = open_dataset(tmp_path, "test")
    assert (dataset.name, dataset.root, dataset.sha256) == ("pairs", tmp_path, "")
    assert [p.name for p in dataset.pairs] == ["1"]
    with pytest.raises(UserError, match="no split 'val' in dataset pairs, found: test, train"):
        open_dataset(tmp_path, "val")
    with pytest.raises(UserError, match="the file is empty"):
        open_dataset(tmp_path)
