"""sdd-bench demo: the whole loop, by the commands a user would type."""

from __future__ import annotations

import shlex
import textwrap
import time
from pathlib import Path

import click

from sdd_bench.commands.options import job_count, jobs_option

METHODS = {
    "blur": "Blur image",
    "deconvolution": "Richardson-Lucy, disk 2 px",
    "upper-bound": "Aligned truth (upper bound)",
}
"""Folder of predictions to name in the tables."""

PROTOCOLS = {"direct/1": "leaderboard-direct.csv", "paper/1": "leaderboard.csv"}


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="A new folder, or one of an earlier demo.",
)
@jobs_option
def command(out: Path, jobs: int | None) -> None:
    """Run the whole loop on data it makes itself: no download, under a minute.

    Synthesises misaligned pairs from the photographs inside scikit-image, prepares them, scores three honest
    predictions under two protocols, and writes leaderboards and a page with pictures.

    \b
    Example:
      sdd-bench demo --out demo
    """
    from sdd_bench.baselines import copy_images, write_deconvolutions
    from sdd_bench.dataset.manifest import read_prepared
    from sdd_bench.report.demo_page import explain, write_page

    started = time.monotonic()
    workers = str(job_count(jobs))
    photos, data, predictions, results = (out / name for name in ("photos", "data", "predictions", "results"))
    _say("Making misaligned pairs with known truth from the photographs inside scikit-image")
    _run("synthesise", "--out", photos, "--count", "12", "--max-radius", "4", "--seed", "1", "--jobs", workers)
    _say("Preparing them as a dataset: split by scene, 128 px patches")
    _run(
        "prepare",
        photos,
        "--dataset",
        "pairs",
        "--name",
        "demo",
        "--split",
        "0.5",
        "--group-by",
        "scene",
        "--window",
        "128",
        "--out",
        data,
        "--jobs",
        workers,
    )
    _say("Three honest predictions: the blur image, a classical deconvolution, and the aligned truth as upper bound")
    test = read_prepared(data).split("test")
    copy_images([pair.blur for pair in test], predictions / "blur")
    write_deconvolutions(test, predictions / "deconvolution", int(workers))
    copy_images([photos / "truth" / "aligned" / f"{p.name}.png" for p in test], predictions / "upper-bound")
    for protocol in PROTOCOLS:
        for folder, method in METHODS.items():
            _run(
                "evaluate",
                "--pred",
                predictions / folder,
                "--data",
                data,
                "--protocol",
                protocol,
                "--method",
                method,
                "--out",
                results / f"{folder}.{protocol.replace('/', '-')}.json",
                "--jobs",
                workers,
                quiet=True,
            )
    for protocol, name in PROTOCOLS.items():
        files = [results / f"{folder}.{protocol.replace('/', '-')}.json" for folder in METHODS]
        _run("leaderboard", *files, "--out", out / name)
    tables = {protocol: out / name for protocol, name in PROTOCOLS.items()}
    click.echo("\nWhat this shows:")
    for line in explain(tables):
        click.echo(textwrap.fill(line, 100, initial_indent="  ", subsequent_indent="  ") + "\n")
    page = write_page(out / "report.html", tables, test, {METHODS[f]: predictions / f for f in METHODS})
    click.echo(f"Done in {time.monotonic() - started:.0f} s. Leaderboard: {out / 'leaderboard.csv'}; pictures: {page}")


def _run(*words: object, quiet: bool = False) -> None:
    """Run a command of sdd-bench as typed, after showing it."""
    arguments = [str(word) for word in words]
    click.echo(click.style(f"$ sdd-bench {shlex.join(arguments)}", dim=True))
    root = click.get_current_context().find_root().command
    if quiet:
        import contextlib
        import io

        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            root.main(args=arguments, prog_name="sdd-bench", standalone_mode=False)
    else:
        root.main(args=arguments, prog_name="sdd-bench", standalone_mode=False)


def _say(text: str) -> None:
    click.echo(f"\n{text}")
