"""Train `jdrl-small`, the weights that come with sdd-bench, on the pairs of `small_pairs.py`; an hour or two of a CPU.

    python benchmarks/small_weights.py --pairs DIR [--truths FILE.npz] --validation DIR --run DIR [--steps 20000]
    python benchmarks/small_weights.py --run DIR --export jdrl-small.pt

A step uses crops of random pieces at random positions, mirrored and transposed: the blurred piece with Gaussian noise,
rounded to 8 bits, with the ground truth as target; and a share of pieces that are not blurred, with noise, with
themselves as target, so that the network learns to leave sharp regions unchanged. With `--truths`, a share of the crops
is of pieces by `small_truths.py`, blurred as they are drawn: 108 pieces of nine photographs alone, with two blurs each,
are learnt by heart before the network has learnt to deblur. The loss is Charbonnier's; the
optimiser is Adam with a constant rate between a rise and a fall at the end; the exported weights are a running mean.

A step depends on the seed and its number alone. An interrupted run resumes from RUN/last.pt, and `--steps` may then be
changed; it determines when the rate begins to fall. RUN/log.jsonl has a line for every call and every validation,
RUN/at-STEP.pt the state of the training at that step. `--export` writes the running mean as a checkpoint of sdd-bench
at any time, also while the run continues; with `--step`, that of a validation.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from small_crops import Pieces, Recipe, draw_batch, read_pieces
from torch import Tensor, nn

from jdrl_baseline import checkpoint
from jdrl_baseline.config import Config
from jdrl_baseline.losses import charbonnier
from jdrl_baseline.models import build_deblurring
from jdrl_baseline.networks.blocks import ResidualBlock
from jdrl_baseline.networks.deblurring import DeblurringNetwork, parameter_count

LAST, AT, LOG = "last.pt", "at-{:06d}.pt", "log.jsonl"
SCHEDULE = ("fall", "sharp_share", "sharp_from", "sharp_rise")
"""Settings that may be changed when a run resumes; RUN/log.jsonl records the change."""

BORDER_PX = 16
"""Width of the border of validation pieces that is left out of the PSNR."""


class Training:
    """State of a training: network, running mean and optimiser.

    Attributes:
        recipe: Settings.
        step: Number of steps done.
        network: The trained network.
        mean: Network with the running mean of the weights.
        optimiser: Optimiser of the network's weights.
        pairs_sha256: SHA-256 of the training pairs.
    """

    def __init__(self, recipe: Recipe, pairs_sha256: str) -> None:
        self.recipe, self.step, self.pairs_sha256 = recipe, 0, pairs_sha256
        self.network = build_deblurring(config_of(recipe)).to(memory_format=torch.channels_last).train()
        self.mean = copy.deepcopy(self.network)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=recipe.learning_rate)

    def advance(self, pieces: Pieces, rate: float) -> tuple[float, float]:
        """Take a step with a learning rate; return the loss and the norm of the gradient."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        seen, target = draw_batch(pieces, self.recipe, self.step)
        restored = self.network(seen.contiguous(memory_format=torch.channels_last)).image
        loss = charbonnier(restored, target, epsilon=self.recipe.epsilon)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip or math.inf)
        self.optimiser.step()
        self.step += 1
        own, averaged = list(self.network.parameters()), list(self.mean.parameters())
        with torch.no_grad():
            torch._foreach_lerp_(averaged, own, max(1 / self.recipe.mean_of, 1 / self.step))
        return float(loss.detach()), float(norm.detach())

    def save(self, path: Path, scores: dict[str, float]) -> None:
        """Write the state needed to resume, and the last scores."""
        state = {
            "recipe": asdict(self.recipe), "step": self.step, "pairs_sha256": self.pairs_sha256, "scores": scores,
            "network": self.network.state_dict(), "mean": self.mean.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }  # fmt: skip
        checkpoint.save(path, state)

    @staticmethod
    def load(path: Path) -> tuple[Training, dict[str, float]]:
        """Return the training that `save` wrote, and its scores."""
        state = torch.load(path, weights_only=True)
        training = Training(Recipe(**state["recipe"]), state["pairs_sha256"])
        training.step = state["step"]
        training.network.load_state_dict(state["network"])
        training.mean.load_state_dict(state["mean"])
        training.optimiser.load_state_dict(state["optimiser"])
        return training, state["scores"]


