"""Metrics through pyiqa: with made-up weights if it is installed, else the error message."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch
from known_weights import named_by_digest, saved
from numpy.typing import NDArray
from skimage import data

from sdd_bench.errors import UserError
from sdd_bench.metrics.pyiqa_models import MODELS, PyiqaMetric, load_model
from sdd_bench.metrics.table import METRICS

Array = NDArray[np.float32]
installed = pytest.mark.skipif(importlib.util.find_spec("pyiqa") is None, reason="pyiqa is not installed")


def photograph(size: int = 224) -> Array:
    return data.astronaut()[40 : 40 + size, 100 : 100 + size].astype(np.float32) / 255


def made(column: str, folder: Path) -> Path:
    """Return a file of made-up weights of a metric, named by its digest."""
    model = MODELS[column]
    folder.mkdir(parents=True, exist_ok=True)
    if column == "niqe":
        root = np.random.default_rng(0).normal(0, 1, (36, 36))
        scipy.io.savemat(
            folder / "new", {"mu_prisparam": np.ones((1, 36)), "cov_prisparam": root @ root.T}, appendmat=False
        )
        return named_by_digest(folder / "new", model.file)
    if column == "clipiqa":
        from pyiqa.archs.clip_model import CLIP

        torch.manual_seed(5)
        network = CLIP(64, 64, (1, 1, 1, 1), 32, None, 77, 49408, 64, 1, 1).eval()  # published as TorchScript
        torch.jit.trace(network, (torch.rand(1, 3, 64, 64), torch.ones(2, 77, dtype=torch.int64))).save(folder / "new")
        return named_by_digest(folder / "new", model.file)
    import pyiqa

    torch.manual_seed(5)
    network = pyiqa.create_metric(model.name, device="cpu", **model.options).net
    content = network.state_dict()
    return saved(content if column == "musiq" else {"params": content}, folder, model.file)


@installed
@pytest.mark.parametrize("column", MODELS)
def test_a_metric_gives_what_pyiqa_gives(column: str, tmp_path: Path) -> None:
    import pyiqa

    path = made(column, tmp_path)
    before = torch.random.get_rng_state()
    metric = load_model(column, (path,))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert metric.identity["sha256"][:8] == path.stem[-8:]
    model, image, truth = MODELS[column], photograph(), 1 - photograph()
    own = {} if model.within else {model.option: str(path)}
    theirs = pyiqa.create_metric(model.name, device="cpu", **model.options, **own)
    if model.within:
        content = torch.load(path, weights_only=True)
        theirs.net.load_state_dict(content.get("params", content))
    planes = [
        torch.from_numpy(i.transpose(2, 0, 1)[None].copy()) for i in ([image, truth] if model.compares else [image])
    ]
    expected = float(theirs(*planes))
    assert metric.distance(image, truth) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert METRICS[column].higher_is_better is not theirs.lower_better
    mask = np.zeros(image.shape[:2], bool)
    mask[:208, 8:] = True
    if model.compares:
        same = np.where(mask[..., None], image, truth)[:208, 8:]
        assert metric.distance(image, truth, mask) == pytest.approx(metric.distance(same, truth[:208, 8:]), rel=1e-6)
        assert metric.distance(image, truth, mask) != pytest.approx(expected, rel=1e-6)
    else:
        assert metric.distance(image, truth, mask) == metric.distance(image, image)


@installed
@pytest.mark.parametrize("column", ["musiq", "topiq_nr", "niqe", "clipiqa"])
def test_a_file_of_something_else_is_refused(column: str, tmp_path: Path) -> None:
    path = saved({"alpha": torch.ones(3)}, tmp_path, MODELS[column].file)
    with pytest.raises(UserError, match=f"not the weights of {column}: .* is missing|cannot build {column} from it"):
        load_model(column, (path,))


def test_without_pyiqa_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "pyiqa" else find(name, *more))
    with pytest.raises(UserError, match=r"^pyiqa is not installed: pip install 'sdd-bench\[iqa\]'$"):
        load_model("musiq", (tmp_path / "any.pth",))


def of(column: str, network: Any) -> PyiqaMetric:
    return PyiqaMetric(MODELS[column], network, "cpu", {})


def test_small_images_and_numbers_that_are_none_are_refused() -> None:
    image = photograph(64)
    with pytest.raises(ValueError, match="niqe needs sides of at least 192 px, not 64x64"):
        of("niqe", None).distance(image, image)
    with pytest.raises(ValueError, match="pyiqa's musiq gives nan"):
        of("musiq", lambda _: torch.tensor(float("nan"))).distance(image, image)


def test_only_a_metric_with_reference_sees_the_truth() -> None:
    image, truth = photograph(64), np.zeros((64, 64, 3), np.float32)
    seen: list[tuple[int, ...]] = []

    def network(*planes: torch.Tensor) -> float:
        seen.append(tuple(part.shape[-1] for part in planes))
        return float(planes[-1].sum())

    mask = np.zeros((64, 64), bool)
    mask[:, :40] = True
    assert of("musiq", network).distance(image, truth, mask) > 0
    assert of("topiq_fr", network).distance(image, truth, mask) == 0
    assert seen == [(64,), (40, 40)]
