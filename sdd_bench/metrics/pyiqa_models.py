"""NIQE, MUSIQ, CLIP-IQA and TOPIQ through pyiqa, with weights identified by digest.

No other file imports pyiqa. pyiqa's own downloads are never used, and nothing in a tensor file is executed.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import math
import os
import pickle
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sdd_bench.errors import UserError, silent
from sdd_bench.io.files import file_sha256
from sdd_bench.io.text import short
from sdd_bench.metrics.fidelity import check_images
from sdd_bench.metrics.masked import boxed, filled
from sdd_bench.metrics.metric import Image, Mask, Weights
from sdd_bench.metrics.tensor_files import checked_tensors, read_tensors
from sdd_bench.metrics.weights_files import WeightsFile

if TYPE_CHECKING:
    import torch

PUBLISHED = "https://huggingface.co/chaofengc/IQA-PyTorch-Weights/resolve/main/"
CLIP = "https://openaipublic.azureedge.net/clip/models/"
CLIP_SHA256 = "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762"
INSTALL = "pip install 'sdd-bench[iqa]'"


@dataclass(frozen=True)
class Model:
    """A metric of pyiqa.

    Attributes:
        name: Name of the metric in pyiqa.
        file: Weights file.
        compares: Whether it needs the truth.
        smallest_px: Smallest side of an image, in pixels.
        options: Options of pyiqa's network that keep it from downloading files itself.
        within: Key of the state dict in the file; None if pyiqa reads the file itself.
        option: pyiqa's option for the file, if it reads the file itself.
    """

    name: str
    file: WeightsFile
    compares: bool = False
    smallest_px: int = 32
    options: Mapping[str, object] = field(default_factory=dict)
    within: str | None = None
    option: str = ""


def _published(name: str) -> WeightsFile:
    return WeightsFile(
        name, PUBLISHED + name, name.rpartition("-")[2].partition(".")[0] if "-" in name else "", "pyiqa"
    )


MODELS = {
    "niqe": Model("niqe", _published("niqe_modelparameters.mat"), smallest_px=192, option="pretrained_model_path"),
    "musiq": Model(
        "musiq", _published("musiq_koniq_ckpt-e95806b9.pth"), options={"pretrained": False}, within="params"
    ),
    "clipiqa": Model(
        "clipiqa",
        WeightsFile("RN50.pt", f"{CLIP}{CLIP_SHA256}/RN50.pt", CLIP_SHA256, "clip"),
        option="backbone",
    ),
    "topiq_nr": Model(
        "topiq_nr",
        _published("cfanet_nr_koniq_res50-9a73138b.pth"),
        options={"pretrained": False, "backbone_pretrain": False},
        within="params",
    ),
    "topiq_fr": Model(
        "topiq_fr",
        _published("cfanet_fr_kadid_res50-2c4cc61d.pth"),
        compares=True,
        options={"pretrained": False, "backbone_pretrain": False},
        within="params",
    ),
}
"""pyiqa's model for each column, with the weights that pyiqa uses by default."""


@dataclass(frozen=True)
class PyiqaMetric:
    """A metric of pyiqa with loaded weights, built by `load_model`.

    Attributes:
        model: Definition of the metric.
        network: Network of pyiqa, in evaluation mode.
        device: Device of network and images.
        identity: Name and SHA-256 of its weights, version of pyiqa.
    """

    model: Model
    network: Any
    device: str
    identity: dict[str, str]

    def distance(self, restored: Image, reference: Image, mask: Mask | None = None) -> float:
        """Return pyiqa's score of an image, at its own size.

        Args:
            restored: (H, W, 3) float32 or float64 in [0, 1]; values outside are clamped.
            reference: Image of the same shape, ignored by metrics without reference.
            mask: (H, W) bool, True where the pixel counts. A metric with reference uses the bounding box of these
                pixels, inside which other pixels are copied from the reference; a metric without reference uses the
                whole restored image.

        Raises:
            ValueError: As in `fidelity.check_images`, or an image is too small, or the score is not finite.
        """
        import torch

        check_images(restored, reference, mask)
        images = [restored]
        if self.model.compares:
            restored, reference, mask = boxed(restored, reference, mask)
            images = [filled(restored, reference, mask), reference]
        height, width = images[0].shape[:2]
        if min(height, width) < self.model.smallest_px:
            raise ValueError(
                f"{self.model.name} needs sides of at least {self.model.smallest_px} px, not {width}x{height}"
            )
        exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), exact, _quiet():
            score = float(self.network(*(self._planes(image) for image in images)))
        if not math.isfinite(score):
            raise ValueError(f"pyiqa's {self.model.name} gives {score}")
        return score

    def _planes(self, image: Image) -> torch.Tensor:
        """Return an image as (1, 3, H, W) float32 in [0, 1]."""
        import torch

        planes = np.array(image.transpose(2, 0, 1)[None], np.float32, order="C")
        return torch.from_numpy(planes).clamp_(0, 1).to(self.device)


def check_package() -> None:
    """Raise a UserError if pyiqa is not installed, without importing it."""
    from importlib.util import find_spec

    if find_spec("pyiqa") is None:
        raise UserError(f"pyiqa is not installed: {INSTALL}")


def load_model(column: str, files: tuple[Path, ...], device: str = "cpu") -> PyiqaMetric:
    """Return a metric of pyiqa with its weights loaded.

    Args:
        column: A key of `MODELS`.
        files: File of its weights.
        device: A torch device.

    Raises:
        UserError: pyiqa is not installed or cannot be loaded, or the file does not contain the weights.
    """
    check_package()
    (path,), model = files, MODELS[column]
    what = f"the weights of {column}"
    tensors = None if model.within is None else read_tensors(path, what, model.within)
    own = {} if model.within is not None else {model.option: str(path)}
    network = _created(model, {**model.options, **own}, path)
    if tensors is not None:
        found = {name.removeprefix("module."): value for name, value in tensors.items()}
        network.net.load_state_dict(checked_tensors(found, network.net.state_dict(), path, what))
    identity = {
        "file": path.name,
        "sha256": file_sha256(path),
        "pyiqa_package": importlib.metadata.version("pyiqa"),
    }
    return PyiqaMetric(model, network.eval().to(device), device, identity)


def weights_of(column: str) -> Weights:
    """Return the weights for a key of `MODELS`."""
    return Weights((MODELS[column].file,), partial(load_model, column), check_package)


def _created(model: Model, options: Mapping[str, object], path: Path) -> Any:
    """Return pyiqa's network; torch's random state is not changed."""
    import torch
    from scipy.io.matlab import MatReadError

    try:
        with _quiet(), torch.random.fork_rng(devices=[]):
            import pyiqa

            return pyiqa.create_metric(model.name, device="cpu", **options)
    except ImportError as error:
        raise UserError(f"pyiqa cannot be loaded ({error}): {INSTALL}") from None
    except (
        OSError,
        EOFError,
        RuntimeError,
        ValueError,
        LookupError,
        TypeError,
        pickle.PickleError,
        MatReadError,
    ) as error:
        raise UserError(
            f"{path}: pyiqa cannot build {model.name} from it ({type(error).__name__}: {short(str(error), 120)})"
        ) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep pyiqa and its imports from printing, logging and warning."""
    with silent("pyiqa"), warnings.catch_warnings(), Path(os.devnull).open("w") as nothing:
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(nothing):
            yield
