"""Matching of predictions to inputs by image content, and verification of matches by content."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sdd_bench.datasets.looks import Look, Looks, cut, detail
from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import fault_report
from sdd_bench.evaluation.likenesses import NOT_COMPARABLE, Table, apart_table, laid, likeness_table, some, told_apart
from sdd_bench.io.values_as import USUAL, ValuesAs
from sdd_bench.registration.mix_ups import turn_of

ALIKE, MORE_ALIKE = 0.5, 0.2
"""Least correlation of a prediction with its input, and the least margin over all other inputs.

Outputs of six networks on five real pairs (AIFNet, DRBNet, IFAN, INIKNet, Restormer, and Genfocus, which is generative;
DPDD and RealDOF) have at least 0.987 with their own inputs and at most 0.07 with others. 78 comparisons of different
photographs give at most 0.25.
"""

NEARLY_ONE = 0.6
"""Least correlation of inputs that count as nearly identical, such as frames of a burst or of a focus stack.

Frames of four focus stacks have at least 0.84 between any two, and at most 0.9997 between neighbours.
"""

APART, SURELY_APART = 0.1, 0.4
"""Thresholds within a group of nearly identical inputs: the margin by which a prediction must match the distinguishing
detail of another input better, and the least `told_apart` at which the group's order is accepted.

Predictions of four focus stacks (Richardson-Lucy, an unsharp mask, a smoothing, and the frames brought within a fifth
of one all-in-focus image) and of bursts (shifts of 1.5 px, noise of 0.01) have at least 0.91 with the distinguishing
detail of their own input, and always less with that of another; neighbours in a stack have up to 0.96 with each other.
"""


def match_by_content(
    files: Sequence[Path], pairs: Sequence[Pair], looks: Looks, values: ValuesAs = USUAL
) -> dict[str, Path]:
    """Return the prediction for each pair's name: each file is assigned to the blur image with the highest correlation.

    Nearly identical blur images, such as those of a burst or of a focus stack, are distinguished by the detail that
    they do not share.

    Args:
        files: Predictions; they may be cropped or padded by up to `MAX_BORDER_PX`. With fewer files than pairs, some
            pairs are missing from the result.
        pairs: Pairs of the scored split.
        looks: Cache of thumbnails.
        values: Meaning of the predictions' values.

    Raises:
        UserError: A prediction matches no input or several, or several predictions match one input; all are named. An
            image cannot be decoded.
    """
    predictions, inputs = looks.at(files, values), looks.at([pair.blur for pair in pairs])
    table = likeness_table(predictions, inputs)
    found: dict[str, Path] = {}
    faults: list[str] = []
    members = defaultdict(list)
    group_of = _groups(inputs)
    for row, file in enumerate(files):
        best = int(table[row].argmax())
        others = table[row][[group != group_of[best] for group in group_of]]
        second = float(others.max()) if len(others) else NOT_COMPARABLE
        if table[row, best] < ALIKE:
            faults.append(f"{file.name}: looks like no input ({_how(table[row], pairs)})")
        elif table[row, best] < second + MORE_ALIKE:
            faults.append(f"{file.name}: looks like several inputs ({_how(table[row], pairs)})")
        else:
            members[group_of[best]].append(row)
    for group, rows in members.items():
        columns = [column for column, its in enumerate(group_of) if its == group]
        names = [pairs[column].name for column in columns]
        order = _order([predictions[row] for row in rows], [inputs[column] for column in columns])
        if order is None:
            faults.append(_undecided([files[row].name for row in rows], names))
        else:
            found |= {names[place]: files[row] for row, place in zip(rows, order, strict=True)}
    if faults:
        raise fault_report(faults, "predictions matched by content")
    return {pair.name: found[pair.name] for pair in pairs if pair.name in found}


def check_contents(
    predictions: Mapping[str, Path], pairs: Sequence[Pair], looks: Looks, values: ValuesAs = USUAL
) -> tuple[str, ...]:
    """Refuse predictions that match another input better than their own; return remarks on the others.

    Args:
        predictions: Files by pair name; they may be cropped or padded by up to `MAX_BORDER_PX`.
        pairs: Pairs of the scored split; those without a prediction still serve as candidates.
        looks: Cache of thumbnails.
        values: Meaning of the predictions' values.

    Raises:
        UserError: Predictions match another input, or are turned or mirrored relative to their own; all are named. An
            image cannot be decoded.
    """
    named = [pair.name for pair in pairs]
    own = [named.index(name) for name in predictions]
    found, inputs = looks.at(list(predictions.values()), values), looks.at([pair.blur for pair in pairs])
    faults, remarks = content_faults(found, inputs, own, named)
    if faults:
        raise fault_report(faults, "predictions")
    return tuple(remarks)


def content_faults(
    predictions: Sequence[Look], inputs: Sequence[Look], own: Sequence[int], names: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Return the mix-ups among predictions, and remarks on the others.

    Args:
        predictions: Thumbnails of the predictions.
        inputs: Thumbnails of the blur images.
        own: Index of each prediction's input.
        names: Names of the inputs.
    """
    table = likeness_table(predictions, inputs)
    moved: dict[int, int] = {}
    turned: dict[int, str] = {}
    unlike = []
    groups = _groups(inputs)
    for row, column in enumerate(own):
        best = int(table[row].argmax())
        itself = table[row, column]
        if itself >= ALIKE and itself > table[row, best] - MORE_ALIKE:
            continue
        turn = _turn(predictions[row], inputs[column])
        if turn:
            turned[row] = turn
        elif table[row, best] >= max(ALIKE, itself + MORE_ALIKE) and groups[best] != groups[column]:
            moved[row] = best
        elif itself < ALIKE:
            unlike.append(row)
    for group in sorted(set(groups)):
        rows = [row for row, column in enumerate(own) if groups[column] == group and row not in {*moved, *turned}]
        moved |= _moved_within(rows, predictions, [inputs[own[row]] for row in rows], own)
    files = [look.path.name for look in predictions]
    hint = _hint(moved, own, names)
    faults = [
        f"{files[row]} looks like the input of {names[column]}, not of {names[own[row]]}{hint}"
        for row, column in sorted(moved.items())
    ]
    faults += [f"{files[row]} is {turn} against the input of {names[own[row]]}" for row, turn in turned.items()]
    lines = [f"{files[row]} ({table[row, own[row]]:.2f} with {names[own[row]]})" for row in unlike]
    remarks = [f"{len(unlike)} of {len(own)} predictions look like no input: {some(lines)}"] if unlike else []
    return faults, remarks


