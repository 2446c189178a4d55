"""Tables of `conformance.py`: scores of predictions of known quality under each protocol, and wanted values."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from known_predictions import REFERENCE_DB, SHARPER_DB, SMOOTHER_DB
from registration_report import Report

PLAIN = ("direct/1", "jdrl-ref/1", "paper/1")
ANCHORED = ("anchored/1", "anchored+sim/1")
COLUMNS = (*PLAIN, *ANCHORED, "oracle")
SAME_DB = 0.02
"""Least difference between the oracle scores of two predictions whose order counts."""

REFERENCE, SHIFTED = f"honest {REFERENCE_DB:g} dB", "shifted by 1 px"


@dataclass(frozen=True)
class Row:
    """One prediction of one pair: PSNR and SSIM under each protocol, and the diagnostics of the anchored row."""

    photograph: str
    condition: str
    name: str
    kind: str
    psnr_db: dict[str, float]
    ssim: dict[str, float]
    diagnostics: dict[str, float | None]
    flags: list[str]

    @property
    def off_db(self) -> float:
        """Difference between the anchored score and the oracle's, in dB."""
        return self.psnr_db["anchored/1"] - self.psnr_db["oracle"]


@dataclass(frozen=True)
class Result:
    """All rows of a pair and the accuracy of its anchor.

    Attributes:
        similarity_px: Mean distance between positions by the anchor's similarity and by the true one, over the mask.
        anchor_px: The same with the anchor's field.
        exact_db: PSNR against the sharp image warped by the true similarity alone, by prediction.
    """

    pair: tuple[str, str]
    coverage: float
    field_px: float
    similarity_px: float
    anchor_px: float
    rows: list[Row] = field(default_factory=list)
    exact_db: dict[str, float] = field(default_factory=dict)

    def row(self, name: str) -> Row:
        """Return the row of a prediction."""
        return next(r for r in self.rows if r.name == name)


def mean(values: Sequence[float | None]) -> float:
    known = [v for v in values if v is not None]
    return statistics.fmean(known) if known else math.nan


def show_scores(report: Report, results: Sequence[Result]) -> None:
    """Print the mean scores of every prediction under every protocol."""
    table = []
    for name in [row.name for row in results[0].rows]:
        rows = [result.row(name) for result in results]
        cells = [f"{mean([r.psnr_db[c] for r in rows]):.2f}" for c in COLUMNS]
        cells += [f"{mean([r.ssim[c] for r in rows]):.4f}" for c in ("anchored/1", "oracle")]
        cells += [f"{mean([r.diagnostics[c] for r in rows]):.2f}" for c in ("gdi50_px", "gdi95_px", "forgiveness_db")]
        table.append((name, *cells, f"{sum(bool(r.flags) for r in rows)} of {len(rows)}"))
    header = (*COLUMNS, "anchored SSIM", "oracle SSIM", "gdi50 px", "gdi95 px", "forgiveness dB", "flagged")
    report.table(("prediction", *header), table)


def show_by_blur(report: Report, results: Sequence[Result]) -> None:
    """Print the differences between anchored and oracle scores at each blur."""
    report.line("`off`: |anchored/1 - oracle| of honest predictions, dB, over photographs and qualities; `exact`: the")
    report.line("same with the sharp image drawn by the true similarity: what is left is drawing and 8 bits.")
    report.line()
    table = []
    for condition in dict.fromkeys(r.pair[1] for r in results):
        own = [r for r in results if r.pair[1] == condition]
        off = [abs(row.off_db) for r in own for row in r.rows if row.kind == "honest"]
        exact = [abs(r.exact_db[x.name] - x.psnr_db["oracle"]) for r in own for x in r.rows if x.kind == "honest"]
        perfect = [r.row("perfect").psnr_db["anchored/1"] for r in own]
        blur = [r.row("blur image").diagnostics for r in own]
        cells = [f"{mean(off):.3f}", f"{max(off):.3f}", f"{mean(exact):.3f}", f"{max(exact):.3f}"]
        cells += [f"{mean(perfect):.2f}", f"{min(perfect):.2f}", f"{min(r.coverage for r in own):.3f}"]
        cells += [f"{mean([b[key] for b in blur]):.2f}" for key in ("gdi50_px", "gdi95_px", "forgiveness_db")]
        table.append((condition, *cells))
    header = ("off mean", "off max", "exact mean", "exact max", "perfect mean dB", "perfect min dB", "least coverage")
    report.table(("blur", *header, "blur gdi50 px", "blur gdi95 px", "blur forgiveness dB"), table)


