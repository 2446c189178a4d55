"""DefocusGAN: phases, updates within a step, guidance by step, resume, prediction, refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from known_run import CPU, run_command
from known_second_baseline import GAN, small_gan, small_lbk
from known_training import losses

from jdrl_baseline import checkpoint, defocusgan, training
from jdrl_baseline.baselines import load_baseline
from jdrl_baseline.batch import Batch
from jdrl_baseline.config import DEFAULT_PRESETS, build_settings, load_config, load_settings
from jdrl_baseline.defocusgan import DefocusGan, guidance, phase_of
from jdrl_baseline.defocusgan_config import DefocusGanConfig
from jdrl_baseline.gan_losses import critic_losses
from jdrl_baseline.lbk_config import LbkConfig
from jdrl_baseline.method import Moment
from jdrl_baseline.predict import load_deblurring, load_with_maps
from jdrl_baseline.training import LAST, train
from jdrl_baseline.training_data import open_training_data
from sdd_bench.cli import root as cli
from sdd_bench.errors import UserError

DEVICE = torch.device("cpu")


@pytest.fixture(scope="module")
def trained(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of three epochs: generator alone, critic added, adversarial."""
    out = tmp_path_factory.mktemp("gan")
    train(prepared, small_gan(), out, CPU, resume=False)
    return out


@pytest.fixture
def batch() -> Batch:
    torch.manual_seed(0)
    images = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    return Batch(*images, ("a", "b"), radius=6 * torch.rand(2, 1, 32, 32))


def reached(network: torch.nn.Module | None) -> bool:
    assert network is not None
    return any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in network.parameters())


