"""Refusals of typed models in words: where a fault is, what was found there and what was expected."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from pydantic import BaseModel, ValidationError

from sdd_bench.io.text import short, shown


def faults_in(error: ValidationError, model: type[BaseModel], expected: Mapping[str, str] | None = None) -> list[str]:
    """Return one line for every fault that a model found.

    Args:
        error: What the model raised.
        model: The model, for the keys that it knows.
        expected: Place or first key of places to what is expected there, where pydantic's words do not say it.
    """
    found = []
    for fault in error.errors(include_url=False, include_context=False):
        path = [str(part) for part in fault["loc"] if part != "[key]"]
        where, words = short(".".join(path), 160), fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "missing":
            field = model.model_fields.get(where)
            found.append(
                f"{where} is missing" + (f": expected {field.description}" if field and field.description else "")
            )
        elif fault["type"] == "extra_forbidden":
            near = difflib.get_close_matches(path[-1], model.model_fields, 1)
            known = f"did you mean {near[0]!r}?" if near else f"expected some of {', '.join(model.model_fields)}"
            found.append(f"unknown key {shown(path[-1])}, {known}")
        elif not path:
            found.append(words)
        else:
            if expected and fault["type"] != "value_error":
                words = expected.get(where) or expected.get(path[0]) or words
            words = re.sub(r"^(\w+ should (be |have )?)", "expected ", words)
            found.append(f"{where} = {shown(fault['input'])}: {words}")
    return found
