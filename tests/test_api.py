"""The Python API: images of every kind in, the numbers of the commands out, and nothing else changed."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from known import KnownPair
from numpy.typing import NDArray
from torch.utils.data import DataLoader

import sdd_bench as sb
from sdd_bench.api.arrays import to_images, to_masks
from sdd_bench.errors import UserError
from sdd_bench.io.images import to_pixels, write_png
from sdd_bench.registration.similarity import Similarity

TEN = {
    "read_image", "score", "analyse", "anchor", "open_dataset", "torch", "evaluate", "load_results", "rank",
    "load_baseline",
}  # fmt: skip


@pytest.fixture(scope="module")
def image(texture: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(to_pixels(texture) / np.float32(255), np.float32)


def test_the_ten_names_are_there_and_importing_them_loads_nothing() -> None:
    code = (
        "import sys, sdd_bench as sb\n"
        "print(sorted({'torch', 'numpy', 'cv2', 'pandas'} & set(sys.modules)))\n"
        "print(all(callable(getattr(sb, name)) or name in ('torch', '__version__') for name in sb.__all__))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "True"]
    assert set(sb.__all__) - {"__version__"} == TEN
    assert set(dir(sb)) >= TEN
    with pytest.raises(AttributeError, match="no attribute 'scores'"):
        _ = sb.scores  # type: ignore[attr-defined]


# Images of every kind


def test_every_way_of_giving_an_image_is_the_same_image(image: NDArray[np.float32], tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", to_pixels(image))
    ways = [
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        to_pixels(image),
        image,
        image.astype(np.float64),
        image.transpose(2, 0, 1),
        torch.from_numpy(image).permute(2, 0, 1),
        torch.from_numpy(image),
        torch.from_numpy(to_pixels(image)).permute(2, 0, 1).contiguous(),
    ]
    for way in ways:
        found = to_images(way, "blur")
        assert (found.batch, len(found.images)) == (False, 1)
        np.testing.assert_array_equal(found.images[0], image)
    sixteen = to_images(to_pixels(image, bits=16), "blur").images[0]
    np.testing.assert_allclose(sixteen, image, atol=1e-6)
    for batch in (np.stack([image, image]), torch.from_numpy(np.stack([image, image])).permute(0, 3, 1, 2)):
        found = to_images(batch, "blur")
        assert found.batch
        np.testing.assert_array_equal(found.images[1], image)


def test_what_comes_back_is_laid_out_as_what_was_given(image: NDArray[np.float32]) -> None:
    for given in (image, image.transpose(2, 0, 1), np.stack([image, image])):
        back = to_images(given, "blur").like([np.asarray(i, np.float32) for i in to_images(given, "blur").images])
        np.testing.assert_array_equal(back, given)
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None]
    back = to_images(tensor, "blur").like([image])
    assert isinstance(back, torch.Tensor)
    assert torch.equal(back, tensor)


def test_a_network_that_overshoots_is_clipped_as_its_file_would_be(image: NDArray[np.float32]) -> None:
    over = image.copy()
    over[0, 0], over[1, 1] = 1.2, -0.2
    found = to_images(over, "restored").images[0]
    assert (found[0, 0].tolist(), found[1, 1].tolist()) == ([1, 1, 1], [0, 0, 0])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros((8, 8)), r"blur is of shape \(8, 8\), expected \(H, W, 3\)"),
        (np.zeros((8, 8, 4)), r"shape \(8, 8, 4\)"),
        (np.zeros((2, 2, 8, 8, 3)), r"shape \(2, 2, 8, 8, 3\)"),
        (np.zeros((0, 8, 3)), r"shape \(0, 8, 3\)"),
        (np.zeros((8, 8, 3), np.int64), "type int64, expected uint8, uint16 or floating point"),
        (np.zeros((8, 8, 3), bool), "type bool"),
        (np.full((8, 8, 3), 128.0), r"values from 128 to 128, expected floating point in \[0, 1\]"),
        (np.linspace(-1, 1, 192).reshape(8, 8, 3), "values from -1 to 1"),
        (np.full((8, 8, 3), np.nan), "not finite"),
        ([[1, 2], [3, 4]], "blur is a list, expected a path, a numpy array or a torch tensor"),
        (None, "blur is a NoneType"),
    ],
)
def test_what_cannot_be_an_image_is_refused(value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        to_images(value, "blur")  # type: ignore[arg-type]


def test_masks_of_every_kind(image: NDArray[np.float32], tmp_path: Path) -> None:
    mask = np.zeros(image.shape[:2], bool)
    mask[10:40, 20:60] = True
    write_png(tmp_path / "mask.png", mask.astype(np.uint8) * 255)
    one = to_images(image, "restored")
    ways = [
        mask, mask.astype(np.uint8), mask * np.float32(1), mask[None], mask[..., None], tmp_path / "mask.png",
        torch.from_numpy(mask)[None],
    ]  # fmt: skip
    for way in ways:
        found = to_masks(way, one)[0]
        assert found is not None
        np.testing.assert_array_equal(found, mask)
    batch = to_images(np.stack([image, image]), "restored")
    both = to_masks(np.stack([mask, ~mask]), batch)
    assert both[1] is not None
    np.testing.assert_array_equal(both[1], ~mask)
    assert to_masks(None, batch) == [None, None]
    with pytest.raises(ValueError, match=r"mask is of shape \(3, 4\), expected \(96, 128\)"):
        to_masks(np.ones((3, 4), bool), one)
    with pytest.raises(ValueError, match=r"mask holds the values 0, 1, 2, expected 0 and one other"):
        to_masks((np.arange(96 * 128) % 3).reshape(96, 128), one)


# Scores


def test_scores_are_those_of_the_metrics(image: NDArray[np.float32]) -> None:
    from sdd_bench.metrics.fidelity import psnr_db, ssim

    restored = np.clip(image + np.float32(0.05), 0, 1)
    found = sb.score(restored, image)
    assert found == {"psnr_db": psnr_db(restored, image), "ssim": ssim(restored, image)}
    assert sb.score(to_pixels(image), image, metrics="psnr") == {"psnr_db": np.inf}
    mask = np.zeros(image.shape[:2], bool)
    mask[:50] = True
    spoilt = restored.copy()
    spoilt[50:] = 0
    assert sb.score(spoilt, image, mask, "mae") == sb.score(restored, image, mask, "mae")


def test_a_batch_gives_one_number_an_image(image: NDArray[np.float32]) -> None:
    pair = np.stack([image, np.clip(image + np.float32(0.1), 0, 1)])
    found = sb.score(pair.transpose(0, 3, 1, 2), np.stack([image, image]), metrics=("mae", "psnr_db"))
    assert list(found) == ["mae", "psnr_db"]
    assert found["psnr_db"][0] == np.inf
    assert found["mae"][1] == sb.score(pair[1], image, metrics="mae")["mae"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"truth": np.zeros((96, 127, 3))}, "shapes differ: restored is 128x96, truth 127x96"),
        ({"truth": np.zeros((2, 96, 128, 3))}, "restored are 1 images, truth 2"),
        ({"metrics": ("psnr", "sharpness")}, "metrics: sharpness: expected some of psnr, ssim, mae, lpips"),
        ({"metrics": ()}, "no metrics, expected some of"),
    ],
)
def test_scores_that_cannot_be(image: NDArray[np.float32], change: dict[str, object], words: str) -> None:
    arguments: dict[str, object] = {"restored": image, "truth": image, **change}
    with pytest.raises(ValueError, match=words):
        sb.score(**arguments)  # type: ignore[arg-type]


# Pairs


def test_a_pair_is_analysed_and_anchored_whatever_it_is_given_as(make_known: Callable[..., KnownPair]) -> None:
    pair = make_known(Similarity(1.01, 0.05, 2.5, -1.25), radius_px=2.0)
    analysis = sb.analyse(pair.blur, pair.sharp)
    as_tensors = (torch.from_numpy(np.array(i)).permute(2, 0, 1)[None] for i in (pair.blur, pair.sharp))
    (again,) = sb.analyse(*as_tensors)
    assert again == analysis
    truth = sb.anchor(pair.blur, pair.sharp)
    # The anchor stands on the similarity alone, of which the analysis is the refined one.
    assert truth.analysis.similarity.after(analysis.similarity.inverse()).corner_px(*pair.blur.shape[1::-1]) < 0.02
    assert truth.mask.dtype == bool
    assert truth.coverage == truth.mask.mean()
    assert sb.score(truth.truth, pair.aligned, truth.mask, "psnr")["psnr_db"] > 40


def test_numbers_do_not_depend_on_threads_and_threads_are_left_alone(make_known: Callable[..., KnownPair]) -> None:
    from threadpoolctl import threadpool_info, threadpool_limits

    pair = make_known(Similarity(1.01, 0.05, 2.5, -1.25), radius_px=2.0)
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            before = (torch.get_num_threads(), cv2.getNumThreads(), threadpool_info())
            truth = sb.anchor(pair.blur, pair.sharp)
            found.append((truth.analysis, sb.score(pair.blur, truth.truth, truth.mask)))
            assert (torch.get_num_threads(), cv2.getNumThreads(), threadpool_info()) == before
    assert found[0] == found[1]


def test_images_of_two_scenes_are_not_anchored(photo: NDArray[np.float32]) -> None:
    noise = np.random.default_rng(1).random((200, 240, 3)).astype(np.float32)
    with pytest.raises(ValueError, match="could not be aligned"):
        sb.anchor(photo[:200, :240], noise)


# Datasets


def test_a_dataset_is_opened_listed_and_looked_up(make_pairs: Callable[..., Path]) -> None:
    root = make_pairs(["a", "b", "c"], folders=("test/blur", "test/gt"))
    dataset = sb.open_dataset(str(root), split="test")
    assert [pair.name for pair in dataset] == ["a", "b", "c"]
    assert (len(dataset), dataset["b"], dataset[-1].name) == (3, dataset[1], "c")
    assert dataset["test/b"] == dataset["b"]
    assert [pair.name for pair in dataset[:2]] == ["a", "b"]
    assert sb.score(dataset["a"].blur, dataset["a"].sharp, metrics="mae")["mae"] > 0
    with pytest.raises(KeyError, match="has no pair 'aa', did you mean 'a'"):
        _ = dataset["aa"]
    with pytest.raises(IndexError):
        _ = dataset[3]


def test_a_name_of_two_splits_is_told_apart(make_pairs: Callable[..., Path]) -> None:
    make_pairs(["a"], folders=("test/blur", "test/gt"))
    dataset = sb.open_dataset(make_pairs(["a"], folders=("train/blur", "train/gt")))
    assert dataset["train/a"].split == "train"
    with pytest.raises(KeyError, match="several: test/a, train/a"):
        _ = dataset["a"]


# Torch


def test_crops_are_seeded_and_cut_alike_from_blur_and_truth(make_pairs: Callable[..., Path]) -> None:
    dataset = sb.open_dataset(make_pairs(["a", "b"], folders=("test/blur", "test/gt")), split="test")
    pairs = sb.torch.PairDataset(dataset, crop=16, flips=True, seed=3)
    example = pairs[1]
    assert {k: tuple(v.shape) for k, v in example.items() if k != "name"} == {
        "blur": (3, 16, 16),
        "truth": (3, 16, 16),
        "mask": (1, 16, 16),
    }
    assert (example["name"], example["mask"].all().item()) == ("b", True)
    torch.testing.assert_close(example["blur"], example["truth"] * 0.5 + 0.25, atol=0.005, rtol=0)  # as they were made
    again = sb.torch.PairDataset(dataset, crop=16, flips=True, seed=3)
    assert torch.equal(again[1]["blur"], example["blur"])
    assert torch.equal(pickle.loads(pickle.dumps(pairs))[-1]["blur"], example["blur"])
    again.set_epoch(1)
    assert not torch.equal(again[1]["blur"], example["blur"])
    assert not torch.equal(sb.torch.PairDataset(dataset, crop=16, flips=True, seed=4)[1]["blur"], example["blur"])


def test_every_flip_occurs_and_is_the_same_for_blur_and_truth(make_pairs: Callable[..., Path]) -> None:
    dataset = sb.open_dataset(make_pairs(["a"], folders=("test/blur", "test/gt")), split="test")
    plain = sb.torch.PairDataset(dataset)[0]
    turned = {(v, h): torch.flip(plain["truth"], [d for d, on in ((1, v), (2, h)) if on])
              for v in (0, 1) for h in (0, 1)}  # fmt: skip
    pairs, seen = sb.torch.PairDataset(dataset, flips=True), set()
    for epoch in range(20):
        pairs.set_epoch(epoch)
        example = pairs[0]
        (way,) = [way for way, image in turned.items() if torch.equal(image, example["truth"])]
        assert torch.equal(
            example["blur"], torch.flip(plain["blur"], [d for d, on in zip((1, 2), way, strict=True) if on])
        )
        seen.add(way)
    assert seen == set(turned)


def test_whole_frames_load_in_batches_with_workers(make_pairs: Callable[..., Path]) -> None:
    dataset = sb.open_dataset(make_pairs(["a", "b", "c"], folders=("test/blur", "test/gt")), split="test")
    loader = DataLoader(sb.torch.PairDataset(dataset), batch_size=2, num_workers=1)
    batches = list(loader)
    assert [batch["name"] for batch in batches] == [["a", "b"], ["c"]]
    assert batches[0]["blur"].shape == (2, 3, 48, 64)
    np.testing.assert_array_equal(batches[1]["truth"][0].permute(1, 2, 0), sb.read_image(dataset["c"].sharp))


def test_patches_are_those_of_the_store_png_and_hdf5(prepared: Path) -> None:
    stores = [
        sb.torch.PairDataset(sb.open_dataset(root), patches=True, crop=48, seed=1)
        for root in (prepared, prepared.with_name("packed"))
    ]
    assert len(stores[0]) == len(stores[1]) > 0
    for index in (0, len(stores[0]) - 1):
        one, other = (store[index] for store in stores)
        assert one["name"] == other["name"]
        assert torch.equal(one["blur"], other["blur"])
        assert torch.equal(one["truth"], other["truth"])


def test_anchored_truth_is_that_of_the_anchors(prepared: Path, tmp_path: Path) -> None:
    from sdd_bench.evaluation.anchors import ensure_anchors

    dataset = sb.open_dataset(prepared, split="test")
    with pytest.raises(UserError, match=r"(?s)sdd-bench anchor --data .*: no anchor"):
        sb.torch.PairDataset(dataset, truth="anchored", anchors=tmp_path)
    assert list(tmp_path.iterdir()) == []
    ensure_anchors(dataset.pairs, tmp_path, 1)
    example = sb.torch.PairDataset(dataset, truth="anchored", anchors=str(tmp_path))[0]
    made = sb.anchor(dataset[0].blur, dataset[0].sharp)
    np.testing.assert_array_equal(example["truth"].permute(1, 2, 0), made.truth)
    np.testing.assert_array_equal(example["mask"][0], made.mask)


def test_a_torch_dataset_raises_like_any_other(make_pairs: Callable[..., Path]) -> None:
    dataset = sb.open_dataset(make_pairs(["a"], folders=("test/blur", "test/gt")), split="test")
    pairs = sb.torch.PairDataset(dataset, crop=500)
    with pytest.raises(IndexError, match="index 1 of 1 examples"):
        _ = pairs[1]
    with pytest.raises(ValueError, match="a: 64x48, too small for a crop of 500x500"):
        _ = pairs[0]
    dataset["a"].sharp.unlink()
    with pytest.raises(UserError, match=r"a\.png"):
        _ = sb.torch.PairDataset(dataset)[0]
    for wrong, words in (
        ({"truth": "warped"}, "truth='warped', expected one of sharp, anchored"),
        ({"patches": True, "truth": "anchored"}, "patches have no anchors"),
        ({"crop": 0}, "crop=0, expected a number of pixels of at least 1"),
    ):
        with pytest.raises(ValueError, match=words):
            sb.torch.PairDataset(dataset, **wrong)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="not a prepared dataset"):
        sb.torch.PairDataset(dataset, patches=True)


# Methods


@pytest.fixture(scope="module")
def known(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A prepared dataset and a folder of anchors of its test split."""
    from sdd_bench.evaluation.anchors import ensure_anchors

    folder = tmp_path_factory.mktemp("anchors")
    ensure_anchors(sb.open_dataset(prepared, split="test").pairs, folder, 1)
    return prepared, folder


