"""Command to type after `ingest --init`, with the options that were given."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from capture.ingest import session_name
from capture.rawdata import RawData
from sdd_bench.errors import UserError

OUT = Path("data/raw")
LEFT_OUT = ("sessions", "init", "out", "overwrite")
"""Parameters that are not repeated as they were given."""


def next_command(sessions: Sequence[Path], out: Path | None) -> str:
    """Return the command line that ingests sessions, quoted for a shell, with the options of the present command.

    Args:
        sessions: Folders of the sessions.
        out: The given folder for the pairs. None takes `OUT`, or a folder next to the first session if `OUT` cannot be
            used.
    """
    words = ["sdd-bench", "ingest", *map(str, sessions), *given(click.get_current_context())]
    return shlex.join([*words, "--out", str(out or _fitting(sessions))])


def given(context: click.Context) -> Iterator[str]:
    """Yield the options that were typed, except those of `LEFT_OUT`."""
    for parameter in context.command.params:
        name, typed = str(parameter.name), ParameterSource.COMMANDLINE
        if name in LEFT_OUT or context.get_parameter_source(name) is not typed:
            continue
        value = context.params[name]
        if isinstance(parameter, click.Option) and parameter.is_flag:
            yield parameter.opts[0]
            continue
        for one in value if parameter.multiple else [value]:
            yield parameter.opts[0]
            yield from map(str, one if parameter.nargs > 1 else [one])


def _fitting(sessions: Sequence[Path]) -> Path:
    """Return a folder that pairs can be written to: not inside a session, and without other contents."""
    first = sessions[0].resolve()
    names = [f"{session_name(first)}-pairs{number}" for number in ("", *range(2, 100))]
    beside = [Path(os.path.relpath(first.parent / name)) for name in names]
    for candidate in (OUT, *beside):
        inside = any(candidate.resolve().is_relative_to(session.resolve()) for session in sessions)
        if not inside and _is_fit(candidate):
            return candidate
    return beside[-1]


def _is_fit(folder: Path) -> bool:
    try:
        RawData(folder)
    except UserError:
        return False
    return True
