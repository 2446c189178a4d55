"""Trainings of a few steps of the second baseline's two methods."""

from __future__ import annotations

from jdrl_baseline.config import build_settings
from jdrl_baseline.defocusgan_config import DefocusGanConfig
from jdrl_baseline.lbk_config import LbkConfig

SMALL = {"width": 4, "reaches": [1, 4], "crop": 48, "batch": 10, "workers": 0, "val_scenes": 0, "align": "none"}
LBK = {**SMALL, "kernels": 4, "phases": [1, 1, 1], "epochs": 3, "learning_rate": 1e-3, "tv_from_step": 2}
GAN = {
    **SMALL, "critic_width": 4, "maps": "none", "critic_from_epoch": 1, "adversarial_from_epoch": 2, "epochs": 3,
    "guidance_epochs": 1, "guidance_steps": 8, "learning_rate": 1e-3,
}  # fmt: skip


def small_lbk(**changes: object) -> LbkConfig:
    return build_settings({**LBK, **changes}, "test", LbkConfig)


def small_gan(**changes: object) -> DefocusGanConfig:
    return build_settings({**GAN, **changes}, "test", DefocusGanConfig)
