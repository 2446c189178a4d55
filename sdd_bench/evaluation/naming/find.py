"""Search for the predictions of a split in a folder, by name or by content, with one report of all problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sdd_bench.datasets.looks import Looks
from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError
from sdd_bench.evaluation.by_content import check_contents, match_by_content
from sdd_bench.evaluation.naming.folders import images_in
from sdd_bench.evaluation.naming.matching import Matching
from sdd_bench.evaluation.naming.natural import natural_order
from sdd_bench.evaluation.naming.problems import Problem, problem_report
from sdd_bench.evaluation.naming.rules import Proposal, Rule, by_order, propose, sides_of
from sdd_bench.evaluation.naming.sizes import size_problems
from sdd_bench.evaluation.naming.stems import by_stem
from sdd_bench.evaluation.naming.ways import ANY, Ways, filtered
from sdd_bench.evaluation.prediction_values import check_prediction_values
from sdd_bench.jobs.workers import Workers

LISTED = 3
"""Number of names that a message gives as examples."""

Files = Mapping[str, Sequence[Path]]
"""Files by the part of their name that the pattern selects; several files may differ in their suffix only."""


def match_predictions(
    folder: Path,
    pairs: Sequence[Pair],
    ways: Ways,
    jobs: Workers,
    *,
    where: str = "",
    crop_multiple: int = 1,
    looks: Looks | None = None,
) -> Matching:
    """Return the prediction of each pair, checked for its size, its content and its values.

    Args:
        folder: Folder with PNG, TIFF or JPEG files, directly inside or in its only sub-folder.
        pairs: Pairs of the scored split.
        ways: Options on naming and size.
        jobs: Worker processes.
        where: Name of the folder in messages; its path if empty.
        crop_multiple: Crop multiple of the protocol.
        looks: Cache of thumbnails, shared with other checks.

    Raises:
        UserError: Predictions are missing, superfluous, duplicate or of another size, or files are not images (all are
            named and counted by kind); neither names nor content identify the files; a prediction matches another image
            better than its own; or its values have another meaning than its input's.
    """
    looks = Looks(jobs) if looks is None else looks
    ways, where = ways.resolved(), where or str(folder)
    files, below = images_in(folder, where)
    keys, passed_over = filtered(by_stem(files), ways.pattern)
    if not keys:
        raise UserError(
            f"{where}: none of the {len(files)} files matches --pred-pattern {ways.pattern} "
            f"({_some([f.name for f in files])})"
        )
    proposal = _proposal(keys, pairs, ways, where)
    found, problems = _settled(proposal, keys, pairs, ways, looks, where)
    found = replace(found, folder=below, passed_over=passed_over)
    sizes, partly = size_problems(found.files, pairs, crop_multiple, ways.pred_crop, grey=ways.grey)
    problems = [*problems, *sizes]
    if problems:
        missing = any(problem.kind == "missing" for problem in problems)
        called = [] if found.template in (ANY, ways.pattern) else [f"assumed names: {found.template}"]
        hints = [*called, *(["--allow-missing scores an incomplete folder"] if missing else [])]
        raise problem_report(problems, where, "; ".join(hints))
    if not found.files:
        raise UserError(f"{where}: no predictions for the {len(pairs)} images of the split")
    if not found.checked:
        found = replace(found, remarks=check_contents(found.files, pairs, looks, ways.values))
    remarks = (*found.remarks, *check_prediction_values(found.files, pairs, looks, ways.values))
    return replace(found, partly=partly, remarks=remarks)


def _proposal(keys: Files, pairs: Sequence[Pair], ways: Ways, where: str) -> Proposal:
    """Return the match proposed by names.

    Raises:
        UserError: There are several files for each image, or not as many files as images when matching by order.
    """
    sides = sides_of(pairs)
    first: Rule = "names" if ways.naming is None else ways.naming.rule
    try:
        if ways.by_order:
            return by_order(keys, sides)
        return propose(keys, sides, affixes=ways.pattern == ANY, first=first)
    except UserError as error:
        raise UserError(f"{where}: {error.message}") from None


def _settled(
    proposal: Proposal, keys: Files, pairs: Sequence[Pair], ways: Ways, looks: Looks, where: str
) -> tuple[Matching, list[Problem]]:
    """Return the match proposed by names, verified by content if names are ambiguous, and its problems.

    Raises:
        UserError: Neither names nor content identify the files.
    """
    chosen, checked = proposal, False
    remarks: tuple[str, ...] = ()
    if proposal.rule == "order" and proposal.settled and not ways.by_order:
        try:
            files = {pair: keys[stem][0] for pair, stem in proposal.stems.items()}
            checked, remarks = True, check_contents(files, pairs, looks, ways.values)
        except UserError as error:
            return _by_content(proposal, keys, pairs, ways, looks, error)
        if remarks:
            told = "only the order of the numbers tells which file belongs to which image"
            raise UserError(f"{where}: {told}, and {remarks[0]}; add --by-order to score them in that order")
    elif not proposal.settled:
        try:
            return _by_content(proposal, keys, pairs, ways, looks)
        except UserError as error:
            if proposal.otherwise is None:
                raise UserError(f"{where}: {_unsaid(proposal, pairs)}, and {error.message}") from None
            chosen = proposal.otherwise
    found = {pair: keys[stem][0] for pair, stem in chosen.stems.items()}
    matching = Matching(
        found, chosen.rule, _called(chosen, ways), companions=chosen.companions, checked=checked, remarks=remarks
    )
    return matching, _problems(chosen, keys, pairs, ways, where)


def _by_content(
    proposal: Proposal,
    keys: Files,
    pairs: Sequence[Pair],
    ways: Ways,
    looks: Looks,
    before: UserError | None = None,
) -> tuple[Matching, list[Problem]]:
    """Return the match by content for the files that may be predictions by their names.

    Raises:
        UserError: The content does not identify the files; `before`, if given, is raised instead.
    """
    twice = _twice(proposal.candidates, keys)
    if twice:
        return Matching({}, "content"), twice
    try:
        found = match_by_content([keys[stem][0] for stem in proposal.candidates], pairs, looks, ways.values)
    except UserError:
        if before is not None:
            raise before from None
        raise
    proposed = {pair: keys[stem][0] for pair, stem in proposal.stems.items()}
    if found == proposed:
        return Matching(found, proposal.rule, _called(proposal, ways), companions=proposal.companions, checked=True), []
    return Matching(found, "content", companions=proposal.companions, checked=True), []


def _called(chosen: Proposal, ways: Ways) -> str:
    """Return the pattern of the file names."""
    return ways.pattern if ways.pattern != ANY else chosen.template.text


def _unsaid(proposal: Proposal, pairs: Sequence[Pair]) -> str:
    """Return the message that names do not identify the files, with examples."""
    files, images = _some(proposal.candidates), _some(natural_order(pair.name for pair in pairs))
    if proposal.rule == "order":
        found = f"files ({files}) and images ({images})"
        return f"{found} sort differently as text and by number; rename them with leading zeros"
    return f"the names do not tell which file belongs to which image (files: {files}; images: {images})"


def _problems(chosen: Proposal, keys: Files, pairs: Sequence[Pair], ways: Ways, where: str) -> list[Problem]:
    """Return the problems of a match by names.

    Raises:
        UserError: No file is named like an image.
    """
    if not chosen.stems and not ways.allow_missing:
        files, images = _some(natural_order(keys)), _some(natural_order(pair.name for pair in pairs))
        counts = f"{len(keys)} files for {len(pairs)} images"
        what = f"no file name ({files}) matches an image name ({images}), and there are {counts}"
        raise UserError(f"{where}: {what}; check --split, or give --pred-pattern")
    problems = [] if ways.allow_missing else [Problem("missing", f"{name}: no prediction") for name in chosen.missing]
    problems += [
        Problem("extra", f"{file.name}: no such image in the split") for stem in chosen.extra for file in keys[stem]
    ]
    return [*problems, *_twice(chosen.stems.values(), keys, {stem: pair for pair, stem in chosen.stems.items()})]


def _twice(stems: Iterable[str], keys: Files, pairs: Mapping[str, str] | None = None) -> list[Problem]:
    """Return the problems of names that several files share."""
    return [
        Problem("duplicate", f"{', '.join(f.name for f in keys[stem])}: {len(keys[stem])} predictions for {name}")
        for stem in stems
        if len(keys[stem]) > 1
        for name in [(pairs or {}).get(stem, stem)]
    ]


def _some(names: Sequence[str]) -> str:
    """Return the first names as examples."""
    return ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "")
