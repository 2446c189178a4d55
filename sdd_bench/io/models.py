"""Validation errors of typed models in words: place, found value, expected value."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from pydantic import ValidationError

from sdd_bench.io.text import SHOWN, short, shown

WORDS = {
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("int_type", "int_from_float", "int_parsing"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "a number"),
    **dict.fromkeys(("string_type", "string_unicode"), "text"),
    **dict.fromkeys(("dict_type", "dataclass_type", "model_type"), "a table"),
    **dict.fromkeys(("list_type", "tuple_type"), "a list"),
    **dict.fromkeys(("literal_error", "enum"), "{expected}"),
    "string_pattern_mismatch": "text that fits {pattern}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
}
"""Expected value by pydantic's error type, where pydantic's own message is unclear."""


def faults_in(
    error: ValidationError, known: Iterable[str] = (), expected: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    """Return one line for every fault that a model reports.

    Args:
        error: Exception raised by the model.
        known: Known keys of a table that allows no others.
        expected: Expected value by place, by the first key of a place, or by pydantic's error type.
    """
    found = []
    for fault in error.errors(include_url=False):
        path = [str(part) for part in fault["loc"] if part != "[key]"]
        where, kind, message = short(".".join(path), 160), fault["type"], fault["msg"]
        words = next((expected[key] for key in (where, *path[:1], kind) if key in expected), "")
        if kind == "missing":
            found.append(f"{where} is missing" + (f", expected {words}" if words else ""))
        elif kind in ("extra_forbidden", "unexpected_keyword_argument"):
            inside = f"{short('.'.join(path[:-1]))}: " if path[1:] else ""
            found.append(inside + unknown_key(path[-1], tuple(known)))
        elif kind == "value_error" and not path:
            found += message.removeprefix("Value error, ").splitlines()
        else:
            if kind != "value_error":
                words = words or WORDS.get(kind, "").format(**fault.get("ctx", {})) or _after_should(message)
                message = f"expected {words}" if words else message
            found.append(f"{where or 'the whole'} = {shown(fault['input'])}: {message.removeprefix('Value error, ')}")
    return found


def _after_should(message: str) -> str:
    """Return the requirement in pydantic's message; empty if it has another form.

    >>> _after_should("String should have at least 1 character")
    'at least 1 character'
    """
    return message.partition(" should ")[2].removeprefix("be ").removeprefix("have ")


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Return the message for an unknown key, with the nearest known key, or all of them.

    >>> unknown_key("licence", ("license", "name")), unknown_key("x", ("license", "name"))
    ("unknown key 'licence', did you mean 'license'?", "unknown key 'x', expected one of license, name")
    """
    near = difflib.get_close_matches(key[:SHOWN], list(known), 1)
    known_words = f", expected one of {', '.join(known)}" if known else ""
    return f"unknown key {shown(key)}" + (f", did you mean {near[0]!r}?" if near else known_words)
