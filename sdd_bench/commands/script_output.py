"""Output of commands: coloured lines on a terminal, --quiet and --json for scripts."""

from __future__ import annotations

import contextlib
import functools
import io
import math
import os
import sys
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import click

from sdd_bench.commands.options import F
from sdd_bench.jobs.progress import without_progress

COLOURS = {"Error": "red", "warning": "yellow", "flagged": "yellow", "note": "cyan", "written": "green"}
"""Colours on a terminal by the first word of a line, before its colon."""


def script_options(function: F) -> F:
    """Add --quiet and --json to a command whose function returns its report as a mapping for JSON.

    With --json, standard output has only the report; everything else goes to standard error. With --quiet, progress and
    results are not printed, but warnings and errors still are, on standard error.
    """

    @click.option("--quiet", is_flag=True, help="No progress bars and no results on the terminal, only warnings.")
    @click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="One JSON object on standard output: the files written and a summary. Other text goes to standard error.",
    )
    @functools.wraps(function)
    def run(*words: Any, quiet: bool, as_json: bool, **options: Any) -> None:
        with contextlib.ExitStack() as stack:
            if quiet:
                stack.enter_context(without_progress())
            if quiet or as_json:
                stack.enter_context(contextlib.redirect_stdout(io.StringIO() if quiet else sys.stderr))
            report = function(*words, **options)
        if as_json:
            from sdd_bench.io.serialise import json_text

            click.echo(json_text(plain(report)), nl=False)

    return run  # type: ignore[return-value]


def plain(value: Any) -> Any:
    """Return a report in the form of JSON: paths as text, null for unmeasured numbers, infinity as text.

    >>> from pathlib import Path
    >>> plain({"written": (Path("a.csv"),), "psnr_db": math.inf, "lpips": math.nan})
    {'written': ['a.csv'], 'psnr_db': 'inf', 'lpips': None}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(cell) for key, cell in value.items()}
    if isinstance(value, PathLike):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(cell) for cell in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def say(text: str) -> None:
    """Print result lines on standard output."""
    click.echo(coloured(text))


def warn(text: str) -> None:
    """Print lines on standard error, even with --quiet and --json."""
    click.echo(coloured(text), err=True)


def coloured(text: str) -> str:
    r"""Return lines whose first word is coloured, unless the environment variable NO_COLOR is set.

    Without a terminal, click removes the colours.

    >>> coloured("plain"), coloured("note: a")
    ('plain', '\x1b[36mnote:\x1b[0m a')
    """
    return "\n".join(map(_coloured, text.split("\n")))


def _coloured(line: str) -> str:
    word, colon, rest = line.partition(":")
    colour = COLOURS.get(word.strip())
    return (
        line if colour is None or not colon or os.environ.get("NO_COLOR") else click.style(f"{word}:", fg=colour) + rest
    )
