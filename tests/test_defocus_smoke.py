"""Does the second baseline learn? A radius by itself in seconds, and the smoke presets on photographs in minutes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

from jdrl_baseline.networks.learnable_kernels import KernelBank

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))


def test_a_signed_map_finds_the_radius_and_a_kernel_its_shape() -> None:
    torch.manual_seed(0)
    sharp = torch.rand(1, 3, 40, 40)
    known, bank = KernelBank(6), KernelBank(6)
    with torch.no_grad():
        known.values.mul_(torch.linspace(0.9, 1.1, known.values.shape[1]))
        blur = known(sharp, torch.full((1, 1, 40, 40), 3.0))
    size = torch.tensor(1.3, requires_grad=True)
    optimiser = torch.optim.Adam([size], lr=0.05)
    for _ in range(80):
        optimiser.zero_grad()
        (bank(sharp, size.expand(1, 1, 40, 40)) - blur).abs().mean().backward()
        optimiser.step()
    assert size.item() == pytest.approx(3.0, abs=0.1)
    before = (bank.kernels()[3][0] - known.kernels()[3][0]).abs().sum().item()
    optimiser = torch.optim.Adam(bank.parameters(), lr=0.05)
    for _ in range(60):
        optimiser.zero_grad()
        (bank(sharp, torch.full((1, 1, 40, 40), 3.0)) - blur).square().mean().backward()
        optimiser.step()
    after = (bank.kernels()[3][0] - known.kernels()[3][0]).abs().sum().item()
    assert after < 0.3 * before
    assert float((bank.sums() - 1).detach().abs().max()) < 0.02


@pytest.mark.long
@pytest.mark.assets
@pytest.mark.skipif("SDD_BENCH_TEST_ASSETS" not in os.environ, reason="SDD_BENCH_TEST_ASSETS names no photographs")
def test_maps_of_the_smoke_preset_follow_the_known_radius(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Takes about ten minutes on a CPU."""
    import defocus_smoke

    found = defocus_smoke.maps(tmp_path, "maps", [])
    print(capsys.readouterr().out)
    assert found.correlation > 0.7
    assert found.largest_sum_error < 0.02


@pytest.mark.long
@pytest.mark.assets
@pytest.mark.skipif("SDD_BENCH_TEST_ASSETS" not in os.environ, reason="SDD_BENCH_TEST_ASSETS names no photographs")
def test_the_smoke_preset_gains_a_decibel_and_looks_better_than_without_its_critic(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Some ten minutes of a CPU."""
    import defocus_smoke

    found = defocus_smoke.gan(tmp_path, "gan", [])
    print(capsys.readouterr().out)
    blur, alone, whole = (found[row] for row in ("blur image", "gan-l1", "gan"))
    assert whole.pairs == blur.pairs == 12
    assert whole.psnr_db > blur.psnr_db + 1.0
    assert whole.lpips < alone.lpips < blur.lpips