def _groups(inputs: Sequence[Look]) -> list[int]:
    """Return a group number for each input; inputs linked by near-identical images share a number."""
    from scipy.sparse.csgraph import connected_components

    _, groups = connected_components(likeness_table(inputs, inputs) >= NEARLY_ONE, directed=False)
    return [int(group) for group in groups]


def _order(predictions: Sequence[Look], inputs: Sequence[Look]) -> list[int] | None:
    """Return the index of each prediction's input within a group; None if it is undecided or the numbers differ."""
    if len(predictions) != len(inputs):
        return None
    if len(inputs) == 1:
        return [0]
    order = _likeliest(apart_table(predictions, inputs))
    sure = told_apart(predictions, [inputs[place] for place in order])
    return order if sure >= SURELY_APART else None


def _likeliest(table: Table) -> list[int]:
    """Return the assignment of columns to rows with the largest sum."""
    from scipy.optimize import linear_sum_assignment

    return [int(column) for column in linear_sum_assignment(table, maximize=True)[1]]


def _moved_within(
    rows: Sequence[int], predictions: Sequence[Look], inputs: Sequence[Look], own: Sequence[int]
) -> dict[int, int]:
    """Return the index of the input that each prediction of a group matches, if that is clearly not its own."""
    if len(rows) < 2:
        return {}
    looks = [predictions[row] for row in rows]
    table = apart_table(looks, inputs)
    order = _likeliest(table)
    moved = [at for at, place in enumerate(order) if place != at]
    if not moved or min(table[at, order[at]] - table[at, at] for at in moved) < APART:
        return {}
    if told_apart([looks[at] for at in moved], [inputs[order[at]] for at in moved]) < SURELY_APART:
        return {}
    return {rows[at]: own[rows[order[at]]] for at in moved}


def _turn(prediction: Look, own: Look) -> str:
    """Return the turn of a prediction relative to its input, in words; empty if there is none or it is unknown."""
    part = next(laid(prediction.size, own.size))[0]
    of_own, of_prediction = (detail(cut(look, own.scale, *part)) for look in (own, prediction))
    return turn_of(of_own, of_prediction)


def _how(row: Iterable[float], pairs: Sequence[Pair]) -> str:
    """Return the best-matching input names of a prediction, with their correlation."""
    found = sorted(zip(row, (pair.name for pair in pairs), strict=True), key=lambda part: (-part[0], part[1]))[:2]
    if found[0][0] == NOT_COMPARABLE:
        return "none is of its size"
    return ", ".join(f"{likeness:.2f} with {name}" for likeness, name in found if likeness > NOT_COMPARABLE)


def _undecided(files: Sequence[str], names: Sequence[str]) -> str:
    """Return the message for predictions that cannot be distinguished."""
    if len(names) == 1:
        return f"{some(files)}: all look like the input of {names[0]}"
    if len(files) != len(names):
        found = f"{len(files)} predictions for {len(names)} inputs"
        return f"{some(files)}: {found} that show nearly one picture: {some(names)}"
    found = f"the inputs of {some(names)} are too similar to match by content"
    return f"{some(files)}: {found}; name the files like the inputs"


def _hint(moved: Mapping[int, int], own: Sequence[int], names: Sequence[str]) -> str:
    """Return a hint how predictions may have been mixed up; empty if no rule is recognised."""
    if len(moved) < 2:
        return ""
    place = {column: at for at, column in enumerate(sorted(range(len(names)), key=lambda column: names[column]))}
    steps = Counter(
        (place[column] - place[own[row]] + len(names) // 2) % len(names) - len(names) // 2
        for row, column in moved.items()
    )
    step, count = steps.most_common(1)[0]
    if abs(step) == 1 and 2 * count > len(moved):
        return "; one place off in the order?"
    return "; matched in another order than they were written?"
