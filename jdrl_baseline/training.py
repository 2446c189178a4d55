"""Training loop on Lightning Fabric, the same on one CPU, one GPU, several GPUs and several machines.

A step depends on the seed and its number alone (order of the patches, crops, dropout), so that a run that is
interrupted and resumes from its last checkpoint gives the losses and weights of an uninterrupted run. At the end of an
epoch a checkpoint is written before the validation, so that a resumed run can repeat a validation that is missing.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import torch
from lightning.fabric import Fabric
from lightning.fabric.strategies import DDPStrategy
from torch import nn
from tqdm import tqdm

from jdrl_baseline import checkpoint
from jdrl_baseline.batch import Batch
from jdrl_baseline.flow import Flow
from jdrl_baseline.loop_settings import LoopSettings
from jdrl_baseline.patches import load_epoch
from jdrl_baseline.process_state import process_state_kept, seed_torch
from jdrl_baseline.records import Records
from jdrl_baseline.run import Hardware, Run, check_same_settings, settings_text, summary
from jdrl_baseline.schedule import step_seed
from jdrl_baseline.spread import PATIENCE, alone_in
from jdrl_baseline.training_data import open_training_data
from jdrl_baseline.validation import prepare_validation, validate
from sdd_bench.errors import UserError
from sdd_bench.io.files import write_text
from sdd_bench.io.serialise import json_text
from sdd_bench.jobs.progress import shows_progress

LAST, BEST = "last.pt", "best.pt"
SAVE_EVERY = 500
"""Number of steps between checkpoints within an epoch; every epoch ends with one."""


def train(
    root: Path,
    config: LoopSettings,
    out: Path,
    hardware: Hardware,
    *,
    resume: bool,
    anchors: Path | None = None,
    flow: tuple[Flow, dict[str, str]] | None = None,
) -> Path | None:
    """Train and return the path of the exported network; None in all processes but the first.

    If this process is the only one of the run, its state is restored at the end: thread counts, random generators, the
    libraries' deterministic modes and signal handlers.

    Args:
        root: A prepared dataset.
        config: Training configuration.
        out: Folder of the run: config.json, log.csv, tensorboard/, samples/ and checkpoints.
        hardware: Hardware of the run.
        resume: Resume from the last checkpoint, which must exist. Without it, the run resumes if there is a checkpoint.
        anchors: Folder of the anchors of the validation pairs; None takes ROOT/anchors. Missing anchors are computed
            before the first step.
        flow: An estimator to use instead of `config.flow`, and its description in config.json and checkpoints.

    Raises:
        UserError: Data, settings or checkpoints do not fit, anchors cannot be written, another run is at work in the
            folder, or a loss is not finite.
    """
    data = open_training_data(root, config, out)
    with process_state_kept(), alone_in(out, out / "samples", processes=hardware.processes):
        state = None
        if resume or (out / LAST).is_file():
            state = checkpoint.load(out / LAST, checkpoint.TRAINING)
            check_same_settings(state, config, out / LAST)
            if data.validation_patches and not state.get("held_out"):  # begun by version 0.1.0, which held none out
                data = open_training_data(root, replace(config, val_scenes=0), out)
        fabric = Fabric(
            accelerator=hardware.accelerator,
            devices=hardware.devices,
            num_nodes=hardware.nodes,
            strategy=DDPStrategy(timeout=PATIENCE) if hardware.processes > 1 else "auto",
            precision=hardware.precision,  # type: ignore[arg-type]
        )
        if hardware.processes > 1:
            fabric.launch()
        torch.use_deterministic_algorithms(fabric.device.type == "cpu")
        torch.backends.cudnn.benchmark = True  # all crops have the same size; validation switches it off
        with torch.random.fork_rng([fabric.device] if fabric.device.type == "cuda" else []):
            return _train(Run(fabric, data, config, out, hardware, flow), hardware, state, anchors)


def _train(run: Run, hardware: Hardware, state: checkpoint.State | None, anchors: Path | None) -> Path | None:
    """Train to the end and export the best network."""
    fabric, out = run.fabric, run.out
    fabric.print(summary(run))
    warning = run.method.warning(fabric.device.type)
    if warning:
        fabric.print(f"warning: {warning}", file=sys.stderr)
    if state is not None:
        run.restore(state, out / LAST)
        fabric.print(f"going on from step {run.step} of {run.total_steps}")
    if fabric.is_global_zero:
        write_text(out / "config.json", json_text({**settings_text(run), "hardware": asdict(hardware)}))
    _loop(run, hardware, anchors)
    exported = out / run.method.exported
    if fabric.is_global_zero:
        best = out / BEST if run.method.exports_best and (out / BEST).is_file() else out / LAST
        checkpoint.export_network(exported, checkpoint.load(best))
    fabric.barrier()
    return exported if fabric.is_global_zero else None


def _loop(run: Run, hardware: Hardware, anchors: Path | None) -> None:
    """Train from the run's present step to its end and record the steps."""
    records = Records(run.out, run.step, run.method.terms, enabled=run.fabric.is_global_zero)
    is_late = run.step > 0 and run.is_validation_due and not records.is_validated
    try:
        if run.fabric.is_global_zero and (is_late or run.step < run.total_steps):
            run.validation = prepare_validation(run.data, anchors, str(run.fabric.device), run.validation_tile_px)
            if run.step < run.total_steps:
                run.method.make_ahead(run.out, run.data, run.moment)
        _steps(run, hardware, records, is_late=bool(run.fabric.broadcast(is_late)))
    finally:
        records.close()


