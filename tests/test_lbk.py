"""The learnable blur kernel: networks trained in each phase, losses by hand, resume, export, its map as a function."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from known_run import CPU, run_command, tiny
from known_second_baseline import small_lbk
from known_training import losses

from jdrl_baseline import checkpoint, lbk, training
from jdrl_baseline.ahead import Ahead
from jdrl_baseline.batch import Batch
from jdrl_baseline.lbk import Lbk, phase_of, total_variation
from jdrl_baseline.method import Moment
from jdrl_baseline.patches import Crops
from jdrl_baseline.predict import load_deblurring
from jdrl_baseline.radius_maps import load_map_network
from jdrl_baseline.training import LAST, train
from jdrl_baseline.training_data import open_training_data
from jdrl_baseline.truth_ahead import make_radii, make_truths
from sdd_bench.datasets.layouts.dpdd_views import list_views
from sdd_bench.errors import UserError
from sdd_bench.io.files import file_sha256
from sdd_bench.io.images import read_pixels, write_png

DEVICE = torch.device("cpu")


@pytest.fixture(scope="module")
def trained(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of three epochs: map, kernels, map."""
    out = tmp_path_factory.mktemp("lbk")
    train(prepared, small_lbk(), out, CPU, resume=False)
    return out


@pytest.fixture
def batch() -> Batch:
    torch.manual_seed(0)
    return Batch(torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32), ("a", "b"))


def weights(path: Path) -> dict[str, torch.Tensor]:
    state = checkpoint.load(path)
    return {f"{n}.{k}": v for n in ("map", "kernels") for k, v in checkpoint.weights_of(state, n).items()}


def test_phases_alternate_and_the_last_one_goes_on() -> None:
    config = small_lbk(phases=[2, 1, 1])
    assert [phase_of(config, epoch) for epoch in range(6)] == ["map", "map", "kernels", "map", "map", "map"]


def test_a_phase_trains_its_own_weights_alone(batch: Batch) -> None:
    method = Lbk(small_lbk(), DEVICE)
    for epoch, name in ((0, "map"), (1, "kernels")):
        (turn,) = method.turns(batch, method.trainable, Moment(epoch, 5 * epoch, 5))
        assert turn.optimiser == name
        turn.losses.total.backward()
        for other, network in method.networks.items():
            assert network is not None
            reached = any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in network.parameters())
            assert reached is (other == name), other
        method.optimisers[name].zero_grad(set_to_none=True)


def test_the_loss_is_the_reblurring_loss_and_later_the_total_variation(batch: Batch) -> None:
    method = Lbk(small_lbk(tv_weight=0.25), DEVICE)
    mask = torch.zeros(2, 1, 32, 32)
    mask[..., :16] = 1
    aligned = batch._replace(truth=batch.sharp.flip(3), inside=mask)
    (early,), (late,) = (list(method.turns(aligned, method.trainable, Moment(0, step, 5))) for step in (1, 2))
    signed = method.map(batch.blur)
    by_hand = (method.kernels(batch.sharp.flip(3), signed) - batch.blur).abs()[..., :16].mean()
    assert early.losses.reblurring.item() == pytest.approx(by_hand.item(), rel=1e-5)
    assert early.losses.total.item() == pytest.approx(1000 * by_hand.item(), rel=1e-5)
    d = signed.detach().numpy()
    variation = (np.abs(np.diff(d, axis=2)).sum() + np.abs(np.diff(d, axis=3)).sum()) / 2
    assert late.losses.variation.item() == pytest.approx(variation, rel=1e-5)
    assert total_variation(signed).item() == pytest.approx(variation, rel=1e-5)
    assert late.losses.total.item() == pytest.approx(1000 * by_hand.item() + 0.25 * variation, rel=1e-5)


