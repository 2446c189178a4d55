"""Hidden record beside an output: the request that wrote it, and the SHA-256 of each file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sdd_bench.errors import CannotWriteError
from sdd_bench.io.files import write_text

RECORD = ".written"
"""Name of the record in a folder, and suffix of the record's name beside a file."""


class OutputRecord(NamedTuple):
    """Content of a record.

    Attributes:
        request: Description that decides whether two commands count as the same.
        files: SHA-256 of each file by its path from the record's folder; None for files that were about to be written.
            Folders end in a slash.
    """

    request: dict[str, Any]
    files: dict[str, str | None]


def record_of(record: Path) -> OutputRecord | None:
    """Return the content of a record; None if it is missing or damaged."""
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        files, request = content["files"], content["request"]
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise CannotWriteError(f"{record.parent}: cannot be written ({error.strerror})") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(request, dict) or not isinstance(files, dict):
        return None
    return OutputRecord(request, {str(n): d if isinstance(d, str) else None for n, d in files.items()})


def write_request(record: Path, request: Mapping[str, Any], files: Mapping[str, str | None]) -> None:
    """Write a record with the request, and the files by their path from its folder.

    Raises:
        CannotWriteError: It cannot be written; the message names the output, because users do not know the record.
    """
    content = {"request": request, "files": files}
    try:
        write_text(record, json.dumps(content, indent=1, sort_keys=True) + "\n")
    except CannotWriteError as error:
        output = record.parent / record.name.removesuffix(RECORD).removeprefix(".")
        raise CannotWriteError(error.message.replace(str(record), str(output), 1)) from None
