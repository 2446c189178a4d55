"""First description of a session, derived from its files for the user to correct: scenes, roles, cause of the blur."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from capture.exposures import second_files
from capture.look import Seen, natural_key
from capture.session import Shot

MAX_GAP_S = 300.0
"""Largest time between two shots of one scene; shots further apart are of different scenes even if they look alike,
because the tripod may have been moved and put back."""

MAX_NEIGHBOUR_DISTANCE = 16
"""Largest Hamming distance, out of 64 bits, between the hashes of two consecutive shots of one scene.

The limit is higher than for images in general, because few are compared. Of 150 synthetic pairs of 512x270 (zoomed,
shifted by up to 3 % and blurred), 146 are within it and 111 within the 10 of `sdd_bench.datasets.similar`; of 11,175
pairs of different crops, 14 are within it, five of which overlap. Neighbouring shots in four focus stacks differ in at
most 6 bits."""

Timed = tuple[Seen, datetime | None]
"""A shot and the time when it was taken."""

EQUALLY_SHARP = 0.95
"""Least ratio of a shot's sharpness to that of the sharpest in its scene at which both count as equally sharp, so that
the choice of gt is left to the user."""


@dataclass(frozen=True)
class Draft:
    """A first description and its uncertain parts.

    Attributes:
        shots: Shots in the order of the description.
        equal: Scene to those of its files that are equally sharp, if there are two or more.
        seconds: File to the file of the same exposure that is used instead.
    """

    shots: tuple[Shot, ...]
    equal: Mapping[str, tuple[str, ...]]
    seconds: Mapping[str, str]


def draft(seen: Sequence[Seen]) -> Draft:
    """Return shots with scenes and roles.

    If several files are of one exposure, such as RAW and JPEG, one is a shot and the others are `extra`. Shots are
    ordered by time if all have one, else by name. A shot belongs to the scene of the camera's previous shot if both
    look alike (hash within `MAX_NEIGHBOUR_DISTANCE` bits) and are at most `MAX_GAP_S` apart. The sharpest shot of a
    scene is its `gt`; a shot that is alone in its scene or cannot be developed is `extra`. If apertures differ within a
    scene, they are taken as the cause of the blur.
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
    """Return the shots of each scene, one camera after the other, scenes in the order of their first shots.

    The clocks of several cameras may disagree; a scene is therefore of one camera. If only one camera is named, the
    files without a camera name are taken to be from it.
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
    """Return the shots of a camera by time and name if all have a time, else in the given order.

    Times are in UTC if all shots have a time zone, because the zone may have been changed in between.
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
    """Return remarks that help a person check a shot: sharpness, and the camera's time and focus distance."""
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