def test_a_run_leaves_a_map_network_and_rows_of_its_own_terms(trained: Path, prepared: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert names == {"config.json", "log.csv", "validation.csv", "tensorboard", "samples", "last.pt", "map.pt"}
    rows = losses(trained)
    assert rows[0] == ["step", "epoch", "total", "reblurring", "variation", "learning_rate"]
    assert len(rows) == 1 + 3 * 6
    state = checkpoint.load(trained / "map.pt", checkpoint.MAP)
    assert state["method"] == "lbk"
    assert "kernels" not in state
    said = json.loads((trained / "config.json").read_text())
    assert said["method"] == "lbk"
    assert said["flow"] == {"truth": "as taken"}
    assert set(said["parameters"]) == {"map", "kernels"}
    assert said["dataset_sha256"] == json.loads((prepared / "dataset.json").read_text())["sha256"]


def test_a_run_that_was_cut_off_within_a_phase_goes_on_as_if_it_had_not_been(
    prepared: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 3)
    original, calls = lbk.total_variation, []

    def cut_off(maps: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 11:  # in the second epoch, that of the kernels
            raise KeyboardInterrupt
        return original(maps)

    with monkeypatch.context() as patch:
        patch.setattr(lbk, "total_variation", cut_off)
        with pytest.raises(KeyboardInterrupt):
            train(prepared, small_lbk(), tmp_path / "run", CPU, resume=False)
    assert checkpoint.load(tmp_path / "run" / LAST)["step"] == 9
    train(prepared, small_lbk(), tmp_path / "run", CPU, resume=True)
    assert losses(tmp_path / "run") == losses(trained)
    one, other = weights(trained / LAST), weights(tmp_path / "run" / LAST)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_other_settings_and_other_methods_do_not_go_on_with_a_run(prepared: Path, trained: Path) -> None:
    with pytest.raises(UserError, match=r"begun with other settings: kernels \(4, now 5\)"):
        train(prepared, small_lbk(kernels=5), trained, CPU, resume=True)
    with pytest.raises(UserError, match="the run is of method lbk, not jdrl; give another folder"):
        train(prepared, tiny(), trained, CPU, resume=True)


def test_a_map_is_a_function_of_an_image_within_the_kernels_radii(trained: Path) -> None:
    rng = np.random.default_rng(0)
    blur = rng.random((37, 50, 3)).astype(np.float32)
    for name in ("map.pt", "last.pt"):
        radius = load_map_network(trained / name)(blur)
        assert (radius.shape, radius.dtype) == ((37, 50), np.float32)
        assert radius.min() >= 0
        assert radius.max() <= 3
    with pytest.raises(UserError, match=r"map\.pt: a checkpoint of method lbk restores no images"):
        load_deblurring(trained / "map.pt")


def test_blur_map_draws_the_map_of_a_checkpoint(trained: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "images" / "a.png", np.random.default_rng(0).integers(0, 256, (37, 50, 3), dtype=np.uint8))
    words = ("blur-map", "--baseline", "lbk", "--images", tmp_path / "images", "--out", tmp_path / "maps")
    run_command(*words, "--checkpoint", trained / "map.pt")
    drawn = read_pixels(tmp_path / "maps" / "a.png", grey="expand")[..., 0] / 256
    blur = read_pixels(tmp_path / "images" / "a.png").astype(np.float32) / 255
    np.testing.assert_allclose(drawn, load_map_network(trained / "map.pt")(blur), atol=1 / 512 + 1e-6)
    record = json.loads((tmp_path / "maps" / "predictions.json").read_text())
    assert file_sha256(trained / "map.pt") in json.dumps(record)


def test_checkpoints_of_other_methods_hold_no_map(finished: Path, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"deblurring\.pt: a checkpoint of method jdrl, expected one of lbk"):
        load_map_network(finished / "deblurring.pt")
    state = checkpoint.load(trained / "last.pt")
    for damage, words in (
        ({"method": "other"}, "a checkpoint of method 'other', expected jdrl or lbk or defocusgan"),
        ({"map": [1]}, "a damaged checkpoint, its map network is no names and tensors"),
        ({"map": {}}, "the weights are not those of this network"),
    ):
        checkpoint.save(tmp_path / "x.pt", {**state, **damage})
        with pytest.raises(UserError, match=words):
            load_map_network(tmp_path / "x.pt")


def test_patches_are_anchored_once_and_cropped_with_their_truth(tmp_path: Path) -> None:
    size = ("--size", "160x160", "--max-radius", 3, "--shift-range", 3, "--seed", 1, "--jobs", 1)
    run_command("synthesise", "--out", tmp_path / "pairs", "--count", 4, *size)
    choices = ("--split", 0.5, "--group-by", "scene", "--window", 160, "--jobs", 1)
    run_command("prepare", tmp_path / "pairs", "--out", tmp_path / "data", *choices)
    data = open_training_data(tmp_path / "data", small_lbk(), tmp_path)
    make_truths(data, tmp_path / "truth", jobs=1)
    before = {path.name: path.read_bytes() for path in (tmp_path / "truth").glob("*.npz")}
    assert len(before) == len(data.patches)
    make_radii(data, tmp_path / "radius", lambda blur: 2 * blur[..., 0], {"maps_sha256": "x"})
    make_truths(data, tmp_path / "truth", jobs=1)
    assert {path.name: path.read_bytes() for path in (tmp_path / "truth").glob("*.npz")} == before
    ahead = Ahead(truths=tmp_path / "truth")
    better = 0
    for index in range(len(data.patches)):
        crop = Crops(data, small_lbk(flips=True), 0, ahead)[index]
        assert not isinstance(crop, UserError)
        mask = crop.ahead["inside"]
        assert crop.ahead["truth"].shape == crop.blur.shape
        assert mask.shape == crop.ahead["radius"].shape == (1, 48, 48)
        if float(mask.sum()) > 100:
            off = [float(((image - crop.blur) * mask).abs().sum()) for image in (crop.sharp, crop.ahead["truth"])]
            better += 1 if off[1] < off[0] else -1
    assert better > 0
    crop = Crops(data, small_lbk(), 0, Ahead(radii=tmp_path / "radius"))[0]
    assert not isinstance(crop, UserError)
    torch.testing.assert_close(crop.ahead["radius"], 2 * crop.blur[:1], atol=1 / 256, rtol=0)


@pytest.fixture
def release(prepared: Path, tmp_path: Path) -> Path:
    """DPDD as released, with the pairs of the prepared dataset: the left view is darker, the right one brighter."""
    for blur in sorted((prepared / "train" / "blur").glob("*.png")):
        pixels = read_pixels(blur)
        for part, factor, name in (("c", 1, ""), ("l", 0.5, "_l"), ("r", 0.75, "")):
            view = np.round(pixels * factor).astype(pixels.dtype)
            write_png(tmp_path / "dpdd" / f"train_{part}" / "source" / f"{blur.stem}{name}.png", view)
    return tmp_path / "dpdd"


def test_dual_pixel_views_are_cut_where_the_patches_lie(prepared: Path, release: Path, tmp_path: Path) -> None:
    config = small_lbk(views="dp", views_folder=str(release), steps=1)
    train(prepared, config, tmp_path / "run", CPU, resume=False)
    data = open_training_data(prepared, config, tmp_path)
    ahead = Ahead(views=tmp_path / "run" / "views")
    for index in (0, 17, len(data.patches) - 1):
        crop = Crops(data, config, 0, ahead)[index]
        assert not isinstance(crop, UserError)
        wanted = torch.cat([0.5 * crop.blur, 0.75 * crop.blur])
        torch.testing.assert_close(crop.ahead["views"], wanted, atol=0.6 / 255, rtol=0)
    blur = np.zeros((20, 20, 3), np.float32)
    assert load_map_network(tmp_path / "run" / "map.pt")(blur).shape == (20, 20)  # one image stands for both views


def test_views_are_paired_by_name_or_by_order_and_missing_ones_are_named(release: Path) -> None:
    views = list_views(release)
    assert all(left.stem == f"{name}_l" and right.stem == name for name, (left, right) in views.items())
    for number, path in enumerate(sorted((release / "train_r" / "source").iterdir())):
        path.rename(path.with_name(f"X{number:03d}.png"))
    assert [right.stem for _, right in list_views(release).values()] == ["X000", "X001", "X002"]
    (release / "train_l" / "source" / f"{min(views)}_l.png").unlink()
    with pytest.raises(UserError, match=rf"1 of 3 left views are missing in train_l/source, among them .*{min(views)}"):
        list_views(release)
    with pytest.raises(UserError, match=r"test_c/source: no such folder; dual-pixel views are in DPDD's"):
        list_views(release, "test")


def test_dual_pixel_views_are_refused_without_a_release_and_with_validation(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="views = 'dp' and views_folder"):
        small_lbk(views="dp")
    with pytest.raises(UserError, match="views = 'dp' is not validated"):
        small_lbk(views="dp", views_folder=str(tmp_path), val_scenes=1)


def test_validation_is_how_well_the_blur_is_explained(prepared: Path, tmp_path: Path) -> None:
    train(prepared, small_lbk(val_scenes=1, epochs=1, steps=1), tmp_path / "run", CPU, resume=False)
    with (tmp_path / "run" / "validation.csv").open() as file:
        ((_, found),) = list(csv.reader(file))[1:]
    assert 15 < float(found) < 50
    state = checkpoint.load(tmp_path / "run" / "best.pt")
    assert state["validation_psnr_db"] == pytest.approx(float(found), abs=1e-5)
