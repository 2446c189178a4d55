"""Plan of a preparation: layout, split and recipe, from the source folder and the user's choices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sdd_bench.datasets.catalog import Listing, check_listing, list_dataset
from sdd_bench.datasets.manifest import Pair
from sdd_bench.datasets.patches import DEFAULT_RECIPES, RECIPES, Recipe
from sdd_bench.datasets.prepare import Preparation
from sdd_bench.datasets.split import read_split_file, sdd_note, split_fraction, split_sdd
from sdd_bench.datasets.verdicts import keep_only
from sdd_bench.errors import UserError
from sdd_bench.io.files import file_sha256
from sdd_bench.io.values_as import parse_values_as
from sdd_bench.jobs.workers import Workers

DEFAULT_FRACTION = 0.8


@dataclass(frozen=True)
class Choices:
    """Choices of the user; None leaves a choice to the dataset.

    Attributes:
        dataset: A key of the catalogue; None detects the layout.
        name: Name for dataset.json; None takes the catalogue's.
        fraction: Share of the pairs for training.
        split_file: A CSV with the columns name and split.
        group_by: `scene` or `similar`, the groups that a split must keep whole.
        seed: Random seed of the split.
        recipe: A key of `RECIPES`, or `none` for no patches.
        window_px: Side of a patch that replaces the recipe's.
        store: `png` or `hdf5`.
        grey: Handling of grey images, `refuse` or `expand`.
        skip_faulty: Leave out faulty pairs instead of refusing.
        only: Verdict of `ingest` whose pairs are kept, see `datasets.verdicts`.
        values_as: Meaning of the source's values, see `io.values_as`; empty for the usual one.
    """

    dataset: str | None = None
    name: str | None = None
    fraction: float | None = None
    split_file: Path | None = None
    group_by: str | None = None
    seed: int = 0
    recipe: str | None = None
    window_px: int | None = None
    store: str = "png"
    grey: str = "refuse"
    skip_faulty: bool = False
    only: str | None = None
    values_as: str = ""


def plan(source: Path, choices: Choices, jobs: Workers) -> Preparation:
    """Return the plan of a preparation from a source folder.

    Raises:
        UserError: Layout or recipe are unknown, pairs are faulty (all are named), the split does not apply, or verdicts
            are requested but missing.
    """
    found = list_dataset(source, choices.dataset)
    if choices.only is not None:
        found = keep_only(found, choices.only)
    listing = check_listing(found, skip_faulty=choices.skip_faulty, grey=choices.grey)
    if not listing.pairs:
        raise UserError(f"{source}: no pairs in layout {listing.name} ({listing.layout})")
    pairs, split, notes = _decide_split(listing, choices, jobs)
    return Preparation(
        name=choices.name or listing.name,
        layout=listing.layout,
        pairs=pairs,
        split=split,
        recipe=choose_recipe(listing.name, choices),
        store=choices.store,
        grey=choices.grey,
        notes=(*listing.notes, *notes),
        skip_faulty=choices.skip_faulty,
        only=choices.only,
        values=parse_values_as(choices.values_as),
    )


def choose_recipe(dataset: str, choices: Choices) -> Recipe | None:
    """Return the requested patch recipe, else the dataset's own.

    Raises:
        UserError: The recipe is unknown, or the window size is invalid.
    """
    name = choices.recipe or DEFAULT_RECIPES.get(dataset, "dpdnet")
    if name == "none":
        return None
    if name not in RECIPES:
        raise UserError(f"--recipe {name}: expected one of {', '.join(RECIPES)}, none")
    try:
        return replace(RECIPES[name], window_px=choices.window_px) if choices.window_px else RECIPES[name]
    except ValueError as error:
        raise UserError(f"--window {choices.window_px}: {error}") from None


def _decide_split(
    listing: Listing, choices: Choices, jobs: Workers
) -> tuple[tuple[Pair, ...], dict[str, object], tuple[str, ...]]:
    """Return the pairs with their split, the rule of the split, and notes on it."""
    asked = choices.split_file is not None or choices.fraction is not None or choices.group_by is not None
    if all(pair.split for pair in listing.pairs):
        if asked:
            raise UserError(
                f"{listing.name} ({listing.layout}): comes with its own split; --split, --split-file and "
                "--group-by do not apply"
            )
        return listing.pairs, {"method": "given by the layout"}, ()
    notes: tuple[str, ...] = ()
    if choices.split_file is not None:
        assigned = read_split_file(choices.split_file, [p.name for p in listing.pairs])
        how: dict[str, object] = {
            "method": "list file",
            "file": choices.split_file.name,
            "file_sha256": file_sha256(choices.split_file),
        }
    elif listing.name == "sdd" and choices.fraction is None and choices.group_by is None:
        assigned = split_sdd(listing.pairs, choices.seed)
        note = sdd_note(listing.pairs, assigned)
        notes = (note,) if note else ()
        places = any(p.place for p in listing.pairs)
        how = {"method": "115/35, by place" if places else "115/35", "seed": choices.seed}
    else:
        fraction = DEFAULT_FRACTION if choices.fraction is None else choices.fraction
        groups, grouping = _groups(listing, choices.group_by, jobs)
        assigned = split_fraction(listing.pairs, fraction, choices.seed, groups)
        how = {"method": "fraction", "fraction": fraction, "seed": choices.seed, "group_by": grouping}
    return tuple(replace(pair, split=assigned[pair.name]) for pair in listing.pairs), how, notes


def _groups(listing: Listing, group_by: str | None, jobs: Workers) -> tuple[Mapping[str, str] | None, str]:
    """Return the groups by name, and their description; without named scenes, groups are near-duplicates."""
    if group_by is None:
        return None, "none"
    if group_by == "scene" and any(pair.scene not in ("", pair.name) for pair in listing.pairs):
        return {pair.name: pair.scene or pair.name for pair in listing.pairs}, "scene"
    from sdd_bench.datasets.similar import similar_groups

    return similar_groups(listing.pairs, jobs), "near-duplicates by perceptual hash"
