"""Weight files of metrics: search, check by digest, download.

A file keeps the name that its authors publish it under. The eight digits in such a name are the first of the file's
sha256, so a name that is not true is refused.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from sdd_bench.errors import UserError
from sdd_bench.io.files import file_sha256

WEIGHTS_VARIABLE = "SDD_BENCH_WEIGHTS"
DOWNLOAD_TIMEOUT_S = 10.0
DIGITS = 8
"""Digits of a sha256 that stand in the name of a file."""


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights.

    Attributes:
        name: As published, such as `vgg16-397923af.pth`.
        url: Where torch fetches it from; empty for nowhere.
        sha256: SHA-256 of the published file, or its first digits; empty where nobody publishes it.
        folder: Below torch's cache, where the package that uses it keeps it.
        package: A package that ships it, and under what name; empty for none.
    """

    name: str
    url: str = ""
    sha256: str = ""
    folder: str = "checkpoints"
    package: tuple[str, str] = ("", "")

    @property
    def stem(self) -> str:
        """The name without digest and suffix."""
        return re.sub(rf"-[0-9a-f]{{{DIGITS}}}$", "", Path(self.name).stem)


def find_file(file: WeightsFile, folder: Path | None = None) -> Path | None:
    """Return a file of weights that is on this machine, None where there is none; nothing is downloaded.

    It is looked for under its own name, and then under that name with another digest, which is another build of it: in
    the folder, in the one that `SDD_BENCH_WEIGHTS` names, in torch's cache, and in the package that ships it.

    Raises:
        UserError: A folder that does not exist, or a file that is not the one its name says.
    """
    for place, pattern in _places(file, folder):
        found = place / file.name if (place / file.name).is_file() else min(place.glob(pattern), default=None)
        if found is not None:
            check_digest(found, file)
            return found
    return None


def find_files(
    files: Sequence[WeightsFile], folder: Path | None, what: str, *, download: bool = True
) -> tuple[Path, ...]:
    """Return the files of weights of a metric, fetched into torch's cache where they are not on this machine.

    Args:
        files: Files that it needs.
        folder: Where they are looked for first.
        what: The metric, for the message.
        download: Whether missing files may be fetched.

    Raises:
        UserError: Files that cannot be had, all named, with where to put them; or as `find_file`.
    """
    found, missing = [], []
    for file in files:
        path = find_file(file, folder)
        if path is not None:
            found.append(path)
            continue
        place = cache_folder(file.folder) / file.name
        reason = "not found"
        if download and file.url:
            reason = fetch(file.url, place, file.sha256)
        if reason:
            missing.append(f"{file.name}: {reason}" + _package_words(file))
        else:
            found.append(place)
    if missing:
        raise UserError(
            f"{what}: no weights: {'; '.join(missing)}. Put {'it' if len(missing) == 1 else 'them'} into a folder that "
            f"--weights DIR or {WEIGHTS_VARIABLE}=DIR names"
        )
    return tuple(found)


def check_digest(path: Path, file: WeightsFile) -> None:
    """Refuse a file that is not the one that its name says.

    Raises:
        UserError: Its sha256 does not begin with the digits in its name, or is not that of the published file.
    """
    named = re.search(rf"-([0-9a-f]{{{DIGITS}}})$", path.stem)
    expected = named.group(1) if named else file.sha256 if path.name == file.name else ""
    found = file_sha256(path) if expected else ""
    if not found.startswith(expected):
        raise UserError(
            f"{path}: its sha256 is {found[:16]}..., expected {expected}...: a damaged or another file; fetch it again"
        )


def cache_folder(name: str = "checkpoints") -> Path:
    """Return where torch keeps downloaded weights."""
    import torch

    return Path(torch.hub.get_dir()) / name


def fetch(url: str, place: Path, digest: str) -> str:
    """Fetch a file, whole or not at all; return why it cannot be fetched, nothing where it was.

    Args:
        url: From where.
        place: The file to write; its folder is made.
        digest: First digits of its sha256; nothing is kept that differs.
    """
    import torch

    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_S)  # urlopen's own default waits for ever
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(place), hash_prefix=digest or None, progress=False)
    except (OSError, HTTPException, RuntimeError) as error:  # RuntimeError is a wrong digest
        return f"cannot be downloaded ({' '.join(str(error).split())[:120]})"
    finally:
        socket.setdefaulttimeout(timeout)
    return ""


def _places(file: WeightsFile, folder: Path | None) -> Iterator[tuple[Path, str]]:
    """Return the folders a file is looked for in, with the pattern of its other builds."""
    pattern = f"{file.stem}-{'[0-9a-f]' * DIGITS}{Path(file.name).suffix}"
    named = os.environ.get(WEIGHTS_VARIABLE)
    for place, origin in ((folder, "--weights"), (Path(named) if named else None, WEIGHTS_VARIABLE)):
        if place is not None:
            if not place.is_dir():
                raise UserError(f"{place}: no such folder, expected the weights of metrics that {origin} names")
            yield place, pattern
    yield cache_folder(file.folder), pattern
    yield from _package_place(file)


def _package_place(file: WeightsFile) -> Iterator[tuple[Path, str]]:
    """Return the folder of the package that ships a file, and its name in it, where it is installed."""
    from importlib.util import find_spec

    package, name = file.package
    found = find_spec(package) if package else None
    for place in (found.submodule_search_locations or ()) if found else ():
        yield Path(place), name


def _package_words(file: WeightsFile) -> str:
    return f" (or pip install {file.package[0].lower().replace('_', '-')})" if file.package[0] else ""
