"""The training loop: flat, on Lightning Fabric, the same on one CPU, one GPU, several GPUs and several machines.

A step depends on the seed and its number alone (order of the patches, crops, dropout), so that a run that was killed
and goes on from its last checkpoint gives the losses and weights of one that was not.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from lightning.fabric import Fabric
from tqdm import tqdm

from jdrl_baseline import checkpoint
from jdrl_baseline.config import Config
from jdrl_baseline.losses import Losses
from jdrl_baseline.patches import TrainingData, load_epoch, open_training_data
from jdrl_baseline.phases import Batch, Seen, joint, warm_up
from jdrl_baseline.pictures import write_sample
from jdrl_baseline.records import Records
from jdrl_baseline.run import Hardware, Run, settings_text, summary
from jdrl_baseline.spread import alone_in
from jdrl_baseline.validation import validate
from sdd_bench.errors import UserError
from sdd_bench.io.files import write_text
from sdd_bench.io.serialise import json_text

LAST, BEST, EXPORTED = "last.pt", "best.pt", "deblurring.pt"
SAVE_EVERY = 500
"""Steps between checkpoints within an epoch; every epoch ends with one."""


def train(root: Path, config: Config, out: Path, hardware: Hardware, *, resume: bool) -> Path | None:
    """Train and return the exported deblurring network; None in all processes but the first.

    Args:
        root: A prepared dataset.
        config: What is trained.
        out: The run's folder: config.json, log.csv, tensorboard/, samples/ and checkpoints.
        hardware: What it runs on.
        resume: Go on from the last checkpoint, which must be there; without, go on if one of the same settings is.

    Raises:
        UserError: Data, settings or checkpoints that do not fit, another run at work in the folder, or a loss that is
            not finite.
    """
    data = open_training_data(root, config)
    with alone_in(out, out / "samples"):
        if not resume and (out / LAST).is_file():
            _check_same(out / LAST, config)
            resume = True
        return _train(data, config, out, hardware, resume=resume)


def _check_same(path: Path, config: Config) -> None:
    """Raise UserError if a checkpoint is of a run with other settings."""
    before = asdict(checkpoint.config_of(checkpoint.load(path, checkpoint.TRAINING), path))
    changed = [k for k, v in asdict(config).items() if before[k] != v]
    if changed:
        raise UserError(f"{path.parent}: holds a run with other settings: {', '.join(changed)}; give another folder")


def _train(data: TrainingData, config: Config, out: Path, hardware: Hardware, *, resume: bool) -> Path | None:
    """Train in a folder that is this run's alone."""
    fabric = Fabric(
        accelerator=hardware.accelerator,
        devices=hardware.devices,
        num_nodes=hardware.nodes,
        strategy="ddp" if hardware.devices * hardware.nodes > 1 else "auto",
        precision=hardware.precision,  # type: ignore[arg-type]
    )
    if hardware.devices * hardware.nodes > 1:
        fabric.launch()
    torch.use_deterministic_algorithms(fabric.device.type == "cpu")
    run = Run(fabric, data, config, out, hardware)
    fabric.print(summary(run))
    if resume:
        run.restore(out / LAST)
        fabric.print(f"going on from step {run.step} of {run.total_steps}")
    elif fabric.is_global_zero:
        write_text(out / "config.json", json_text({**settings_text(run), "hardware": asdict(hardware)}))
    _loop(run, hardware)
    if fabric.is_global_zero:
        best = out / BEST if (out / BEST).is_file() else out / LAST
        checkpoint.export_deblurring(out / EXPORTED, checkpoint.load(best))
    fabric.barrier()
    return out / EXPORTED if fabric.is_global_zero else None


def _loop(run: Run, hardware: Hardware) -> None:
    """Train from the run's step to its end, and keep records of it."""
    records = Records(run.out, run.step, enabled=run.fabric.is_global_zero)
    try:
        _steps(run, hardware, records)
    finally:
        records.close()


