"""Protection of output files: a command replaces only files written for the same request.

A hidden record beside an output states the request and the SHA-256 of each file it wrote: `.NAME.written` beside a file
NAME, `.written` in a folder that a command fills. While a command runs, the record lists its files without SHA-256, so
that the same command can resume after a kill.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdd_bench.errors import UserError
from sdd_bench.io.files import file_sha256
from sdd_bench.jobs.output_record import RECORD, record_of, write_request
from sdd_bench.jobs.run_folder import difference

SHOWN = 3
"""Maximum number of files of each kind that a message names."""

FOREIGN = "not written by this command"
INPUT = "read by this command"


@dataclass(frozen=True)
class Output:
    """Files that one request writes, and folders that it fills.

    Attributes:
        request: Description that decides whether two commands count as the same, as JSON; its files and folders are
            named by `place`.
        files: Output files; the record is named after the first.
        folders: Output folders, which contain only the request's files and hidden files.
        option: Option that sets the names, for messages.
        proof: Function that recognises a file without a record as the request's by its content.
    """

    request: Mapping[str, Any]
    files: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()
    option: str = "--out"
    proof: Callable[[Path], bool] = lambda _: False

    @property
    def record(self) -> Path:
        """Path of the record."""
        if not self.files:
            return self.folders[0] / RECORD
        return self.files[0].with_name(f".{self.files[0].name}{RECORD}")


def place(path: Path, output: Path) -> str:
    """Return a path as requests name it, relative to an output's folder, so that a project can be moved."""
    return os.path.relpath(path.resolve(), output.parent.resolve())


def check_outputs(outputs: Sequence[Output], inputs: Iterable[Path] = (), *, overwrite: bool = False) -> None:
    """Refuse outputs that would replace files of another request; nothing is changed.

    Args:
        outputs: Outputs that will be written.
        inputs: Files and folders that are read. They and the contents of such folders are never replaced, unless an
            earlier run of the same command wrote them.
        overwrite: Whether files of other requests or other origin, and changed ones, may be replaced.

    Raises:
        UserError: Files must not be replaced (the reason is given), or a name is used for two outputs.
    """
    _looked_at(outputs, inputs, overwrite=overwrite)


@contextlib.contextmanager
def written(outputs: Sequence[Output], inputs: Iterable[Path] = (), *, overwrite: bool = False) -> Iterator[None]:
    """Let the block write outputs that `check_outputs` allows, and record the files it wrote.

    Raises:
        UserError: As in `check_outputs`, or a record cannot be written.
    """
    claims = _looked_at(outputs, inputs, overwrite=overwrite)
    parents = [folder for claim in claims for folder in (claim.base, *claim.base.parents) if not folder.exists()]
    try:
        for claim in claims:
            claim.begin()
        yield
    except BaseException:
        with contextlib.suppress(UserError, OSError):
            for claim in claims:
                claim.end(failed=True)
        for folder in sorted(set(parents), key=lambda path: -len(path.parts)):
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    for claim in claims:
        claim.end()


