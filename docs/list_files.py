"""Print the page that lists every file of the four packages with the first sentence of its docstring."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("sdd_bench", "capture", "leaderboard", "jdrl_baseline")
HEAD = """# Every file

Generated from the docstrings. The page on [architecture](../explanation/architecture.md) says how they fit together.
"""


def subject(path: Path) -> str:
    """Return the first sentence of a file's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).removesuffix(".")


def page() -> str:
    """Return the page."""
    lines = [HEAD]
    for folder in sorted({path.parent for package in PACKAGES for path in (ROOT / package).rglob("*.py")}):
        files = sorted(path for path in folder.glob("*.py"))
        lines.append(f"## {folder.relative_to(ROOT).as_posix()}/\n")
        about = [subject(path) for path in files if path.stem == "__init__"]
        lines += [f"{text}.\n" for text in about if text]
        rows = [f"| `{path.name}` | {subject(path)} |" for path in files if path.stem != "__init__"]
        lines += ["| file | what |", "|---|---|", *rows, ""] if rows else []
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(page())
