"""The Python API: datasets for torch, with whole frames, crops, patches and anchored truths."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import sdd_bench as sb
from sdd_bench.errors import UserError


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


def test_anchored_truth_is_that_of_the_anchors(prepared: Path, prepared_anchors: Path, tmp_path: Path) -> None:
    dataset = sb.open_dataset(prepared, split="test")
    with pytest.raises(UserError, match=r"(?s)sdd-bench anchor --data .*: no anchor"):
        sb.torch.PairDataset(dataset, truth="anchored", anchors=tmp_path)
    assert list(tmp_path.iterdir()) == []
    example = sb.torch.PairDataset(dataset, truth="anchored", anchors=str(prepared_anchors))[0]
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
