"""Tables of the fields of typed models, for the pages on file formats and on training settings.

Name, type, default and meaning of each field are read from the source. The meaning is the comment on the field's line,
its description for pydantic, or its entry in the docstring's attributes.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
MODEL = re.compile(r"^::: ([\w.]+)$", re.MULTILINE)
KINDS = {
    "str": "text", "Line": "text", "Name": "text", "int": "whole number", "Count": "whole number", "None": "empty",
    "Natural": "whole number", "float": "number", "Number": "number", "Amount": "number or empty", "Positive": "number",
    "NotNegative": "number", "AtLeast0": "number from 0", "AtLeast1": "number from 1", "TextTable": "table of texts",
    "Texts": "list of texts", "Digest": "SHA-256", "Reaches": "list of whole numbers",
    "Counts": "list of whole numbers", "Align": "`none`, `anchor` or `flow`", "Levels": "list of whole numbers",
    "Size": "WIDTHxHEIGHT",
    "bool": "true or false", "dict": "table", "list": "list", "tuple": "list",
}  # fmt: skip
"""Type names in the code to the words in the tables."""

SETTINGS = """# Training settings

Presets and `--set KEY=VALUE` change these keys; `config.json` of a run and every checkpoint record all of them. The
pages on [JDRL](../explanation/jdrl.md) and on [learnable blur kernels and DefocusGAN](../explanation/defocusgan.md)
explain the choices behind the defaults. An unknown key or a wrong type stops before any work starts. `LoopSettings` are
those of every method, with the defaults of JDRL; `Config` and `DeblurringSize` are JDRL's own.

::: jdrl_baseline.loop_settings.LoopSettings
::: jdrl_baseline.networks.deblurring.DeblurringSize
::: jdrl_baseline.config.Config
::: jdrl_baseline.lbk_config.LbkConfig
::: jdrl_baseline.defocusgan_config.DefocusGanConfig
"""


def with_tables(markdown: str) -> str:
    """Return a page in which each line `::: package.module.Model` is replaced by the table of that model's fields."""
    return MODEL.sub(lambda found: section(found[1]), markdown)


def settings_page() -> str:
    """Return the page of all training settings."""
    return with_tables(SETTINGS)


def section(name: str) -> str:
    """Return the heading, the summary and the table of a model."""
    module, _, model = name.rpartition(".")
    path = ROOT / f"{module.replace('.', '/')}.py"
    text = path.read_text(encoding="utf-8")
    classes = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
    summary = (ast.get_docstring(classes[model]) or "").split("\n\n")[0].replace("\n", " ")
    bases = [base.id for base in classes[model].bases if isinstance(base, ast.Name) and base.id in classes]
    rows = [row for one in (*bases, model) for row in fields(classes[one], text.splitlines())]
    head = "| key | type | default | meaning |\n|---|---|---|---|\n"
    return f"### {model}\n\n{summary}\n\n{head}" + "\n".join(rows) + "\n"


def fields(model: ast.ClassDef, lines: list[str]) -> list[str]:
    """Return a row for each field of a model."""
    about = ast.get_docstring(model) or ""
    made = []
    for field in model.body:
        if not isinstance(field, ast.AnnAssign) or field.end_lineno is None:
            continue
        if ast.unparse(field.annotation).startswith("ClassVar"):
            continue
        key, value = ast.unparse(field.target), field.value
        told = re.search(rf"^    {key}: (.*(?:\n {{8}}.*)*)", about, re.MULTILINE)
        meaning = lines[field.end_lineno - 1].partition("  # ")[2] or (" ".join(told[1].split()) if told else "")
        if isinstance(value, ast.Call) and ast.unparse(value.func) == "Field":
            given = {word.arg: word.value for word in value.keywords}
            meaning = ast.literal_eval(given["description"]) if "description" in given else meaning
            key = ast.literal_eval(given["alias"]) if "alias" in given else key
            value = value.args[0] if value.args else None
        made.append(f"| `{key}` | {kind(field.annotation)} | {default(value)} | {meaning} |".replace("`|`", "`or`"))
    return made


def default(value: ast.expr | None) -> str:
    """Return a default in words; a field without one is required."""
    if value is None or ast.unparse(value) == "...":
        return "required"
    text = ast.unparse(value)
    return "empty" if text in ("''", "None", "()") or "default_factory" in text else f"`{text}`"


def kind(annotation: ast.expr) -> str:
    """Return a type in words, such as `text`, or the values that are allowed."""
    if isinstance(annotation, ast.BinOp):
        return f"{kind(annotation.left)} or {kind(annotation.right)}"
    if isinstance(annotation, ast.Subscript):
        name, inner = ast.unparse(annotation.value), annotation.slice
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if name == "Literal":
            return ", ".join(f"`{ast.unparse(part)}`" for part in parts)
        return kind(parts[0]) if name in ("Annotated", "Required", "NotRequired") else KINDS.get(name, name)
    return KINDS.get(ast.unparse(annotation), f"`{ast.unparse(annotation)}`")
