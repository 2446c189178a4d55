"""The Python API: images and masks of every kind as inputs, and results of the same kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sdd_bench.api.arrays import to_images, to_masks
from sdd_bench.io.images import to_pixels, write_png


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
