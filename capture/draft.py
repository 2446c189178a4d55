"""A first description of a session from its files alone, for a person to correct: scenes, roles, what made the blur."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capture.develop import SHOT_SUFFIXES, Development, develop
from capture.exif import Taken, read_taken
from capture.figures import measure
from capture.session import Shot, refuse_existing, write_session
from sdd_bench.datasets.similar import hash_text
from sdd_bench.errors import UserError, fault_report
from sdd_bench.io.images import to_float
from sdd_bench.jobs.items import Item, map_items
from sdd_bench.jobs.workers import Workers

MAX_GAP_S = 300.0
"""Shots further apart are of different scenes, alike or not: the tripod may have come back."""

MAX_NEIGHBOUR_DISTANCE = 16
"""Bits of 64 in which the hashes of two shots that follow each other may differ and still show one scene.

More than for pictures from anywhere, since few are compared. Of 150 synthesised pairs of 512x270 (zoomed, shifted by
up to 3 % and blurred) 146 are within it, 111 within the 10 of `sdd_bench.datasets.similar`; of two different ones of
these crops 14 in 11,175, five of which overlap. Neighbours in four focus stacks differ in at most 6."""

REMARK = """First version, from the files alone; correct it, then: sdd-bench ingest SESSION --out RAWDATA
A scene is one view of the camera: one shot of role "gt" (in focus), one or more of role "blur"; "extra" is left alone.
Here shots are one scene where they look alike and follow each other within five minutes; the sharpest is "gt".
For blur made by the focus motor write  motor = POSITION , for blur made by the aperture  aperture = F-NUMBER ."""


@dataclass(frozen=True)
class Seen:
    """What a file shows and says.

    Attributes:
        file: Relative to the session's folder, with forward slashes.
        taken: Its EXIF.
        sharpness: See `capture.figures.Figures`.
        hash: Perceptual, 64 characters of 0 and 1; empty where the file cannot be developed.
        fault: Why it cannot, or empty.
    """

    file: str
    taken: Taken
    sharpness: float = 0.0
    hash: str = ""
    fault: str = ""


def write_draft(folder: Path, how: Development, jobs: Workers) -> tuple[Path, tuple[Shot, ...]]:
    """Write a session's first session.toml; return its path and what stands in it.

    Raises:
        UserError: There is a description already, there are no shots, or none that can be developed.
    """
    refuse_existing(folder)
    files = list_shots(folder)
    if not files:
        raise UserError(f"{folder}: no photographs; expected {', '.join(SHOT_SUFFIXES)}")
    items = [Item(str(path), (path, how)) for path in files]
    results = map_items(_look, items, jobs=jobs, label="look")
    seen = [
        Seen(path.relative_to(folder).as_posix(), read_taken(path), **result)
        for path, result in zip(files, results, strict=True)
    ]
    if all(shot.fault for shot in seen):
        raise fault_report([f"{shot.file}: {shot.fault}" for shot in seen], str(folder))
    shots = draft(seen)
    cameras = {shot.camera for shot in shots}
    lenses = {shot.lens for shot in shots}
    shared = {"camera": cameras.pop() if len(cameras) == 1 else "", "lens": lenses.pop() if len(lenses) == 1 else ""}
    return write_session(folder, shots, shared, REMARK), shots


def list_shots(folder: Path) -> list[Path]:
    """Return the photographs and RAW files below a folder in natural order: IMG_9 before IMG_10.

    Hidden files and folders are left out.

    Raises:
        UserError: No such folder, or it cannot be read.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    faults: list[str] = []
    found = []
    for here, folders, names in os.walk(folder, onerror=lambda error: faults.append(str(error))):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(here, n) for n in names if n.lower().endswith(SHOT_SUFFIXES) and not n.startswith(".")]
    if faults:
        raise fault_report(faults, str(folder))
    return sorted(found, key=lambda path: natural_key(str(path.relative_to(folder))))


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return what orders names as people do.

    >>> sorted(["b10", "b9", "B2"], key=natural_key)
    ['B2', 'b9', 'b10']
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(p), p) if p[0] in "0123456789" else (1, 0, p.lower()) for p in parts] + [(2, 0, name)]


def draft(seen: Sequence[Seen]) -> tuple[Shot, ...]:
    """Return shots with scenes and roles.

    In the order of their times where all have one, else of their names, a shot belongs to the scene of the one before
    it if both look alike (hash within `MAX_NEIGHBOUR_DISTANCE` bits) and are at most `MAX_GAP_S` apart. The sharpest
    shot of a scene is its `gt`; a shot that is alone in its scene, or cannot be developed, is `extra`. Where apertures
    differ within a scene, the blur is taken to be made by them.
    """
    ordered = [shot for shot in seen if not shot.fault]
    if all(shot.taken.time is not None for shot in ordered):
        ordered.sort(key=lambda shot: (shot.taken.time, natural_key(shot.file)))
    scenes: list[list[Seen]] = []
    for shot in ordered:
        if scenes and _one_scene(scenes[-1][-1], shot):
            scenes[-1].append(shot)
        else:
            scenes.append([shot])
    digits = max(3, len(str(len(scenes))))
    drafted = [s for n, members in enumerate(scenes, 1) for s in _roles(members, f"scene{n:0{digits}d}")]
    drafted += [Shot(shot.file, "faulty", "extra", notes=shot.fault) for shot in seen if shot.fault]
    return tuple(drafted)


def _roles(members: Sequence[Seen], scene: str) -> list[Shot]:
    sharpest = max(members, key=lambda shot: shot.sharpness)
    by_aperture = len({shot.taken.f_number for shot in members}) > 1
    shots = []
    for shot in members:
        role = "extra" if len(members) == 1 else "gt" if shot is sharpest else "blur"
        aperture = shot.taken.f_number if by_aperture and role == "blur" else None
        camera, lens = shot.taken.camera, shot.taken.lens
        shots.append(Shot(shot.file, scene, role, None, aperture, "", camera, lens, _notes(shot)))
    return shots


def _notes(shot: Seen) -> str:
    """Return what helps a person to check a line: sharpness, and what the camera says of time and focus."""
    said = [f"sharpness {shot.sharpness:.2f}"]
    if shot.taken.time is not None:
        said.append(shot.taken.time.isoformat(" ", "seconds"))
    if shot.taken.f_number is not None:
        said.append(f"f/{shot.taken.f_number:g}")
    if shot.taken.exposure_s is not None:
        said.append(f"{shot.taken.exposure_s:.3g} s")
    if shot.taken.focus_distance_m is not None:
        said.append(f"focus {shot.taken.focus_distance_m:g} m")
    return ", ".join(said)


def _one_scene(before: Seen, shot: Seen) -> bool:
    if (int(before.hash, 2) ^ int(shot.hash, 2)).bit_count() > MAX_NEIGHBOUR_DISTANCE:
        return False
    times = before.taken.time, shot.taken.time
    if times[0] is None or times[1] is None:
        return True
    return abs((times[1] - times[0]).total_seconds()) <= MAX_GAP_S


def _look(payload: tuple[Path, Development]) -> dict[str, Any]:
    """Return a file's sharpness and hash, or why there is none."""
    path, how = payload
    try:
        image = to_float(develop(path, Development(bits=8, half_size=True, dump=how.dump)))
    except UserError as error:
        return {"fault": error.message.removeprefix(f"{path}: ")}
    return {"sharpness": measure(image).sharpness, "hash": hash_text(image)}
