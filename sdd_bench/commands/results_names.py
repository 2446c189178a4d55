"""Names of results files, unique for results that may not share a table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sdd_bench.io.names import file_name

if TYPE_CHECKING:
    from sdd_bench.evaluation.evaluate import Evaluation


def results_name(evaluation: Evaluation, protocol: str) -> str:
    """Return the name of a results file; other datasets, splits and protocols have other names."""
    from sdd_bench.evaluation.protocol import named_protocol

    parts = [evaluation.method.name, f"{evaluation.dataset.name}-{evaluation.split}", protocol.replace("/", "-")]
    if evaluation.flow != "dis" and named_protocol(protocol).uses_flow:
        parts[-1] += "-" + evaluation.flow.removeprefix("ptlflow:").partition("=")[0]
    if evaluation.crop_multiple is not None:
        parts[-1] += f"-crop{evaluation.crop_multiple}"
    if evaluation.ways.pred_crop:
        parts[-1] += f"-pred-{evaluation.ways.pred_crop}"
    if evaluation.lpips_net != "alex":
        parts[-1] += f"-{evaluation.lpips_net}"
    if evaluation.score_bits != 8:
        parts[-1] += f"-score{evaluation.score_bits}bits"
    return file_name(f"{'.'.join(map(_slug, parts))}.json")


def _slug(name: str) -> str:
    """Return a name as a file name: letters, digits, dot, dash, plus and underscore."""
    return re.sub(r"[^\w.+-]+", "-", name).strip("-.") or "method"
