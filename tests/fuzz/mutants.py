"""One mutant from its kind and seed: the file, its mutation, and the command that reads it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from corpora import KINDS
from harness import INPUT_LIMIT_BYTES, Outcome, Warm, scratch, tree
from mutate import mutate

SWAPPED = 0.05
"""Share of mutants that are a file of another kind under the name of the file."""


@dataclass(frozen=True)
class Tried:
    """A mutant and its outcome.

    Attributes:
        name: KIND:SEED, by which it can be repeated.
        how: Mutation, file and command.
        outcome: Outcome of the command.
        faults: Faults of the outcome.
    """

    name: str
    how: str
    outcome: Outcome
    faults: tuple[str, ...]


def try_mutant(kind_name: str, seed: int, warm: Warm, corpora: Path, base: Path) -> Tried:
    """Make a mutant in base/scratch, let a command read it, and return the outcome."""
    kind = KINDS[kind_name]
    rng = random.Random(f"{kind_name}:{seed}")
    reader = kind.readers[seed % len(kind.readers)]
    folder = scratch(base, corpora / kind.corpus)
    target = rng.choice(sorted(folder.glob(reader.target)))
    data = target.read_bytes()
    if rng.random() < SWAPPED:
        content, what = _other(kind_name, corpora, rng), "swapped"
    else:
        content, what = mutate(data, kind.mutations, rng)
    assert len(content) < INPUT_LIMIT_BYTES
    target.write_bytes(content)
    before = tree(folder)
    words = fill(reader.words, folder)
    outcome = warm.run(words, folder)
    faults = outcome.faults()
    if tree(folder) != before:
        faults.append("an input or another file beside it was changed")
    beside = {path.name for path in base.iterdir()} - {"scratch", "stdout", "stderr"}
    if beside:
        faults.append(f"wrote {', '.join(sorted(beside))} beside its folder")
    how = f"{what} {target.relative_to(folder)}; sdd-bench {' '.join(words)}"
    return Tried(f"{kind_name}:{seed}", how, outcome, tuple(faults))


def fill(words: Sequence[str], folder: Path) -> list[str]:
    """Return a command with its patterns filled in."""
    found = []
    for word in words:
        found += sorted(str(p.relative_to(folder)) for p in folder.glob(word)) if "*" in word else [word]
    return found


def _other(kind_name: str, corpora: Path, rng: random.Random) -> bytes:
    """Return the content of a file of another kind."""
    others = sorted(name for name in KINDS if name not in (kind_name, "real raw"))
    other = KINDS[rng.choice(others)]
    return next((corpora / other.corpus).glob(other.readers[0].target)).read_bytes()
