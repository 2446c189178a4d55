"""Location of the images of a prediction folder: directly inside, in its only sub-folder, or in a zip file."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sdd_bench.errors import UserError
from sdd_bench.evaluation.naming.zips import unzip_images
from sdd_bench.io.images import list_images
from sdd_bench.io.nearest import missing_folder

ARCHIVES = (".zip",)
OTHER_ARCHIVES = (".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
DEPTH = 6
"""Maximum depth of sub-folders that are searched."""

SHOWN = 6
"""Maximum number of folders and file types that a message names."""


@contextmanager
def opened(predictions: Path) -> Iterator[Path]:
    """Yield the folder of predictions: the one named, or a temporary one with the images of a zip file.

    Raises:
        UserError: The folder does not exist (the nearest existing one is named), or an archive format is not supported.
    """
    if predictions.is_dir():
        yield predictions
        return
    if not predictions.is_file():
        raise UserError(missing_folder(predictions))
    if predictions.suffix.lower() not in ARCHIVES:
        kind = "unpack it and give the folder" if predictions.suffix.lower() in OTHER_ARCHIVES else "give its folder"
        raise UserError(f"{predictions}: is a file, expected a folder of predictions or a zip file; {kind}")
    with tempfile.TemporaryDirectory(prefix="sdd-bench-") as scratch:
        unzip_images(predictions, Path(scratch))
        yield Path(scratch)


def name_of(predictions: Path) -> str:
    """Return the name of a folder or a zip file, without `.zip`."""
    found = predictions.resolve()
    return found.stem if found.suffix.lower() in ARCHIVES and not found.is_dir() else found.name


def images_in(folder: Path, where: str, option: str = "--pred ") -> tuple[list[Path], str]:
    """Return the image files of a folder, and the sub-folder that contains them; empty if they lie directly in it.

    Args:
        folder: Folder of predictions, from `opened`.
        where: Name of the folder in messages.
        option: Text before the sub-folder that a message names.

    Raises:
        UserError: There is no image, or images lie in several sub-folders.
    """
    found = list_images(folder)
    if found:
        return found, ""
    below = {place: images for place in _folders(folder) if (images := list_images(place))}
    if not below:
        others = Counter(p.suffix.lower() for p in folder.rglob("*") if p.suffix and not p.name.startswith("."))
        seen = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(SHOWN))
        raise UserError(f"{where}: no PNG, TIFF or JPEG files" + (f", found: {seen}" if seen else ""))
    if len(below) > 1:
        choices = [f"{option}{Path(where) / place.relative_to(folder)} ({len(below[place])})" for place in below]
        more = f" and {len(below) - SHOWN} more" if len(below) > SHOWN else ""
        raise UserError(
            f"{where}: the images lie in {len(below)} folders; give one: {', '.join(choices[:SHOWN])}{more}"
        )
    place, images = next(iter(below.items()))
    return images, place.relative_to(folder).as_posix()


def every_image(folder: Path) -> list[Path]:
    """Return the image files of a folder and of all its sub-folders."""
    return [*list_images(folder), *(file for place in _folders(folder) for file in list_images(place))]


def _folders(folder: Path) -> list[Path]:
    """Return the sorted sub-folders of a folder; links are not followed, hidden folders are skipped."""
    found = []
    for place, names, _ in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        names[:] = sorted(n for n in names if not n.startswith((".", "__MACOSX"))) if depth < DEPTH else []
        found += [Path(place) / name for name in names]
    return sorted(found)
