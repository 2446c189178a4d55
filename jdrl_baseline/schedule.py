"""Quantities that depend on the step number alone: phase, learning rate and random seeds."""

from __future__ import annotations

import math

import numpy as np

from jdrl_baseline.config import Config
from jdrl_baseline.loop_settings import LoopSettings

LEAST_RATE = 0.02
"""Share of the learning rate that a cosine falls to."""


def step_seed(seed: int, step: int, rank: int) -> int:
    """Return what torch's generators are seeded with in a step of a process.

    Seeds of up to 24 bits are packed beside step and process; longer ones would not fit in 64 bits and are mixed.

    >>> step_seed(3, 2, 1) == (3 << 40) + (2 << 8) + 1
    True
    """
    if seed < 1 << 24:
        return (seed << 40) + (step << 8) + rank
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0])


def phase_of(config: Config, epoch: int) -> str:
    """Return the phase of an epoch: `warm-up`, `reblurring alone` or `joint`.

    >>> frozen = Config(reblur_start="frozen", frozen_epochs=5)
    >>> [phase_of(frozen, epoch) for epoch in (14, 15, 19, 20)]
    ['warm-up', 'reblurring alone', 'reblurring alone', 'joint']
    """
    if epoch < config.warmup_epochs:
        return "warm-up"
    alone = config.reblur_start == "frozen" and epoch < config.warmup_epochs + config.frozen_epochs
    return "reblurring alone" if alone else "joint"


def rate_of(settings: LoopSettings, epoch: int) -> float:
    """Return the learning rate of an epoch: it rises at first where it is to, then falls.

    >>> [rate_of(Config(learning_rate=8.0, rise_epochs=4), epoch) for epoch in (0, 1, 3, 59, 60)]
    [2.0, 4.0, 8.0, 8.0, 4.0]
    >>> cosine = Config(learning_rate=1.0, rate_schedule="cosine", epochs=5)
    >>> [round(rate_of(cosine, epoch), 2) for epoch in range(5)]
    [1.0, 0.86, 0.51, 0.16, 0.02]
    """
    rise = min(1.0, (epoch + 1) / settings.rise_epochs) if settings.rise_epochs else 1.0
    if settings.rate_schedule == "halve":
        return settings.learning_rate * rise * 0.5 ** (epoch // settings.halve_every)
    done = epoch / max(1, settings.epochs - 1)
    fall: float = LEAST_RATE + (1 - LEAST_RATE) * (1 + math.cos(math.pi * done)) / 2
    return settings.learning_rate * rise * fall


def jdrl_rate(config: Config, epoch: int) -> float:
    """Return the learning rate of an epoch of JDRL: lower after R was trained alone.

    >>> [jdrl_rate(Config(learning_rate=8.0, reblur_start="frozen"), epoch) for epoch in (19, 20, 60)]
    [8.0, 0.8..., 0.4...]
    """
    lowered = config.reblur_start == "frozen" and phase_of(config, epoch) == "joint"
    return rate_of(config, epoch) * (config.frozen_rate if lowered else 1)
