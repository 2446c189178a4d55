"""sdd-bench demo: the whole loop, by the commands a user would type."""

from __future__ import annotations

import shlex
import textwrap
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdd_bench.commands.option_values import job_count
from sdd_bench.commands.options import jobs_option, overwrite_option, run_command

if TYPE_CHECKING:
    from sdd_bench.datasets.manifest import Pair

METHODS = {
    "blur": "Blur image",
    "upper-bound": "Aligned truth (upper bound)",
    "moved": "Aligned truth, moved 2 px",
}
"""Folder of predictions to name in the tables."""

BASELINES = {
    "richardson-lucy": "Richardson-Lucy, map of EBDB",
    "ebdb": "EBDB",
    "jdrl-small": "JDRL, small network",
}
"""More predictions, by baselines that an installed package offers; the slowest first, as they share the workers."""

NETWORK = "jdrl-small"
"""The one that a person is told to try."""

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

    The demo makes misaligned pairs from the photographs inside scikit-image, restores them with three baselines, and
    scores these, the blur image, the exact truth and a truth that is out of place under every protocol. It shows why
    the rankings differ, writes leaderboards and a page with pictures, and ends with three commands to try on your own
    folders.

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
    baselines = {name: method for name, method in BASELINES.items() if _is_offered(name)}
    methods = METHODS | baselines
    with written(outputs, overwrite=overwrite):
        _make_controls(out, test)
    if baselines:
        _restore(out, list(baselines), workers)
    if with_training:
        _train(out)
        methods |= TRAINED
    _score(out, methods, workers, overwrite=overwrite)
    tables = _rank(out, methods, overwrite=overwrite)
    words = explain(tables, METHODS["upper-bound"], METHODS["moved"], METHODS["blur"], list(baselines.values()))
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
    click.echo(_own_folder(shipped=NETWORK in methods))


def _own_folder(*, shipped: bool) -> str:
    """Return three commands to try on a folder of one's own; one of them restores where a network is shipped."""
    images = "--blur blur/ --sharp sharp/"
    last = (
        (f"sdd-bench predict --baseline {NETWORK} --images photos/ --out restored", "Restore your own photographs.")
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
    """Return whether an installed package has a baseline of that name."""
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


def _make_controls(out: Path, test: Sequence[Pair]) -> None:
    """Write the predictions whose place in a ranking is known: the blur image, and the truth, moved and not."""
    from sdd_bench.synthesis.known_predictions import copy_images, write_moved

    _screen(2, "Predictions, honest and dishonest")
    _say(
        "Two are controls: the blur image itself, which every method must beat, and the exact truth as the upper "
        f"bound. One is dishonest: the exact truth, moved by {MOVED_WORDS} to the side."
    )
    predictions = out / "predictions"
    copy_images([pair.blur for pair in test], predictions / "blur")
    truths = [out / "photos/truth/aligned" / f"{pair.name}.png" for pair in test]
    copy_images(truths, predictions / "upper-bound")
    write_moved(truths, predictions / "moved", MOVED_PX)


def _restore(out: Path, baselines: Sequence[str], workers: int) -> None:
    """Restore the test images with each baseline, side by side where there are several workers."""
    from sdd_bench.jobs.items import Item, map_items

    _say(
        "The others are honest attempts by baselines that come with sdd-bench. Two deconvolutions estimate how blurred "
        "each pixel is and undo as much. A small network was trained on pairs of other photographs."
    )
    tasks = []
    for name in baselines:
        words = ("predict", "--baseline", name, "--data", str(out / "data"), "--out", str(out / "predictions" / name))
        _show(shlex.join(words))
        tasks.append(Item(name, words))
    map_items(_run_alone, tasks, jobs=workers, label="restore")


def _run_alone(words: Sequence[str]) -> None:
    """Run a command in silence, in a worker process or in this one."""
    import contextlib
    import io
    from importlib.metadata import entry_points

    command = next(iter(entry_points(group="sdd_bench.commands", name=words[0]))).load()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        command.main(args=list(words[1:]), prog_name=f"sdd-bench {words[0]}", standalone_mode=False)


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
    _show(text)
    if quiet:
        import contextlib
        import io

        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            run_command(*words)
    else:
        run_command(*words)


def _show(text: str) -> None:
    """Print a command as typed."""
    click.echo(click.style(f"$ sdd-bench {text}", dim=True))


def _screen(number: int, heading: str) -> None:
    """Begin one of the five screens of the story."""
    click.echo("\n" + click.style(f"{number} of {SCREENS}: {heading}", bold=True))


def _say(text: str) -> None:
    """Print a sentence of the story, after an empty line."""
    click.echo("\n" + textwrap.fill(text, 100, break_long_words=False))
