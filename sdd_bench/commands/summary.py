"""Summary of an evaluation: lines for a terminal, and a mapping for scripts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

from sdd_bench.commands.script_output import warn

if TYPE_CHECKING:
    from sdd_bench.evaluation.results import Results


def summary_text(results: Results) -> str:
    """Return the means, worst and best values, flags and remarks of a run as lines for a terminal."""
    from sdd_bench.metrics.table import METRICS, measured_columns

    dataset, rows = results.dataset, results.ranked_rows
    lines = [
        f"{results.method.name} on {dataset['name']} / {dataset['split']} under {results.protocol['id']}, "
        f"{len(results.images)} of {dataset['n_images']} images" + (" (partial)" if results.missing else "")
    ]
    summary = results.summary
    means = {str(name): value for name, value in summary.items() if not math.isnan(value)}
    shown = [name for name in means if not name.startswith("blur_")]
    width = max([15, *(len(name) + 1 for name in shown)])
    lines.append(f"{'':{width}}{'mean':>10}{'worst':>10}{'best':>10}")
    for metric in shown:
        value, worst, best = means[metric], rows[metric].min(), rows[metric].max()
        if not (METRICS[metric].higher_is_better if metric in METRICS else _more_is_better(metric)):
            worst, best = best, worst
        digits = 2 if metric.endswith("_db") else 4
        own = summary.get(f"blur_{metric}", math.nan)
        beside = "" if math.isnan(own) else f"   blur image {own:.{digits}f}"
        known = rows[metric].notna().sum()
        beside += f"   of {known} images" if known < len(rows) else ""
        lines.append(f"{metric:{width}}" + "".join(f"{v:>10.{digits}f}" for v in (value, worst, best)) + beside)
    if len(lines) == 2:
        lines[1] = (
            f"not measured: {', '.join(measured_columns(map(str, rows)))}"
            if len(rows)
            else "no image is ranked, so there is no mean"
        )
    lines += [f"flagged: {reason}" for reason in results.flags]
    lines += [f"note: {remark}" for remark in results.remarks]
    single = sum(bool(row.get("flags")) for row in results.images)
    if single:
        name, reasons = next((row["name"], row["flags"]) for row in results.images if row.get("flags"))
        why = f"{name}: {cast(list[str], reasons)[0]}"
        lines.append(f"{single} of {len(results.images)} images flagged (column flags of the CSV), {why}")
    unranked = dataset.get("unranked") or {}
    if unranked:
        reasons = ", ".join(f"{name} ({reason})" for name, reason in unranked.items())
        lines.append(f"{len(unranked)} of {len(results.images)} images scored but not ranked: {reasons}")
    if dataset["excluded"]:
        lines.append(f"left out because they could not be anchored: {', '.join(dataset['excluded'])}")
    return "\n".join(lines)


def summary_of(results: Results) -> dict[str, object]:
    """Return the content of `summary_text` as a mapping for scripts."""
    dataset = results.dataset
    return {
        "method": results.method.name,
        "dataset": dataset["name"],
        "split": dataset["split"],
        "protocol": results.protocol["id"],
        "status": results.status,
        "images": len(results.images),
        "missing": list(results.missing),
        "unranked": dict(dataset.get("unranked") or {}),
        "excluded": list(dataset["excluded"]),
        "means": {str(name): float(value) for name, value in results.summary.items()},
        "flags": list(results.flags),
        "remarks": list(results.remarks),
        "not_measured": dict(results.why_empty),
    }


def _more_is_better(column: str) -> bool:
    return column in ("coverage", "ceiling_db", "no_harm_db") or column.startswith("psnr_")


def matching_text(results: Results) -> str:
    """Return the rule that matched predictions to images, and remarks on their content."""
    matching = results.configuration["matching"]
    notes = [*matching["remarks"], *(f"predictions, {note}" for note in results.predictions.get("notes", ()))]
    return "\n".join([f"predictions: {matching['words']}", *(f"note: {note}" for note in notes)])


def warn_of_empty_lpips(results: Results) -> None:
    """Warn that LPIPS was requested but not measured, and say where its weights go."""
    from sdd_bench.evaluation.plan import NOT_ASKED

    why = results.why_empty.get("lpips", NOT_ASKED)
    if why != NOT_ASKED:
        warn(
            f"LPIPS was not measured: {why}. Give the weights with --lpips-trunk FILE or "
            "SDD_BENCH_LPIPS_TRUNK; 'sdd-bench doctor' names the file."
        )
