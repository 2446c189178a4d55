"""Search for the file that a row was scored from, by SHA-256, whatever its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from leaderboard.entry import Entry
from sdd_bench.evaluation.naming.folders import every_image
from sdd_bench.io.files import file_sha256
from sdd_bench.io.names import one_form

DIGEST = "restored_sha256"


def prediction_files(folder: Path, entry: Entry) -> dict[str, Path]:
    """Return the scored file in a folder for each image; images whose file is missing are left out.

    For rows without a SHA-256, the file with the image's name is taken.

    Args:
        folder: Folder of predictions, from `naming.folders.opened`.
        entry: Entry whose files are searched for.

    Raises:
        UserError: The folder or a file cannot be read.
    """
    files = every_image(folder)
    named = {one_form(file.stem): file for file in files}
    if DIGEST not in entry.rows:
        return {name: named[one_form(name)] for name in entry.rows.index if one_form(name) in named}
    digests = {str(name): str(digest) for name, digest in entry.rows[DIGEST].dropna().items()}
    return _by_digest(digests, named, files)


def _by_digest(wanted: Mapping[str, str], named: Mapping[str, Path], files: list[Path]) -> dict[str, Path]:
    """Return the files by image name, found by SHA-256; files named like the images are tried first to save time."""
    found: dict[str, Path] = {}
    for name, digest in wanted.items():
        file = named.get(one_form(name))
        if file is not None and file_sha256(file) == digest:
            found[name] = file
    if len(found) < len(wanted):
        tried = {file_sha256(file): file for file in reversed(files)}
        found |= {name: tried[digest] for name, digest in wanted.items() if name not in found and digest in tried}
    return {name: found[name] for name in wanted if name in found}
