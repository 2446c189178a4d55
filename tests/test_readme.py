"""The README: short, with existing pictures, and with the numbers of the files they come from."""

from __future__ import annotations

import json
import re
import tomllib
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from sdd_bench.version import __version__

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_short() -> None:
    words = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    assert len(words.split()) <= 900


def test_every_picture_and_page_that_it_names_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)", README)
    assert len([link for link in links if link.endswith(".png")]) == 3
    for link in links:
        assert (ROOT / link).is_file(), link


def test_its_scores_are_those_of_the_picture() -> None:
    scores = json.loads((ROOT / "docs/pictures/protocols.json").read_text(encoding="utf-8"))["psnr_db"]
    assert set(scores) == {"direct/1", "paper/1", "jdrl-ref/1", "anchored/2", "exact"}
    shown = re.search(r"scores ([\d.]+), ([\d.]+), ([\d.]+) and ([\d.]+) dB", README)
    assert shown
    assert [float(number) for number in shown.groups()] == [
        round(scores[name], 1) for name in ("direct/1", "paper/1", "jdrl-ref/1", "anchored/2")
    ]


def test_what_it_says_of_the_weights_is_what_their_card_says() -> None:
    card = (ROOT / "jdrl_baseline/weights/jdrl-small.md").read_text(encoding="utf-8")
    gains = re.findall(r"gain \+([\d.]+) \(\+([\d.]+) to \+([\d.]+)\) dB, \d+ of (\d+) pairs better", card)
    for (mean, low, high, pairs), words in zip(gains, ("simulated pairs", "pairs"), strict=True):
        figures = [Decimal(value).quantize(Decimal("0.1"), ROUND_HALF_UP) for value in (mean, low, high)]
        assert "{} dB ({} to {}) on".format(*figures) + f" {pairs} {words} of" in README


def test_the_versions_agree() -> None:
    assert f"version = {{{__version__}}}" in README
    assert f"version: {__version__}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dynamic"] == ["version"]
