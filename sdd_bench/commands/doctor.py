"""Command `sdd-bench doctor`: versions, devices, weights and data on this machine, and what is missing."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from sdd_bench.commands.option_values import DATA_VARIABLE, DEFAULT_DATA, devices
from sdd_bench.commands.script_output import say, script_options

State = tuple[str, str]
"""Name of a checked item, and its state."""

SECTIONS: dict[str, tuple[str, str]] = {
    "versions": ("Versions", " "),
    "phone_images": ("Images of phones", ": "),
    "devices": ("Devices", ": "),
    "flow": ("Optical flow", ": "),
    "lpips_backbones": ("LPIPS backbones", ": "),
    "optional_metrics": ("Optional metrics", ": "),
    "data": ("Data", ": "),
}
"""Heading of each section by its key in the JSON report, with the separator between name and state."""


@click.command("doctor", short_help="Check versions, devices, weights and data; say what to do next.")
@click.option(
    "--flow",
    "flow_models",
    multiple=True,
    default=("pwcnet", "raft_small"),
    show_default=True,
    help="Flow model of ptlflow whose weights to look for; can be repeated.",
)
@script_options
def command(flow_models: tuple[str, ...]) -> dict[str, object]:
    """Check versions, devices, weights and data, and say what to do next.

    Lists also where the released datasets come from and which folders they have. Nothing is downloaded.

    \b
    Example:
      sdd-bench doctor
      sdd-bench doctor --flow pwcnet
      sdd-bench doctor --json
    """
    from sdd_bench.datasets.known import datasets_message

    found = {
        "versions": _versions(),
        "phone_images": _phones(),
        "devices": _devices(),
        "flow": _flow(flow_models),
        "lpips_backbones": _lpips(),
        "optional_metrics": _metrics(),
        "data": _data(),
    }
    report: dict[str, dict[str, str]] = {}
    for key, states in found.items():
        heading, between = SECTIONS[key]
        say(f"{heading}:")
        report[key] = of_section = dict(states)
        for name, state in of_section.items():
            say(f"  {name}{between}{state}")
    say("Datasets:")
    for line in datasets_message().splitlines():
        say(f"  {line}")
    has_lpips = report["lpips_backbones"]["alex"].startswith("ready")
    say("Next:")
    steps = _next_steps(has_lpips=has_lpips)
    for words, purpose in steps:
        say(f"  {words}\n      {purpose}")
    return report | {"next": [{"command": words, "purpose": purpose} for words, purpose in steps]}


def _versions() -> Iterator[State]:
    from sdd_bench.evaluation.results import environment

    yield "system", f"{platform.platform()}, {os.cpu_count()} CPUs"
    yield from environment().items()


def _phones() -> Iterator[State]:
    from sdd_bench.io.heif import libraries

    yield from libraries().items()


def _devices() -> Iterator[State]:
    import torch

    for device in devices():
        yield device, "ready" if device == "cpu" else torch.cuda.get_device_name(device)


def _flow(models: tuple[str, ...]) -> Iterator[State]:
    from torch import hub

    from sdd_bench.registration.ptlflow_models import cached_checkpoints, ptlflow_models

    yield "dis", "ready (OpenCV, no weights)"
    known = ptlflow_models()
    yield "ptlflow", f"{len(known)} models; weights are looked for in {Path(hub.get_dir()) / 'checkpoints'}"
    for model in models:
        if model not in known:
            yield f"ptlflow:{model}", "ptlflow has no such model"
            continue
        checkpoints = cached_checkpoints(model)
        for name, file in checkpoints.items():
            state = f"ready ({file})" if file else "absent; downloaded on first use where there is internet"
            yield f"ptlflow:{model}={name}", state
        yield f"ptlflow:{model}=FILE", "takes weights from a file"


def _lpips() -> Iterator[State]:
    from sdd_bench.errors import UserError
    from sdd_bench.metrics.backbone import find_trunk

    for net in ("alex", "squeeze"):
        try:
            trunk = find_trunk(net, None)
        except UserError as error:
            yield net, error.message
            continue
        yield (
            net,
            f"ready ({trunk})"
            if trunk
            else "absent; give the file with --lpips-trunk FILE or SDD_BENCH_LPIPS_TRUNK=FILE "
            "(torchvision's state dict, whole or features only)",
        )


def _metrics() -> Iterator[State]:
    from sdd_bench.errors import UserError
    from sdd_bench.metrics.loaded import files_of
    from sdd_bench.metrics.table import METRICS

    for name, metric in METRICS.items():
        if metric.by_default:
            continue
        try:
            files = files_of([name], download=False).get(name, ())
            yield metric.option, "ready" + (f" ({', '.join(map(str, files))})" if files else "")
        except UserError as error:
            yield metric.option, error.message.removeprefix(f"{metric.heading}: ")


def _data() -> Iterator[State]:
    from sdd_bench.datasets.catalog import list_dataset
    from sdd_bench.errors import UserError

    for label, value in data_places():
        if not value:
            yield label, "not set"
            continue
        folder = Path(value)
        if not folder.is_dir():
            yield label, f"{folder} does not exist"
        elif (folder / "dataset.json").is_file():
            yield label, f"{folder}, prepared"
        else:
            try:
                listing = list_dataset(folder)
                yield label, f"{folder}, {listing.name} ({listing.layout}), {len(listing.pairs)} pairs"
            except UserError as error:
                yield label, f"{folder}: {error.message.splitlines()[0]}"


def data_places() -> list[tuple[str, str | None]]:
    """Return the places that are searched for data: label and folder, None if the environment variable is not set."""
    places = [(f"${DATA_VARIABLE}", os.environ.get(DATA_VARIABLE)), ("default", str(DEFAULT_DATA))]
    in_data = [path for path in sorted(Path("data").glob("*")) if path.is_dir() and path != DEFAULT_DATA]
    return [*places, *((f"in data/ ({path.name})", str(path)) for path in in_data)]


def _next_steps(*, has_lpips: bool) -> list[tuple[str, str]]:
    """Return the next commands for this machine, with their purpose."""
    folders = [Path(value) for _, value in data_places() if value]
    prepared = next((folder for folder in folders if (folder / "dataset.json").is_file()), None)
    steps = []
    if not has_lpips:
        steps.append(("export SDD_BENCH_LPIPS_TRUNK=FILE", "Have LPIPS measured: its backbone's weights are absent."))
    if prepared is None:
        steps.append(("sdd-bench demo", "See the whole loop on data it makes itself; it needs no dataset."))
        steps.append(("sdd-bench prepare SOURCE --out data/NAME", "Prepare a released dataset, or your own pairs."))
    score = "--blur blur/ --sharp sharp/" if prepared is None else f"--data {shlex.quote(str(prepared))}"
    steps.append((f"sdd-bench evaluate --pred restored/ {score}", "Score a folder of predictions."))
    return steps