def show_pairs(report: Report, results: Sequence[Result]) -> None:
    """Print for each pair the accuracy of its anchor and its effect on scores."""
    report.line("Distances are means over the mask, px. `off` is signed, anchored/1 - oracle, dB; `exact` as above.")
    report.line()
    table = []
    for r in results:
        cells = [f"{r.similarity_px:.4f}", f"{r.anchor_px:.4f}", f"{r.field_px:.2f}", f"{r.coverage:.3f}"]
        cells += [f"{r.row('perfect').psnr_db['anchored/1']:.2f}", f"{r.exact_db['perfect']:.2f}"]
        honest = [row for row in r.rows if row.kind == "honest"]
        cells += [f"{row.off_db:+.3f}" for row in honest]
        last = honest[-1]
        table.append((*r.pair, *cells, f"{r.exact_db[last.name] - last.psnr_db['oracle']:+.3f}"))
    names = [row.name.removeprefix("honest ") for row in results[0].rows if row.kind == "honest"]
    header = ("similarity px", "with field px", "field's largest px", "coverage", "perfect dB", "perfect exact dB")
    report.table(("photograph", "blur", *header, *(f"off {n}" for n in names), f"exact {names[-1]}"), table)


def ordered_pairs(result: Result, protocol: str) -> list[tuple[bool, Row, Row]]:
    """Return every two predictions of different quality, the better first, and whether a protocol agrees."""
    answers = []
    for a in result.rows:
        for b in result.rows:
            if a.psnr_db["oracle"] > b.psnr_db["oracle"] + SAME_DB:
                answers.append((a.psnr_db[protocol] > b.psnr_db[protocol], a, b))
    return answers


def tau(result: Result, protocol: str) -> float:
    """Return Kendall's rank correlation with the oracle, without pairs of predictions of equal quality."""
    return 2 * statistics.fmean(agrees for agrees, _, _ in ordered_pairs(result, protocol)) - 1


def show_order(report: Report, results: Sequence[Result]) -> None:
    """Print the order of each pair's predictions by each protocol, and the bias for smooth and sharp predictions."""
    report.line("Kendall's tau against the oracle over all predictions of a pair; what a protocol gives the smoother")
    report.line(
        f"of two predictions of {REFERENCE_DB:g} dB more than the sharper, dB; and on how many pairs it puts the"
    )
    report.line(f"smoother one of {SMOOTHER_DB:g} dB before the sharper one of {SHARPER_DB:g} dB.")
    report.line()
    table = []
    for name in COLUMNS[:-1]:
        taus = [tau(r, name) for r in results]
        same, different = (
            [r.row(f"smoother {s:g} dB").psnr_db[name] - r.row(f"sharper {h:g} dB").psnr_db[name] for r in results]
            for s, h in ((REFERENCE_DB, REFERENCE_DB), (SMOOTHER_DB, SHARPER_DB))
        )
        counts = f"{sum(d > 0 for d in different)} of {len(results)}"
        table.append((name, f"{mean(taus):.3f}", f"{min(taus):.3f}", f"{mean(same):+.2f}", f"{max(same):+.2f}", counts))
    header = ("protocol", "tau mean", "tau least", "smoother gains mean", "most", "order reversed")
    report.table(header, table)
    wrong = [(r, a, b) for r in results for agrees, a, b in ordered_pairs(r, "anchored/1") if not agrees]
    report.line(f"Ordered otherwise by anchored/1: {len(wrong) or 'none'}.")
    report.line()
    for r, a, b in wrong:
        gaps = [a.psnr_db[p] - b.psnr_db[p] for p in ("oracle", "anchored/1")]
        report.line(f"- {', '.join(r.pair)}: {a.name} before {b.name} by {gaps[0]:.3f}, anchored {gaps[1]:.3f} dB")
    if wrong:
        report.line()


