"""All tutorials of the documentation run as written, from an empty folder, and give the output on their pages."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from test_extending import install

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted((DOCS / "tutorials").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d+(?![\w.])")
SHORT = ("extend",)
"""Pages that run by default, in seconds each; the others take up to half a minute of one core."""


def run(language: str, code: str, folder: Path) -> str:
    """Run a block as a reader would, in the reader's folder, and return its output."""
    beside = (str(folder / "site"), os.environ.get("PYTHONPATH", ""))
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join(filter(None, beside)),
    }
    command = ["bash", "-euo", "pipefail", "-c", code] if language == "bash" else [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, f"{code}\n{done.stdout}"
    return done.stdout


def put_in_place(package: Path, folder: Path) -> None:
    """Install a package of one module as `pip install -e` does, for the reader's folder only."""
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [
        f"[{group}]\n" + "\n".join(f"{name} = {value}" for name, value in points.items())
        for group, points in project["entry-points"].items()
    ]
    install(folder / "site", (package / "tiny.py").read_text(encoding="utf-8"), "\n".join(groups) + "\n")


def alike(shown: str, found: str) -> bool:
    """Return whether a page shows a printed line; `...` matches anything, numbers may differ by 0.5 % or 0.02."""
    words = [NUMBER.sub("NUMBER", word) for word in shown.split()]
    pattern = r"\s+".join(re.escape(word).replace(r"\.\.\.", ".*").replace("NUMBER", r"(-?\d+\.\d+)") for word in words)
    matched = re.fullmatch(pattern, " ".join(found.split()))
    pairs = zip(map(float, NUMBER.findall(shown)), map(float, matched.groups()), strict=True) if matched else ()
    return matched is not None and all(abs(one - other) <= max(0.02, 0.005 * abs(one)) for one, other in pairs)


def assert_shown(expected: str, printed: str) -> None:
    """Check that all lines of a page's output are printed, in order; a line of `...` stands for omitted lines."""
    lines = iter(printed.splitlines())
    for line in expected.splitlines():
        if line.strip() != "...":
            assert any(alike(line, found) for found in lines), f"{line}\nis not in\n{printed}"


def follow(page: Path, folder: Path) -> int:
    """Follow a page, check its output, and return the number of blocks that ran."""
    printed, count = "", 0
    for language, title, code in BLOCK.findall(page.read_text(encoding="utf-8")):
        if title:
            (folder / title).parent.mkdir(exist_ok=True)
            (folder / title).write_text(code, encoding="utf-8")
        elif code == "pip install -e tiny\n":
            put_in_place(folder / "tiny", folder)
        elif language in ("bash", "python"):
            printed = run(language, code, folder)
            count += 1
        else:
            assert language == "text", f"a block of {language} that is neither run nor a file"
            assert_shown(code, printed)
    return count


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, id=page.stem, marks=[] if page.stem in SHORT else [pytest.mark.long]) for page in PAGES],
)
def test_a_tutorial_runs_and_shows_what_it_says(page: Path, tmp_path: Path) -> None:
    assert follow(page, tmp_path) >= 1


def test_a_page_that_shows_something_else_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```bash\necho 7 pairs, 3.1 dB\n```\n\n```text\n7 pairs, 3.09 dB\n```\n", encoding="utf-8")
    assert follow(page, tmp_path) == 1
    page.write_text("```bash\necho 7 pairs\n```\n\n```text\n8 pairs\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="8 pairs"):
        follow(page, tmp_path)
    page.write_text("```bash\necho 30.0 dB\n```\n\n```text\n32.0 dB\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"32\.0 dB"):
        follow(page, tmp_path)
    page.write_text("```bash\nfalse\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="false"):
        follow(page, tmp_path)


def test_the_notebook_is_the_script() -> None:
    made = subprocess.run(
        [sys.executable, DOCS / "tour_pages.py", "--print"], capture_output=True, text=True, check=True
    ).stdout
    assert (DOCS / "tutorials" / "tour.ipynb").read_text(encoding="utf-8") == made
    cells = json.loads(made)["cells"]
    assert [cell["cell_type"] for cell in cells[:2]] == ["markdown", "code"]


@pytest.mark.long
def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    cells = json.loads((DOCS / "tutorials" / "tour.ipynb").read_text(encoding="utf-8"))["cells"]
    printed = run("python", "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code"), tmp_path)
    direct, anchored = (float(found) for found in re.findall(r"([\d.]+) dB against", printed))
    assert anchored > direct + 5, "the anchored truth does not tell the exact truth from a displaced picture"
    assert re.search(r"^ *1 .*Blur image", printed, re.MULTILINE)
