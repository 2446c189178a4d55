"""Caption of a table in sentences: how ranks and intervals were computed, and caps of single images."""

from __future__ import annotations

from leaderboard.columns import INTERVALS, judged_by_input
from leaderboard.entry import STORED_BITS
from leaderboard.statistics import RANKED_IMAGES
from leaderboard.table import Board, compared_methods
from sdd_bench.evaluation.protocol import UNRANKED
from sdd_bench.metrics.table import METRICS, MOST_DB

INTERVAL = (
    "Intervals of means are 95 %: Student's t over the images, with the end on the side of the longer tail moved out "
    "for skewness."
)
CAP = f"An image counts with at most {MOST_DB:g} dB in the mean of a PSNR."


def rule_of(board: Board) -> str:
    """Return an explanation of a board's ranks in one sentence; empty under a protocol that does not rank."""
    if board.table.protocol in UNRANKED:
        return ""
    methods = compared_methods(board)
    if not methods:
        return "No rank is claimed: no method has the metric that ranks on every image."
    images = int(board.rows.set_index("method")["n_images"][methods[0]])
    if images < RANKED_IMAGES:
        return f"No rank is claimed: that needs {RANKED_IMAGES} images, here {'is' if images == 1 else 'are'} {images}."
    pairs = len(methods) * (len(methods) - 1) // 2
    if not pairs:
        return "One method alone has rank 1."
    corrected = f" after correction for all {pairs:,} pairs of methods" if pairs > 1 else ""
    return (
        "A rank is 1 plus the number of significantly better methods: those whose mean difference, paired over the "
        f"{images} images, has a 95 % interval that excludes 0{_least(board)}, and is significant at 5 %{corrected} "
        f"({'sign flips, step-down maximum' if pairs > 1 else 'sign flips'})."
    )


def more_rules(board: Board) -> list[str]:
    """Return the rest of a caption: shared ranks, intervals, and caps of single images."""
    rows, said = board.rows, []
    if rows["tie"].any():
        said.append("= marks a rank that is shared by methods which nothing separates.")
    if (rows["rank_lo"] < rows["rank_hi"]).any():
        said.append("Behind a rank stands its interval; all of these hold together with 95 %.")
    if any(rows[f"{first}_lo"].notna().any() for first in INTERVALS.values()):
        said.append(INTERVAL)
    return [*said, CAP, *_precision(board)]


def _precision(board: Board) -> list[str]:
    """Return a sentence on the bits with which predictions are scored, if it is needed."""
    if board.table.score_bits != STORED_BITS:
        return [f"Predictions are scored with {board.table.score_bits} bits, as their files have them."]
    rows = board.rows[["method", "predictions_bits"]]
    known, said = rows["predictions_bits"] != "", []
    if (known & (rows["predictions_bits"] != str(STORED_BITS))).any():
        said.append(f"Predictions of more than {STORED_BITS} bits are rounded to {STORED_BITS} before they are scored.")
    if known.any() and not known.all():
        names = ", ".join(rows["method"][~known])
        said.append(f"Results that do not say how many bits predictions have are taken as of {STORED_BITS}: {names}.")
    return said


def rules_of(board: Board) -> str:
    """Return the complete caption of a board, in sentences."""
    return " ".join(filter(None, [rule_of(board), *more_rules(board)]))


def _least(board: Board) -> str:
    """Return the condition on the least difference, as a part of a sentence."""
    metric = METRICS[board.sort]
    unit = " dB" if metric.heading.endswith("(dB)") else ""
    said = [f"{metric.relevant:g}{unit}"] if metric.relevant else []
    if judged_by_input(board.table.protocol) and board.sort == "psnr_db":
        said.append("the uncertainty that the truth's own errors leave")
    return f", is at least {' and '.join(said)}" if said else ""