def want(report: Report, what: str, wanted: str, obtained: str, met: bool) -> None:
    report.wanted.append((what, wanted, obtained, "met" if met else "NOT met"))


def judge(report: Report, title: str, results: Sequence[Result]) -> None:
    """Record the wanted and obtained values of a set of pairs; list the predictions that fall short."""
    rows = [row for r in results for row in r.rows]
    honest, distorted = ([row for row in rows if row.kind == kind] for kind in ("honest", "distorted"))
    off = [abs(row.off_db) for row in honest]
    for name, value in (("mean", mean(off)), ("largest", max(off))):
        want(report, f"{title}: honest, off the oracle, {name} dB", "<= 0.05", f"{value:.3f}", value <= 0.05)
    perfect = [r.row("perfect").psnr_db["anchored/1"] for r in results]
    want(report, f"{title}: perfect, least dB", ">= 40", f"{min(perfect):.2f}", min(perfect) >= 40)
    least = min(tau(r, "anchored/1") for r in results)
    want(report, f"{title}: order as the oracle's, least tau", "1", f"{least:.4f}", least == 1)
    flagged = sum(bool(row.flags) for row in distorted)
    want(report, f"{title}: distorted ones flagged", "all", f"{flagged} of {len(distorted)}", flagged == len(distorted))
    flagged = sum(bool(row.flags) for row in honest)
    want(report, f"{title}: honest ones flagged", "none", f"{flagged} of {len(honest)}", flagged == 0)
    margins = [
        r.row(REFERENCE).psnr_db["anchored/1"] - row.psnr_db["anchored/1"]
        for r in results
        for row in r.rows
        if row.kind == "garbage"
    ]
    want(report, f"{title}: garbage below honest, least dB", "> 0", f"{min(margins):.2f}", min(margins) > 0)
    loss = {
        p: [r.row(REFERENCE).psnr_db[p] - r.row(SHIFTED).psnr_db[p] for r in results] for p in ("anchored/1", "paper/1")
    }
    low, high = min(loss["anchored/1"]), max(loss["paper/1"])
    want(report, f"{title}: 1 px shift, anchored/1, least loss dB", "> 2.5", f"{low:.2f}", low > 2.5)
    want(report, f"{title}: 1 px shift, paper/1, largest loss dB", "< 0.5", f"{high:.2f}", high < 0.5)


def show_flags(report: Report, results: Sequence[Result]) -> None:
    """List the distorted predictions that are not flagged and the honest ones that are."""
    for title, kind, flagged in (("Distorted, not flagged", "distorted", False), ("Honest, flagged", "honest", True)):
        rows = [(r, row) for r in results for row in r.rows if row.kind == kind and bool(row.flags) == flagged]
        report.line(f"{title}: {len(rows) or 'none'}.")
        report.line()
        for r, row in rows:
            own = r.row("blur image")
            texts = [
                f"{key} {row.diagnostics[key] or 0:.2f} (blur image {own.diagnostics[key] or 0:.2f})"
                for key in ("gdi50_px", "forgiveness_db")
            ]
            texts.append(f"blur image's oracle {own.psnr_db['oracle']:.2f} dB")
            report.line(f"- {', '.join(r.pair)}: {row.name}: {', '.join(texts)}")
        if rows:
            report.line()
