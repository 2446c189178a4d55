"""The testbed of benchmarks/ablation.py at toy size: every kind of row trains, goes on, and stands in the table."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from jdrl_baseline import checkpoint

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
import ablation
import ablation_data
import ablation_runs
import ablation_tables

TOY = ablation_runs.Trial(steps=4, width=8, blocks=1, reblur_width=4, batch=2, crop=48)
PARTS = [
    (module, name) for module in (ablation, ablation_data, ablation_runs, ablation_tables) for name in vars(module)
]


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SDD_BENCH_TEST_ASSETS", raising=False)
    for module, name in PARTS:
        if name in ("TRAIN_PAIRS", "TEST_PAIRS"):
            monkeypatch.setattr(module, name, {"TRAIN_PAIRS": 4, "TEST_PAIRS": 2}[name])
    pairs = ("--size", "128x128", "--radius-range", 1, 2, "--shift-range", 4, "--jobs", 1)
    monkeypatch.setattr(ablation_data, "PAIRS", pairs)


def test_rows_differ_from_eq1_in_what_they_say() -> None:
    base = TOY.config(ablation_runs.ROWS["eq1"], 0)
    assert (base.network, base.width, base.warmup_flow, base.flips) == ("small", 8, "ahead", True)
    teacher = TOY.config(ablation_runs.ROWS["eq2-teacher"], 0)
    assert (teacher.reblur_input, teacher.warmup_terms, teacher.blur_map) == ("truth", "aligned+reblur", True)
    assert all(TOY.config(row, 1).seed == 1 for row in ablation_runs.ROWS.values())


def test_a_worse_flow_is_worse_by_what_it_says_and_the_same_for_every_row() -> None:
    torch.manual_seed(0)
    first, second = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)
    worse = ablation_runs.WorseFlow(1.0)
    error = worse(first, second) - ablation_runs.dis(first, second)
    np.testing.assert_allclose(error.square().sum(dim=1).mean(dim=(1, 2)).sqrt(), 1.0, rtol=0.02)
    again = worse(second, second) - ablation_runs.dis(second, second)
    torch.testing.assert_close(error, again, atol=1e-5, rtol=0)
    assert not torch.allclose(error[0], error[1], atol=0.1)
    assert float((error[:, :, 1:] - error[:, :, :-1]).abs().max()) < 0.3


@pytest.mark.long
@pytest.mark.usefixtures("toy")
def test_rows_are_trained_once_and_scored(tmp_path: Path) -> None:
    rows = ["teacher", "aligned-l1", "ceiling"]
    ablation.prepare(tmp_path, ["flow-1px"], rows)
    for row in rows:
        ablation_runs.train_row(tmp_path, "flow-1px", row, 0, TOY)
    run = tmp_path / "runs" / "flow-1px" / "teacher-0"
    before = (run / "deblurring.pt").read_bytes()
    ablation_runs.train_row(tmp_path, "flow-1px", "teacher", 0, TOY)
    assert (run / "deblurring.pt").read_bytes() == before
    assert checkpoint.load(run / "last.pt")["flow"] == {"estimator": "dis with an error of 1 px"}
    lines = ablation.page(tmp_path, ["flow-1px"], list(ablation_runs.ROWS), 2, TOY)
    table = [line for line in lines if line.startswith("| `")]
    assert [line.split("`")[1] for line in table] == ["teacher", "aligned-l1", "ceiling", "teacher"]
    assert next(line for line in table if "`ceiling`" in line).endswith("| 0.00 |")
    known = float(table[-1].split("|")[3])
    assert 1 < known < 2
