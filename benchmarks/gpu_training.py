"""Part of gpu.py: training steps per second, with flow by DIS, computed ahead, and by a model on the device."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable

import torch
from frames import misaligned_pair
from gpu_meter import Cell, LeftOutError, Section, Setting, attempt, timed
from lightning.fabric import Fabric

from jdrl_baseline.config import Config, load_config
from jdrl_baseline.flow import Flow, load_training_flow
from jdrl_baseline.models import build_deblurring, build_reblurring
from jdrl_baseline.phases import Batch, joint, warm_up

PRESETS = ("small-eq1", "unet-eq1", "eq1", "eq2")
TINY = ("width=8", "reblur_width=8")
TINY_TRANSFORMER = ("blocks=[1,1,1,1]", "heads=[1,1,2,2]", "refinement=1")
RAFT = "raft-small.pth"


def training(setting: Setting) -> list[Section]:
    """Return the rate of whole training steps: losses, backward and optimiser, without reading patches."""
    side = setting.size(512, 128)  # RAFT gives no finite flow on 64 px
    section = Section(f"Training steps a second, one crop of {side}x{side} px")
    flows: dict[str, Callable[[], Flow]] = {
        "DIS": lambda: load_training_flow("dis", setting.device)[0],
        "RAFT-small": functools.cache(lambda: _raft(setting)),
    }
    for preset in PRESETS:
        for precision in ("32", "bf16-mixed") if setting.on_gpu else ("32",):
            row: dict[str, Cell] = {"preset": preset, "precision": precision}
            attempt(row, lambda preset=preset, precision=precision: _rates(setting, preset, precision, side, flows))
            section.rows.append(row)
    section.notes += [
        "`warm-up` is the step of the first epochs, `joint` that of eq. (1) or (2). `ahead`: the flow is given, as it "
        "can be in warm-up, where it depends on no prediction. `without flow`: the joint step with a flow given, which "
        "training cannot do; it is what a faster flow could reach at best.",
    ]
    return [section]


def _raft(setting: Setting) -> Flow:
    path = setting.weights_file(RAFT)
    try:
        return load_training_flow(f"ptlflow:raft_small={path}", setting.device)[0]
    except ImportError as error:
        raise LeftOutError(f"ptlflow cannot be imported: {error}") from None


def _rates(
    setting: Setting, preset: str, precision: str, side: int, flows: dict[str, Callable[[], Flow]]
) -> dict[str, Cell]:
    tiny = () if setting.on_gpu else (*TINY, *(TINY_TRANSFORMER if preset.startswith("eq") else ()))
    config = load_config(preset, tiny)
    batch = _batch(side, setting.device)
    row: dict[str, Cell] = {}
    given = load_training_flow("dis", setting.device)[0](batch.blur, batch.sharp)
    ahead: Flow = lambda first, second: given  # noqa: ARG005, E731
    plans = {
        "warm-up, DIS": (warm_up, flows["DIS"]),
        "warm-up, ahead": (warm_up, lambda: ahead),
        "joint, DIS": (joint, flows["DIS"]),
        "joint, RAFT-small": (joint, flows["RAFT-small"]),
        "joint, without flow": (joint, lambda: ahead),
    }
    peaks = []
    for name, (phase, flow_of) in plans.items():
        try:
            step = _step(setting, config, precision, batch, phase, flow_of())
        except LeftOutError as reason:
            row[name] = f"left out: {reason}"
            continue
        milliseconds, peak_gb = timed(setting, step)
        row[name] = 1000 / milliseconds
        peaks.append(peak_gb or 0.0)
    row["peak memory, GB"] = max(peaks) if setting.on_gpu else None
    return row


def _step(
    setting: Setting, config: Config, precision: str, batch: Batch, phase: Callable, flow: Flow
) -> Callable[[], None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fabric = Fabric(accelerator=setting.device, devices=1, precision=precision)
    deblurring, reblurring = build_deblurring(config), build_reblurring(config)
    assert reblurring is not None
    parameters = [*deblurring.parameters(), *reblurring.parameters()]
    deblurring, optimiser = fabric.setup(deblurring, torch.optim.Adam(parameters, lr=config.learning_rate))
    reblurring = fabric.setup_module(reblurring)

    def step() -> None:
        losses, _ = phase(batch, deblurring, reblurring, flow, config)
        fabric.backward(losses.total)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return step


def _batch(side: int, device: str) -> Batch:
    frames = misaligned_pair(side, side, 0)
    blur, sharp = (torch.from_numpy(f.copy()).permute(2, 0, 1)[None].float().to(device) / 255 for f in frames)
    return Batch(blur, sharp, ("a",))
