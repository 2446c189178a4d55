"""meta.toml: all faults reported together, and every key documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from leaderboard.meta import KEYS, read_meta
from sdd_bench.cli import root as cli
from sdd_bench.errors import UserError
from sdd_bench.evaluation.results import Method


def test_all_faults_of_a_meta_file_come_together(tmp_path: Path) -> None:
    path = tmp_path / "meta.toml"
    path.write_text(
        'license = "MIT"\nname = " "\nparams_m = -1\nmacs_g = "3 G"\nruntime_s = true\nextra_data = false\n'
        'paper = "a\\u001bb"\nsize = "big"\nselection_on_test = "maybe"\n[table]\nx = 1\n'
    )
    with pytest.raises(UserError) as caught:
        read_meta(path)
    for words in (
        "meta.toml: 11 problems",
        "unknown key 'license', did you mean 'licence'?",
        "name = ' ': expected what the tables call the method, 1 to 100 characters",
        "params_m = -1: expected a number, at least 0",
        "macs_g = '3 G': expected a number, at least 0",
        "runtime_s = True: expected a number, at least 0",
        "extra_data = False: expected one line of text",
        "control character U+001B, expected one line of text",
        "size = 'big': expected WIDTHxHEIGHT in pixels, as 1280x720",
        "selection_on_test = 'maybe': expected yes, no or unknown",
        "unknown key 'table', expected one of name, paper",
        "runtime_s without device: expected what runtime_s was measured on",
    ):
        assert words in caught.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('paper = "x"', "name is missing"),
        ("name = Mine", "not valid TOML"),
        ('name = "M"\nparams_m = nan', "params_m = nan: expected a number"),
        ('name = "M"\nparams_m = inf', "params_m = inf: expected a number"),
        (f'name = "{"M" * 101}"', "1 to 100 characters"),
        ('name = "M\\u202eN"', "control character U+202E"),
        ('name = "M"\nmacs_g = 3', "macs_g without size"),
        ('name = "M"\nruntime_s = 3\nsize = "1280x720"', "runtime_s without device"),
    ],
)
def test_a_wrong_meta_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "meta.toml").write_text(text)
    with pytest.raises(UserError, match=re.escape(words)):
        read_meta(tmp_path / "meta.toml")


def test_a_meta_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "meta.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(UserError, match="cannot be read as UTF-8 text"):
        read_meta(tmp_path / "meta.toml")


def test_the_example_in_the_docs_and_the_help_have_every_key(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs/reference/results.md").read_text(encoding="utf-8")
    (tmp_path / "meta.toml").write_text(page.split("```toml\n")[1].split("```")[0])
    method = read_meta(tmp_path / "meta.toml")
    assert (method.name, method.runtime_s, method.size, method.extra_data) == ("My method", 0.4, "1280x720", "")
    assert set(KEYS) == set(Method.__dataclass_fields__)
    text = CliRunner().invoke(cli, ["submit", "--help"]).output
    for key in KEYS:
        assert re.search(rf"\b{key}\b", text)
        assert f"\n{key} = " in page
