"""Cost of a network: MACs counted by hand, figures of a tiny checkpoint, refusals."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from torch import nn

from jdrl_baseline import checkpoint, restore
from jdrl_baseline.config import build_config
from jdrl_baseline.cost import COUNTED, count_macs, measure
from jdrl_baseline.models import build_deblurring
from jdrl_baseline.networks.deblurring import DeblurringNetwork, parameter_count
from jdrl_baseline.networks.restormer import ChannelSelfAttention, Restormer
from sdd_bench.cli import root as cli

TINY = {"network": "unet", "width": 4, "reblur_width": 4, "blur_map": False}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a small UNet."""
    path = tmp_path_factory.mktemp("profile") / "deblurring.pt"
    config = build_config(TINY, "test")
    state = checkpoint.describe(config, "0" * 64, {"estimator": "dis"})
    checkpoint.save(path, {**state, "kind": "deblurring", "deblurring": build_deblurring(config).state_dict()})
    return path


def network() -> DeblurringNetwork:
    return build_deblurring(build_config(TINY, "test")).eval()


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, ["profile", *(str(word) for word in words)])


@pytest.mark.parametrize(
    ("layer", "macs"),
    [
        (nn.Conv2d(3, 8, 3, padding=1), 10 * 6 * 8 * 3 * 9),
        (nn.Conv2d(3, 8, 3, padding=1, bias=False), 10 * 6 * 8 * 3 * 9),
        (nn.Conv2d(3, 8, 1, stride=2), 5 * 3 * 8 * 3),
        (nn.Conv2d(3, 3, 3, padding=1, groups=3), 10 * 6 * 3 * 9),
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 1)), 10 * 6 * (3 * 4 + 4 * 2)),
    ],
)
def test_macs_of_convolutions_as_counted_by_hand(layer: nn.Module, macs: int) -> None:
    assert count_macs(layer, 10, 6) == {"convolution": macs}


def test_macs_of_attention_as_counted_by_hand() -> None:
    pixels, width = 10 * 6, 3
    found = count_macs(ChannelSelfAttention(width, 1), 10, 6)
    assert found["convolution"] == pixels * (width * 3 * width + 3 * width * 9 + width * width)
    assert found["bmm"] == 2 * width * width * pixels  # queries with keys, attention with values


def test_convolutions_of_the_restormer_are_those_of_its_paper() -> None:
    with torch.device("meta"):
        found = count_macs(Restormer(3), 256, 256)
    assert (
        round(found["convolution"] / 1e9, 2) == 140.99
    )  # Restormer, CVPR 2022: "140.99 B", without attention's products
    assert found["bmm"] == pytest.approx(13.89e9, rel=1e-3)


def test_counting_leaves_the_network_as_it_is() -> None:
    one = network()
    before = {name: value.clone() for name, value in one.state_dict().items()}
    count_macs(one, 64, 48)
    assert all(torch.equal(value, before[name]) for name, value in one.state_dict().items())


def test_the_command_prints_a_table_writes_json_and_lines_that_are_toml(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "profile.json"
    result = call("--checkpoint", weights, "--size", "64x48", "--repeats", 2, "--json", out)
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    one = network()
    assert found["params"] == parameter_count(one)
    assert found["macs"] == count_macs(one, 64, 48)
    assert found["macs_g"] == pytest.approx(sum(found["macs"].values()) / 1e9)
    assert (found["network"], found["size"], found["tiles"], found["counted"]) == ("unet", "64x48", 1, COUNTED)
    assert len(found["seconds"]) == 2
    assert min(found["seconds"]) <= found["runtime_s"] <= max(found["seconds"])
    assert 0.05 < found["peak_memory_gb"] < 100
    for words in ("parameters", "MACs", "convolution", "nothing else is counted", "seconds", "peak memory", "resident"):
        assert words in result.output
    lines = tomllib.loads(result.output.split("For meta.toml:\n")[1].split("written:")[0])
    assert list(lines) == ["params_m", "macs_g", "runtime_s", "device", "size"]
    assert lines["params_m"] == pytest.approx(found["params"] / 1e6, rel=1e-5)
    assert lines["runtime_s"] == pytest.approx(found["runtime_s"], rel=1e-3)
    assert (lines["size"], lines["device"]) == ("64x48", found["device"])


def test_macs_grow_with_the_image_and_odd_sizes_are_padded() -> None:
    one = network()
    small, large, odd = (sum(count_macs(one, *size).values()) for size in ((64, 48), (128, 96), (63, 47)))
    assert large == 4 * small
    assert odd == small


def test_tiles_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore, "CPU_BYTES_PER_PIXEL", 2**50)
    monkeypatch.setattr(restore, "TILE_PX", 64)
    found = measure(network(), "unet", 96, 48, "cpu", 1)
    assert found.tiles > 1
    assert found.macs == count_macs(network(), 96, 48)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--size", "1280"), "expected WIDTHxHEIGHT in pixels, as 1280x720"),
        (("--size", "0x720"), "expected WIDTHxHEIGHT"),
        (("--device", "cuda:77"), "not available here"),
        (("--checkpoint", "nowhere.pt"), "nowhere.pt: no such checkpoint"),
    ],
)
def test_mistakes_end_in_one_line(weights: Path, words: tuple[str, str], message: str) -> None:
    result = call("--checkpoint", weights, "--size", "32x32", *words)
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output
