"""Optional metrics from the command line to the page, weights by name and digest, and results without them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from known_cli import call, ok, rows
from known_weights import dists_shares, saved, vgg16_features

from sdd_bench.commands.evaluate import command as evaluate_command
from sdd_bench.errors import UserError
from sdd_bench.io.files import file_sha256
from sdd_bench.metrics import weights_files
from sdd_bench.metrics.dists import FILES
from sdd_bench.metrics.loaded import files_of
from sdd_bench.metrics.table import DEFAULT, METRICS, OPTIONAL, STANDARD, columns_of, ranking_column
from sdd_bench.metrics.weights_files import WeightsFile, find_file, find_files

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def nothing_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No weights on the machine, and none to download."""
    for name in ("SDD_BENCH_WEIGHTS", "SDD_BENCH_LPIPS_TRUNK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def refused(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refused)


@pytest.fixture
def scored(make_pairs: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Score the blur or the sharp images of three pairs, and return the results file."""
    root = make_pairs(["a", "b", "c"], folders=("test/blur", "test/gt"))

    def score(method: str, folder: str, *words: object) -> Path:
        out = tmp_path / f"{method}.json"
        shared = ("--data", root, "--protocol", "direct/1", "--jobs", 1, "--method", method, "--out", out)
        ok("evaluate", "--pred", root / "test" / folder, *shared, *words)
        return out

    return score


def test_the_standard_metrics_are_the_default_ones_and_say_what_they_are() -> None:
    assert tuple(STANDARD) == DEFAULT == ("psnr_db", "ssim", "mae", "lpips")
    assert not any(metric.by_default for metric in OPTIONAL.values())
    for name, metric in METRICS.items():
        assert metric.lowest < metric.highest, name
        assert metric.area != "frame" or not metric.needs_truth, name
        assert metric.note, name
        assert metric.reference or name in ("psnr_db", "mae", "softening_gain_db"), name
    assert columns_of(["default", "GMSD", "psnr"], "--metrics") == [*DEFAULT, "gmsd"]


def test_results_have_columns_of_optional_metrics_only_where_they_were_named(scored: Callable[..., Path]) -> None:
    plain = scored("Plain", "blur", "--metrics", "psnr,ssim,mae")
    named = scored("Named", "blur", "--metrics", "mae,gmsd,psnr,softening,ssim")
    before, after = (json.loads(path.read_text()) for path in (plain, named))
    assert list(before["summary"]) == list(DEFAULT)
    assert before["why_empty"] == after["why_empty"] == {"lpips": "not asked for"}
    assert list(after["summary"]) == [*DEFAULT, "gmsd", "softening_gain_db"]
    assert after["configuration"]["metrics"] == ["psnr_db", "ssim", "mae", "gmsd", "softening_gain_db"]
    for one, other in zip(before["images"], after["images"], strict=True):
        assert {name: value for name, value in other.items() if name in one} == one
        assert other.keys() - one.keys() == {"gmsd", "softening_gain_db"}
    first = rows(named.with_suffix(".csv"))[0]
    assert list(first)[:7] == ["name", *DEFAULT, "gmsd", "softening_gain_db"]
    assert re.fullmatch(r"0\.\d{6}", first["gmsd"])


def test_a_leaderboard_ranks_by_an_optional_metric_the_right_way_round(
    scored: Callable[..., Path], tmp_path: Path
) -> None:
    words = ("--metrics", "psnr,gmsd,softening")
    files = (
        scored("Blur", "blur", *words),
        scored("Truth", "gt", *words),
        scored("Plain", "blur", "--metrics", "psnr"),
    )
    printed = ok("leaderboard", *files, "--out", tmp_path / "b.csv", "--sort", "gmsd", "--html", tmp_path / "b.html")
    found = rows(tmp_path / "b.csv")
    assert [row["method"] for row in found] == ["Truth", "Blur", "Plain"]
    assert [row["gmsd"] for row in found][::2] == ["0.00000", ""]
    assert found[2]["rank"] == ""
    assert "dists" not in found[0]
    assert re.search(r"\bgmsd\b.*\bsoftening_gain_db\b", printed)
    page = (tmp_path / "b.html").read_text(encoding="utf-8")
    assert "softening gain (dB)" in page
    assert (
        len(re.findall(r"PSNR rewards smooth images: a Gaussian of 0\.5 px over the images of this method", page)) == 2
    )
    assert "GMSD (lower is better)" in page
    assert r"GMSD $\downarrow$" in (tmp_path / "b.tex").read_text()


def test_a_leaderboard_without_optional_metrics_does_not_show_them(scored: Callable[..., Path], tmp_path: Path) -> None:
    printed = ok("leaderboard", scored("Plain", "blur", "--metrics", "psnr"), "--out", tmp_path / "b.csv")
    assert not set(OPTIONAL) & set(rows(tmp_path / "b.csv")[0])
    assert not any(name in printed for name in OPTIONAL)


def test_what_explains_a_metric_ranks_nobody(scored: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--sort softening: it only explains another metric and cannot rank"):
        ranking_column("softening", "--sort")
    file = scored("Blur", "blur", "--metrics", "softening,psnr")
    assert call("leaderboard", file, "--out", tmp_path / "b.csv", "--sort", "softening").exit_code == 1


def test_dists_from_a_folder_of_weights_and_its_digests_in_the_results(
    scored: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "weights"
    files = saved(vgg16_features(), folder, FILES[0]), saved(dists_shares(), folder, FILES[1])
    content = json.loads(scored("Blur", "blur", "--metrics", "psnr,dists", "--weights", folder).read_text())
    assert 0 < content["summary"]["dists"] < 1
    assert content["weights"] == {
        "dists_vgg16_file": files[0].name,
        "dists_vgg16_sha256": file_sha256(files[0]),
        "dists_weights_file": files[1].name,
        "dists_weights_sha256": file_sha256(files[1]),
    }


def test_missing_weights_are_one_error_before_anything_is_scored(
    make_pairs: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sdd_bench.metrics import pyiqa_models

    monkeypatch.setattr(weights_files, "_package_place", lambda _: iter(()))
    root = make_pairs(["a"], folders=("test/blur", "test/gt"))
    words = ("--pred", root / "test" / "blur", "--data", root, "--protocol", "direct/1", "--out", tmp_path / "r.json")
    found = call("evaluate", *words, "--metrics", "dists")
    assert found.exit_code == 1
    said = " ".join(found.output.split())
    assert (
        "DISTS: no weights: vgg16-397923af.pth: cannot be downloaded (no network); DISTS_weights-f5e65c96.pth" in said
    )
    assert "Put them into a folder that --weights DIR or SDD_BENCH_WEIGHTS=DIR names" in said
    assert not (tmp_path / "r.json").exists()

    def missing() -> None:
        raise UserError(f"pyiqa is not installed: {pyiqa_models.INSTALL}")

    changed = replace(METRICS["niqe"], weights=replace(METRICS["niqe"].weights, check=missing))  # type: ignore[type-var]
    monkeypatch.setitem(METRICS, "niqe", changed)
    both = call("evaluate", *words, "--metrics", "dists,niqe")
    assert both.exit_code == 1
    assert "metrics that cannot be measured: 2 problems" in both.output
    assert "pyiqa is not installed: pip install 'sdd-bench[iqa]'" in both.output


def test_a_file_is_found_by_its_name_and_has_to_be_what_the_name_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = WeightsFile("net_koniq-0a1b2c3d.pth", sha256="0a1b2c3d")
    assert find_file(file) is None
    assert file.stem == "net_koniq"
    folder = tmp_path / "weights"
    other = saved({"a": torch.ones(1)}, folder, file)
    assert find_file(file, folder) == other
    monkeypatch.setenv("SDD_BENCH_WEIGHTS", str(folder))
    assert find_file(file) == other
    (folder / "net_koniq-0a1b2c3d.pth").write_bytes(b"damaged")
    with pytest.raises(
        UserError, match=r"net_koniq-0a1b2c3d\.pth: its sha256 is [0-9a-f]{16}\.\.\., expected 0a1b2c3d"
    ):
        find_file(file)
    with pytest.raises(
        UserError, match="nowhere: no such folder, expected the weights of metrics that --weights names"
    ):
        find_file(file, tmp_path / "nowhere")


def test_a_missing_file_is_fetched_into_the_cache_by_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetched(url: str, place: str, hash_prefix: str | None, progress: bool) -> None:
        assert (url, hash_prefix, progress) == ("https://example.org/n", "0a1b2c3d", False)
        Path(place).write_bytes(b"weights")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetched)
    file = WeightsFile("net-0a1b2c3d.pth", "https://example.org/n", "0a1b2c3d", "pyiqa")
    assert find_files([file], None, "NET") == (tmp_path / "torch" / "hub" / "pyiqa" / "net-0a1b2c3d.pth",)
    with pytest.raises(UserError, match=r"NET: no weights: other-0a1b2c3e\.pth: not found"):
        find_files([replace(file, name="other-0a1b2c3e.pth")], None, "NET", download=False)


def test_metrics_without_weights_need_no_files() -> None:
    assert files_of(["gmsd", "psnr_db", "softening_gain_db"]) == {}


def test_the_page_of_metrics_is_that_of_the_table() -> None:
    import subprocess
    import sys

    command = [sys.executable, ROOT / "docs" / "list_metrics.py", "--print"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert listed in (ROOT / "docs" / "reference" / "protocols.md").read_text(encoding="utf-8")
    helped = " ".join(CliRunner().invoke(evaluate_command, ["--help"]).output.split())
    assert all(metric.option in helped for metric in METRICS.values())
