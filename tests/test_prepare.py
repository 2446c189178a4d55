"""Preparation: output files, reproducible bytes, resuming after a kill, and refusals."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sdd_bench.datasets.manifest import read_prepared
from sdd_bench.datasets.plan import Choices, plan
from sdd_bench.datasets.prepare import PATCH_COLUMNS, prepare
from sdd_bench.errors import UserError
from sdd_bench.io.images import read_pixels, write_png
from sdd_bench.io.serialise import read_csv

NAMES = [f"s{i}" for i in range(5)]
MakePairs = Callable[..., Path]


def tree(root: Path) -> dict[str, str]:
    """Digests of all files below a folder."""
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in root.rglob("*") if p.is_file()
    }


def edit(path: Path, key: str, value: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))


def run(source: Path, out: Path, jobs: int = 1, **choices: object) -> None:
    wanted = Choices(**{"window_px": 16, "recipe": "dpdnet", **choices})  # type: ignore[arg-type]
    prepare(plan(source, wanted, jobs), out, jobs)


def test_frames_patches_and_lists_are_written(make_pairs: MakePairs, tmp_path: Path) -> None:
    source = make_pairs(NAMES)
    before = tree(source)
    run(source, tmp_path / "data", fraction=0.6)
    assert tree(source) == before
    dataset = read_prepared(tmp_path / "data")
    assert (dataset.name, len(dataset.split("train")), len(dataset.split("test"))) == ("pairs", 3, 2)
    pair = dataset.split("test")[0]
    assert pair.blur.read_bytes() == (source / "blur" / f"{pair.name}.png").read_bytes()
    rows = read_csv(tmp_path / "data" / "pairs.csv", ["name", "blur_sha256", "width", "bits"])
    assert rows[0]["blur_sha256"] == hashlib.sha256((tmp_path / "data" / rows[0]["blur"]).read_bytes()).hexdigest()
    assert {(r["width"], r["height"], r["bits"]) for r in rows} == {("64", "48", "8")}
    manifest = json.loads((tmp_path / "data" / "dataset.json").read_text())
    patches = read_csv(tmp_path / "data" / "patches.csv", PATCH_COLUMNS)
    # 64x48 with windows of 16 and stride 6: 9 x 7 = 63, the least sharp 30 % (18) left out.
    assert manifest["patches"]["count"] == len(patches) == 3 * 45
    assert manifest["patches"]["recipe"]["name"] == "dpdnet"
    patch = patches[50]
    x, y = int(patch["x"]), int(patch["y"])
    frame = read_pixels(source / "gt" / f"{patch['pair']}.png")
    cut = read_pixels(tmp_path / "data" / "train_patches" / "gt" / f"{patch['name']}.png")
    np.testing.assert_array_equal(cut, frame[y : y + 16, x : x + 16])
    assert not list((tmp_path / "data").rglob(".part-*"))
    assert not (tmp_path / "data" / ".run").exists()


@pytest.mark.parametrize("store", ["png", "hdf5"])
def test_bytes_do_not_depend_on_workers(make_pairs: MakePairs, tmp_path: Path, store: str) -> None:
    source = make_pairs(NAMES)
    run(source, tmp_path / "one", 1, store=store)
    run(source, tmp_path / "two", 2, store=store)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_hdf5_holds_what_the_png_folders_hold(make_pairs: MakePairs, tmp_path: Path) -> None:
    import h5py

    source = make_pairs(NAMES)
    run(source, tmp_path / "png")
    run(source, tmp_path / "hdf5", store="hdf5")
    digests = [json.loads((tmp_path / s / "dataset.json").read_text())["patches"]["sha256"] for s in ("png", "hdf5")]
    assert digests[0] == digests[1]
    with h5py.File(tmp_path / "hdf5" / "train_patches.h5") as file:
        names = [name.decode() for name in file["name"][:]]
        assert names == [r["name"] for r in read_csv(tmp_path / "png" / "patches.csv", ["name"])]
        assert file["blur"].chunks == (1, 16, 16, 3)
        for role in ("blur", "gt"):
            for index in (0, 60, len(names) - 1):
                png = read_pixels(tmp_path / "png" / "train_patches" / role / f"{names[index]}.png")
                np.testing.assert_array_equal(file[role][index], png)


@pytest.mark.parametrize("store", ["png", "hdf5"])
def test_an_interrupted_run_goes_on_and_ends_the_same(
    make_pairs: MakePairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    source = make_pairs(NAMES)
    run(source, tmp_path / "whole", store=store, fraction=0.9)
    from sdd_bench.datasets import prepare as module

    original, calls = module.prepare_pair, []

    def killed_after_two(task: object) -> dict:
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(task)
        return original(task)

    monkeypatch.setattr(module, "prepare_pair", killed_after_two)
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "cut", store=store, fraction=0.9)
    assert not (tmp_path / "cut" / "dataset.json").exists()
    (tmp_path / "cut" / "train" / ".part-left").touch()
    again: list = []
    monkeypatch.setattr(module, "prepare_pair", lambda task: (again.append(task), original(task))[1])
    run(source, tmp_path / "cut", store=store, fraction=0.9)
    assert len(again) == 3
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")


def test_a_finished_dataset_is_left_alone(make_pairs: MakePairs, tmp_path: Path) -> None:
    source = make_pairs(NAMES)
    run(source, tmp_path / "data")
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "data").rglob("*")}
    summary = prepare(plan(source, Choices(window_px=16, recipe="dpdnet"), 1), tmp_path / "data", 1)
    assert summary.already_there
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "data").rglob("*")} == times


def test_another_configuration_in_the_same_folder_is_refused(make_pairs: MakePairs, tmp_path: Path) -> None:
    source = make_pairs(NAMES)
    run(source, tmp_path / "data")
    with pytest.raises(UserError, match=r"holds another recipe name \(dpdnet, now full-20\).*; give another --out"):
        run(source, tmp_path / "data", recipe="full-20")
    with pytest.raises(UserError, match=r"holds another split seed \(0, now 3\)"):
        run(source, tmp_path / "data", seed=3)


def test_a_folder_with_other_files_is_refused(make_pairs: MakePairs, tmp_path: Path) -> None:
    source = make_pairs(NAMES)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="is not empty and does not belong to an earlier run"):
        run(source, tmp_path / "data")
    assert (tmp_path / "data" / "thesis.txt").read_text() == "precious"


def test_damaged_frames_are_all_named_and_the_others_kept(make_pairs: MakePairs, tmp_path: Path) -> None:
    source = make_pairs(NAMES)
    for name in ("s1", "s3"):
        file = source / "gt" / f"{name}.png"
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError) as caught:
        run(source, tmp_path / "data")
    assert "2 problems" in caught.value.message
    assert "s1.png: cannot be decoded, truncated or damaged" in caught.value.message
    assert "s3.png" in caught.value.message
    assert len((tmp_path / "data" / ".run" / "journal.jsonl").read_text().split()) > 3


def test_faulty_pairs_can_be_left_out_and_are_named(make_pairs: MakePairs, tmp_path: Path) -> None:
    source = make_pairs(NAMES)
    (source / "gt" / "s0.png").unlink()
    file = source / "gt" / "s1.png"
    file.write_bytes(file.read_bytes()[:-500])
    run(source, tmp_path / "data", skip_faulty=True, fraction=0.9)
    manifest = json.loads((tmp_path / "data" / "dataset.json").read_text())
    assert sum(manifest["pairs"].values()) == 3
    assert [note.split(":")[0] for note in manifest["notes"]] == ["left out", "left out"]
    assert "s0.png" in manifest["notes"][0]
    assert "s1.png: cannot be decoded" in manifest["notes"][1]


def test_frame_smaller_than_the_window_says_what_to_do(make_pairs: MakePairs, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match="64x48 is smaller than the window of 512 px; use a smaller --window or another"
    ):
        run(make_pairs(NAMES), tmp_path / "data", window_px=None, fraction=0.9)
    assert not (tmp_path / "data").exists(), "a smaller window goes to the same folder"


def test_no_patches_without_a_recipe(make_pairs: MakePairs, tmp_path: Path) -> None:
    run(make_pairs(NAMES), tmp_path / "data", recipe="none")
    assert not (tmp_path / "data" / "train_patches").exists()
    assert json.loads((tmp_path / "data" / "dataset.json").read_text())["patches"]["recipe"] is None


def test_the_released_sdd_keeps_its_patches(make_pairs: MakePairs, tmp_path: Path) -> None:
    source = make_pairs(["t0", "t1"], "sdd/test").parent
    make_pairs(["p0", "p1", "p2"], "sdd/train_patches", (32, 32))
    run(source, tmp_path / "data", recipe=None, window_px=None)
    manifest = json.loads((tmp_path / "data" / "dataset.json").read_text())
    assert manifest["pairs"] == {"test": 2}
    assert manifest["patches"]["count"] == 3
    assert manifest["patches"]["recipe"] == {"name": "as released"}
    np.testing.assert_array_equal(
        read_pixels(tmp_path / "data" / "train_patches" / "blur" / "p1.png"),
        read_pixels(source / "train_patches" / "blur" / "p1.png"),
    )
    assert any("4830" in note.replace(",", "") for note in manifest["notes"])


def test_a_shared_sharp_frame_is_stored_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        root = tmp_path / "lfdof" / f"{part}_data"
        write_png(root / "ground_truth" / "IMG_1.png", rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
        for ap in ("ap1_00", "ap2_01"):
            frame = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            write_png(root / "input" / "IMG_1" / f"IMG_1_{ap}.png", frame)
    run(tmp_path / "lfdof", tmp_path / "data", recipe="none", window_px=None)
    assert [p.name for p in (tmp_path / "data" / "test" / "gt").iterdir()] == ["IMG_1.png"]
    pairs = read_prepared(tmp_path / "data").split("test")
    assert [(p.name, p.sharp.name, p.scene) for p in pairs] == [
        ("IMG_1_ap1_00", "IMG_1.png", "IMG_1"),
        ("IMG_1_ap2_01", "IMG_1.png", "IMG_1"),
    ]


def test_the_third_role_of_ded_is_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = {"image": "image_{}.png", "sharp": "scene_{}.png", "filtered": "defocus_filterd_{}.png"}
    for n in range(5):
        for folder, name in names.items():
            write_png(tmp_path / "ded" / folder / name.format(n), rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    run(tmp_path / "ded", tmp_path / "data", dataset="ded", recipe="none", window_px=None)
    dataset = read_prepared(tmp_path / "data")
    assert (len(dataset.split("train")), len(dataset.split("test"))) == (4, 1)
    assert all(p.defocus_map and p.defocus_map.parent.name == "defocus_map" for p in dataset.pairs)


def test_mixed_bit_depths_need_png(make_pairs: MakePairs, tmp_path: Path) -> None:
    source = make_pairs(NAMES)
    deep = np.random.default_rng(1).integers(0, 65536, (48, 64, 3), dtype=np.uint16)
    for name in ("s3", "s4"):
        for role in ("blur", "gt"):
            write_png(source / role / f"{name}.png", deep)
    with pytest.raises(UserError, match="one HDF5 file holds one kind, use --store png"):
        run(source, tmp_path / "h5", store="hdf5", fraction=0.99)
    run(source, tmp_path / "png", fraction=0.99)
    rows = {r["name"]: r["bits"] for r in read_csv(tmp_path / "png" / "pairs.csv", ["name", "bits"])}
    assert (rows["s0"], rows["s4"]) == ("8", "16")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda d: (d / "dataset.json").write_text("{"), "dataset.json: cannot be read as JSON"),
        (lambda d: (d / "dataset.json").write_text('{"name": "x", "schema": 7}'), "schema 7, this version reads"),
        (
            lambda d: edit(d / "dataset.json", "notes", 3),
            r"dataset.json: notes = 3: expected .*damaged; prepare",
        ),
        (lambda d: edit(d / "dataset.json", "pairs", {"test": "2"}), "pairs.test = '2': expected"),
        (lambda d: edit(d / "dataset.json", "patches", {}), "patches.count is missing"),
        (lambda d: (d / "pairs.csv").write_text("split,name\n"), "missing column scene, place, blur, sharp"),
        (lambda d: shutil.rmtree(d / "test" / "gt"), "is missing"),
        (
            lambda d: (d / "pairs.csv").write_text("split,name,scene,place,blur,sharp\ntest,a,a,,../../x.png,/etc/x\n"),
            "points outside the dataset",
        ),
    ],
)
def test_damaged_datasets_are_refused(
    make_pairs: MakePairs, tmp_path: Path, damage: Callable[[Path], object], words: str
) -> None:
    run(make_pairs(NAMES), tmp_path / "data", recipe="none")
    damage(tmp_path / "data")
    with pytest.raises(UserError, match=words):
        read_prepared(tmp_path / "data")


def test_150_pairs_with_places_give_4830_patches_of_115(tmp_path: Path) -> None:
    # SDD at a sixteenth of its size, with windows of 32 instead of 512: the same arithmetic.
    frame = np.random.default_rng(3).integers(0, 256, (135, 256, 3), dtype=np.uint8)
    lines = ["name,scene,place"]
    for i in range(150):
        for role in ("blur", "gt"):
            write_png(tmp_path / "sdd" / role / f"{i:03d}.png", frame)
        lines.append(f"{i:03d},,{'indoor' if i % 150 < 61 else 'outdoor'}")
    (tmp_path / "sdd" / "places.csv").write_text("\n".join(lines))
    run(tmp_path / "sdd", tmp_path / "data", 2, dataset="sdd", recipe=None, window_px=32, store="hdf5")
    manifest = json.loads((tmp_path / "data" / "dataset.json").read_text())
    assert (manifest["pairs"], manifest["patches"]["count"]) == ({"test": 35, "train": 115}, 4830)
    assert (manifest["patches"]["recipe"]["name"], manifest["notes"]) == ("half-70", [])
    rows = read_csv(tmp_path / "data" / "pairs.csv", ["split", "place"])
    counts = {
        (s, p): sum(r["split"] == s and r["place"] == p for r in rows)
        for s in ("train", "test")
        for p in ("indoor", "outdoor")
    }
    assert list(counts.values()) == [50, 65, 11, 24]
