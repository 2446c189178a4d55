"""First description of a session from its files, for the user to correct: scenes, roles, cause of the blur."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from capture.exposures import second_files
from capture.look import Seen, natural_key
from capture.session import Shot

MAX_GAP_S = 300.0
"""Shots further apart are of different scenes, alike or not: the tripod may have come back."""

MAX_NEIGHBOUR_DISTANCE = 16
"""Bits of 64 in which the hashes of two shots that follow each other may differ and still show one scene.

More than for pictures from anywhere, since few are compared. Of 150 synthesised pairs of 512x270 (zoomed, shifted by
up to 3 % and blurred) 146 are within it, 111 within the 10 of `sdd_bench.datasets.similar`; of two different ones of
these crops 14 in 11,175, five of which overlap. Neighbours in four focus stacks differ in at most 6."""

Timed = tuple[Seen, datetime | None]
"""A shot and when it was taken."""

EQUALLY_SHARP = 0.95
"""Shots of a scene at least so many times as sharp as its sharpest are equally sharp: which of them is gt is open."""


@dataclass(frozen=True)
class Draft:
    """A first description, and what is uncertain about it.

    Attributes:
        shots: In the order of the description.
        equal: Scene to those of its files that are equally sharp, where these are two or more.
        seconds: File to the file of the same exposure that is taken instead.
    """

    shots: tuple[Shot, ...]
    equal: Mapping[str, tuple[str, ...]]
    seconds: Mapping[str, str]


def draft(seen: Sequence[Seen]) -> Draft:
    """Return shots with scenes and roles.

    From several files of one exposure, RAW and JPEG, one is a shot and the others are `extra`. In the order of their
    times where all have one, else of their names, a shot belongs to the scene of the one that the same camera took
    before it if both look alike (hash within `MAX_NEIGHBOUR_DISTANCE` bits) and are at most `MAX_GAP_S` apart. The
    sharpest shot of a scene is its `gt`; a shot that is alone in its scene, or cannot be developed, is `extra`. Where
    apertures differ within a scene, the blur is taken to be made by them.
    """
    seconds = second_files(seen)
    second = {shot.file: shot for shot in seen if shot.file in seconds}
    scenes = _scenes([shot for shot in seen if not shot.fault and shot.file not in seconds])
    digits = max(3, len(str(len(scenes))))
    shots: list[Shot] = []
    equal: dict[str, tuple[str, ...]] = {}
    for number, members in enumerate(scenes, 1):
        scene = f"scene{number:0{digits}d}"
        for shot in _roles(members, scene):
            again = [file for file, taken in seconds.items() if taken == shot.file]
            words = f"the exposure of {shot.file}, which is taken"
            shots += [shot, *(_shot(second[file], scene, "extra", words) for file in again)]
        least = EQUALLY_SHARP * max(shot.sharpness for shot in members)
        sharp = tuple(shot.file for shot in members if shot.sharpness >= least)
        if len(sharp) > 1:
            equal[scene] = sharp
    shots += [Shot(shot.file, "faulty", "extra", notes=shot.fault) for shot in seen if shot.fault]
    return Draft(tuple(shots), equal, seconds)


def _scenes(shots: Sequence[Seen]) -> list[list[Seen]]:
    """Return the shots of every scene, in the order of their first ones, one camera after the other.

    Clocks of several cameras need not agree: a scene is of one camera. Where only one camera says its name, the files
    that say none are taken for its own.
    """
    cameras = list(dict.fromkeys(shot.taken.camera for shot in shots))
    groups = [[shot for shot in shots if shot.taken.camera == camera] for camera in cameras]
    scenes: list[list[Seen]] = []
    for group in groups if sum(map(bool, cameras)) > 1 else [list(shots)]:
        before: Timed | None = None
        for timed in _in_order(group):
            if before is None or not _one_scene(before, timed):
                scenes.append([])
            scenes[-1].append(timed[0])
            before = timed
    return scenes


def _in_order(shots: Sequence[Seen]) -> list[Timed]:
    """Return the shots of a camera by time and name where all have a time, else as they are.

    Times are those of UTC where all shots say how the clock was set, since that may have been changed in between.
    """
    told = all(shot.taken.ahead_of_utc is not None for shot in shots)
    timed: list[Timed] = []
    for shot in shots:
        time, ahead = shot.taken.time, shot.taken.ahead_of_utc
        timed.append((shot, time - ahead if told and time and ahead is not None else time))
    if any(time is None for _, time in timed):
        return timed
    return sorted(timed, key=lambda one: (one[1], natural_key(one[0].file)))


def _one_scene(before: Timed, after: Timed) -> bool:
    (first, first_time), (second, second_time) = before, after
    if (int(first.hash, 2) ^ int(second.hash, 2)).bit_count() > MAX_NEIGHBOUR_DISTANCE:
        return False
    if first_time is None or second_time is None:
        return True
    return abs((second_time - first_time).total_seconds()) <= MAX_GAP_S


def _roles(members: Sequence[Seen], scene: str) -> list[Shot]:
    sharpest = max(members, key=lambda shot: shot.sharpness)
    by_aperture = len({shot.taken.f_number for shot in members}) > 1
    shots = []
    for shot in members:
        role = "extra" if len(members) == 1 else "gt" if shot is sharpest else "blur"
        aperture = shot.taken.f_number if by_aperture and role == "blur" else None
        shots.append(_shot(shot, scene, role, _notes(shot), aperture))
    return shots


def _shot(seen: Seen, scene: str, role: str, notes: str, aperture: float | None = None) -> Shot:
    return Shot(seen.file, scene, role, None, aperture, "", seen.taken.camera, seen.taken.lens, notes)


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
