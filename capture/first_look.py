"""First description and contact sheet of a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from capture.contact_sheet import SHEET, refuse_foreign_sheet, write_sheet
from capture.develop import Development
from capture.draft import Draft, draft
from capture.look import look
from capture.session import Shot
from capture.session_writing import described, refuse_existing, write_session
from sdd_bench.jobs.workers import Workers

REMARK = f"""First version, from the files alone; correct it, then: sdd-bench ingest SESSION --out RAWDATA
{SHEET} shows all shots; scenes and roles can be changed there, and saved as a new session.toml.
A scene is one view of the camera: one shot of role "gt" (in focus), one or more of role "blur"; "extra" is left alone.
Here shots are one scene where they look alike and follow each other within five minutes; the sharpest is "gt".
For blur made by the focus motor write  motor = POSITION , for blur made by the aperture  aperture = F-NUMBER ."""


@dataclass(frozen=True)
class FirstLook:
    """Files written for a session, and the draft in them.

    Attributes:
        description: Path of session.toml.
        sheet: Path of the contact sheet.
        draft: Contents of the description.
    """

    description: Path
    sheet: Path
    draft: Draft


def check_target(folder: Path) -> None:
    """Raise UserError if a folder has a description, or a file with the contact sheet's name that is not one."""
    refuse_existing(folder)
    refuse_foreign_sheet(folder)


def write_first_look(folder: Path, how: Development, jobs: Workers, command: str) -> FirstLook:
    """Write a session's first session.toml and contact-sheet.html.

    Args:
        folder: Folder of the session.
        how: Settings of the development.
        jobs: Number of worker processes; the results do not depend on it.
        command: Command to type next, for the contact sheet.

    Raises:
        UserError: As in `check_target`; there are no shots, or none that can be developed; or the folder cannot be
            written.
    """
    check_target(folder)
    seen = look(folder, how, jobs)
    found = draft(seen)
    description = described(found.shots, _shared(found.shots), REMARK)
    sheet = write_sheet(folder, seen, found, description, command)
    return FirstLook(write_session(folder, description), sheet, found)


def _shared(shots: Sequence[Shot]) -> Mapping[str, str]:
    """Return the camera and the lens if all shots share them."""
    found = {key: {getattr(shot, key) for shot in shots} for key in ("camera", "lens")}
    return {key: values.pop() for key, values in found.items() if len(values) == 1}
