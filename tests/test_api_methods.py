"""The Python API: methods give the results of the commands, and nothing else is changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import sdd_bench as sb
from sdd_bench.errors import UserError


@pytest.fixture
def known(prepared: Path, prepared_anchors: Path) -> tuple[Path, Path]:
    """A prepared dataset and a folder of anchors of its test split."""
    return prepared, prepared_anchors


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
    numbers = ["psnr_db", "ssim", "gdi_px", "ceiling_db", "coverage"]
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
    assert table["psnr_db"].tolist() == [60, blur.summary["psnr_db"]]
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
    with pytest.raises(ValueError, match="protocol='anchored', expected one of anchored/2"):
        sb.evaluate(root / "test/blur", root, protocol="anchored")


def test_a_baseline_is_a_function_of_arrays(image: NDArray[np.float32]) -> None:
    np.testing.assert_array_equal(sb.load_baseline("identity")(image), image)
    batch = torch.from_numpy(image).permute(2, 0, 1)[None]
    found = sb.load_baseline("identity")(batch)
    assert isinstance(found, torch.Tensor)
    assert torch.equal(found, batch)
    with pytest.raises(ValueError, match="identity"):
        sb.load_baseline("jdrl-huge")
