"""sdd-bench demo: the whole loop, by the commands a user would type."""

from __future__ import annotations

import shlex
import textwrap
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdd_bench.commands.options import job_count, jobs_option, overwrite_option, run_command

if TYPE_CHECKING:
    from sdd_bench.datasets.manifest import Pair

METHODS = {
    "blur": "Blur image",
    "deconvolution": "Richardson-Lucy, disk 2 px",
    "upper-bound": "Aligned truth (upper bound)",
    "moved": "Aligned truth, moved 2 px",
}
"""Folder of predictions to name in the tables."""

SHIPPED = {"jdrl-small": "JDRL, small network"}
"""What is scored beside them where an installed package offers a trained network of that name."""

TRAINED = {"trained": "JDRL, smoke preset"}
"""What --with-training adds to them."""

MOVED_PX = 2
RANKING = "anchored/2"
PROTOCOLS = {
    "direct/1": "leaderboard-direct.csv",
    "paper/1": "leaderboard-paper.csv",
    "anchored/2": "leaderboard.csv",
}
"""Protocols whose tables are shown; the last is the one that ranks."""


@click.command("demo", short_help="The whole loop on data it makes itself, no download.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="A new folder, or one of an earlier demo.",
)
@click.option(
    "--with-training", is_flag=True, help="Also train a small network on a CPU, minutes, and score what it predicts."
)
@overwrite_option
@jobs_option
def command(out: Path, with_training: bool, overwrite: bool, jobs: int | None) -> None:
    """Run the whole loop on data it makes itself: no download, a minute or two.

    Synthesises misaligned pairs from the photographs inside scikit-image, prepares them, scores honest predictions and
    one that is out of place under every protocol, and writes leaderboards and a page with pictures.

    \b
    Example:
      sdd-bench demo --out demo
      sdd-bench demo --out demo --with-training
    """
    from sdd_bench.jobs.outputs import Output, check_outputs, written
    from sdd_bench.report.demo_page import explain, write_page

    started = time.monotonic()
    workers = job_count(jobs)
    made_by: dict[str, object] = {"made by": "demo"}
    outputs = [Output(made_by, folders=(out / "predictions" / folder,)) for folder in METHODS]
    page = [Output(made_by, (out / "report.html",))]
    check_outputs([*outputs, *page], overwrite=overwrite)
    test = _make_data(out, workers)
    with written(outputs, overwrite=overwrite):
        _make_predictions(out, test, workers)
    methods = METHODS | {name: method for name, method in SHIPPED.items() if _is_offered(name)}
    for name in methods.keys() & SHIPPED.keys():
        _say("A small trained network that comes with sdd-bench")
        _run("predict", "--baseline", name, "--data", out / "data", "--out", out / "predictions" / name)
    if with_training:
        _train(out)
        methods |= TRAINED
    tables = _score(out, methods, workers, overwrite=overwrite)
    click.echo("\nWhat this shows:")
    words = explain(tables, METHODS["upper-bound"], METHODS["moved"])
    for line in words:
        click.echo(textwrap.fill(line, 100, initial_indent="  ", subsequent_indent="  ") + "\n")
    pictures = {method: out / "predictions" / folder for folder, method in methods.items()}
    with written(page, overwrite=overwrite):
        report = write_page(out / "report.html", tables, words, test, pictures, METHODS["upper-bound"])
    click.echo(
        f"Done in {time.monotonic() - started:.0f} s. Leaderboard: {out / 'leaderboard.html'} and .csv; what it shows, "
        f"with pictures: {report}"
    )


def _is_offered(name: str) -> bool:
    """Return whether an installed package has a trained network of that name."""
    from sdd_bench.errors import UserError
    from sdd_bench.extensions import load_function

    try:
        load_function("load_baseline")(name)
    except (UserError, ValueError):
        return False
    return True