def test_phases_and_guidance_follow_the_published_schedule() -> None:
    config = DefocusGanConfig()
    assert [phase_of(config, epoch) for epoch in (0, 5, 6, 10, 11, 90)] == [
        "content", "content", "critic", "critic", "adversarial", "adversarial",
    ]  # fmt: skip
    assert phase_of(small_gan(adversarial_weight=0), 90) == "content"
    at = {step: guidance(config, Moment(step // 1750, step, 1750)) for step in (0, 17_499, 27_500, 37_499, 37_500)}
    assert at[0] == at[17_499] > 0.9999
    assert at[27_500] == pytest.approx(np.exp(-1))
    assert at[37_499] > at[37_500] == 0


def test_a_step_asks_the_critic_first_and_trains_each_network_by_its_own_loss(batch: Batch) -> None:
    method = DefocusGan(small_gan(critic_steps=2, maps="anchor", align="anchor"), DEVICE)
    critic = method.networks["critic"]
    assert critic is not None
    turns = method.turns(batch, method.trainable, Moment(2, 10, 5))
    for _ in range(2):
        turn = next(turns)
        assert turn.optimiser == "critic"
        turn.losses.critic.backward()
        assert reached(critic)
        assert not reached(method.generator)
        critic.zero_grad(set_to_none=True)
    turn = next(turns)
    assert turn.optimiser == "deblurring"
    turn.losses.total.backward()
    assert reached(method.generator)
    assert not reached(critic)
    assert all(p.requires_grad for p in critic.parameters())
    assert next(turns, None) is None
    restored = method.generator(batch.blur, batch.radius, guidance(method.config, Moment(2, 10, 5))).image
    l1 = (restored - batch.sharp).abs().mean().item()
    score = -critic(restored).mean().item()
    assert turn.losses.l1.item() == pytest.approx(l1, rel=1e-4)
    assert turn.losses.adversarial.item() == pytest.approx(score, rel=1e-3)
    assert turn.losses.total.item() == pytest.approx(0.5 * l1 + 0.001 * score, rel=1e-4)


def test_the_critics_loss_in_a_step_is_the_defocus_adversarial_loss(batch: Batch) -> None:
    method = DefocusGan(small_gan(maps="anchor", align="anchor", gp_norm="channel"), DEVICE)
    mask = torch.ones(2, 1, 32, 32)
    mask[..., 20:] = 0
    aligned = batch._replace(truth=batch.sharp, inside=mask)
    torch.manual_seed(5)
    turn = next(method.turns(aligned, method.trainable, Moment(1, 5, 5)))
    with torch.no_grad():
        restored = method.generator(batch.blur, batch.radius, guidance(method.config, Moment(1, 5, 5))).image
    shown = restored * mask + batch.sharp * (1 - mask)
    torch.manual_seed(5)
    critic = method.networks["critic"]
    assert critic is not None
    wanted = critic_losses(
        critic, shown, batch.sharp, batch.radius, defocus_weight=0.1, penalty_weight=10.0, gp_norm="channel"
    )
    assert [t.item() for t in turn.losses] == pytest.approx([t.item() for t in wanted])


def test_the_first_phase_has_no_critic_and_a_run_without_weight_for_it_none_at_all(batch: Batch) -> None:
    method = DefocusGan(small_gan(), DEVICE)
    (turn,) = method.turns(batch, method.trainable, Moment(0, 0, 5))
    assert turn.losses.adversarial.item() == 0
    without = DefocusGan(small_gan(adversarial_weight=0.0), DEVICE)
    assert without.networks["critic"] is None
    assert list(without.optimisers) == list(without.trainable) == ["deblurring"]
    (turn,) = without.turns(batch, without.trainable, Moment(2, 10, 5))
    for one, other in zip(method.generator.parameters(), without.generator.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_run_without_critic_ends_and_goes_on(prepared: Path, tmp_path: Path) -> None:
    for steps in (1, 2):
        config = small_gan(adversarial_weight=0.0, steps=steps)
        train(prepared, config, tmp_path / "run", CPU, resume=steps == 2)
    state = checkpoint.load(tmp_path / "run" / LAST)
    assert (state["step"], state["critic"]) == (2, None)
    assert load_deblurring(tmp_path / "run" / "deblurring.pt").architecture == "defocusgan"


def test_maps_guide_only_where_they_are_asked_for(batch: Batch) -> None:
    found = []
    for maps in ("none", "anchor"):
        method = DefocusGan(small_gan(maps=maps, align="anchor"), DEVICE)
        (turn,) = method.turns(batch, method.trainable, Moment(0, 0, 5))
        found.append(turn.losses.l1.item())
    assert found[0] != found[1]


def test_a_run_has_rows_of_both_losses(trained: Path) -> None:
    rows = losses(trained)
    assert rows[0][2:-1] == [
        "total", "l1", "perceptual", "adversarial", "critic", "score_gap", "blurred_gap", "penalty",
    ]  # fmt: skip
    values = np.array(rows[1:], float)
    for epoch, critic, adversarial in ((0, False, False), (1, True, False), (2, True, True)):
        own = values[values[:, 1] == epoch]
        assert len(own) == 6
        assert bool((own[:, 6] != 0).all()) is critic
        assert bool((own[:, 5] != 0).all()) is adversarial


def test_a_run_that_was_cut_off_between_two_turns_goes_on_as_if_it_had_not_been(
    prepared: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 3)
    original, calls = defocusgan.masked_l1, []

    def cut_off(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 11:  # the critic has been updated already, the generator not yet
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(defocusgan, "masked_l1", cut_off)
        with pytest.raises(KeyboardInterrupt):
            train(prepared, small_gan(), tmp_path / "run", CPU, resume=False)
    assert checkpoint.load(tmp_path / "run" / LAST)["step"] == 9
    train(prepared, small_gan(), tmp_path / "run", CPU, resume=True)
    assert losses(tmp_path / "run") == losses(trained)
    one, other = (checkpoint.load(run / LAST) for run in (trained, tmp_path / "run"))
    for name in ("deblurring", "critic"):
        weights = checkpoint.weights_of(one, name), checkpoint.weights_of(other, name)
        assert weights[0].keys() == weights[1].keys()
        assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_the_generator_is_used_as_any_other_network(trained: Path, prepared: Path, tmp_path: Path) -> None:
    network = load_deblurring(trained / "deblurring.pt")
    blur = np.random.default_rng(0).random((37, 50, 3)).astype(np.float32)
    found = load_baseline(trained / "deblurring.pt")(blur)
    with torch.inference_mode():
        direct = network(torch.from_numpy(blur).permute(2, 0, 1)[None]).image[0].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(found, direct.clip(0, 1))
    words = ("predict", "--checkpoint", trained / "deblurring.pt", "--data", prepared, "--out", tmp_path / "out")
    run_command(*words, "--device", "cpu")
    assert len(list((tmp_path / "out").glob("*.png"))) == 2
    with pytest.raises(UserError, match="method defocusgan draws no maps when it restores; leave out --maps"):
        load_with_maps(trained / "deblurring.pt")


@pytest.mark.long
def test_maps_come_from_the_checkpoint_of_a_map_network(prepared: Path, tmp_path: Path) -> None:
    train(prepared, small_lbk(steps=1), tmp_path / "lbk", CPU, resume=False)
    maps = tmp_path / "lbk" / "map.pt"
    train(prepared, small_gan(maps=str(maps), steps=2, align="flow"), tmp_path / "run", CPU, resume=False)
    assert len(list((tmp_path / "run" / "radius").glob("*.npy"))) == 60
    assert len(list((tmp_path / "run" / "flow").glob("*.npy"))) == 60
    identity = checkpoint.load(tmp_path / "run" / LAST)["flow"]
    assert identity["estimator"] == "dis"
    assert len(identity["maps_sha256"]) == 64
    with pytest.raises(UserError, match="no such checkpoint"):
        train(prepared, small_gan(maps="none.pt"), tmp_path / "none", CPU, resume=False)


@pytest.mark.long
@pytest.mark.parametrize("method", ["lbk", "defocusgan"])
def test_two_processes_are_one_with_twice_the_batch(prepared: Path, tmp_path: Path, method: str) -> None:
    """Compare all terms except the gradient penalty, whose random point differs between processes."""
    import subprocess
    import sys

    settings = {
        "width": 4, "reaches": [1, 4], "crop": 48, "workers": 0, "val_scenes": 0, "align": "none", "steps": 3,
        "learning_rate": 1e-3,
    }  # fmt: skip
    settings |= {"kernels": 4} if method == "lbk" else {
        "critic_width": 4, "maps": "none", "critic_from_epoch": 0, "adversarial_from_epoch": 0, "penalty_weight": 0.0,
    }  # fmt: skip
    for name, batch, devices in (("one", 4, 1), ("two", 2, 2)):
        words = [word for key, value in {**settings, "batch": batch}.items() for word in ("--set", f"{key}={value}")]
        command = [sys.executable, "-m", "sdd_bench.cli", "train-baseline", "--data", str(prepared), "--method", method]
        command += [*words, "--devices", str(devices), "--accelerator", "cpu", "--out", str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
        assert done.returncode == 0, done.stdout + done.stderr
    one, two = (np.array(losses(tmp_path / name)[1:], float) for name in ("one", "two"))
    kept = slice(None) if method == "lbk" else [i for i in range(one.shape[1]) if i != one.shape[1] - 2]
    np.testing.assert_allclose(two[:, kept], one[:, kept], rtol=2e-3, atol=1e-5)


def test_presets_say_their_method_and_the_command_chooses_by_it(prepared: Path, tmp_path: Path) -> None:
    assert {load_settings(preset).method for preset in DEFAULT_PRESETS.values()} == {"jdrl", "lbk", "defocusgan"}
    assert load_settings("lbk") == LbkConfig()
    assert load_settings("defocusgan") == DefocusGanConfig()
    with pytest.raises(UserError, match="preset lbk is of method lbk, not jdrl; leave out --method"):
        load_config("lbk")
    (tmp_path / "own.toml").write_text('method = "lbk"\nkernels = 6\n')
    assert load_settings(str(tmp_path / "own.toml")) == LbkConfig(kernels=6)
    (tmp_path / "own.toml").write_text('method = "other"\n')
    with pytest.raises(UserError, match="method = 'other', expected one of jdrl, lbk, defocusgan"):
        load_settings(str(tmp_path / "own.toml"))
    words = ["train-baseline", "--data", prepared, "--method", "defocusgan", "--out", tmp_path / "run"]
    refused = CliRunner().invoke(cli, [str(w) for w in (*words, "--preset", "lbk-smoke")])
    assert refused.exit_code == 1
    assert "preset lbk-smoke is of method lbk, not defocusgan" in refused.output
    refused = CliRunner().invoke(cli, [str(w) for w in (*words, "--set", "kernel_norm=none")])
    assert "unknown key 'kernel_norm'" in refused.output


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reaches": [1, 2]}, "reaches: 2 is neither 1 nor at least 3"),
        ({"reaches": [1, 4, 4, 7, 10]}, "5 branches, at most 4 share out the radii"),
        ({"maps": "anchor"}, "maps = 'anchor' needs align = 'anchor'"),
        ({"critic_from_epoch": 3}, "the critic would not be trained yet"),
        ({"gp_norm": "colour"}, "expected 'sample' or 'channel'"),
        ({"vgg_weights": 3}, "vgg_weights = 3: expected"),
    ],
)
def test_what_cannot_be_trained_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        build_settings({**GAN, **changes}, "here", DefocusGanConfig)


def test_the_smoke_presets_take_minutes_however_many_patches_there_are(prepared: Path, tmp_path: Path) -> None:
    for preset, steps in (("defocusgan-smoke", 1500), ("lbk-smoke", 630)):
        config = load_settings(preset)
        assert config.epochs * (config.most_patches // config.batch) == steps
    every = open_training_data(prepared, small_gan(), tmp_path).patches
    train(prepared, small_gan(most_patches=21, adversarial_weight=0.0), tmp_path / "run", CPU, resume=False)
    written = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (len(every), written["patches"], written["steps_per_epoch"]) == (60, 21, 2)
    assert checkpoint.load(tmp_path / "run" / LAST)["step"] == 6
    chosen = open_training_data(prepared, small_gan(most_patches=21), tmp_path).patches
    places = [every.index(patch) for patch in chosen]
    assert (places[0], places[-1], set(np.diff(places))) == (0, 59, {2, 3})
    assert open_training_data(prepared, small_gan(most_patches=61), tmp_path).patches == every


def test_the_smoke_preset_falls_along_a_cosine_and_shortens_gradients() -> None:
    config = load_settings("defocusgan-smoke")
    assert isinstance(config, DefocusGanConfig)
    assert (config.rate_schedule, config.rise_epochs, config.clip) == ("cosine", 3, 0.1)
    method = DefocusGan(config, DEVICE)
    rates = [method.rate(epoch, "deblurring") for epoch in (0, 2, 99)]
    assert rates == pytest.approx([2e-3 / 3, 2e-3, 2e-3 * 0.02], rel=2e-3)
    assert method.rate(50, "critic") == pytest.approx(method.rate(50, "deblurring") / 2)


def test_a_perceptual_term_without_its_weights_stops_before_the_first_step(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"vgg\.pth: cannot be read .*vgg_weights names VGG19's file"):
        train(prepared, small_gan(vgg_weights=str(tmp_path / "vgg.pth")), tmp_path / "run", CPU, resume=False)
    assert not (tmp_path / "run" / LAST).exists()
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
