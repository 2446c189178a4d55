"""Outputs of a network on real pairs, under the names that six methods' code gives: the same scores six times."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import pytest

import sdd_bench as sb
from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.io.images import read_pixels, write_png

NETWORK = "INIKNet"
ON_DISK = (2, 0, 1)
"""Order in which the release of JDRL finds the images."""

NAMINGS: dict[str, tuple[str, str]] = {
    "restormer": ("{sharp}.png", "sharp names"),
    "dmenet": ("{number:02d}.png", "order"),
    "dpdnet": ("{number}_p.png", "order"),
    "swintormer": ("{blur}_test_Swintormer.png", "names"),
    "nafnet": ("visualization/DPDD/{blur}.png", "names"),
    "jdrl": ("{on_disk}_output.png", "content"),
}
BESIDE = {
    "dpdnet": {"{number}_i.png": "blur", "{number}_g.png": "sharp"},
    "nafnet": {"visualization/DPDD/{blur}_gt.png": "sharp"},
    "jdrl": {"{on_disk}.png": "blur", "{on_disk}_wgt.png": "sharp", "{on_disk}_gt.png": "sharp"},
}
"""Additional files, and their contents."""


def reduced(source: Path, target: Path) -> None:
    pixels = read_pixels(source)
    size = (pixels.shape[1] // 4, pixels.shape[0] // 4)
    write_png(target, cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def whole(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def write_namings(pairs: Path, root: Path, copy: Callable[[Path, Path], None]) -> Path:
    """Write the pairs in DPDD's layout, whose sides differ by one, and the network's outputs under all names."""
    names = sorted(path.stem for path in (pairs / "predictions" / NETWORK).iterdir())
    assert len(names) == 3
    for number, name in enumerate(names):
        called: Mapping[str, object] = {
            "number": number,
            "on_disk": ON_DISK.index(number),
            "blur": f"1P0A{2000 + 10 * number}",
            "sharp": f"1P0A{2001 + 10 * number}",
        }
        made = {role: pairs / "test" / folder / f"{name}.jpg" for role, folder in (("blur", "blur"), ("sharp", "gt"))}
        copy(made["blur"], root / "dpdd" / "test_c" / "source" / f"{called['blur']}.png")
        copy(made["sharp"], root / "dpdd" / "test_c" / "target" / f"{called['sharp']}.png")
        for method, (form, _) in NAMINGS.items():
            copy(pairs / "predictions" / NETWORK / f"{name}.jpg", root / method / form.format(**called))
            for beside, role in BESIDE.get(method, {}).items():
                copy(made[role], root / method / beside.format(**called))
    return root


def scores(root: Path) -> list[list[float]]:
    dataset = open_dataset(root / "dpdd", "test")
    found = []
    for method, (_, rule) in NAMINGS.items():
        results = sb.evaluate(root / method, dataset, protocol="direct/1", metrics="psnr")
        assert results.configuration["matching"]["rule"] == rule, method
        assert sorted(results.configuration["matching"]["companions"].values()) == [3] * len(BESIDE.get(method, {}))
        found.append(results.rows["psnr_db"].tolist())
    return found


@pytest.mark.assets
def test_six_namings_give_the_same_numbers(assets: Path, tmp_path: Path) -> None:
    root = write_namings(assets / "data" / "real-pairs" / "DPDD", tmp_path, reduced)
    first, *others = scores(root)
    assert all(other == first for other in others)
    assert min(first) > 18


@pytest.mark.assets
@pytest.mark.long
def test_six_namings_give_the_same_numbers_in_full_size(assets: Path, tmp_path: Path) -> None:
    root = write_namings(assets / "data" / "real-pairs" / "DPDD", tmp_path, whole)
    first, *others = scores(root)
    assert all(other == first for other in others)
