"""Rank stability on scores with known swaps."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from known_results import content_of, known_rows, mae_of

from leaderboard.entry import read_entry
from leaderboard.stability import stability
from sdd_bench.cli import root
from sdd_bench.errors import UserError
from sdd_bench.evaluation.protocol import build_protocol
from sdd_bench.evaluation.results import Method, Results, protocol_block, read_results
from sdd_bench.io.files import file_sha256

IMAGES = np.random.default_rng(0).normal(26, 2, 30)
NOISE = np.random.default_rng(1).normal(0, 0.3, 30)


def write(folder: Path, name: str, protocol: str, psnr: np.ndarray, ssim: float, images: str = "of one") -> Path:
    scored = known_rows(list(map(float, psnr)), images, ssim=ssim)
    rows = tuple(
        {**row, "mae": mae_of(float(level))} if math.isfinite(row["psnr_db"]) else row
        for row, level in zip(scored, IMAGES, strict=True)
    )
    block = protocol_block(build_protocol(protocol, {"estimator": "dis", "preset": "medium"}, 1))
    about = {"name": "sdd", "split": "test", "sha256": content_of(rows), "n_images": len(rows)}
    path = folder / f"{name}.{protocol.replace('/', '-')}.json"
    Results(Method(name), about, block, rows).save(path)
    return path


def four(folder: Path) -> list[Path]:
    """Return results in which paper/1 swaps a and b, and the SSIM reverses the order."""
    found = []
    for name, gain, ssim in (("a", 1.0, 0.6), ("b", 0.5, 0.7), ("c", 0.0, 0.8), ("d", -0.01, 0.9)):
        found.append(write(folder, name, "anchored/2", IMAGES + gain + NOISE * (name == "d"), ssim))
        swapped = {"a": 0.5, "b": 1.0}.get(name, gain)
        found.append(write(folder, name, "paper/1", IMAGES + swapped, ssim))
    return found


def test_known_swaps_are_named(tmp_path: Path) -> None:
    rows = stability([read_entry(path) for path in four(tmp_path)])
    found = {(row["changed"], row["protocol"], row["metric"]): row for row in rows.to_dict("records")}
    paper = found["protocol", "paper/1", "psnr_db"]
    assert (paper["tau"], paper["swaps"], paper["flow"]) == (pytest.approx(4 / 6), "a / b", "dis")
    ssim = found["metric", "anchored/2", "ssim"]
    assert (ssim["tau"], ssim["swapped"]) == (-1, 6)
    assert "c / d (tied)" in ssim["swaps"]
    images = found["images", "anchored/2", "psnr_db"]
    assert images["swapped"] == 1
    assert images["swaps"].startswith("c / d (")
    assert 4 / 6 < images["tau"] < 1
    assert images["tau_lo"] == pytest.approx(4 / 6)
    assert found["protocol and metric", "paper/1", "ssim"]["tau"] == -1


def test_identical_images_count_with_60_db(tmp_path: Path) -> None:
    paths = [*four(tmp_path), write(tmp_path, "perfect", "anchored/2", np.full(30, np.inf), 1.0)]
    paths.append(write(tmp_path, "perfect", "paper/1", IMAGES - 1, 0.5))
    rows = stability([read_entry(path) for path in paths])
    assert rows.loc[0, ["changed", "methods", "swapped"]].tolist() == ["images", 5, 1]
    paper = rows[(rows["protocol"] == "paper/1") & (rows["metric"] == "psnr_db")]
    assert paper["swaps"].tolist() == ["perfect / d; perfect / c; perfect / b; perfect / a; a / b"]


def as_entry(folder: Path, paths: list[Path]) -> str:
    """Write the entry of a method from its results; return its folder."""
    (folder / "results").mkdir(parents=True)
    (folder / "meta.toml").write_text(f'name = "{paths[0].name[0]}"\n', encoding="utf-8")
    found = [read_results(path) for path in paths]
    for path in paths:
        shutil.copy(path, folder / "results" / path.name)
    names = {r.protocol["id"]: f"results/{path.name}" for r, path in zip(found, paths, strict=True)}
    content = {
        "schema": 1,
        "method": {"name": paths[0].name[0]},
        "dataset": {**found[0].dataset, "excluded": {}},
        "protocols": {
            r.protocol["id"]: {"sha256": r.protocol["sha256"], "results": names[r.protocol["id"]]} for r in found
        },
        "predictions": {"00": "0"},
        "files": {name: file_sha256(folder / name) for name in ("meta.toml", *names.values())},
        "configuration": {},
        "tool": {},
    }
    (folder / "entry.json").write_text(json.dumps(content), encoding="utf-8")
    return str(folder)


def test_entries_are_taken_and_no_nan_is_printed(tmp_path: Path) -> None:
    """All methods have one MAE, so that no order can agree with that by PSNR."""
    out = tmp_path / "stability.csv"
    paths = four(tmp_path)
    done = CliRunner().invoke(root, ["stability", *map(str, paths), "--out", str(out)])
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(out.open(encoding="utf-8")))
    assert {row["tau"] for row in rows if row["metric"] == "mae"} == {""}
    texts = done.output + out.read_text(encoding="utf-8") + out.with_suffix(".md").read_text(encoding="utf-8")
    assert not re.search(r"\bnan\b", texts)
    folders = [as_entry(tmp_path / f"entry {name}", [p for p in paths if p.name[0] == name]) for name in "abcd"]
    again = CliRunner().invoke(root, ["stability", *folders, "--out", str(tmp_path / "again.csv")])
    assert again.exit_code == 0, again.output
    assert (tmp_path / "again.csv").read_bytes() == out.read_bytes()


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    entries = [read_entry(path) for path in four(tmp_path)]
    with pytest.raises(UserError, match="expected results of at least two methods under anchored/2"):
        stability(entries[:2])
    other = read_entry(write(tmp_path, "e", "paper/1", IMAGES, 0.5, "of another"))
    with pytest.raises(UserError, match="results of 2 datasets or splits"):
        stability([*entries, other])
    assert len(stability([*entries, replace(other, status="partial", table=entries[1].table)])) == len(
        stability(entries)
    )


def test_the_command_writes_a_table(tmp_path: Path) -> None:
    out = tmp_path / "out" / "stability.csv"
    result = CliRunner().invoke(root, ["stability", *map(str, four(tmp_path)), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "protocol: paper/1, psnr_db\n  a / b" in result.output
    with out.open(encoding="utf-8") as file:
        assert (
            len(list(csv.DictReader(file))) == len(out.with_suffix(".md").read_text(encoding="utf-8").splitlines()) - 2
        )
