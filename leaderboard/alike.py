"""Groups of methods that are not separated: the lines of a critical-difference diagram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from leaderboard.table import Board

MAX_GROUPS = 12
SEARCHED = 500


@dataclass(frozen=True)
class Groups:
    """Largest groups of methods, in the order of the board; `more` is True if some are left out."""

    members: tuple[tuple[str, ...], ...]
    more: bool


def alike(board: Board, methods: Sequence[str]) -> Groups:
    """Return the largest groups of methods in which no two are separated in the ranking metric.

    A method may be in several groups, or in none if it is separated from all others.

    Args:
        board: Ranked table.
        methods: Methods to group, in the order of the table.
    """
    import networkx

    place = {method: number for number, method in enumerate(methods)}
    pairs = board.pairs[(board.pairs["metric"] == board.sort) & board.pairs["tie"].astype(bool)]
    ties = networkx.Graph()
    ties.add_edges_from(
        (place[one], place[other])
        for one, other in zip(pairs["method"], pairs["other"], strict=True)
        if one in place and other in place
    )
    found = sorted(tuple(sorted(group)) for group in islice(networkx.find_cliques(ties), SEARCHED))
    shown = tuple(tuple(methods[number] for number in group) for group in found[:MAX_GROUPS])
    return Groups(shown, len(found) > MAX_GROUPS)
