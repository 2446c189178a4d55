"""sdd-bench doctor: what is installed, which weights and data are there, and where missing ones go."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from pathlib import Path

import click

from sdd_bench.commands.options import DATA_VARIABLE, DEFAULT_DATA, devices


@click.command("doctor", short_help="What is installed, which weights and data are there.")
@click.option(
    "--flow",
    "flow_models",
    multiple=True,
    default=("pwcnet", "raft_small"),
    show_default=True,
    help="A ptlflow model to look for weights of; may be repeated.",
)
def command(flow_models: tuple[str, ...]) -> None:
    """Say what is installed, which weights and data are there, where missing ones go, and where datasets come from.

    \b
    Example:
      sdd-bench doctor --flow pwcnet
    """
    for title, lines in (
        ("versions", _versions()),
        ("images of phones", _phones()),
        ("devices", _devices()),
        ("flow", _flow(flow_models)),
        ("LPIPS backbones", _lpips()),
        ("optional metrics", _metrics()),
        ("data", _data()),
        ("datasets", _datasets()),
    ):
        click.echo(f"{title}:")
        for line in lines:
            click.echo(f"  {line}")


def _versions() -> Iterator[str]:
    from sdd_bench.evaluation.results import environment

    yield f"{platform.platform()}, {os.cpu_count()} CPUs"
    for name, version in environment().items():
        yield f"{name} {version}"


def _phones() -> Iterator[str]:
    from sdd_bench.io.heif import libraries

    for name, how in libraries().items():
        yield f"{name}: {how}"


def _devices() -> Iterator[str]:
    import torch

    for device in devices():
        yield device if device == "cpu" else f"{device}: {torch.cuda.get_device_name(device)}"


def _flow(models: tuple[str, ...]) -> Iterator[str]:
    from torch import hub

    from sdd_bench.registration.ptlflow_models import cached_checkpoints, ptlflow_models

    yield "dis: ready (OpenCV, no weights)"
    known = ptlflow_models()
    yield f"ptlflow: {len(known)} models; weights are looked for in {Path(hub.get_dir()) / 'checkpoints'}"
    for model in models:
        if model not in known:
            yield f"ptlflow:{model}: ptlflow has no such model"
            continue
        checkpoints = cached_checkpoints(model)
        for name, file in checkpoints.items():
            state = f"ready ({file})" if file else "absent; downloaded on first use where there is internet"
            yield f"ptlflow:{model}={name}: {state}"
        yield f"ptlflow:{model}=FILE takes weights from a file"


def _lpips() -> Iterator[str]:
    from sdd_bench.metrics.backbone import find_trunk

    for net in ("alex", "squeeze"):
        trunk = find_trunk(net, None)
        yield f"{net}: " + (
            f"ready ({trunk})"
            if trunk
            else "absent; give the file with --lpips-trunk FILE or SDD_BENCH_LPIPS_TRUNK=FILE "
            "(torchvision's state dict, whole or features only)"
        )


def _metrics() -> Iterator[str]:
    from sdd_bench.errors import UserError
    from sdd_bench.metrics.loaded import files_of
    from sdd_bench.metrics.table import METRICS

    for name, metric in METRICS.items():
        if metric.by_default:
            continue
        try:
            files = files_of([name], download=False).get(name, ())
            yield f"{metric.option}: ready" + (f" ({', '.join(map(str, files))})" if files else "")
        except UserError as error:
            yield f"{metric.option}: {error.message.removeprefix(f'{metric.heading}: ')}"


def _data() -> Iterator[str]:
    from sdd_bench.datasets.catalog import list_dataset
    from sdd_bench.errors import UserError

    places = [("$" + DATA_VARIABLE, os.environ.get(DATA_VARIABLE)), ("default", str(DEFAULT_DATA))]
    places += [("in data/", str(p)) for p in sorted(Path("data").glob("*")) if p.is_dir() and p != DEFAULT_DATA]
    for label, value in places:
        if not value:
            yield f"{label}: not set"
            continue
        folder = Path(value)
        if not folder.is_dir():
            yield f"{label}: {folder} does not exist"
        elif (folder / "dataset.json").is_file():
            yield f"{label}: {folder}, prepared"
        else:
            try:
                listing = list_dataset(folder)
                yield f"{label}: {folder}, {listing.name} ({listing.layout}), {len(listing.pairs)} pairs"
            except UserError as error:
                yield f"{label}: {folder}: {error.message.splitlines()[0]}"


def _datasets() -> Iterator[str]:
    from sdd_bench.datasets.known import datasets_message

    yield from datasets_message().splitlines()
