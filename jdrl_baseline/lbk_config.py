"""Settings of the learnable blur kernels: an unsupervised map of the defocus blur."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from jdrl_baseline.loop_settings import Count, Counts, LoopSettings, Natural, NotNegative, Positive, Reaches
from jdrl_baseline.networks.deblurring import STRICT
from jdrl_baseline.networks.map_network import REACHES
from jdrl_baseline.networks.multiscale import reach_faults

Align = Literal["none", "anchor", "flow"]


@dataclass(frozen=True, config=STRICT)
class LbkConfig(LoopSettings):
    """Settings of a training run: the loop's, with the published values, and the settings below.

    See docs/explanation/defocusgan.md.

    Raises:
        pydantic.ValidationError: A value has the wrong type or is out of range; it is a ValueError.
    """

    method: ClassVar[str] = "lbk"

    # Map network E and kernels R
    views: Literal["dp", "blur", "twice"] = "blur"  # input of E: dual-pixel views, the blur image, or that image twice
    views_folder: str = ""  # DPDD as released, with train_l and train_r; for views = "dp"
    map_channels: Literal[1, 3] = 1  # 3: a map for each colour, as in the release
    width: Annotated[int, Field(gt=0, le=1024)] = 64
    reaches: Reaches = REACHES  # of E's branches
    kernels: Annotated[int, Field(ge=2, le=100)] = 25  # radii from 0 to kernels - 1, a kernel for each sign
    kernel_norm: Literal["softmax", "none"] = "softmax"  # "none" as in the release
    reblur_border: Literal["replicate", "zeros"] = "replicate"  # "zeros" as in the release

    # Losses
    align: Align = "anchor"  # truth: the unchanged sharp image, warped as in anchored/2, or warped by flow
    flow: str = "dis"  # or "ptlflow:MODEL[=CHECKPOINT]"; for align = "flow"
    loss_weight: Positive = 1000.0  # weight of the reblurring loss
    tv_weight: NotNegative = 4e-5  # of an image's total variation, a sum over pixels; 1e-5 for each of the release's 4
    tv_from_step: Natural = 3000  # "epoch" in the release, which counts steps

    # Schedule
    phases: Counts = (10, 5, 5, 5, 6)  # alternating epochs of E and R, beginning with E; the last phase continues
    epochs: Count = 31
    halve_every: Count = 30
    batch: Count = 4

    def _faults(self) -> list[str]:
        """Return the reasons why the settings are inconsistent."""
        faults = reach_faults(self.reaches)
        if self.views == "dp" and self.val_scenes:
            faults.append("views = 'dp' is not validated: pairs of whole frames have no views; set val_scenes = 0")
        if (self.views == "dp") != bool(self.views_folder):
            faults.append("views = 'dp' and views_folder, DPDD as released with train_l and train_r, go together")
        return faults
