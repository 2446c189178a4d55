"""meta.toml: what a submission says of its method, checked key by key."""

from __future__ import annotations

import difflib
import math
import re
from pathlib import Path
from typing import Any

from sdd_bench.errors import fault_report
from sdd_bench.evaluation.results import Method
from sdd_bench.io.text import is_control, read_toml, shown

TEXT, NUMBER, SIZE, CHOICE = "one line of text", "a number, at least 0", "WIDTHxHEIGHT in pixels", "yes, no or unknown"

KEYS: dict[str, tuple[str, str]] = {
    "name": (TEXT, "what the tables call the method; the one key that must be there, at most 100 characters"),
    "paper": (TEXT, "title, DOI or address of the paper"),
    "code": (TEXT, "address of the code"),
    "licence": (TEXT, "of code and weights"),
    "params_m": (NUMBER, "millions of parameters"),
    "macs_g": (NUMBER, "billions (1e9) of multiply-accumulate operations for an image of `size`"),
    "runtime_s": (NUMBER, "seconds for an image of `size` on `device`"),
    "device": (TEXT, "what runtime_s was measured on"),
    "size": (SIZE, "of the image that macs_g and runtime_s are for, as 1280x720"),
    "training_data": (TEXT, "what the method was trained on"),
    "extra_data": (TEXT, "what of that is not the dataset's own training split"),
    "selection_on_test": (CHOICE, "whether test images chose a checkpoint or a setting; unknown if left out"),
}
"""Key to what is expected and what it says. All but the name may be left out; `profile` measures four of them."""

MAX_NAME = 100
NEEDS = {"macs_g": ("size",), "runtime_s": ("device", "size")}
"""Numbers that mean nothing without others."""


def read_meta(path: Path) -> Method:
    """Return the method that a TOML file describes; `KEYS` says what may stand in it.

    Raises:
        UserError: Not TOML; or unknown keys, wrong types, no name, negative numbers, control characters, a number
            without the device or size that it is for: all faults together, each with what was expected.
    """
    values = read_toml(path, controls=True)
    faults = [fault for key, value in values.items() if (fault := _fault(key, value))]
    if "name" not in values:
        faults.insert(0, f"name is missing: expected {KEYS['name'][1]}")
    for key, needed in NEEDS.items():
        if key in values:
            faults += [f"{key} without {other}: expected {KEYS[other][1]}" for other in needed if not values.get(other)]
    if faults:
        raise fault_report(faults, str(path))
    plain: dict[str, Any] = {key: v.strip() if isinstance(v, str) else float(v) for key, v in values.items()}
    return Method(**plain)


def _fault(key: str, value: Any) -> str | None:
    """Return what is wrong with a key and its value, None if nothing is."""
    if key not in KEYS:
        near = difflib.get_close_matches(key, KEYS, 1)
        expected = f"did you mean {near[0]!r}?" if near else f"expected some of {', '.join(KEYS)}"
        return f"unknown key {shown(key)}, {expected}"
    kind, _ = KEYS[key]
    found = f"{key} = {shown(value)}"
    if kind == NUMBER:
        return None if _is_number(value) else f"{found}: expected {kind}"
    if not isinstance(value, str):
        return f"{found}: expected {kind}"
    control = next((c for c in value if is_control(c)), None)
    if control is not None:
        return f"{found}: control character U+{ord(control):04X}, expected {TEXT}"
    if key == "name" and not 1 <= len(value.strip()) <= MAX_NAME:
        return f"{found}: expected 1 to {MAX_NAME} characters"
    if kind == SIZE and not re.fullmatch(r"([1-9][0-9]{0,5}x[1-9][0-9]{0,5})?", value):
        return f"{found}: expected {SIZE}, as 1280x720"
    if kind == CHOICE and value not in ("yes", "no", "unknown"):
        return f"{found}: expected {CHOICE}, in quotes"
    return None


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value) and value >= 0
    except OverflowError:
        return False