def _make_data(out: Path, workers: int) -> tuple[Pair, ...]:
    """Synthesise and prepare; return the test pairs."""
    from sdd_bench.datasets.manifest import read_prepared

    photos, data = out / "photos", out / "data"
    _say("Making misaligned pairs with known truth from the photographs inside scikit-image")
    camera = ("--camera", "motor", "--radius-range", 0, 4)
    _run("synthesise", "--out", photos, "--count", 12, *camera, "--seed", 1, "--jobs", workers)
    _say("Preparing them as a dataset: split by scene, 128 px patches")
    choices = ("--dataset", "pairs", "--name", "demo", "--split", 0.5, "--group-by", "scene", "--window", 128)
    _run("prepare", photos, *choices, "--out", data, "--jobs", workers)
    return read_prepared(data).split("test")


def _make_predictions(out: Path, test: Sequence[Pair], workers: int) -> None:
    from sdd_bench.synthesis.known_predictions import copy_images, write_deconvolutions, write_moved

    _say("Three honest predictions: the blur image, a classical deconvolution, and the aligned truth as upper bound;")
    click.echo(f"and a dishonest one: the aligned truth, {MOVED_PX} px out of place")
    predictions = out / "predictions"
    copy_images([pair.blur for pair in test], predictions / "blur")
    write_deconvolutions(test, predictions / "deconvolution", workers)
    truths = [out / "photos/truth/aligned" / f"{pair.name}.png" for pair in test]
    copy_images(truths, predictions / "upper-bound")
    write_moved(truths, predictions / "moved", MOVED_PX)


def _train(out: Path) -> None:
    """Train the smoke preset where it is not trained yet, and predict."""
    _say("A small network trained on the misaligned pairs, minutes on a CPU")
    run = out / "training"
    if not (run / "deblurring.pt").is_file():
        begun = ("--resume", run) if (run / "last.pt").is_file() else ("--preset", "smoke", "--out", run)
        _run("train-baseline", "--data", out / "data", *begun, "--accelerator", "cpu")
    weights, predictions = run / "deblurring.pt", out / "predictions" / "trained"
    _run("predict", "--checkpoint", weights, "--data", out / "data", "--out", predictions)


def _score(out: Path, methods: Mapping[str, str], workers: int, *, overwrite: bool) -> dict[str, Path]:
    """Score every folder of predictions under every protocol; return each shown protocol's leaderboard."""
    more = ("--overwrite",) if overwrite else ()
    _say("Anchoring: each sharp photograph drawn into its blur image's frame, once, for every method alike")
    _run("anchor", "--data", out / "data", "--jobs", workers, *more)
    _say("Scoring each folder under every protocol in one pass")
    for folder, method in methods.items():
        words = ("--pred", out / "predictions" / folder, "--data", out / "data", "--protocol", "all")
        where = ("--out", out / "results" / folder, *more)
        _run("evaluate", *words, "--method", method, *where, "--jobs", workers, quiet=True)
    tables = {}
    for protocol, name in PROTOCOLS.items():
        _say(f"Ranking under {protocol}")
        tables[protocol] = out / name
        ending = f"*.{protocol.replace('/', '-')}.json"
        results = sorted(path for folder in methods for path in (out / "results" / folder).glob(ending))
        wanted: list[object] = ["--out", tables[protocol], *more]
        shown: list[object] = ["leaderboard", out / "results/*" / ending, *wanted]
        if protocol == RANKING:
            page: list[object] = [
                "--html",
                out / "leaderboard.html",
                "--data",
                out / "data",
                "--beside",
                out / "results",
            ]
            pictures = [x for f, m in methods.items() for x in ("--pred", f"{m}={out / 'predictions' / f}")]
            wanted += [*page, *pictures]
            shown += [*page, "--pred METHOD=FOLDER ..."]
        _run("leaderboard", *results, *wanted, shown=shown)
    return tables


def _run(*words: object, quiet: bool = False, shown: Sequence[object] = ()) -> None:
    """Run a command of sdd-bench as typed, after showing it, or what stands for it where the shell has wildcards."""
    arguments = [str(word) for word in words]
    text = " ".join(map(str, shown)) if shown else shlex.join(arguments)
    click.echo(click.style(f"$ sdd-bench {text}", dim=True))
    if quiet:
        import contextlib
        import io

        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            run_command(*words)
    else:
        run_command(*words)


def _say(text: str) -> None:
    click.echo(f"\n{text}")
