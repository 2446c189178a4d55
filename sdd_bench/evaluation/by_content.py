"""Matching of predictions to inputs by image content, and check of matches by it."""

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
"""Likeness from which on a prediction is one of an input, and by how much more than of any other input.

The outputs of six networks on five real pairs (AIFNet, DRBNet, IFAN, INIKNet, Restormer, Genfocus, which is generative;
DPDD and RealDOF): 0.987 or more with their own inputs, 0.07 at most with others. 78 comparisons of different
photographs: 0.25 at most.
"""

NEARLY_ONE = 0.6
"""Likeness from which on two inputs show nearly one picture, as frames of a burst and of a focus stack do.

Frames of four focus stacks: 0.84 or more between any two, 0.9997 at most between neighbours.
"""

APART, SURELY_APART = 0.1, 0.4
"""Margins by which a prediction has to show more of what sets another input apart, within a group that is nearly one
picture, and what `told_apart` has to be where the group is put in order.

Predictions of four focus stacks (Richardson-Lucy, an unsharp mask, a smoothing, and the frames brought within a fifth
of one all-in-focus picture) and of bursts (shifts of 1.5 px, noise of 0.01): 0.91 or more with what sets their own
input apart, and always less with another's; neighbours in a stack are 0.96 alike in it.
"""


def match_by_content(
    files: Sequence[Path], pairs: Sequence[Pair], looks: Looks, values: ValuesAs = USUAL
) -> dict[str, Path]:
    """Return the prediction of each pair's name: each file belongs to the blur image that it looks most like.

    Blur images that show nearly one picture, as those of a burst or of a focus stack, are told apart by what sets each
    of them apart from the others.

    Args:
        files: Predictions; they may be cropped or padded by `MAX_BORDER_PX`. With fewer files than pairs, pairs are
            missing from the result.
        pairs: The split that is scored.
        looks: Takes the looks.
        values: Meaning of the values of predictions.

    Raises:
        UserError: A prediction that looks like no input or like several, several that look like one; all named. Images
            that cannot be decoded.
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
    """Refuse predictions that look more like another input than like their own; return remarks on the others.

    Args:
        predictions: Name of the pair to file; they may be cropped or padded by `MAX_BORDER_PX`.
        pairs: The split that is scored; pairs without a prediction are inputs that others may look like.
        looks: Takes the looks.
        values: Meaning of the values of predictions.

    Raises:
        UserError: Predictions that look like another input, or that are turned or mirrored against their own; all
            named. Images that cannot be decoded.
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
    """Return mix-ups among predictions, and remarks on others.

    Args:
        predictions: Looks at them.
        inputs: Looks at the blur images.
        own: Place of each prediction's input.
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
    """Return a number for each input, the same for those that show nearly one picture, directly or by way of others."""
    from scipy.sparse.csgraph import connected_components

    _, groups = connected_components(likeness_table(inputs, inputs) >= NEARLY_ONE, directed=False)
    return [int(group) for group in groups]


def _order(predictions: Sequence[Look], inputs: Sequence[Look]) -> list[int] | None:
    """Return the place of each prediction's input in a group; None where nothing tells, or their numbers differ."""
    if len(predictions) != len(inputs):
        return None
    if len(inputs) == 1:
        return [0]
    order = _likeliest(apart_table(predictions, inputs))
    sure = told_apart(predictions, [inputs[place] for place in order])
    return order if sure >= SURELY_APART else None


def _likeliest(table: Table) -> list[int]:
    """Return the one column for each row whose sum of all is the largest."""
    from scipy.optimize import linear_sum_assignment

    return [int(column) for column in linear_sum_assignment(table, maximize=True)[1]]


def _moved_within(
    rows: Sequence[int], predictions: Sequence[Look], inputs: Sequence[Look], own: Sequence[int]
) -> dict[int, int]:
    """Return the place of the input that each prediction of a group looks like, where that is surely not its own."""
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
    """Return how a prediction lies against its input, in words; empty where it lies as it should, or none can say."""
    part = next(laid(prediction.size, own.size))[0]
    of_own, of_prediction = (detail(cut(look, own.scale, *part)) for look in (own, prediction))
    return turn_of(of_own, of_prediction)


def _how(row: Iterable[float], pairs: Sequence[Pair]) -> str:
    """Return the names that a prediction is most like, with its likeness."""
    found = sorted(zip(row, (pair.name for pair in pairs), strict=True), key=lambda part: (-part[0], part[1]))[:2]
    if found[0][0] == NOT_COMPARABLE:
        return "none is of its size"
    return ", ".join(f"{likeness:.2f} with {name}" for likeness, name in found if likeness > NOT_COMPARABLE)


def _undecided(files: Sequence[str], names: Sequence[str]) -> str:
    """Return what is wrong where predictions cannot be told apart."""
    if len(names) == 1:
        return f"{some(files)}: all look like the input of {names[0]}"
    if len(files) != len(names):
        found = f"{len(files)} predictions for {len(names)} inputs"
        return f"{some(files)}: {found} that show nearly one picture: {some(names)}"
    found = f"the inputs of {some(names)} are too similar to match by content"
    return f"{some(files)}: {found}; name the files like the inputs"


def _hint(moved: Mapping[int, int], own: Sequence[int], names: Sequence[str]) -> str:
    """Return a question that says how predictions may have been mixed up; empty where no rule shows."""
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