class _Claim:
    """An output, the files already in its place, and the content of its record.

    Attributes:
        output: Files and folders of the output.
        base: Folder of the record.
        listed: SHA-256 of each file in the record, None for files that were about to be written; folders end in a
            slash.
        same: Whether the record is of the same request.
        before: SHA-256 of every existing file, None if it is not a regular file.
        why: Reasons why existing files must not be replaced, by file.
    """

    def __init__(self, output: Output) -> None:
        self.output, self.base = output, output.record.parent
        self.request = json.loads(json.dumps(output.request))
        earlier = record_of(output.record)
        self.listed = earlier.files if earlier else {}
        self.earlier = earlier.request if earlier else None
        self.same = self.earlier == self.request
        self.before = {file: file_sha256(file) if file.is_file() else "" for file in self.there()}
        self.why = {file: why for file in self.before if (why := self._why(file))}

    def there(self) -> list[Path]:
        """Return the existing output files, and all files in the output folders."""
        files = [file for file in self.output.files if os.path.lexists(file)]
        for folder in self.output.folders:
            if folder.exists() and not folder.is_dir():
                files.append(folder)
            for here, folders, names in os.walk(folder):
                folders[:] = [name for name in folders if not name.startswith(".")]
                files += [Path(here, name) for name in sorted(names) if not name.startswith(".")]
        return files

    def name(self, file: Path) -> str:
        return Path(os.path.relpath(file, self.base)).as_posix()

    def is_listed(self, file: Path) -> bool:
        """Return whether the record lists a file as an output of this kind of command."""
        name = self.name(file)
        filling = tuple(_inside(key) for key, digest in self.listed.items() if key.endswith("/") and digest is None)
        return name in self.listed or name.startswith(filling)

    def begin(self) -> None:
        """Record the files that are about to be written."""
        folders = [f"{self.name(folder)}/" for folder in self.output.folders]
        refilled = tuple(_inside(folder) for folder in folders)
        earlier = self.listed if self.same else {}
        kept = {name: digest for name, digest in earlier.items() if not name.startswith(refilled)}
        begun = dict.fromkeys([*map(self.name, self.output.files), *folders])
        write_request(self.output.record, self.request, {**kept, **begun})

    def end(self, *, failed: bool = False) -> None:
        """Record the files that were written; without any, remove the record."""
        files = {n: d for n, d in (self.listed if self.same else {}).items() if d and (self.base / n).is_file()}
        for file in self.there():
            if not file.is_file():
                continue
            digest = file_sha256(file)
            ours = file in self.before and file not in self.why
            if ours or digest != self.before.get(file) or (not failed and file in self.output.files):
                files[self.name(file)] = digest
        if files:
            write_request(self.output.record, self.request, files)
        else:
            self.output.record.unlink(missing_ok=True)

    def _why(self, file: Path) -> str:
        """Return the reason why an existing file is not the request's; empty if it is."""
        if file.is_symlink():
            return "a symbolic link, which this command never writes"
        if not self.is_listed(file):
            return "" if self.earlier is None and self.output.proof(file) else FOREIGN
        if not self.same:
            return f"written for another request: {difference(self.earlier, self.request)}"
        digest = self.listed.get(self.name(file))
        return "" if digest in (None, self.before[file]) else "changed since it was written"


class _Inputs:
    """Files and folders that a command reads."""

    def __init__(self, paths: Iterable[Path]) -> None:
        there = [path for path in paths if path.exists()]
        self._files = {_identity(path) for path in there if not path.is_dir()}
        self._folders = [path.resolve() for path in there if path.is_dir()]

    def is_one(self, file: Path) -> bool:
        """Return whether a path is an input file, under any name."""
        return file.exists() and _identity(file) in self._files

    def holds(self, file: Path) -> bool:
        """Return whether a file lies in an input folder, or is a hard link to a file in one."""
        places = (file.parent.resolve() / file.name, file.resolve())
        if any(path.is_relative_to(folder) for folder in self._folders for path in places):
            return True
        if not file.exists() or file.stat().st_nlink == 1:
            return False
        found = (Path(here, name) for folder in self._folders for here, _, names in os.walk(folder) for name in names)
        return any(other.exists() and _identity(other) == _identity(file) for other in found)


def _looked_at(outputs: Sequence[Output], inputs: Iterable[Path], *, overwrite: bool) -> list[_Claim]:
    """Return the outputs with the files in their place; see `check_outputs`."""
    named = [path.parent.resolve() / path.name for output in outputs for path in (*output.files, *output.folders)]
    twice = sorted({str(path) for path in named if named.count(path) > 1})
    if twice:
        raise UserError(f"{twice[0]}: named for two outputs of the same command; give each its own name")
    read = _Inputs(inputs)
    claims = [_Claim(output) for output in outputs]
    never: dict[str, list[Path]] = {}
    unless: dict[str, list[Path]] = {}
    options = []
    for claim in claims:
        for file in claim.before:
            why = claim.why.get(file, "")
            if read.is_one(file) or (why and not claim.is_listed(file) and read.holds(file)):
                never.setdefault(INPUT, []).append(file)
            elif file in claim.output.folders:
                never.setdefault("a file, expected a folder", []).append(file)
            elif file.is_dir():
                never.setdefault("a folder, expected a file", []).append(file)
            elif file.exists() and not stat.S_ISREG(file.stat().st_mode):
                never.setdefault("no regular file", []).append(file)
            elif why and not overwrite:
                unless.setdefault(why, []).append(file)
            else:
                continue
            options.append(claim.output.option)
    if never or unless:
        words = "; ".join(f"{_names(files)}: {why}" for why, files in (never or unless).items())
        way = " or ".join(dict.fromkeys(options))
        more = "" if never else ", or --overwrite to replace the existing file"
        raise UserError(f"{words}; give another {way}{more}")
    return claims


def _names(files: Sequence[Path]) -> str:
    names = ", ".join(map(str, files[:SHOWN]))
    return names + (f" and {len(files) - SHOWN} more" if len(files) > SHOWN else "")


def _inside(folder: str) -> str:
    """Return the prefix of file names in a folder of a record."""
    return "" if folder == "./" else folder


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