def rate_at(recipe: Recipe, step: int, steps: int) -> float:
    """Return the learning rate of a step: a linear rise, a constant, and a linear fall to 0 at the end.

    >>> [round(rate_at(Recipe(learning_rate=1.0, rise=10, fall=0.5), step, 100), 2) for step in (0, 9, 50, 75, 99)]
    [0.1, 1.0, 1.0, 0.5, 0.02]
    """
    rise = min(1.0, (step + 1) / recipe.rise) if recipe.rise else 1.0
    fall = min(1.0, (steps - step) / (recipe.fall * steps)) if recipe.fall else 1.0
    return recipe.learning_rate * min(rise, fall)


def config_of(recipe: Recipe) -> Config:
    """Return the checkpoint's configuration of the network and, for settings with the same meaning, of the training."""
    return Config(
        network="small", width=recipe.width, blocks=(recipe.blocks,), gate=bool(recipe.gate), blur_map=False,
        deform=False, cycle=False, alpha=0.0, learning_rate=recipe.learning_rate, batch=recipe.batch, crop=recipe.crop,
        flips=True, val_scenes=0, seed=recipe.seed,
    )  # fmt: skip


@torch.no_grad()
def validate(network: DeblurringNetwork, pieces: Pieces) -> dict[str, float]:
    """Return the mean PSNR in dB of blurred pieces, of their restored images, and of the restored ground truth.

    The blurred pieces have noise of 1 count. `shut` is the share of rectifiers that are below zero everywhere in the
    last piece.
    """
    inner = (..., slice(BORDER_PX, -BORDER_PX), slice(BORDER_PX, -BORDER_PX))
    rng, found = np.random.default_rng(1), []
    for truth, blurs in zip(pieces.truth, pieces.blurs, strict=True):
        clean = truth.float()[None]
        kept = network(clean / 255).image.clamp(0, 1) * 255
        for blur in blurs:
            noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32))
            seen = (blur.float()[None] + noise).round().clamp(0, 255)
            restored = network(seen / 255).image.clamp(0, 1) * 255
            errors = [(image.round() - clean)[inner].square().mean() for image in (seen, restored, kept)]
            found.append([10 * math.log10(255**2 / max(float(error), 1e-4)) for error in errors])
    blur_db, restored_db, sharp_db = np.mean(found, axis=0)
    gains = [restored - before for before, restored, _ in found]
    return {
        "blur_db": float(blur_db), "restored_db": float(restored_db), "gain_db": float(restored_db - blur_db),
        "worst_db": float(min(gains)), "sharp_db": float(sharp_db), "shut": shut(network, seen / 255),
    }  # fmt: skip


def shut(network: DeblurringNetwork, image: Tensor) -> float:
    """Return the share of the blocks' rectifiers that are below zero everywhere in an image."""
    dead: list[Tensor] = []
    hooks = [
        block.first.register_forward_hook(lambda _, __, output: dead.append((output <= 0).all(dim=(0, 2, 3))))
        for block in network.modules()
        if isinstance(block, ResidualBlock)
    ]
    network(image)
    for hook in hooks:
        hook.remove()
    return float(torch.cat(dead).float().mean())


