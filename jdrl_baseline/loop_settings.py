"""Settings of the training loop, which all methods share, and the types that settings are made of."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from jdrl_baseline.networks.deblurring import STRICT

LARGEST = 2**53
"""Limit of numbers without a limit of their own; beyond it, whole numbers are not exact as doubles."""

Count = Annotated[int, Field(gt=0, le=LARGEST)]
Natural = Annotated[int, Field(ge=0, le=LARGEST)]
Positive = Annotated[float, Field(gt=0, le=LARGEST)]
NotNegative = Annotated[float, Field(ge=0, le=LARGEST)]
Reaches = Annotated[tuple[Annotated[int, Field(ge=1, le=100)], ...], Field(strict=False, min_length=1, max_length=16)]
Counts = Annotated[tuple[Count, ...], Field(strict=False, min_length=1, max_length=16)]


@dataclass(frozen=True, config=STRICT)
class LoopSettings:
    """What the loop and the patches need to know; a method adds its own settings and may have other defaults.

    Attributes:
        method: Name of the method.

    Raises:
        pydantic.ValidationError: A value of the wrong type or out of range; it is a ValueError.
    """

    method: ClassVar[str]

    epochs: Count = 200
    learning_rate: Positive = 2e-5  # of Adam, at the start
    halve_every: Count = 60  # epochs between two halvings of the learning rate
    rate_schedule: Literal["halve", "cosine"] = "halve"  # "cosine": falls along half a cosine to 2 % at the last epoch
    rise_epochs: Natural = 0  # first epochs, over which the learning rate rises in equal steps
    clip: NotNegative = 0.0  # largest norm of a gradient, longer ones are shortened to it; 0 leaves them as they are
    batch: Count = 1  # patches per step and process
    accumulate: Count = 1  # steps whose gradients are averaged before the weights change
    crop: Annotated[int, Field(ge=32, le=LARGEST)] = 512  # side of the random square crop of a patch, px
    most_patches: Natural = 0  # train on at most so many patches, spread evenly over those there are; 0 takes all
    release_crop: bool = False  # crop from the upper left half only, as in JDRL's release
    flips: bool = False  # flip both patches of a pair at random
    val_scenes: Natural = 10  # scenes of the training split held out for validation
    val_every: Count = 1  # epochs between two validations
    sample_every: Count = 5  # epochs between two sample pictures
    steps: Natural = 0  # stop early after this many steps; 0 trains all epochs
    workers: Annotated[int, Field(ge=0, le=256)] = 2  # processes that read patches
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0

    @model_validator(mode="after")
    def _check(self) -> Self:
        faults = self._faults()
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def _faults(self) -> list[str]:
        """Return why the settings do not fit together."""
        return []


FREE = ("epochs", "steps", "workers", "val_every", "sample_every")
"""Settings that a resumed run may change, as they change no loss of a step; under a cosine `epochs` does."""
