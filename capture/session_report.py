"""Report of ingested camera sessions: one HTML file that opens offline, with every pair and its verdict."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape

from capture.record import Developed, Original, Record
from capture.session_figures import ERRORS, HEADINGS, MOTION, limit_words, value_text
from capture.session_pictures import histogram_plots, read_pictures
from capture.verdict import ACCEPTED, REFUSED, WARNING, Limits, beyond, with_shift
from sdd_bench.io.files import write_text
from sdd_bench.report.svg import STYLE
from sdd_bench.version import __version__

PICTURED = 300
"""Number of pairs shown with images; about 0.1 MB each."""

COMMONEST = 6
STATUSES = {REFUSED: "refused", WARNING: "accepted with warning", ACCEPTED: "accepted"}
"""Status to its words, the most urgent first."""

NUMBER = re.compile(r"\d+(?:\.\d+)?")


def write_session_report(
    path: Path,
    records: Sequence[Record],
    limits: Mapping[str, Limits],
    pictures: Path,
    limit: int = PICTURED,
) -> Path:
    """Write the page and return its path.

    Args:
        path: Path of the HTML file.
        records: Records of one or several sessions, shown in this order.
        limits: Limits by session, for every session that has a developed pair.
        pictures: Folder of the images of `capture.session_pictures.write_pictures`; a missing image is not shown.
        limit: Largest number of developed pairs that are shown with images: refused ones first, then those with
            warnings, then in order.

    Raises:
        UserError: An existing image cannot be read, or the page cannot be written.
        KeyError: A session has no limits.
    """
    developed = [record for record in records if record.developed is not None]
    urgent = sorted(developed, key=lambda record: list(STATUSES).index(record.verdict.status))
    pictured = {id(record) for record in urgent[: max(0, limit)]}
    sessions = list(dict.fromkeys(record.session for record in records))
    environment = Environment(
        loader=PackageLoader("capture"), autoescape=select_autoescape(["html"]), trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template("session.html").render(
        version=__version__,
        style=STYLE,
        title=f"Camera session {sessions[0]}" if len(sessions) == 1 else f"{len(sessions)} camera sessions",
        sessions=sessions,
        summary=[count_words(records)],
        reasons=commonest_reasons(records),
        statuses=STATUSES,
        counts=Counter(record.verdict.status for record in records),
        entries=[
            _entry(number, record, limits, pictures if id(record) in pictured else None)
            for number, record in enumerate(records, 1)
        ],
        pictured=len(pictured),
        developed=len(developed),
        folder=pictures.name,
    )
    write_text(path, page)
    return path


def count_words(records: Sequence[Record]) -> str:
    """Return the number of pairs and sessions and the counts of verdicts, in a sentence."""
    counts = Counter(record.verdict.status for record in records)
    sessions = len({record.session for record in records})
    found = ", ".join(f"{counts[status]} {STATUSES[status]}" for status in reversed(STATUSES) if counts[status])
    pairs = f"{len(records)} pair{'' if len(records) == 1 else 's'}"
    return f"{pairs} of {sessions} session{'' if sessions == 1 else 's'}{': ' if found else ''}{found}."


def commonest_reasons(records: Sequence[Record]) -> list[tuple[str, int]]:
    """Return the commonest reasons with their numbers of pairs; numbers in which reasons differ become "…"."""
    found: dict[str, list[list[str]]] = {}
    for record in records:
        for reason in record.verdict.reasons:
            found.setdefault(NUMBER.sub("\0", reason), []).append(NUMBER.findall(reason))
    merged = []
    for pattern, numbers in found.items():
        common = iter([same[0] if len(set(same)) == 1 else "…" for same in zip(*numbers, strict=True)])
        merged.append(("".join(next(common) if c == "\0" else c for c in pattern), len(numbers)))
    return sorted(merged, key=lambda pair: -pair[1])[:COMMONEST]


def _entry(number: int, record: Record, limits: Mapping[str, Limits], pictures: Path | None) -> dict[str, object]:
    """Return the data of a pair for the page; without images if the folder is None."""
    found: dict[str, object] = {"number": number, "record": record, "pictures": {}}
    if record.developed is None:
        return found
    rows = _figure_rows(record.developed, limits[record.session])
    found["tables"] = [
        ("Light and detail", [row for row in rows if row["name"] not in MOTION]),
        ("How gt lies on blur", [row for row in rows if row["name"] in MOTION]),
    ]
    found |= {"plots": histogram_plots(number, record.developed.histograms), "facts": _facts(record, record.developed)}
    found["taken"] = _taken_rows(record.blur, record.gt)
    if pictures is not None:
        found["pictures"] = read_pictures(pictures, record.name)
    return found


def _figure_rows(developed: Developed, limits: Limits) -> list[dict[str, object]]:
    """Return heading, text, limit and mark of every figure; the shift's length follows its components.

    Standard errors are shown next to their figures.
    """
    figures = developed.figures
    return [
        {
            "name": name,
            "heading": HEADINGS[name][0],
            "text": value_text(name, value, float(figures[ERRORS[name]]) if name in ERRORS else 0.0),
            "limit": limit_words(name, limits, developed.width),
            "exceeded": beyond(name, value, limits, developed.width),
        }
        for name, value in with_shift(figures).items()
        if name in HEADINGS
    ]


def _facts(record: Record, developed: Developed) -> list[tuple[str, str]]:
    """Return heading and text of the data that both shots share, without unknown values."""
    shot, balance = record.shot, developed.white_balance
    gains = ", ".join(f"{gain:.3f}" for gain in developed.gains)
    facts = [
        ("scene", shot.scene),
        ("focus motor of blur", "" if shot.motor is None else f"{shot.motor:.6g}"),
        ("aperture of blur", "" if shot.aperture is None else f"f/{shot.aperture:.4g}"),
        ("camera", shot.camera),
        ("lens", shot.lens),
        ("place", shot.place),
        ("gains of blur (red, green, blue)", "" if set(developed.gains) == {1.0} else gains),
        ("white balance", "the photograph's own" if balance is None else ", ".join(f"{b:.3f}" for b in balance)),
        ("notes", shot.notes),
    ]
    return [(heading, text) for heading, text in facts if text]


def _taken_rows(blur: Original, gt: Original) -> list[tuple[str, str, str]]:
    """Return heading and text for blur and gt, without rows that are unknown for both."""
    both = [
        {
            "file": shot.file,
            "time": shot.time.replace("T", " "),
            "exposure": _exposure(shot.exposure_s),
            "f-number": "" if shot.f_number is None else f"f/{shot.f_number:.4g}",
            "ISO": "" if shot.iso is None else f"{shot.iso:.6g}",
            "focal length": "" if shot.focal_length_mm is None else f"{shot.focal_length_mm:.4g} mm",
            "focus distance": "" if shot.focus_distance_m is None else f"{shot.focus_distance_m:.4g} m",
            "sha256": shot.sha256,
        }
        for shot in (blur, gt)
    ]
    return [(name, both[0][name], both[1][name]) for name in both[0] if both[0][name] or both[1][name]]


def _exposure(seconds: float | None) -> str:
    """Return an exposure time as cameras show it.

    >>> _exposure(0.004), _exposure(0.8), _exposure(None)
    ('1/250 s', '0.8 s', '')
    """
    if seconds is None:
        return ""
    return f"1/{1 / seconds:.4g} s" if 0 < seconds < 0.3 else f"{seconds:.4g} s"
