"""Words for readers, as far as a machine can check them: options, numbers, fragments, banned words."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sdd_bench.cli import offered, root

ROOT = Path(__file__).parent.parent
PACKAGES = ("sdd_bench", "capture", "leaderboard", "jdrl_baseline")

STORED = ("then one similarity a prediction by DIS flow, at most .5 px",)
"""Texts of protocols, which are stored in results and therefore never change."""

FORMAT = re.compile(r"[<>^+,\d]*\.\d+[a-z%]?")
"""Number format, such as .2f."""

BARE = re.compile(r"(?<![\w.\])}{:<>^+\"'])\.\d")
"""Number without its leading zero."""

LEANS = re.compile(r"(Of|Its|Their|That|Whose|The same|Same|Instead|As|Also|By which|From which|With which|Of which)\b")
"""Beginnings of phrases that cannot be understood alone."""

GONE = (
    r"stands? twice", r"there twice", r"may be given again", r"takes no more", r"anybody's", r"\brungs?\b",
    r"(?<![-_\w])trunks?(?![-_\w:`])", r"score again: is it", r"not because", r"expected some of",
    r"Everything a training run is told", r"From where on",
)  # fmt: skip
"""Phrases with better alternatives: duplicate, can be repeated, blur level, backbone, threshold."""


def options() -> Iterator[tuple[str, click.Option]]:
    """Yield every option of every command, with its name."""
    for name, point in offered().items():
        for parameter in point.load().params:
            if isinstance(parameter, click.Option):
                yield f"{name} {parameter.opts[0]}", parameter
    for parameter in root.params:
        if isinstance(parameter, click.Option):
            yield f"sdd-bench {parameter.opts[0]}", parameter


@pytest.mark.parametrize(("name", "option"), list(options()), ids=[name for name, _ in options()])
def test_every_options_help_is_a_phrase_that_stands_alone(name: str, option: click.Option) -> None:
    text = option.help or ""
    assert len(text.split()) >= 2, f"{name}: no help, or one word"
    assert text[0].isupper() or text.startswith("deblurring.pt"), f"{name}: {text}"
    assert not LEANS.match(text), f"{name}: {text}"
    assert not BARE.search(text), f"{name}: {text}"


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every string with a space, of every docstring, and of every comment of a file."""
    source = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("# ")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield from ((node.lineno + place, line.strip()) for place, line in enumerate(node.value.split("\n")))


def faults_of(text: str) -> Iterator[str]:
    """Yield the faults of a line that people read."""
    if BARE.search(text) and not FORMAT.fullmatch(text) and not any(stored in text for stored in STORED):
        yield "a number without its leading zero"
    if re.match(r"(\w+: )?Of\b", text):
        yield "begins with Of"
    yield from (f"{word} is gone" for word in GONE if re.search(word, text))


@pytest.mark.parametrize("package", PACKAGES)
def test_no_bare_numbers_no_fragments_that_begin_with_of_and_no_words_that_are_gone(package: str) -> None:
    faults = [
        f"{path.relative_to(ROOT)}:{line}: {fault}: {text}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, text in prose(path)
        for fault in faults_of(text)
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("within .2 dB", "a number without its leading zero"),
        ("seed: Of the split.", "begins with Of"),
        ("Of the split.", "begins with Of"),
        ("test/a stands twice", "stands? twice is gone"),
    ],
)
def test_the_checks_find_what_they_are_for(text: str, fault: str) -> None:
    assert list(faults_of(text)) == [fault]
    assert not list(faults_of("Seed of the split, within 0.2 dB; f.png, v1.2 and {:.2f} are no numbers of prose"))
