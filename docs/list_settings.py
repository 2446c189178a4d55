"""Print the page of all training settings: key, type, default and meaning, from the typed model and its comments."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent / "jdrl_baseline"
MODELS = (("networks/deblurring.py", "DeblurringSize"), ("config.py", "Config"))
KINDS = {"Count": "int", "Natural": "int", "Positive": "float", "NotNegative": "float", "Levels": "list of int"}
HEAD = """# Training settings

Presets and `--set KEY=VALUE` change these keys; `config.json` of a run and every checkpoint record all of them. The
page on [JDRL](../explanation/jdrl.md) explains the choices behind the defaults. An unknown key or a wrong type stops
before any work starts.

| key | type | default | meaning |
|---|---|---|---|
"""


def rows(path: Path, model: str) -> list[str]:
    """Return a row for each field of a model; its comment, else the model's docstring, says what it means."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    (found,) = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and node.name == model]
    about = ast.get_docstring(found) or ""
    made = []
    for field in found.body:
        if isinstance(field, ast.AnnAssign) and field.value is not None and field.end_lineno:
            key = ast.unparse(field.target)
            told = re.search(rf"^    {key}: (.*(?:\n {{8}}.*)*)", about, re.MULTILINE)
            meaning = lines[field.end_lineno - 1].partition("  # ")[2] or (" ".join(told[1].split()) if told else "")
            made.append(f"| `{key}` | {kind(field.annotation)} | `{ast.unparse(field.value)}` | {meaning} |")
    return made


def kind(annotation: ast.expr) -> str:
    """Return a type in words: the values that are allowed, or `int`, `float`, `bool`, `str`."""
    text = ast.unparse(annotation)
    if text.startswith("Literal["):
        return ", ".join(f"`{value}`" for value in ast.literal_eval(f"({text[8:-1]},)"))
    return KINDS.get(text, text.removeprefix("Annotated[").partition(",")[0])


def page() -> str:
    """Return the page."""
    return HEAD + "\n".join(row for name, model in MODELS for row in rows(ROOT / name, model)) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
