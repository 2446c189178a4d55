"""The Python API: its ten names, scores, pairs and datasets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from known import KnownPair
from numpy.typing import NDArray

import sdd_bench as sb
from sdd_bench.io.images import to_pixels
from sdd_bench.registration.similarity import Similarity

TEN = {
    "read_image", "score", "analyse", "anchor", "open_dataset", "torch", "evaluate", "load_results", "rank",
    "load_baseline",
}  # fmt: skip


def test_the_ten_names_are_there_and_importing_them_loads_nothing() -> None:
    code = "import sys, sdd_bench\nprint(sorted({'torch', 'numpy', 'cv2', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert all(callable(getattr(sb, name)) or name in ("torch", "__version__") for name in sb.__all__)
    assert set(sb.__all__) - {"__version__"} == TEN
    assert set(dir(sb)) >= TEN
    with pytest.raises(AttributeError, match="no attribute 'scores'"):
        _ = sb.scores  # type: ignore[attr-defined]


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
        ({"metrics": ("psnr", "sharpness")}, "metrics: sharpness: expected one or more of psnr, ssim, mae, lpips"),
        ({"metrics": ()}, "no metrics, expected one or more of"),
    ],
)
def test_scores_that_cannot_be(image: NDArray[np.float32], change: dict[str, object], words: str) -> None:
    arguments: dict[str, object] = {"restored": image, "truth": image, **change}
    with pytest.raises(ValueError, match=words):
        sb.score(**arguments)  # type: ignore[arg-type]


# Pairs


def test_a_pair_is_analysed_and_anchored_whatever_it_is_given_as(make_known: Callable[..., KnownPair]) -> None:
    pair = make_known(Similarity(1.01, 0.05, 2.5, -1.25), radius_px=2.0, margin=90)
    analysis = sb.analyse(pair.blur, pair.sharp)
    as_tensors = (torch.from_numpy(np.array(i)).permute(2, 0, 1)[None] for i in (pair.blur, pair.sharp))
    (again,) = sb.analyse(*as_tensors)
    assert again == analysis
    truth = sb.anchor(pair.blur, pair.sharp)
    # The anchor uses the similarity alone; the analysis refines it.
    assert truth.analysis.similarity.after(analysis.similarity.inverse()).corner_px(*pair.blur.shape[1::-1]) < 0.02
    assert truth.mask.dtype == bool
    assert truth.coverage == truth.mask.mean()
    assert sb.score(truth.truth, pair.aligned, truth.mask, "psnr")["psnr_db"] > 40


def test_numbers_do_not_depend_on_threads_and_threads_are_left_alone(make_known: Callable[..., KnownPair]) -> None:
    from threadpoolctl import threadpool_info, threadpool_limits

    pair = make_known(Similarity(1.01, 0.05, 2.5, -1.25), radius_px=2.0, margin=90)
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
