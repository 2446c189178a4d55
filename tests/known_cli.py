"""The command line called in this process, and the tables that it writes."""

from __future__ import annotations

import csv
from pathlib import Path

from click.testing import CliRunner, Result

from sdd_bench.cli import root


def call(*arguments: object) -> Result:
    return CliRunner().invoke(root, [str(a) for a in arguments])


def ok(*arguments: object) -> str:
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: object) -> str:
    """Return the message of a refused command: one line, or a list of problems."""
    result = call(*arguments)
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    return result.output


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