def _steps(run: Run, hardware: Hardware, records: Records, *, is_late: bool) -> None:
    fabric, config, method = run.fabric, run.config, run.method
    (first, module), *others = method.trainable.items()
    live: dict[str, Any] = {first: fabric.setup_module(_compiled(module, hardware))}
    live |= {name: fabric.setup_module(other) for name, other in others}
    optimisers: dict[str, Any] = {name: fabric.setup_optimizers(o) for name, o in method.optimisers.items()}
    if is_late:
        _validate(run, records)
    saved = run.step
    hidden = not (fabric.is_global_zero and shows_progress())
    bar = tqdm(total=run.total_steps, initial=run.step, desc="train", unit="step", disable=hidden)
    while run.step < run.total_steps:
        epoch = run.step // run.per_epoch
        for name, optimiser in optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = method.rate(epoch, name)
        started = time.perf_counter()
        for number, batch in _batches(run, epoch):
            seed_torch(step_seed(config.seed, run.step, fabric.global_rank), fabric.device)
            last = number + 1 == run.group(number).stop
            terms, seen = _step(run, batch, live, optimisers, group=run.group(number), last=last)
            run.step += 1
            rate, ended = method.rate(epoch, next(iter(optimisers))), time.perf_counter()
            images, started = config.batch * fabric.world_size / (ended - started), ended
            records.write(run.step, epoch, terms, rate, images)
            said = _progress(terms, rate, images)
            bar.set_postfix_str(said, refresh=False)
            bar.update()
            if last and run.step - saved >= SAVE_EVERY:  # within a group, gradients are incomplete
                run.save(LAST)
                saved = run.step
            if run.step >= run.total_steps:
                break
        scored = _end_epoch(run, epoch, batch, seen, records)
        if bar.disable and fabric.is_global_zero:
            line = f"epoch {epoch + 1} of {config.epochs}, step {run.step} of {run.total_steps}: {said}{scored}"
            print(line, file=sys.stderr, flush=True)
    bar.close()