def contents(*folders: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


def test_a_folder_a_function_and_the_command_get_the_same_scores(known: tuple[Path, Path], tmp_path: Path) -> None:
    from known_run import run_command

    root, anchors = known
    dataset = sb.open_dataset(root, split="test")
    before = contents(root, anchors)
    words = ("--data", root, "--anchors", anchors, "--metrics", "psnr,ssim", "--out", tmp_path / "r.json", "--jobs", 1)
    run_command("evaluate", "--pred", root / "test/blur", *words)
    written = sb.load_results(str(tmp_path / "r.json"))
    choices: dict[str, Any] = {"anchors": str(anchors), "metrics": ("psnr", "ssim")}
    folder = sb.evaluate(str(root / "test/blur"), str(root), **choices)

    def identity(blur: NDArray[np.float32]) -> NDArray[np.float32]:
        return blur

    def torch_identity(blur: NDArray[np.float32]) -> torch.Tensor:
        return torch.from_numpy(blur).permute(2, 0, 1)[None]

    function = sb.evaluate(identity, dataset, **choices)
    tensors = sb.evaluate(torch_identity, dataset, **choices)
    assert folder.method.name == written.method.name == "blur"
    assert function.method.name == "identity"
    numbers = ["psnr_db", "ssim", "gdi50_px", "forgiveness_db", "coverage"]
    for results in (folder, function, tensors):
        assert results.rows["name"].tolist() == [pair.name for pair in dataset]
        np.testing.assert_array_equal(results.rows[numbers], written.rows[numbers])
        assert results.summary["psnr_db"] == written.summary["psnr_db"] == results.rows["psnr_db"].mean()
    truth = sb.anchor(dataset[0].blur, dataset[0].sharp)
    assert sb.score(dataset[0].blur, truth.truth, truth.mask)["psnr_db"] == folder.rows["psnr_db"][0]
    folder.save(tmp_path / "again.json")
    np.testing.assert_array_equal(sb.load_results(tmp_path / "again.json").rows[numbers], written.rows[numbers])
    assert contents(root, anchors) == before


def test_nothing_is_written_where_anchors_are_missing(known: tuple[Path, Path]) -> None:
    root, anchors = known
    before = contents(root)
    results = sb.evaluate(root / "test/blur", root, metrics="psnr", diagnostics=False)
    again = sb.evaluate(root / "test/blur", root, metrics="psnr", diagnostics=False, anchors=anchors)
    np.testing.assert_array_equal(results.rows["psnr_db"], again.rows["psnr_db"])
    assert contents(root) == before


def test_methods_are_ranked_as_by_the_command(known: tuple[Path, Path], tmp_path: Path) -> None:
    root, anchors = known
    choices: dict[str, Any] = {"anchors": anchors, "metrics": "psnr", "protocol": "direct/1"}
    blur = sb.evaluate(sb.load_baseline("identity"), root, method="Blur image", **choices)
    truth = sb.evaluate(root / "test/gt", root, method="Sharp image", **choices)
    truth.save(tmp_path / "truth.json")
    table = sb.rank([blur, tmp_path / "truth.json"])
    assert table["method"].tolist() == ["Sharp image", "Blur image"]
    assert table["psnr_db"].tolist() == [np.inf, blur.summary["psnr_db"]]
    with pytest.raises(UserError, match="cannot share a table"):
        sb.rank([blur, sb.evaluate(root / "test/gt", root, anchors=anchors, metrics="psnr", diagnostics=False)])


def test_a_function_that_returns_no_image_is_named_with_its_pair(known: tuple[Path, Path]) -> None:
    root, anchors = known
    name = sb.open_dataset(root, split="test")[0].name
    wrong: list[tuple[Callable[[NDArray[np.float32]], NDArray[np.float32]], str]] = [
        (lambda blur: blur[:-1], name),
        (lambda blur: blur * np.nan, name),
        (lambda blur: blur * 255, name),
    ]
    for restore, words in wrong:
        with pytest.raises(ValueError, match=words):
            sb.evaluate(restore, root, anchors=anchors, metrics="psnr")
    with pytest.raises(ValueError, match="protocol='anchored', expected one of anchored/1"):
        sb.evaluate(root / "test/blur", root, protocol="anchored")


def test_a_baseline_is_a_function_of_arrays(image: NDArray[np.float32]) -> None:
    np.testing.assert_array_equal(sb.load_baseline("identity")(image), image)
    batch = torch.from_numpy(image).permute(2, 0, 1)[None]
    found = sb.load_baseline("identity")(batch)
    assert isinstance(found, torch.Tensor)
    assert torch.equal(found, batch)
    with pytest.raises(ValueError, match="identity"):
        sb.load_baseline("jdrl-huge")
