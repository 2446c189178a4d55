"""Weights files of metrics: search, check by digest, download.

A file keeps the name under which its authors publish it. Eight hexadecimal digits in such a name are the first of the
file's SHA-256, so a file that contradicts its name is refused.
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
"""Number of digits of a SHA-256 in the name of a file."""


@dataclass(frozen=True)
class WeightsFile:
    """A weights file.

    Attributes:
        name: Published name, such as `vgg16-397923af.pth`.
        url: Address for the download; empty if there is none.
        sha256: SHA-256 of the published file, or its first digits; empty if it is not published.
        folder: Sub-folder of torch's cache in which the package that uses it keeps it.
        package: Package that includes the file, and the file's name there; empty if there is none.
    """

    name: str
    url: str = ""
    sha256: str = ""
    folder: str = "checkpoints"
    package: tuple[str, str] = ("", "")

    @property
    def stem(self) -> str:
        """Name without digest and suffix."""
        return re.sub(rf"-[0-9a-f]{{{DIGITS}}}$", "", Path(self.name).stem)


def find_file(file: WeightsFile, folder: Path | None = None) -> Path | None:
    """Return a weights file on this machine, None if there is none; nothing is downloaded.

    The search is for its own name, then for that name with another digest, which is another build: in the folder, in
    the folder of `SDD_BENCH_WEIGHTS`, in torch's cache, and in the package that includes it.

    Raises:
        UserError: A folder does not exist, or a file contradicts the digest in its name.
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
    """Return the weights files of a metric, downloaded into torch's cache if they are not on this machine.

    Args:
        files: Required files.
        folder: Folder that is searched first.
        what: Name of the metric, for the message.
        download: Whether missing files may be downloaded.

    Raises:
        UserError: Files are not available (all are named, with where to put them), or as in `find_file`.
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
    """Refuse a file that contradicts the digest in its name.

    Raises:
        UserError: Its SHA-256 does not begin with the digits in its name, or is not that of the published file.
    """
    named = re.search(rf"-([0-9a-f]{{{DIGITS}}})$", path.stem)
    expected = named.group(1) if named else file.sha256 if path.name == file.name else ""
    found = file_sha256(path) if expected else ""
    if not found.startswith(expected):
        raise UserError(
            f"{path}: its sha256 is {found[:16]}..., expected {expected}...: a damaged or another file; fetch it again"
        )


def cache_folder(name: str = "checkpoints") -> Path:
    """Return the folder in which torch keeps downloaded weights."""
    import torch

    return Path(torch.hub.get_dir()) / name


def fetch(url: str, place: Path, digest: str) -> str:
    """Download a file atomically; return why it cannot be downloaded, empty on success.

    Args:
        url: Address of the file.
        place: Path of the file to write; its folder is created.
        digest: First digits of its SHA-256; a file that differs is not kept.
    """
    import torch

    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_S)  # urlopen's own default waits for ever
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(place), hash_prefix=digest or None, progress=False)
    except (OSError, HTTPException, RuntimeError) as error:  # RuntimeError means a wrong digest
        return f"cannot be downloaded ({' '.join(str(error).split())[:120]})"
    finally:
        socket.setdefaulttimeout(timeout)
    return ""


def _places(file: WeightsFile, folder: Path | None) -> Iterator[tuple[Path, str]]:
    """Yield the folders that are searched for a file, with the pattern of its other builds."""
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
    """Yield the folder of the package that includes a file, and its name there, if the package is installed."""
    from importlib.util import find_spec

    package, name = file.package
    found = find_spec(package) if package else None
    for place in (found.submodule_search_locations or ()) if found else ():
        yield Path(place), name


def _package_words(file: WeightsFile) -> str:
    return f" (or pip install {file.package[0].lower().replace('_', '-')})" if file.package[0] else ""
