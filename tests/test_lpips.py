"""LPIPS: known values of its project, the package's own forward as reference, sources of weights, refusals."""

from __future__ import annotations

import os
import pickle
import urllib.error
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage import data

from sdd_bench.errors import UserError
from sdd_bench.io.files import file_sha256
from sdd_bench.io.images import read_image
from sdd_bench.metrics import lpips as lpips_module
from sdd_bench.metrics.backbone import find_trunk
from sdd_bench.metrics.lpips import Perceptual, load_perceptual

ASSETS = os.environ.get("SDD_BENCH_TEST_ASSETS")
WEIGHTS = Path(ASSETS or "") / "weights"
FILES = {"alex": "alexnet_features_torchvision.pth", "squeeze": "squeezenet1_1_features_torchvision.pth"}
NETS = list(FILES)
needs_weights = pytest.mark.skipif(ASSETS is None, reason="SDD_BENCH_TEST_ASSETS is not set: no LPIPS backbone")

Array = NDArray[np.float32]


def photograph(height: int = 96, width: int = 120) -> Array:
    return data.astronaut()[:height, :width].astype(np.float32) / 255


def noisy(image: Array, seed: int = 1) -> Array:
    noise = np.random.default_rng(seed).normal(0, 0.1, image.shape)
    return np.clip(image + noise, 0, 1).astype(np.float32)


@cache
def random_features(net: str) -> dict[str, torch.Tensor]:
    import torchvision

    build = {"alex": torchvision.models.alexnet, "squeeze": torchvision.models.squeezenet1_1}[net]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return dict(build(weights=None).features.state_dict())


@pytest.fixture(scope="module")
def trunks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("trunks")
    paths = {net: folder / f"random-{net}.pth" for net in NETS}
    for net, path in paths.items():
        torch.save({f"features.{k}": v for k, v in random_features(net).items()}, path)
    return paths