def _steps(run: Run, hardware: Hardware, records: Records) -> None:
    fabric, config = run.fabric, run.config
    deblurring, optimiser = fabric.setup(run.deblurring, run.optimiser)
    reblurring = None if run.reblurring is None else fabric.setup_module(run.reblurring)
    if hardware.compiled:
        deblurring = torch.compile(deblurring)
    saved = run.step
    bar = tqdm(total=run.total_steps, initial=run.step, desc="train", unit="step", disable=not _shows(fabric))
    while run.step < run.total_steps:
        epoch = run.step // run.per_epoch
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * 0.5 ** (epoch // config.halve_every)
        for number, batch in _batches(run, epoch):
            started = time.perf_counter()
            torch.manual_seed((config.seed << 40) + (run.step << 8) + fabric.global_rank)
            deblurring.train()
            last = (number + 1) % config.accumulate == 0 or number + 1 == run.per_epoch
            with fabric.no_backward_sync(deblurring, enabled=not last):
                if epoch < config.warmup_epochs:
                    losses, seen = warm_up(batch, deblurring, reblurring, run.flow, config)
                else:
                    losses, seen = joint(batch, deblurring, reblurring, run.flow, config)
                own = torch.stack([term.detach().float() for term in losses])
                terms = torch.as_tensor(fabric.all_reduce(own, reduce_op="mean"))
                _check_finite(run, terms, batch)
                fabric.backward(losses.total / config.accumulate)
            if last:
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)
            run.step += 1
            images = config.batch * fabric.world_size / (time.perf_counter() - started)
            named, rate = Losses(*terms.tolist()), optimiser.param_groups[0]["lr"]
            records.write(run.step, epoch, named, rate, images)
            said = _progress(named, rate, images)
            bar.set_postfix_str(said, refresh=False)
            bar.update()
            if last and run.step - saved >= SAVE_EVERY:  # between, gradients are half added up
                run.save(LAST)
                saved = run.step
            if run.step >= run.total_steps:
                break
        _end_epoch(run, epoch, batch, seen, records)
        if bar.disable and fabric.is_global_zero:
            scored = f", validation {run.last_db:.2f} dB" if run.data.validation else ""
            line = f"epoch {epoch + 1} of {config.epochs}, step {run.step} of {run.total_steps}: {said}{scored}"
            print(line, file=sys.stderr, flush=True)
    bar.close()


def _progress(losses: Losses, rate: float, images_per_s: float) -> str:
    """Return a step in words; terms that a variant or phase does not have are left out."""
    terms = " ".join(f"{name} {value:.4f}" for name, value in losses._asdict().items() if value)
    return f"{terms}, rate {rate:.2g}, {images_per_s:.1f} images/s"


def _batches(run: Run, epoch: int) -> Iterator[tuple[int, Batch]]:
    """Yield what is left of an epoch, each batch with its number, on the device."""
    done = run.step % run.per_epoch
    loader = load_epoch(run.data, run.config, epoch, run.fabric.global_rank, run.fabric.world_size, done)
    for number, batch in enumerate(loader, done):
        if isinstance(batch, UserError):
            raise batch
        device = run.fabric.device
        yield number, Batch(batch.blur.to(device), batch.sharp.to(device), batch.names)


def _end_epoch(run: Run, epoch: int, batch: Batch, seen: Seen, records: Records) -> None:
    """Write pictures, validate and keep checkpoints, as often as the configuration says."""
    config, finished = run.config, run.step >= run.total_steps
    if run.fabric.is_global_zero and ((epoch + 1) % config.sample_every == 0 or finished):
        write_sample(run.out / "samples" / f"{run.step:07d}.png", batch, seen)
    if run.data.validation and ((epoch + 1) % config.val_every == 0 or finished):
        found = torch.tensor(0.0)
        if run.fabric.is_global_zero:
            found = torch.tensor(validate(run.deblurring, run.data, str(run.fabric.device)))
        psnr_db = float(run.fabric.broadcast(found))
        records.validated(run.step, psnr_db)
        run.last_db = psnr_db
        if psnr_db > run.best_db:
            run.best_db = psnr_db
            run.save(BEST)
    run.save(LAST)


def _check_finite(run: Run, terms: torch.Tensor, batch: Batch) -> None:
    """Stop where a loss is not finite: the weights of the last checkpoint are from before."""
    if bool(torch.isfinite(terms).all()):
        return
    kept = run.out / LAST
    before = f"the last checkpoint, {kept}, is from before" if kept.is_file() else "no checkpoint was written yet"
    raise UserError(f"step {run.step}: the loss is not finite on {', '.join(batch.names)}; {before}")


def _shows(fabric: Fabric) -> bool:
    return bool(fabric.is_global_zero and sys.stderr.isatty())