def _step(
    run: Run,
    batch: Batch,
    live: Mapping[str, Any],
    optimisers: Mapping[str, Any],
    *,
    group: range,
    last: bool,
) -> tuple[dict[str, float], Any]:
    """Update the weights, or only accumulate gradients before the last step of a group.

    Returns:
        The mean losses over all processes, 0 for losses that this step does not have, and the intermediate images.
    """
    fabric, on_gpu = run.fabric, run.fabric.device.type == "cuda"
    found, seen = dict.fromkeys(run.method.terms, 0.0), None
    with contextlib.ExitStack() as held:
        for network in live.values():
            network.train()
            if not last:
                held.enter_context(fabric.no_backward_sync(network))
        for turn in run.method.turns(batch, live, run.moment):
            own = torch.stack([term.detach().float() for term in turn.losses])
            terms = torch.as_tensor(fabric.all_reduce(own, reduce_op="mean"))
            if not on_gpu:  # on a CPU, the backward pass of a warp by non-finite flow can crash
                _check_finite(run, terms, batch)
            fabric.backward(turn.losses[0] / len(group))
            if on_gpu:  # waits for the GPU, which already has its work queued
                _check_finite(run, terms, batch)
            if last:
                if run.config.clip:
                    network = next(iter(live.values()))
                    fabric.clip_gradients(network, optimisers[turn.optimiser], max_norm=run.config.clip)
                optimisers[turn.optimiser].step()
                optimisers[turn.optimiser].zero_grad(set_to_none=True)
            found |= zip(turn.losses._fields, terms.tolist(), strict=True)
            seen = turn.seen
    return found, seen


def _compiled(network: nn.Module, hardware: Hardware) -> nn.Module:
    """Return the network, compiled if requested, ready for Fabric's set-up, which must come after compiling."""
    return cast(nn.Module, torch.compile(network)) if hardware.compiled else network


def _progress(losses: Mapping[str, float], rate: float, images_per_s: float) -> str:
    """Return the progress line of a step; losses that a variant or phase does not have are left out."""
    terms = " ".join(f"{name} {value:.4f}" for name, value in losses.items() if value)
    return f"{terms}, rate {rate:.2g}, {images_per_s:.1f} images/s"


def _batches(run: Run, epoch: int) -> Iterator[tuple[int, Batch]]:
    """Yield the remaining batches of an epoch with their numbers, on the device."""
    done = run.step % run.per_epoch
    ahead = run.method.ahead(run.out, run.data, run.moment)
    loader = load_epoch(run.data, run.config, epoch, run.fabric.global_rank, run.fabric.world_size, done, ahead)
    for number, batch in enumerate(loader, done):
        if isinstance(batch, UserError):
            raise batch
        yield number, batch.to(run.fabric.device)


def _end_epoch(run: Run, epoch: int, batch: Batch, seen: Any, records: Records) -> str:
    """Write a figure and a checkpoint and then validate, at the intervals of the configuration.

    Returns:
        The result of the validation, in words; empty without validation.
    """
    finished = run.step >= run.total_steps
    if run.fabric.is_global_zero and ((epoch + 1) % run.config.sample_every == 0 or finished):
        path = run.out / "samples" / f"{run.step:07d}.png"
        run.method.sample(path, batch, seen)
    run.save(LAST)
    return f", validation {_validate(run, records):.2f} dB" if run.is_validation_due else ""


def _validate(run: Run, records: Records) -> float:
    """Validate the weights of this step, keep them if they are the best so far, and return the PSNR in dB.

    The record is written last: a run that is interrupted before it repeats the validation, with the same result.
    """
    found = torch.tensor(0.0)
    if run.fabric.is_global_zero and run.validation is not None:
        networks = run.method.trainable.values()
        found = torch.tensor(validate(networks, run.method.score, run.validation, str(run.fabric.device)))
    psnr_db = float(run.fabric.broadcast(found))
    if psnr_db > run.best_db:
        run.best_db = psnr_db
        run.save(BEST)
        run.save(LAST)
    records.validated(run.step, psnr_db)
    return psnr_db


def _check_finite(run: Run, terms: torch.Tensor, batch: Batch) -> None:
    """Stop if a loss is not finite; the last checkpoint is from before that step."""
    if bool(torch.isfinite(terms).all()):
        return
    kept = run.out / LAST
    before = f"the last checkpoint, {kept}, is from before" if kept.is_file() else "no checkpoint was written yet"
    raise UserError(f"step {run.step}: the loss is not finite on {', '.join(batch.names)}; {before}")
