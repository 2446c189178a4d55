"""The table of baselines: predictions are kept as long as they are of the same weights, settings and images."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from jdrl_baseline.baselines import trained_weights
from sdd_bench.io.files import file_sha256
from sdd_bench.io.images import write_png

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
import baseline_kept
import baseline_table


@pytest.fixture
def blurs(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        write_png(tmp_path / "blur" / f"{name}.png", rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
    return tmp_path / "blur"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What is called instead of sdd-bench predict: images are copied, in four seconds, or three without time for it."""
    found: list[tuple[object, ...]] = []

    def copy(*words: object, most_s: float | None = None) -> float | None:
        found.append(words)
        source, out = (Path(str(words[words.index(name) + 1])) for name in ("--images", "--out"))
        out.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / "a.png", out)
        if most_s is not None and most_s < 3:
            return None
        shutil.copy(source / "b.png", out)
        return 4.0

    monkeypatch.setattr(baseline_kept, "call", copy)
    return found


def test_predictions_are_made_once_and_again_with_other_weights_or_images(
    blurs: Path, tmp_path: Path, calls: list[tuple[object, ...]]
) -> None:
    weights, out = tmp_path / "mine.pt", tmp_path / "predictions" / "mine"
    weights.write_bytes(b"first")
    made = baseline_kept.predict(f"mine={weights}", blurs, out)
    assert made.seconds == 2.0
    assert baseline_kept.predict(f"mine={weights}", blurs, out) == made
    assert [words[:3] for words in calls] == [("predict", "--checkpoint", str(weights))]
    (out / "old.txt").touch()
    weights.write_bytes(b"second")
    again = baseline_kept.predict(f"mine={weights}", blurs, out)
    assert (len(calls), again.by == made.by, again.images == made.images) == (2, False, True)
    assert not (out / "old.txt").exists()
    write_png(blurs / "b.png", np.zeros((24, 32, 3), np.uint8))
    assert baseline_kept.predict(f"mine={weights}", blurs, out).images != made.images
    assert len(calls) == 3


def test_a_baseline_without_time_goes_on_later_and_has_no_seconds_then(
    blurs: Path, tmp_path: Path, calls: list[tuple[object, ...]]
) -> None:
    out = tmp_path / "predictions" / "ebdb"
    assert baseline_kept.predict("ebdb", blurs, out, most_s=1).seconds is None
    assert len(list(out.glob("*.png"))) == 1
    assert baseline_kept.predict("ebdb", blurs, out, most_s=60).seconds is None
    assert len(list(out.glob("*.png"))) == 2
    assert len(calls) == 2


def test_a_digest_is_of_the_weights_or_of_settings_and_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert baseline_kept.digest_of("jdrl-small") == file_sha256(trained_weights("jdrl-small"))
    before = baseline_kept.digest_of("ebdb")
    assert len({before, baseline_kept.digest_of("wiener"), baseline_kept.digest_of("identity")}) == 3
    shutil.copytree(baseline_kept.CLASSICAL, tmp_path / "classical")
    monkeypatch.setattr(baseline_kept, "CLASSICAL", tmp_path / "classical")
    assert baseline_kept.digest_of("ebdb") == before
    (tmp_path / "classical" / "ebdb.py").write_text("changed\n")
    assert baseline_kept.digest_of("ebdb") != before


def test_the_papers_rows_say_how_they_were_scored() -> None:
    lines = baseline_table.published()
    assert "| EBDB | dpdd | 22.66 | 0.737 | paper/1-like | arXiv:2409.17792, Table 2 |" in lines
    assert "| DefocusGAN | dpdd | 25.56 |  | direct-16 | arXiv:2211.14017, summary, the released code |" in lines
    assert [line.split(":")[0] for line in lines if line.startswith("- ")] == [
        "- `paper/1-like`", "- `warped`", "- `direct-16`",
    ]  # fmt: skip
