"""Write the table of metrics in docs/reference/protocols.md from the table in the code."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

PAGE = Path(__file__).parent / "protocols.md"
HEAD = "| `--metrics` | column | better | range | looks at | weights | from | notes |"
AREAS = {"mask": "pixels that count", "box": "their bounding box", "frame": "whole prediction, no truth"}


def table() -> str:
    """Return the table, with one row per metric of this project."""
    from sdd_bench.metrics.table import OPTIONAL, STANDARD

    lines = [HEAD, "|---|---|---|---|---|---|---|---|"]
    for name, metric in {**STANDARD, **OPTIONAL}.items():
        better = {True: "higher", False: "lower", None: "-"}[metric.higher_is_better]
        files = [f"`{file.name}`" for file in metric.weights.files] if metric.weights else []
        if name == "lpips":
            files = ["AlexNet or SqueezeNet"]
        option = f"`{metric.option}`" + ("" if metric.by_default else ", optional")
        cells = (
            option, f"`{name}`", better, _range(metric.lowest, metric.highest), AREAS[metric.area],
            ", ".join(files) or "none", metric.reference or "-", metric.note,
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _range(low: float, high: float) -> str:
    if low <= -1e3:
        return "a number"
    return f"{low:g} and more" if high >= 1e6 or math.isinf(high) else f"{low:g} to {high:g}"


if __name__ == "__main__":
    if "--print" in sys.argv:
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
        sys.stdout.write(table())
    else:
        text = PAGE.read_text(encoding="utf-8")
        found = re.sub(rf"{re.escape(HEAD)}\n(\|.*\n)+", lambda _: table(), text)
        PAGE.write_text(found, encoding="utf-8")
