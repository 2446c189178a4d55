"""Description of a camera session, session.toml or session.csv: scene and role of every shot.

A person writes or corrects it; `sdd-bench ingest --init` writes a first version. All faults are found in one reading
and reported with their lines.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter
from pydantic_core import PydanticCustomError

from capture.session_text import csv_rows, read_table, toml_rows
from capture.verdict import Limits
from sdd_bench.errors import UserError, fault_report
from sdd_bench.io.files import spelt_out
from sdd_bench.io.text import control_in, short

TOML, CSV = "session.toml", "session.csv"
ROLES = ("blur", "gt", "extra")
PLACES = ("indoor", "outdoor")


def only(allowed: Callable[[str], object]) -> AfterValidator:
    """Return a validator that limits a field to the texts for which a function is true."""

    def check(text: str) -> str:
        if not allowed(text):
            raise PydanticCustomError("not_allowed", "not allowed here")
        return text

    return AfterValidator(check)


def _inside(file: str) -> bool:
    path = PurePosixPath(file)
    return file != "" and not path.is_absolute() and ".." not in path.parts and "\\" not in file


def can_stand(file: str) -> bool:
    r"""Return whether a description can name a file so that it is read back unchanged.

    >>> can_stand("day 1/a 'b'.jpg"), can_stand("a\\b.jpg"), can_stand(b"s\xe9.jpg".decode("utf-8", "surrogateescape"))
    (True, False, False)
    """
    return _inside(file) and control_in(file) is None and spelt_out(file) == file


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("float_type", "not a number")
    return value


Number = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False)]
"""Number, also accepted as the text of a CSV cell."""


@dataclass(frozen=True)
class Shot:
    """One file of a session.

    Attributes:
        file: Path relative to the session's folder, with forward slashes.
        scene: Scene in front of the camera; a scene has one `gt` shot and at least one `blur` shot.
        role: `gt` (in focus), `blur`, or `extra`, which is not used.
        motor: Position of the focus motor, in its own steps, if it caused the blur.
        aperture: F-number, if it caused the blur.
        place: `indoor`, `outdoor`, or empty.
        camera: Name of the camera, or empty.
        lens: Name of the lens, or empty.
        notes: Remarks for people.
        line: Line of the description, from 1.
    """

    file: Annotated[str, only(_inside)]
    scene: Annotated[str, only(re.compile(r"[\w.-]+").fullmatch)]
    role: Annotated[str, only(ROLES.__contains__)]
    motor: Number | None = None
    aperture: Annotated[Number, Field(gt=0)] | None = None
    place: Annotated[str, only(("", *PLACES).__contains__)] = ""
    camera: str = ""
    lens: str = ""
    notes: str = ""
    line: int = 0


@dataclass(frozen=True)
class Session:
    """A folder of shots and its description.

    Attributes:
        folder: Folder of the files.
        shots: Shots in the order of the description.
        description: Path of the description.
        limits: Limits of the checks, with the changes of the description's [limits].
    """

    folder: Path
    shots: tuple[Shot, ...]
    description: Path
    limits: Limits = field(default_factory=Limits)

    def pairs(self) -> list[tuple[str, Shot, Shot]]:
        """Return (name, blur, gt) of every pair, by scene; several blur shots of a scene are numbered from 1."""
        found = []
        for scene, shots in sorted(_by_scene(self.shots).items()):
            sharp = next(shot for shot in shots if shot.role == "gt")
            blurred = [shot for shot in shots if shot.role == "blur"]
            names = _pair_names(scene, len(blurred))
            found += [(name, shot, sharp) for name, shot in zip(names, blurred, strict=True)]
        return found


SHOT_KEYS = tuple(f.name for f in fields(Shot) if f.name != "line")
SHOT = TypeAdapter(Shot)
EXPECTED = {
    "file": "a path inside the session's folder",
    "scene": "letters, digits, '.', '-' and '_', it becomes a file name",
    "role": f"one of {', '.join(ROLES)}",
    "place": f"one of {', '.join(PLACES)}",
    "motor": "a number",
    "aperture": "a number over 0",
}
"""Expected values of the keys of a shot that do not accept arbitrary text."""


def read_session(folder: Path) -> Session:
    """Return the session that a folder's session.toml or session.csv describes.

    Raises:
        UserError: There is no description or there are two, it is not TOML or CSV, or it has faults, all reported with
            their lines: unknown keys, invalid values, files that are missing or named twice, scenes without or with
            several `gt`, or without `blur`.
    """
    descriptions = [folder / name for name in (TOML, CSV) if (folder / name).is_file()]
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    if not descriptions:
        raise UserError(f"{folder}: no {TOML} and no {CSV}; sdd-bench ingest --init {folder} writes a first version")
    if len(descriptions) > 1:
        raise UserError(f"{folder}: both {TOML} and {CSV}; keep one of them")
    (path,) = descriptions
    faults: list[str] = []
    rows, limits = toml_rows(path, faults) if path.name == TOML else (csv_rows(path, SHOT_KEYS), Limits())
    shots = [shot for line, row in rows if (shot := _shot(row, line, faults)) is not None]
    faults += _files_at_fault(folder, shots)
    if not faults:
        faults += _scenes_at_fault(shots)
    if faults:
        raise fault_report(faults, str(path))
    return Session(folder, tuple(shots), path, limits)


def _shot(row: Mapping[str, object], line: int, faults: list[str]) -> Shot | None:
    """Return a shot, or None after adding its faults to `faults`."""
    shot, found = read_table(row, SHOT.validate_python, SHOT_KEYS, EXPECTED)
    faults += [f"line {line}: {fault}" for _, fault in found]
    return shot and replace(shot, line=line)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # raised for a name that no file system allows
        return False


def _files_at_fault(folder: Path, shots: list[Shot]) -> Iterator[str]:
    """Yield messages about files that are missing or named twice."""
    first: dict[str, int] = {}
    for shot in shots:
        if shot.file in first:
            yield f"line {shot.line}: {short(shot.file)} is already on line {first[shot.file]}"
        elif not _is_file(folder / shot.file):
            yield f"line {shot.line}: {short(shot.file)}: no such file"
        first.setdefault(shot.file, shot.line)


def _scenes_at_fault(shots: list[Shot]) -> Iterator[str]:
    """Yield messages about scenes that give no pair, and about pair names that differ in letter case only."""
    scenes = _by_scene(shots)
    for scene, members in scenes.items():
        roles = Counter(shot.role for shot in members)
        lines = f"line{'s' * (len(members) > 1)} " + ", ".join(str(shot.line) for shot in members)
        if roles["gt"] != 1:
            found = f"{roles['gt'] or 'no'} gt shot{'s' * (roles['gt'] > 1)}"
            yield f"{lines}: scene {scene} has {found}, expected one"
        if not roles["blur"]:
            yield f"{lines}: scene {scene} has no blur shot"
    names: dict[str, str] = {}
    for scene, members in scenes.items():
        for name in _pair_names(scene, sum(shot.role == "blur" for shot in members)):
            if name.lower() in names:
                yield f"line {members[0].line}: scene {scene} gives a pair {name}, as scene {names[name.lower()]} does"
            names.setdefault(name.lower(), scene)


def _pair_names(scene: str, blur_shots: int) -> list[str]:
    return [scene] if blur_shots == 1 else [f"{scene}-{number}" for number in range(1, blur_shots + 1)]


def _by_scene(shots: Sequence[Shot]) -> dict[str, list[Shot]]:
    """Return the shots of each scene, in their order; scenes with extra shots only are left out."""
    found: dict[str, list[Shot]] = {}
    for shot in shots:
        found.setdefault(shot.scene, []).append(shot)
    return {scene: members for scene, members in found.items() if any(s.role != "extra" for s in members)}
