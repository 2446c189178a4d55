"""Contact sheet of a session: an HTML file with thumbnails in which scenes and roles can be corrected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape

from capture.draft import Draft
from capture.look import Seen
from capture.session import PLACES, TOML, Shot
from capture.session_writing import Description
from sdd_bench.errors import UserError
from sdd_bench.io.files import read_bytes, write_text
from sdd_bench.report.pictures import address
from sdd_bench.version import __version__

SHEET = "contact-sheet.html"
MARK = '<meta name="generator" content="sdd-bench ingest --init">'
"""Marker at the beginning of every contact sheet; a file of that name without it was not written by sdd-bench."""

ROLE_WORDS = {"gt": "sharp", "blur": "blur", "extra": "extra"}


def refuse_foreign_sheet(folder: Path) -> None:
    """Raise UserError if a file with the contact sheet's name exists in the folder and is not a contact sheet."""
    path = folder / SHEET
    if not path.exists():
        return
    try:
        ours = MARK.encode() in read_bytes(path, 1 << 30)[:1000]
    except (OSError, UserError):
        ours = False
    if not ours:
        raise UserError(f"{path}: already exists and is not a contact sheet of sdd-bench; move it away")


def write_sheet(folder: Path, seen: Sequence[Seen], found: Draft, description: Description, command: str) -> Path:
    """Write the contact sheet of a session and return its path.

    Args:
        folder: Folder of the session.
        seen: All shots with their thumbnails.
        found: The first description.
        description: The text of the first description, in parts.
        command: Command to type once the description is corrected.

    Raises:
        UserError: The page cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("capture"), autoescape=select_autoescape(["html"]), trim_blocks=True, lstrip_blocks=True
    )
    by_file = {shot.file: shot for shot in seen}
    page = environment.get_template("contact-sheet.html").render(
        mark=MARK,
        version=__version__,
        folder=str(folder),
        target=str(folder / TOML),
        command=command,
        roles=ROLE_WORDS,
        places=PLACES,
        scenes=_scenes(found, by_file),
        faulty=[shot for shot in found.shots if by_file[shot.file].fault],
        data=sheet_data(found, description),
    )
    write_text(folder / SHEET, page)
    return folder / SHEET


def sheet_data(found: Draft, description: Description) -> dict[str, object]:
    """Return the data from which the page's script builds session.toml, ready for JSON.

    A shot has the parts of its block and, as `of`, the number of the shot whose exposure it repeats, else None.
    """
    numbers = {shot.file: number for number, shot in enumerate(found.shots)}
    shots = [
        {**asdict(block), "of": numbers.get(found.seconds.get(shot.file, ""))}
        for shot, block in zip(found.shots, description.blocks, strict=True)
    ]
    return {"head": description.head, "shots": shots, "tail": description.tail}


def _scenes(found: Draft, by_file: Mapping[str, Seen]) -> list[dict[str, object]]:
    """Return the data of every scene for the page."""
    scenes: dict[str, list[tuple[int, Shot]]] = {}
    for number, shot in enumerate(found.shots):
        if shot.file not in found.seconds and not by_file[shot.file].fault:
            scenes.setdefault(shot.scene, []).append((number, shot))
    shown: list[dict[str, object]] = []
    for scene, members in scenes.items():
        seen = [by_file[shot.file] for _, shot in members]
        sharpest = max(seen, key=lambda shot: shot.sharpness)
        part = max(range(len(sharpest.detail)), key=lambda n: sharpest.detail[n])
        shots = [_shot(n, shot, by_file[shot.file], sharpest.sharpness, part, found) for n, shot in members]
        doubt = f"Equally sharp: {', '.join(found.equal[scene])}. Which of them is gt?" if scene in found.equal else ""
        if len(members) == 1:
            doubt = "One shot alone makes no pair."
        shown.append(
            {"name": scene, "times": _times([shot.taken.time for shot in seen]), "doubt": doubt, "shots": shots}
        )
    return shown


def _shot(number: int, shot: Shot, seen: Seen, highest: float, part: int, found: Draft) -> dict[str, object]:
    """Return the data of a shot for the page."""
    taken = seen.taken
    facts = [
        f"{taken.time:%H:%M:%S}" if taken.time else "",
        f"f/{taken.f_number:g}" if taken.f_number else "",
        f"{taken.exposure_s:.3g} s" if taken.exposure_s else "",
        f"focus {taken.focus_distance_m:g} m" if taken.focus_distance_m else "",
        f"sharpness {100 * seen.sharpness / max(highest, 1e-12):.0f}\u00a0%",
    ]
    return {
        "number": number,
        "file": shot.file,
        "role": shot.role,
        "facts": ", ".join(fact for fact in facts if fact),
        "again": [file for file, kept in found.seconds.items() if kept == shot.file],
        "thumbnail": address(seen.thumbnail, "jpeg"),
        "part": address(seen.details[part], "jpeg"),
    }


def _times(times: Sequence[datetime | None]) -> str:
    """Return the time of the first and the last shot, as text."""
    known = sorted(time for time in times if time is not None)
    if not known:
        return ""
    first, last = known[0], known[-1]
    until = f" to {last:%H:%M:%S}" if last.date() == first.date() else f" to {last:%Y-%m-%d %H:%M:%S}"
    return f"{first:%Y-%m-%d %H:%M:%S}" + (until if last != first else "")
