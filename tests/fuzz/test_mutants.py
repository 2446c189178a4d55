"""Mutated files of every kind: each gives success or a one-line error, and causes no harm.

`pytest tests/fuzz --mutants 2000` tries more; `--mutant KIND:SEED` repeats one and shows its outcome.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from corpora import KINDS
from harness import Warm
from mutants import fill, try_mutant


def test_mutants_give_success_or_one_clear_line(
    mutants: list[tuple[str, int]], warm: Warm, corpora: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    wrong = []
    for kind, seed in mutants:
        tried = try_mutant(kind, seed, warm, corpora, tmp_path / "mutant")
        found = tried.outcome
        record = f"{tried.name}\t{found.code}\t{found.seconds:.2f}\t{found.memory_mb:.0f}\t{'; '.join(tried.faults)}"
        request.node.add_report_section("call", "mutants", record)
        if tried.faults:
            wrong.append(f"{tried.name}: {'; '.join(tried.faults)}\n  {tried.how}\n  {found.stderr[-1500:]}")
        if request.config.getoption("--mutant", default=None):
            print(f"{tried.name}: {tried.how}\n{found}")
    assert not wrong, f"{len(wrong)} of {len(mutants)} mutants:\n" + "\n".join(wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_files_as_they_were_are_read(kind: str, warm: Warm, corpora: Path, tmp_path: Path) -> None:
    from harness import scratch

    for reader in KINDS[kind].readers:
        folder = scratch(tmp_path / "whole", corpora / KINDS[kind].corpus)
        assert list(folder.glob(reader.target)), reader.target
        found = warm.run(fill(reader.words, folder), folder)
        assert found.code == 0 or "no pair was accepted" in found.stderr, f"{reader.words}: {found.stderr}"
        assert not found.faults()