@pytest.fixture(scope="module")
def random_alex(trunks: dict[str, Path]) -> Perceptual:
    return load_perceptual("alex", trunks["alex"])


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty torch cache and no environment variable; returns the cache's folder of checkpoints."""
    monkeypatch.delenv("SDD_BENCH_LPIPS_TRUNK", raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


def package_value(model: Perceptual, restored: Array, reference: Array) -> float:
    left, right = (torch.from_numpy(i.transpose(2, 0, 1)[None].copy()) for i in (restored, reference))
    with torch.no_grad():
        return float(model.model(left, right, normalize=True))


@pytest.mark.assets
@needs_weights
@pytest.mark.parametrize(("net", "far", "near"), [("alex", 0.7219, 0.1376), ("squeeze", 0.7110, 0.1479)])
def test_values_the_lpips_project_states(net: str, far: float, near: float) -> None:
    model = load_perceptual(net, WEIGHTS / FILES[net])
    reference, first, second = (
        read_image(WEIGHTS / "lpips-examples" / f"{name}.png") for name in ("ex_ref", "ex_p0", "ex_p1")
    )
    assert round(model.distance(first, reference), 4) == far
    assert round(model.distance(second, reference), 4) == near
    assert model.identity["trunk_sha256"] == file_sha256(WEIGHTS / FILES[net])


@pytest.mark.assets
@needs_weights
def test_squeeze_of_seeded_noise() -> None:
    model = load_perceptual("squeeze", WEIGHTS / FILES["squeeze"])
    torch.manual_seed(42)
    first, second = torch.rand(10, 3, 100, 100) * 2 - 1, torch.rand(10, 3, 100, 100) * 2 - 1
    left, right = ((batch.numpy().transpose(0, 2, 3, 1) + 1) / 2 for batch in (first, second))
    values = [model.distance(a, b) for a, b in zip(left, right, strict=True)]
    assert round(float(np.mean(values)), 4) == 0.1005


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize(("height", "width"), [(64, 64), (101, 75), (31, 80)])
def test_equals_the_package(
    net: str, height: int, width: int, trunks: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_perceptual(net, trunks[net])
    reference = photograph(height, width)
    restored = noisy(reference)
    expected = package_value(model, restored, reference)
    assert expected > 1e-5
    assert model.distance(restored, reference) == pytest.approx(expected, rel=1e-5)
    for rows in (1, 7, 32):  # instead of one band for the whole frame
        monkeypatch.setattr(lpips_module, "BAND_PIXELS", rows * width)
        assert model.distance(restored, reference) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("net", NETS)
def test_smallest_side_is_where_the_package_still_works(net: str, trunks: dict[str, Path]) -> None:
    model, side = load_perceptual(net, trunks[net]), lpips_module.MIN_SIDE_PX[net]
    reference = photograph(side, 64)
    assert model.distance(noisy(reference), reference) > 0
    with pytest.raises(ValueError, match=f"LPIPS-{net} needs sides of at least {side} px, not 64x{side - 1}"):
        model.distance(reference[:-1], reference[:-1])
    with pytest.raises(RuntimeError):
        package_value(model, reference[:-1], reference[:-1])


def test_all_forms_of_a_trunk_file_give_one_value(tmp_path: Path, random_alex: Perceptual) -> None:
    reference = photograph()
    restored = noisy(reference)
    expected = random_alex.distance(restored, reference)
    assert expected > 0
    assert np.isfinite(expected)
    features = random_features("alex")
    whole = {f"features.{k}": v for k, v in features.items()} | {"classifier.1.weight": torch.zeros(4, 4)}
    for name, content in (("bare", dict(features)), ("whole", whole)):
        path = tmp_path / f"{name}.pth"
        torch.save(content, path)
        assert load_perceptual("alex", path).distance(restored, reference) == expected


def test_identical_images_are_at_0_and_values_outside_are_clamped(random_alex: Perceptual) -> None:
    image = photograph()
    assert random_alex.distance(image, image.copy()) == 0.0
    wild = image.copy()
    wild[10:20, 10:20] = 7.0
    assert random_alex.distance(wild, image) == random_alex.distance(np.clip(wild, 0, 1), image)
    assert random_alex.distance(image.astype(np.float64), image) == 0.0


@pytest.mark.parametrize("garbage", [0.0, 1.0, np.nan])
def test_restored_pixels_outside_the_mask_cannot_change_the_value(
    garbage: float, random_alex: Perceptual, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = photograph()
    restored, mask = noisy(reference), np.zeros(reference.shape[:2], bool)
    mask[10:80, 20:110] = True
    mask[30:50, 40:60] = False
    clean = random_alex.distance(restored, reference, mask)
    spoilt = restored.copy()
    spoilt[~mask] = garbage
    assert random_alex.distance(spoilt, reference, mask) == clean
    filled = np.where(mask[..., None], restored, reference)[10:80, 20:110]
    assert clean == random_alex.distance(filled, reference[10:80, 20:110])
    monkeypatch.setattr(lpips_module, "BAND_PIXELS", 11 * 90)
    assert random_alex.distance(spoilt, reference, mask) == pytest.approx(clean, rel=1e-6)


def test_a_mask_with_a_small_bounding_box_is_refused(random_alex: Perceptual) -> None:
    image, mask = photograph(), np.zeros((96, 120), bool)
    with pytest.raises(ValueError, match="mask is empty"):
        random_alex.distance(image, image, mask)
    mask[:30, :100] = True
    with pytest.raises(ValueError, match=r"at least 31 px, not 100x30 \(the bounding box of the mask\)"):
        random_alex.distance(image, image, mask)


def test_loading_is_silent_and_leaves_the_random_numbers_alone(
    trunks: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(9)
    expected = torch.rand(3).tolist()
    torch.manual_seed(9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = load_perceptual("alex", trunks["alex"])
    assert torch.rand(3).tolist() == expected
    assert capfd.readouterr() == ("", "")
    assert model.identity == {
        "net": "alex",
        "version": "0.1",
        "trunk_file": "random-alex.pth",
        "trunk_sha256": file_sha256(trunks["alex"]),
        "lpips_package": model.identity["lpips_package"],
    }
    assert model.identity["lpips_package"].startswith("0.")


def test_search_order(
    no_weights: Path, trunks: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_trunk("alex") is None
    no_weights.mkdir(parents=True)
    cached = no_weights / "alexnet-owt-7be5be79.pth"
    cached.write_bytes(b"x")
    assert find_trunk("alex") == cached
    assert find_trunk("squeeze") is None
    monkeypatch.setenv("SDD_BENCH_LPIPS_TRUNK", str(trunks["alex"]))
    assert find_trunk("alex") == trunks["alex"]
    given = tmp_path / "given.pth"
    given.write_bytes(b"x")
    assert find_trunk("alex", given) == given


def test_a_named_file_that_is_missing_is_an_error(
    no_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not no_weights.exists()
    with pytest.raises(
        UserError, match=r"gone\.pth: no such file, expected the LPIPS backbone that --lpips-trunk names"
    ):
        find_trunk("alex", tmp_path / "gone.pth")
    monkeypatch.setenv("SDD_BENCH_LPIPS_TRUNK", str(tmp_path / "lost.pth"))
    with pytest.raises(UserError, match=r"lost\.pth: no such file.* SDD_BENCH_LPIPS_TRUNK names"):
        find_trunk("alex")
    with pytest.raises(ValueError, match="unknown LPIPS net 'vgg', expected one of alex, squeeze"):
        find_trunk("vgg")


def test_no_trunk_says_where_to_put_it(no_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def unreachable(url: str, *_: object, **__: object) -> None:
        tried.append(url)
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(UserError) as caught:
        load_perceptual("alex", allow_download=False)
    assert tried == []
    assert caught.value.message == (
        "LPIPS-alex: the backbone's weights alexnet-owt-7be5be79.pth: not found; give the file with --lpips-trunk FILE "
        "or SDD_BENCH_LPIPS_TRUNK=FILE, or put it into torch's cache: "
        f"{no_weights / 'alexnet-owt-7be5be79.pth'}"
    )
    with pytest.raises(UserError, match=r"cannot be downloaded \(.*no route to host.*\); give the file with --lpips"):
        load_perceptual("alex")
    assert tried == ["https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"]


def test_downloaded_trunk_is_used(no_weights: Path, trunks: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def deliver(_url: str, place: str, hash_prefix: str, progress: bool) -> None:
        assert (hash_prefix, progress) == ("b8a52dc0", False)
        Path(place).write_bytes(trunks["squeeze"].read_bytes())

    monkeypatch.setattr(torch.hub, "download_url_to_file", deliver)
    assert load_perceptual("squeeze").identity["trunk_sha256"] == file_sha256(trunks["squeeze"])
    assert find_trunk("squeeze") == no_weights / "squeezenet1_1-b8a52dc0.pth"


class Elsewhere:
    """A class that weights_only does not allow."""


def refused(path: Path, net: str = "alex") -> str:
    with pytest.raises(UserError) as caught:
        load_perceptual(net, path)
    assert "\n" not in caught.value.message
    assert caught.value.message.startswith(f"{path}: ")
    return caught.value.message.removeprefix(f"{path}: ")


def test_files_that_are_no_trunk(tmp_path: Path, trunks: dict[str, Path]) -> None:
    path = tmp_path / "w.pth"
    whole = trunks["alex"].read_bytes()
    rng = np.random.default_rng(2)
    foreign = pickle.dumps(Elsewhere())
    for content in (b"", b"hello\n", rng.bytes(500), whole[: len(whole) // 2], whole[:100], foreign):
        path.write_bytes(content)
        assert refused(path).startswith("not a torch file that holds tensors only (")
    torch.save({"features.0.weight": Elsewhere()}, path)
    assert refused(path).startswith("not a torch file that holds tensors only (UnpicklingError)")
    torch.save([torch.zeros(3)], path)
    assert refused(path) == "holds no state dict (names to tensors), expected that of the backbone of LPIPS-alex"


def test_trunks_of_the_wrong_net_or_shape(tmp_path: Path, trunks: dict[str, Path]) -> None:
    assert refused(trunks["squeeze"]) == "the backbone of LPIPS-squeeze, expected that of LPIPS-alex"
    assert refused(trunks["alex"], "squeeze") == "the backbone of LPIPS-alex, expected that of LPIPS-squeeze"
    path, features = tmp_path / "w.pth", dict(random_features("alex"))
    torch.save({k: v for k, v in features.items() if k != "6.bias"}, path)
    assert refused(path) == "not the backbone of LPIPS-alex: features.6.bias is missing, expected shape (384,)"
    torch.save(features | {"3.weight": torch.zeros(192, 64, 3, 3)}, path)
    assert "features.3.weight is of shape (192, 64, 3, 3), expected shape (192, 64, 5, 5)" in refused(path)
    torch.save({"conv.weight": torch.zeros(3)}, path)
    assert "features.0.weight is missing" in refused(path)
