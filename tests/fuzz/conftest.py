"""Number of mutants to try, and the warm process and corpora that the tests share."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

DEFAULT_MUTANTS = 200
MUTANTS_VARIABLE = "SDD_BENCH_MUTANTS"
CHUNK = 20
"""Number of mutants per test, so that several processes can share the work."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave to `make test-all` the tests of whole commands on the corpora, which take a minute to make."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "corpora" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.long)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--mutants",
        type=int,
        default=None,
        help=f"Mutated files to try.  [default: ${MUTANTS_VARIABLE}, else {DEFAULT_MUTANTS}]",
    )
    parser.addoption("--mutant", default=None, metavar="KIND:SEED", help="Only this one, with all that came of it.")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "mutants" not in metafunc.fixturenames:
        return
    from corpora import KINDS

    single = metafunc.config.getoption("--mutant", default=None)
    if single:
        kind, _, seed = single.rpartition(":")
        metafunc.parametrize("mutants", [[(kind, int(seed))]], ids=[single])
        return
    asked = metafunc.config.getoption("--mutants", default=None)
    count = asked if asked is not None else int(os.environ.get(MUTANTS_VARIABLE) or DEFAULT_MUTANTS)
    all_of_them = shares({name: kind.share for name, kind in KINDS.items()}, count)
    chunks = [all_of_them[start : start + CHUNK] for start in range(0, len(all_of_them), CHUNK)]
    metafunc.parametrize("mutants", chunks, ids=[f"{c[0][0]}:{c[0][1]}-{c[-1][0]}:{c[-1][1]}" for c in chunks])


def shares(weights: dict[str, float], count: int) -> list[tuple[str, int]]:
    """Return kind and seed of every mutant: seeds from 0, and for each kind its share, at least one."""
    total, made = 0.0, 0
    found: list[tuple[str, int]] = []
    for name, weight in weights.items():
        total += weight
        upto = max(made + 1, round(count * total / sum(weights.values())))
        found += [(name, seed) for seed in range(upto - made)]
        made = upto
    return found


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """The warm process."""
    if not sys.platform.startswith("linux"):
        pytest.skip("mutants are run in forks of a warm process, which needs Linux")
    from harness import Warm

    process = Warm(tmp_path_factory.mktemp("home"))
    yield process
    process.close()


@pytest.fixture(scope="session")
def corpora(warm: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all corpora, by name."""
    from corpora import CORPORA

    root = tmp_path_factory.mktemp("corpora")
    for name, make in CORPORA.items():
        (root / name).mkdir()
        make(warm, root / name, root)  # type: ignore[arg-type]
        shutil.rmtree(root / name / "out" / "tmp", ignore_errors=True)
    return root
