"""Description of a submitted method in meta.toml, as a typed model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from sdd_bench.errors import fault_report
from sdd_bench.evaluation.results import Method
from sdd_bench.io.models import faults_in
from sdd_bench.io.text import is_control, read_toml

MAX_NAME = 100
NEEDS = {"macs_g": ("size",), "runtime_s": ("device", "size")}
"""Numbers that are meaningless without other fields."""


def _line(value: object) -> str:
    """Return a text, or raise ValueError if it has control characters."""
    if not isinstance(value, str):
        raise ValueError("expected one line of text")
    control = next((c for c in value if is_control(c)), None)
    if control is not None:
        raise ValueError(f"control character U+{ord(control):04X}, expected one line of text")
    return value


Line = Annotated[str, StringConstraints(strip_whitespace=True), BeforeValidator(_line)]
Name = Annotated[Line, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME)]
Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Size = Annotated[str, BeforeValidator(_line), StringConstraints(pattern=r"^([1-9][0-9]{0,5}x[1-9][0-9]{0,5})?$")]


class Meta(BaseModel):
    """Content of meta.toml. All keys but the name may be omitted; `profile` measures four of them."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Name = Field(
        description="what the tables call the method; the one key that must be there, at most 100 characters"
    )
    paper: Line = Field("", description="title, DOI or address of the paper")
    code: Line = Field("", description="address of the code")
    licence: Line = Field("", description="licence of code and weights")
    params_m: Number | None = Field(None, description="millions of parameters")
    macs_g: Number | None = Field(
        None, description="billions (1e9) of multiply-accumulate operations for an image of `size`"
    )
    runtime_s: Number | None = Field(None, description="seconds for an image of `size` on `device`")
    device: Line = Field("", description="what runtime_s was measured on")
    size: Size = Field("", description="size of the image that macs_g and runtime_s are for, as 1280x720")
    training_data: Line = Field("", description="what the method was trained on")
    extra_data: Line = Field("", description="what of that is not the dataset's own training split")
    selection_on_test: Literal["yes", "no", "unknown"] = Field(
        "unknown", description="whether test images chose a checkpoint or a setting; unknown if left out"
    )

    def method(self) -> Method:
        """Return the method."""
        return Method(**self.model_dump())


KEYS = {key: str(field.description) for key, field in Meta.model_fields.items()}
"""Description of each key."""

EXPECTED = {
    "name": f"what the tables call the method, 1 to {MAX_NAME} characters",
    **dict.fromkeys(("params_m", "macs_g", "runtime_s"), "a number, at least 0"),
    "size": "WIDTHxHEIGHT in pixels, as 1280x720",
    "selection_on_test": "yes, no or unknown, in quotes",
}
"""Expected values in error messages, where the model's own message is unclear."""


def read_meta(path: Path) -> Method:
    """Return the method that a TOML file describes; `KEYS` lists its keys.

    Raises:
        UserError: The file is not TOML; or it has unknown keys, wrong types, no name, negative numbers, control
            characters, or a number without the device or size that it refers to. All faults are reported together, each
            with the expected value.
    """
    values = read_toml(path, controls=True)
    faults, meta = [], None
    try:
        meta = Meta.model_validate(values)
    except ValidationError as error:
        faults = faults_in(error, KEYS, EXPECTED)
    for key, needed in NEEDS.items():
        faults += [f"{key} without {n}: expected {KEYS[n]}" for n in needed if key in values and not values.get(n)]
    if faults or meta is None:
        raise fault_report(faults, str(path))
    return meta.method()
