"""Choice between files of one exposure that a camera wrote as both RAW and JPEG."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import PurePosixPath

from capture.develop import RAW_SUFFIXES, file_format
from capture.exif import Taken
from capture.look import Seen, natural_key

SECONDS_APART = 2.0
"""Largest time difference between two files of one name and one exposure."""

FRACTION_APART_S = 0.05
OTHER_SETTING = 1.1
"""Least factor between two exposure times, apertures or sensitivities that counts as a different setting. A third of a
stop is a factor of at least 1.12; the two files of an exposure may round their values differently."""

LIKE_BITS = 16
"""Largest Hamming distance, out of 64 bits, between the hashes of two files of one exposure; cameras develop
differently from LibRaw."""

SETTINGS = ("exposure_s", "f_number", "iso", "focal_length_mm")


def second_files(seen: Sequence[Seen]) -> dict[str, str]:
    """Return the files that repeat an exposure, each with the file of that exposure that is used.

    RAW is preferred over a DNG converted from it, then PNG, TIFF and similar formats, then JPEG; only files that can be
    developed count. Two files are of one exposure if they have different formats and

    - have the same name, regardless of case, in one folder, and their tags do not contradict that; or
    - have the same name in different folders, and were taken in the same second with the same exposure time; or
    - are a RAW file and a photograph that were taken in the same second with the same exposure time and look alike. If
      there are several in one second, the fractions of their times decide, or their order if there are as many RAW
      files as photographs.

    Args:
        seen: All shots of a session.
    """
    ordered = sorted((s for s in seen if not s.fault), key=lambda s: (_rank(s.file), natural_key(s.file)))
    taken_of: dict[str, str] = {}
    formats: dict[str, set[str]] = {}
    kept: dict[str, list[Seen]] = {}

    def add(shot: Seen, keeper: Seen) -> None:
        taken_of[shot.file] = keeper.file
        formats.setdefault(keeper.file, set()).add(file_format(shot.file))

    for shot in ordered:
        candidates = kept.setdefault(_stem(shot.file), [])
        fitting = [
            keeper
            for keeper in candidates
            if file_format(shot.file) not in {file_format(keeper.file), *formats.get(keeper.file, ())}
            and (_same_exposure(keeper, shot) or (_folder(keeper) == _folder(shot) and not _differ(keeper, shot)))
        ]
        if fitting:
            add(shot, min(fitting, key=lambda keeper: _folder(keeper) != _folder(shot)))
        else:
            candidates.append(shot)
    with_photograph = set(taken_of.values())
    alone = [shot for shots in kept.values() for shot in shots if shot.file not in with_photograph]
    for shot, keeper in _by_time(alone):
        add(shot, keeper)
    return taken_of


def _by_time(shots: Sequence[Seen]) -> Iterator[tuple[Seen, Seen]]:
    """Yield pairs of a photograph and the RAW file that was taken at the same moment."""
    seconds: dict[tuple[str, datetime], tuple[list[Seen], list[Seen]]] = {}
    for shot in sorted(shots, key=lambda shot: natural_key(shot.file)):
        if shot.taken.time is not None:
            key = shot.taken.camera.casefold(), shot.taken.time.replace(microsecond=0)
            seconds.setdefault(key, ([], []))[_is_raw(shot.file)].append(shot)
    for photographs, raws in seconds.values():
        if _have_fractions(photographs) and _have_fractions(raws):
            found = [(photo, raw) for photo in photographs for raw in raws if _same_moment(photo.taken, raw.taken)]
            once = {file for file, count in _uses(found).items() if count == 1}
            pairs = [pair for pair in found if {shot.file for shot in pair} <= once]
        else:
            pairs = list(zip(photographs, raws, strict=True)) if len(photographs) == len(raws) else []
        yield from (pair for pair in pairs if _same_exposure(*pair) and _alike(*pair))


def _uses(pairs: Sequence[tuple[Seen, Seen]]) -> dict[str, int]:
    files = [shot.file for pair in pairs for shot in pair]
    return {file: files.count(file) for file in files}


def _same_exposure(one: Seen, other: Seen) -> bool:
    """Return whether the tags of two files show that they are of one exposure."""
    times = one.taken.time, other.taken.time
    if times[0] is None or times[1] is None or one.taken.exposure_s is None or other.taken.exposure_s is None:
        return False
    return times[0].replace(microsecond=0) == times[1].replace(microsecond=0) and not _differ(one, other)


def _differ(one: Seen, other: Seen) -> bool:
    """Return whether the tags of two files show that they are of two exposures."""
    a, b = one.taken, other.taken
    if a.camera and b.camera and a.camera.casefold() != b.camera.casefold():
        return True
    if a.time and b.time and abs((a.time - b.time).total_seconds()) > SECONDS_APART:
        return True
    if _have_fractions((one, other)) and not _same_moment(a, b):
        return True
    values = ((getattr(a, name), getattr(b, name)) for name in SETTINGS)
    return any(v is not None and w is not None and max(v / w, w / v) > OTHER_SETTING for v, w in values)


def _same_moment(a: Taken, b: Taken) -> bool:
    return a.time is not None and b.time is not None and abs((a.time - b.time).total_seconds()) <= FRACTION_APART_S


def _have_fractions(shots: Sequence[Seen]) -> bool:
    return all(shot.taken.time is not None and shot.taken.time.microsecond for shot in shots)


def _alike(one: Seen, other: Seen) -> bool:
    return (int(one.hash, 2) ^ int(other.hash, 2)).bit_count() <= LIKE_BITS


def _rank(file: str) -> int:
    """Return the rank of a file's format; files of lower rank are preferred."""
    if _is_raw(file):
        return 1 if file_format(file) == "DNG" else 0
    return 3 if file_format(file) == "JPEG" else 2


def _is_raw(file: str) -> bool:
    return file.lower().endswith((*RAW_SUFFIXES, ".bin"))


def _stem(file: str) -> str:
    return unicodedata.normalize("NFC", PurePosixPath(file).stem).casefold()


def _folder(shot: Seen) -> str:
    return PurePosixPath(shot.file).parent.as_posix()
