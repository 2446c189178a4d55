"""Settings of DefocusGAN: a generator guided by a map of the defocus blur, trained against a critic."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from jdrl_baseline.lbk_config import Align
from jdrl_baseline.loop_settings import Count, LoopSettings, Natural, NotNegative, Positive, Reaches
from jdrl_baseline.networks.deblurring import STRICT
from jdrl_baseline.networks.generator import BOUNDS_PX, REACHES
from jdrl_baseline.networks.multiscale import reach_faults


@dataclass(frozen=True, config=STRICT)
class DefocusGanConfig(LoopSettings):
    """Settings of a training run: the loop's, with the published values, and the settings below.

    See docs/explanation/defocusgan.md.

    Raises:
        pydantic.ValidationError: A value has the wrong type or is out of range; it is a ValueError.
    """

    method: ClassVar[str] = "defocusgan"

    # Generator and critic
    width: Annotated[int, Field(gt=0, le=1024)] = 64
    reaches: Reaches = REACHES  # of the generator's branches, for small to large radii
    residual: bool = False  # whether the output is added to the blur image and starts at zero
    critic_width: Annotated[int, Field(gt=0, le=1024)] = 64

    # Guidance
    maps: str = "anchor"  # "none", "anchor" (the radius of anchored/2), or the checkpoint of a map network
    guidance_epochs: Natural = 10  # number of steps over which guidance is annealed afterwards
    guidance_steps: Count = 20_000  # over which it is annealed afterwards

    # Losses
    align: Align = "anchor"  # truth: the unchanged sharp image, warped as in anchored/2, or warped by flow
    flow: str = "dis"  # or "ptlflow:MODEL[=CHECKPOINT]"; for align = "flow"
    l1_weight: Positive = 0.5
    perceptual_weight: NotNegative = 0.006
    vgg_weights: str = ""  # weights of torchvision's VGG19; if empty, there is no perceptual term
    adversarial_weight: NotNegative = 0.001  # 0 trains without critic; a comment in the release says 0.01
    defocus_weight: NotNegative = 0.1  # weight of the critic's term by blur radius
    penalty_weight: NotNegative = 10.0
    gp_norm: Literal["sample", "channel"] = "sample"  # "channel" as in the release

    # Schedule
    critic_from_epoch: Natural = 6
    adversarial_from_epoch: Natural = 11
    critic_steps: Count = 2  # updates of the critic per update of the generator
    critic_rate: Positive = 1.0  # learning rate of the critic, as a factor
    export: Literal["last", "best"] = "last"  # "best" is chosen by PSNR, which falls in adversarial training
    epochs: Count = 91
    learning_rate: Positive = 2e-4
    halve_every: Count = 30
    batch: Count = 4

    def _faults(self) -> list[str]:
        """Return the reasons why the settings are inconsistent."""
        faults = reach_faults(self.reaches)
        if len(self.reaches) > len(BOUNDS_PX) + 1:
            faults.append(f"reaches: {len(self.reaches)} branches, at most {len(BOUNDS_PX) + 1} share out the radii")
        if self.maps == "anchor" and self.align != "anchor":
            faults.append("maps = 'anchor' needs align = 'anchor'; or give maps = 'none' or a map network's checkpoint")
        if self.adversarial_weight and self.adversarial_from_epoch < self.critic_from_epoch:
            faults.append("adversarial_from_epoch is before critic_from_epoch: the critic would not be trained yet")
        return faults
