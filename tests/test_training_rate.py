"""Learning rate and gradients of a training: a cosine that goes on as it was begun, a largest norm of the gradient."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from known_run import CPU, tiny
from known_training import assert_same_weights, losses

from jdrl_baseline import checkpoint
from jdrl_baseline.training import LAST, train
from sdd_bench.errors import UserError

COSINE = {"rate_schedule": "cosine", "rise_epochs": 2, "clip": 0.01, "batch": 20, "epochs": 4}
"""Four epochs of two steps."""


def first_moments(run: Path) -> torch.Tensor:
    state = checkpoint.load(run / LAST)["optimiser"]["state"]
    return torch.cat([moments["exp_avg"].flatten() for moments in state.values()])


def test_a_gradient_is_shortened_to_its_largest_norm(prepared: Path, tmp_path: Path) -> None:
    for name, clip in (("free", 0.0), ("wide", 1e6), ("clipped", 0.01)):
        train(prepared, tiny(steps=1, clip=clip), tmp_path / name, CPU, resume=False)
    free, wide, clipped = (first_moments(tmp_path / name) for name in ("free", "wide", "clipped"))
    torch.testing.assert_close(wide, free)
    assert float(free.norm()) > 0.1 * 0.01  # Adam's first step keeps a tenth of the gradient
    assert float(clipped.norm()) == pytest.approx(0.1 * 0.01, rel=1e-3)
    torch.testing.assert_close(clipped / clipped.norm(), free / free.norm(), rtol=1e-3, atol=1e-5)


def test_a_cosine_goes_on_as_it_was_begun_and_cannot_be_lengthened(prepared: Path, tmp_path: Path) -> None:
    train(prepared, tiny(**COSINE, steps=3), tmp_path / "run", CPU, resume=False)
    with pytest.raises(UserError, match=r"epochs \(4, now 5\); only steps, workers, val_every, sample_every can"):
        train(prepared, tiny(**COSINE | {"epochs": 5}), tmp_path / "run", CPU, resume=True)
    train(prepared, tiny(**COSINE, steps=8), tmp_path / "run", CPU, resume=True)
    train(prepared, tiny(**COSINE, steps=8), tmp_path / "uncut", CPU, resume=False)
    assert losses(tmp_path / "run") == losses(tmp_path / "uncut")
    assert_same_weights(tmp_path / "run" / LAST, tmp_path / "uncut" / LAST)
    (head, *rows) = losses(tmp_path / "uncut")
    rates = [float(row[head.index("learning_rate")]) for row in rows]
    assert rates == pytest.approx([v * 1e-3 for v in (0.5, 0.5, 0.755, 0.755, 0.265, 0.265, 0.02, 0.02)], rel=1e-3)
