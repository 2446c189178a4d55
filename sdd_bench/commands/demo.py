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
"""More predictions, if an installed package offers a trained network of that name."""

TRAINED = {"trained": "JDRL, smoke preset"}
"""More predictions with --with-training."""

MOVED_PX = 2
MOVED_WORDS = "two pixels"
RANKING = "anchored/2"
TABLES = {
    "direct/1": ("leaderboard-direct.csv", "compares with the sharp photograph as it was taken"),
    "paper/1": ("leaderboard-paper.csv", "warps the sharp photograph onto each prediction"),
    "anchored/2": ("leaderboard.csv", "warps the sharp photograph once, into the blur image's frame"),
}
"""Shown protocols to the table's file and what the protocol does; the last is the one that ranks."""

SCREENS = 5


@click.command("demo", short_help="Run the whole loop on data it makes itself, without a download.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Folder for everything the demo makes: a new one, or that of an earlier demo.",
)
@click.option(
    "--with-training", is_flag=True, help="Train a small network as well (minutes on a CPU) and score its predictions."
)
@overwrite_option
@jobs_option
def command(out: Path, with_training: bool, overwrite: bool, jobs: int | None) -> None:
    """Run the whole loop on data it makes itself, without a download, in a minute or two.

    The demo makes misaligned pairs from the photographs inside scikit-image, scores three honest predictions and one
    that is out of place under every protocol, and shows why the rankings differ. It writes leaderboards and a page
    with pictures, and ends with three commands to try on your own folders.

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
        _say("Then a small trained network that comes with sdd-bench:")
        _run("predict", "--baseline", name, "--data", out / "data", "--out", out / "predictions" / name)
    if with_training:
        _train(out)
        methods |= TRAINED
    _score(out, methods, workers, overwrite=overwrite)
    tables = _rank(out, methods, overwrite=overwrite)
    words = explain(tables, METHODS["upper-bound"], METHODS["moved"])
    _screen(5, "What this shows")
    for line in words:
        _say(line)
    pictures = {method: out / "predictions" / folder for folder, method in methods.items()}
    with written(page, overwrite=overwrite):
        report = write_page(out / "report.html", tables, words, test, pictures, METHODS["upper-bound"])
    click.echo(
        f"\nDone in {time.monotonic() - started:.0f} s.\nLeaderboard: {out / 'leaderboard.html'} and .csv\n"
        f"This story with pictures: {report}"
    )
    click.echo(_own_folder(shipped=bool(methods.keys() & SHIPPED.keys())))


def _own_folder(*, shipped: bool) -> str:
    """Return three commands to try on a folder of one's own; one of them restores where a network is shipped."""
    images = "--blur blur/ --sharp sharp/"
    last = (
        ("sdd-bench predict --baseline jdrl-small --images photos/ --out restored", "Restore your own photographs.")
        if shipped
        else ("sdd-bench leaderboard results/*.json --html leaderboard.html", "Rank the methods you have scored.")
    )
    commands = (
        (f"sdd-bench evaluate --pred restored/ {images}", "Score your own predictions."),
        (f"sdd-bench analyse {images} --html misalignment.html", "Measure how far your pairs are misaligned."),
        last,
    )
    lines = (f"  {words}\n      {purpose}" for words, purpose in commands)
    return "\n".join(["\nTry these on your own folders:", *lines])


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
    _screen(1, "Pairs that are not aligned")
    _say(
        "A camera simulation blurs the photographs inside scikit-image by up to four pixels. Refocusing zooms and "
        "shifts each blur image, as a real lens does, and the exact truth is kept."
    )
    camera = ("--camera", "motor", "--radius-range", 0, 4)
    _run("synthesise", "--out", photos, "--count", 12, *camera, "--seed", 1, "--jobs", workers)
    _say("The pairs become a dataset: half of the scenes for training, the others for the test.")
    choices = ("--dataset", "pairs", "--name", "demo", "--split", 0.5, "--group-by", "scene", "--window", 128)
    _run("prepare", photos, *choices, "--out", data, "--jobs", workers)
    return read_prepared(data).split("test")


def _make_predictions(out: Path, test: Sequence[Pair], workers: int) -> None:
    from sdd_bench.synthesis.known_predictions import copy_images, write_deconvolutions, write_moved

    _screen(2, "Predictions, honest and dishonest")
    _say(
        "Three are honest: the blur image itself, a classical deconvolution, and the exact truth as the upper bound. "
        f"One is dishonest: the exact truth, moved by {MOVED_WORDS} to the side."
    )
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


def _score(out: Path, methods: Mapping[str, str], workers: int, *, overwrite: bool) -> None:
    """Score every folder of predictions under every protocol."""
    more = ("--overwrite",) if overwrite else ()
    _screen(3, "Anchors and scores")
    _say(
        "Each sharp photograph is warped once into its blur image's frame. Every method is scored against this anchor."
    )
    _run("anchor", "--data", out / "data", "--jobs", workers, *more)
    _say("Each folder of predictions is then scored under every protocol in one pass.")
    for folder, method in methods.items():
        words = ("--pred", out / "predictions" / folder, "--data", out / "data", "--protocol", "all")
        where = ("--out", out / "results" / folder, *more)
        _run("evaluate", *words, "--method", method, *where, "--jobs", workers, quiet=True)


def _rank(out: Path, methods: Mapping[str, str], *, overwrite: bool) -> dict[str, Path]:
    """Rank the scores under each shown protocol; return its leaderboard."""
    more = ("--overwrite",) if overwrite else ()
    _screen(4, "The same predictions, ranked three times")
    tables = {}
    for protocol, (name, does) in TABLES.items():
        _say(f"{protocol} {does}:")
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


def _screen(number: int, heading: str) -> None:
    """Begin one of the five screens of the story."""
    click.echo("\n" + click.style(f"{number} of {SCREENS}: {heading}", bold=True))


def _say(text: str) -> None:
    """Print a sentence of the story, after an empty line."""
    click.echo("\n" + textwrap.fill(text, 100, break_long_words=False))
