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
    """Groups of methods in the order of the board, each as large as can be; `more` where some are left out."""

    members: tuple[tuple[str, ...], ...]
    more: bool


def alike(board: Board, methods: Sequence[str]) -> Groups:
    """Return the largest groups of methods of which no two are separated in the metric that ranks.

    A method may be in several groups, or in none where it is separated from all others.

    Args:
        board: The table.
        methods: Those that are looked at, in its order.
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