def train(
    training: Training, pieces: Pieces, held_out: Pieces, run: Path, steps: int, every: int, keep_s: float
) -> None:
    """Train to a number of steps, with a checkpoint every `keep_s` seconds and a validation every `every` steps."""
    kept, losses, norms, scores = time.monotonic(), [], [], {}
    began, cpu_s = training.step, time.process_time()
    while training.step < steps:
        loss, norm = training.advance(pieces, rate_at(training.recipe, training.step, steps))
        losses.append(loss)
        norms.append(norm)
        done = training.step >= steps
        if training.step % every == 0 or done:
            scores = validate(training.mean, held_out)
            record = {
                "step": training.step, "loss": float(np.mean(losses)), "gradient": float(np.median(norms)), **scores,
                "cpu_s_a_step": (time.process_time() - cpu_s) / (training.step - began),
            }  # fmt: skip
            print(note_down(run, {key: round(value, 6) for key, value in record.items()}), flush=True)
            losses, norms = [], []
            training.save(run / AT.format(training.step), scores)
        if done or time.monotonic() - kept > keep_s:
            training.save(run / LAST, scores)
            kept = time.monotonic()


def note_down(run: Path, record: dict[str, object]) -> str:
    """Add a line to the run's log and return it."""
    line = json.dumps(record)
    with (run / LOG).open("a", encoding="utf-8") as log:
        log.write(line + "\n")
    return line


def export(run: Path, out: Path, step: int = 0) -> None:
    """Write the running mean of a run as a checkpoint of sdd-bench that holds the deblurring network alone.

    Args:
        run: Folder of the run.
        out: File to write.
        step: Step of a validation; 0 takes the last checkpoint.
    """
    training, scores = Training.load(run / (AT.format(step) if step else LAST))
    state: checkpoint.State = {
        **checkpoint.describe(config_of(training.recipe), training.pairs_sha256, {}),
        "kind": checkpoint.DEBLURRING,
        "step": training.step,
        "epoch": 0,
        "validation_psnr_db": scores.get("restored_db", math.nan),
        "deblurring": {name: value.contiguous() for name, value in training.mean.state_dict().items()},
    }
    checkpoint.save(out, state)
    print(f"{out}: {parameter_count(training.mean):,} numbers, {training.step} steps, {json.dumps(scores)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--truths", type=Path, metavar="FILE.npz")
    parser.add_argument("--validation", type=Path)
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--every", type=int, default=500, help="steps between two validations")
    parser.add_argument("--keep-s", type=float, default=120.0, help="seconds between two checkpoints")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--export", type=Path, metavar="FILE")
    parser.add_argument("--step", type=int, default=0, help="of the validation to export; the last checkpoint if 0")
    for name, value in asdict(Recipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    arguments = parser.parse_args()
    if arguments.export:
        export(arguments.run, arguments.export, arguments.step)
        return
    if not (arguments.pairs and arguments.validation):
        raise SystemExit("give --pairs and --validation to train, or --export FILE")
    torch.set_num_threads(arguments.threads)
    torch.use_deterministic_algorithms(True)
    arguments.run.mkdir(parents=True, exist_ok=True)
    if arguments.drawn and not arguments.truths:
        raise SystemExit("--drawn needs --truths FILE.npz")
    pieces, held_out = read_pieces(arguments.pairs, arguments.truths), read_pieces(arguments.validation)
    recipe = Recipe(**{name: getattr(arguments, name) for name in asdict(Recipe())})
    if (arguments.run / LAST).is_file():
        training, _ = Training.load(arguments.run / LAST)
        begun = replace(training.recipe, **{name: getattr(recipe, name) for name in SCHEDULE})
        if (begun, training.pairs_sha256) != (recipe, pieces.sha256):
            raise SystemExit(f"{arguments.run}: begun with other settings or pairs: {training.recipe}")
        if training.recipe != recipe:
            note_down(arguments.run, {"step": training.step, "recipe": asdict(recipe)})
        training.recipe = recipe
    else:
        training = Training(recipe, pieces.sha256)
    note_down(arguments.run, {"step": training.step, "planned": arguments.steps})
    train(training, pieces, held_out, arguments.run, arguments.steps, arguments.every, arguments.keep_s)


if __name__ == "__main__":
    main()
