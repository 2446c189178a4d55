"""Quantities that depend on the step number alone: phase, learning rate and random seeds."""

from __future__ import annotations

import numpy as np

from jdrl_baseline.config import Config


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


def rate_of(config: Config, epoch: int) -> float:
    """Return the learning rate of an epoch: halved every so often, and lower after R was trained alone.

    >>> [rate_of(Config(learning_rate=8.0, reblur_start="frozen"), epoch) for epoch in (19, 20, 60)]
    [8.0, 0.8..., 0.4...]
    """
    lowered = config.reblur_start == "frozen" and phase_of(config, epoch) == "joint"
    return config.learning_rate * 0.5 ** (epoch // config.halve_every) * (config.frozen_rate if lowered else 1)
