"""Writing of session.toml, without overwriting a user's corrections."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from capture.session import CSV, SHOT_KEYS, TOML, Shot
from capture.session_text import LIMITS, SHARED_KEYS, TABLE
from capture.verdict import Limits
from sdd_bench.errors import UserError
from sdd_bench.io.files import spelt_out, write_text

DECIDED = ("scene", "role")
"""Keys of a shot that a person decides; they follow `file`."""


@dataclass(frozen=True)
class Block:
    """The lines of one shot, each ending in a newline.

    Attributes:
        scene: Scene in the first description.
        role: Role in the first description.
        before: Lines before those of `DECIDED`.
        between: Lines after them, up to the position of `place`.
        after: The remaining lines.
    """

    scene: str
    role: str
    before: str
    between: str
    after: str

    def text(self) -> str:
        """Return all lines; the contact sheet's script does the same with the corrected scene and role."""
        decided = f"scene = {toml_value(self.scene)}\nrole = {toml_value(self.role)}\n"
        return self.before + decided + self.between + self.after


@dataclass(frozen=True)
class Description:
    """A session.toml in parts, which give its text when they are concatenated.

    Attributes:
        head: Remarks and the values that all shots share.
        blocks: One block per shot.
        tail: The limits of the checks, as comments.
    """

    head: str
    blocks: tuple[Block, ...]
    tail: str

    def text(self) -> str:
        """Return the whole text."""
        return self.head + "".join(block.text() for block in self.blocks) + self.tail


def described(shots: Sequence[Shot], shared: Mapping[str, str], remark: str = "") -> Description:
    """Return the description of shots, with the limits of the checks as comments at its end.

    Args:
        shots: Shots to describe; empty and shared values are left out.
        shared: Values of `SHARED_KEYS` for all shots.
        remark: Lines of explanation at the top.
    """
    head = [f"# {line}".rstrip() for line in remark.splitlines()]
    head += [f"{key} = {toml_value(shared[key])}" for key in SHARED_KEYS if shared.get(key)]
    tail = ["", "# Limits of the checks; those to be changed without the #.", f"# [{LIMITS}]"]
    tail += [f"# {name} = {toml_value(value)}" for name, value in asdict(Limits()).items()]
    return Description(_lines(head), tuple(_block(shot, shared) for shot in shots), _lines(tail))


def write_session(folder: Path, description: Description) -> Path:
    """Write session.toml and return its path.

    Raises:
        UserError: There is a description already, or the folder cannot be written.
    """
    refuse_existing(folder)
    write_text(folder / TOML, description.text())
    return folder / TOML


def refuse_existing(folder: Path) -> None:
    """Raise UserError if a folder has a description."""
    for name in (TOML, CSV):
        if (folder / name).exists():
            raise UserError(f"{folder / name}: already exists and is not overwritten; move it away")


def toml_value(value: str | float) -> str:
    """Return a value in TOML syntax: JSON's, except for DEL, which JSON does not escape and TOML requires escaped."""
    if isinstance(value, str):
        return json.dumps(spelt_out(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _block(shot: Shot, shared: Mapping[str, str]) -> Block:
    def lines(keys: Sequence[str]) -> str:
        said = [(key, getattr(shot, key)) for key in keys]
        return _lines([f"{k} = {toml_value(v)}" for k, v in said if v not in ("", None, shared.get(k))])

    behind = [key for key in SHOT_KEYS if key not in ("file", *DECIDED)]
    place = behind.index("place")
    before = f"\n[[{TABLE}]]\n" + lines(["file"])
    return Block(shot.scene, shot.role, before, lines(behind[:place]), lines(behind[place:]))


def _lines(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
