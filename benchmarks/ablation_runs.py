"""The testbed's rows: what each changes, how long it trains, and one run of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from ablation_data import CONDITIONS, TRAIN_PAIRS, make_data
from torch import Tensor

from jdrl_baseline.config import Config, load_config
from jdrl_baseline.flow import Flow, dis
from jdrl_baseline.predict import predict
from jdrl_baseline.run import Hardware
from jdrl_baseline.training import LAST, train
from sdd_bench.io.images import list_images
from sdd_bench.registration.flow import DIS_IDENTITY


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        preset: Of Table 5; its networks are replaced by the small one.
        settings: Changes to it.
        data: What stands for the sharp image, see `ablation_data.make_data`.
        paper_db: What the paper's Table 5 has on SDD.
        words: What it is.
    """

    preset: str
    words: str
    settings: tuple[str, ...] = ()
    data: str = "taken"
    paper_db: float | None = None


TEACHER = ("reblur_input=truth", "warmup_terms=aligned+reblur")
EQ2 = ("blur_map=true", "map_width=8")
"""F_B as wide as the branches of R, as in the paper; with 64 channels a step takes two and a half times as long."""

ROWS = {
    "l1": Row("unet-l1", "plain L1 on the pair as taken", paper_db=24.62),
    "no-cycle": Row("unet-no-cycle", "eq. (1) without any warp", paper_db=24.80),
    "no-mask": Row("unet-no-mask", "eq. (1) without the mask", paper_db=25.78),
    "no-reblur": Row("unet-no-reblur", "eq. (1) without reblurring", paper_db=25.58),
    "no-kpn": Row("unet-no-kpn", "fixed disks for predicted kernels", paper_db=25.68),
    "no-wpn": Row("unet-no-wpn", "one 15x15 kernel a pixel", paper_db=25.74),
    "eq1": Row("unet-eq1", "eq. (1)", paper_db=25.94),
    "frozen": Row("unet-eq1", "eq. (1), R first alone, as the release advises", ("reblur_start=frozen",)),
    "teacher": Row("unet-eq1", "eq. (1), R taught on the warped sharp image", TEACHER),
    "eq2": Row("unet-eq1", "eq. (2)", EQ2),
    "eq2-teacher": Row("unet-eq1", "eq. (2), R taught on the warped sharp image", (*EQ2, *TEACHER)),
    "eq2-untold": Row("unet-eq1", "eq. (2), R taught, without the loss of the map", (*EQ2, *TEACHER, "beta=0")),
    "aligned-l1": Row("unet-l1", "plain L1 on the sharp image that anchored/2 warps", data="anchored"),
    "ceiling": Row("unet-l1", "plain L1 on the exact truth", data="exact"),
}


@dataclass(frozen=True)
class Trial:
    """How long and how small it is."""

    steps: int = 3000
    width: int = 24
    blocks: int = 4
    reblur_width: int = 8
    batch: int = 4
    crop: int = 64
    warm_up: float = 0.5
    learning_rate: float = 2e-3
    clip: float = 0.1

    def config(self, row: Row, seed: int) -> Config:
        """Return the settings of a run."""
        epochs = -(-self.steps // (TRAIN_PAIRS // self.batch))
        warmup_epochs = round(self.warm_up * epochs)
        values: dict[str, object] = {
            "network": "small", "width": self.width, "blocks": [self.blocks], "reblur_width": self.reblur_width,
            "batch": self.batch, "crop": self.crop, "epochs": epochs, "steps": self.steps,
            "warmup_epochs": warmup_epochs, "warmup_flow": "ahead", "frozen_epochs": max(1, round(0.15 * epochs)),
            "rate_schedule": "cosine", "rise_epochs": max(1, round(0.03 * epochs)), "clip": self.clip,
            "learning_rate": self.learning_rate, "flips": True,
            "val_scenes": 0, "sample_every": 10**6, "workers": 0, "seed": seed,
        }  # fmt: skip
        settings = [f"{key}={str(value).lower()}" for key, value in values.items()]
        return load_config(row.preset, [*settings, *row.settings])


@dataclass(frozen=True)
class WorseFlow:
    """DIS with a smooth error, which follows from the second image alone: the same for every row.

    Attributes:
        error_px: Root mean square length of the error.
    """

    error_px: float
    identity: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "identity", {"estimator": f"dis with an error of {self.error_px:g} px"})

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the flow of a batch."""
        return dis(first, second) + torch.stack([self._error(image) for image in second]).to(first)

    def _error(self, image: Tensor) -> Tensor:
        pixels = image.detach().float().cpu().numpy()
        digest = hashlib.sha256(np.rint(pixels * 255).astype(np.uint8).tobytes()).digest()
        rng = np.random.default_rng(np.frombuffer(digest[:8], np.uint64))
        height, width = pixels.shape[1:]
        coarse = rng.standard_normal((4, 4, 2)).astype(np.float32)
        smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        smooth *= self.error_px / np.sqrt(np.square(smooth).sum(axis=2).mean())
        return torch.from_numpy(smooth).permute(2, 0, 1)


def estimator(condition: str) -> tuple[Flow, dict[str, str]]:
    """Return what estimates the flow under a condition, and what it is."""
    error_px = CONDITIONS[condition].flow_error_px
    if not error_px:
        return dis, DIS_IDENTITY
    worse = WorseFlow(error_px)
    return worse, worse.identity


def run_folder(work: Path, condition: str, row: str, seed: int) -> Path:
    """Return where a run lies; conditions that differ in the flow alone share the rows that use none."""
    if not load_config(ROWS[row].preset).deform:
        camera = CONDITIONS[condition].camera
        condition = next(name for name, known in CONDITIONS.items() if known.camera == camera)
    return work / "runs" / condition / f"{row}-{seed}"


def train_row(work: Path, condition: str, row: str, seed: int, trial: Trial) -> None:
    """Train a row where it is not trained yet, and predict the test pairs; with one thread."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    run = run_folder(work, condition, row, seed)
    pairs = work / "pairs" / CONDITIONS[condition].folder
    if not (run / "deblurring.pt").is_file():
        begun = (run / LAST).is_file()
        data = make_data(pairs, ROWS[row].data)
        config = trial.config(ROWS[row], seed)
        train(data, config, run, Hardware(accelerator="cpu"), resume=begun, flow=estimator(condition))
    blurs = {path.stem: path for path in list_images(pairs / "test" / "blur")}
    predict(run / "deblurring.pt", blurs, run / "predictions", tile_px=0)
