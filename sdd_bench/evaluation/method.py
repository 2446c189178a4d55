"""Description of the method that made the predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import ConfigDict, Field

from sdd_bench.evaluation.rows import Line
from sdd_bench.io.text import shown

Amount = Annotated[float | None, Field(strict=True, ge=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Method:
    """Method that made the predictions; only the name is required.

    Attributes:
        name: Name in the tables.
        paper: Reference or address of the paper.
        code: Address of the code.
        params_m: Millions of parameters.
        macs_g: Billions (1e9) of multiply-accumulate operations for an image of `size`.
        runtime_s: Seconds for an image of `size` on `device`.
        training_data: Data that it was trained on.
        selection_on_test: Whether test images influenced the choice of checkpoint or settings: yes, no or unknown.
        licence: Licence of code and weights.
        device: Device on which `runtime_s` was measured.
        size: WIDTHxHEIGHT to which `runtime_s` and `macs_g` refer.
        extra_data: Training data besides the dataset's own training split.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: Line
    paper: Line = ""
    code: Line = ""
    params_m: Amount = None
    macs_g: Amount = None
    runtime_s: Amount = None
    training_data: Line = ""
    selection_on_test: Line = "unknown"
    licence: Line = ""
    device: Line = ""
    size: Line = ""
    extra_data: Line = ""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("a method needs a name")
        if self.selection_on_test not in ("yes", "no", "unknown"):
            raise ValueError(f"selection_on_test must be yes, no or unknown, not {shown(self.selection_on_test)}")
