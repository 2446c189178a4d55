"""Content of competition.yaml, and the pages of a competition.

Reference: https://docs.codabench.org, "Yaml Structure" and "Competition Bundle Structure".
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from string import Template

import numpy as np
from numpy.typing import NDArray

from leaderboard.codabench.benchmark import Benchmark
from leaderboard.codabench.scoring import FLAGGED
from leaderboard.columns import HIGHER_IS_BETTER
from sdd_bench.evaluation.results import Results
from sdd_bench.metrics.table import METRICS
from sdd_bench.version import __version__

LOGO, REFERENCE, PROGRAM = "logo.png", "reference_data", "scoring_program"
COMMAND = "python3 /app/program/score.py /app/input /app/output"
PAGES = {"Overview": "overview.md", "Evaluation": "evaluation.md", "Submit": "submit.md"}
TERMS = "terms.md"

OTHER_COLUMNS = {"n_images": "images", FLAGGED: "flagged"}
"""Headings of the columns that are not metrics."""

LOGO_PX = 192


@dataclass(frozen=True)
class Competition:
    """Choices of the organiser.

    Attributes:
        title: Title of the competition.
        docker_image: Name of a Docker image with sdd-bench installed, in which submissions are scored.
        start: First day for submissions, as YYYY-MM-DD.
        end: Last day for submissions, as YYYY-MM-DD; empty for no end.
        submissions_per_day: Maximum number of submissions per participant and day.
        time_limit_s: Time limit for scoring a submission, in seconds.
    """

    title: str
    docker_image: str
    start: str
    end: str = ""
    submissions_per_day: int = 2
    time_limit_s: int = 3600


def competition_yaml(competition: Competition, benchmark: Benchmark, blur: Results) -> dict[str, object]:
    """Return the content of competition.yaml.

    Args:
        competition: Choices of the organiser.
        benchmark: Configuration of the scoring.
        blur: Results of the blur images as predictions, which the text quotes.
    """
    what = f"{blur.dataset['name']} {benchmark.split} under {benchmark.protocol}"
    phase = {
        "index": 0,
        "name": "Test",
        "description": f"Restored images of {what}.",
        "start": f"{competition.start} 00:00:00",
        **({"end": f"{competition.end} 00:00:00"} if competition.end else {}),
        "max_submissions_per_day": competition.submissions_per_day,
        "execution_time_limit": competition.time_limit_s,
        "accepts_only_result_submissions": True,
        "tasks": [0],
    }
    task = {
        "index": 0,
        "name": what,
        "description": "; ".join(f"{key} {value}" for key, value in benchmark.digests.items()),
        "reference_data": REFERENCE,
        "scoring_program": PROGRAM,
    }
    return {
        "version": 2,
        "title": competition.title,
        "description": f"Defocus deblurring: {what}, scored by sdd-bench {__version__}.",
        "image": LOGO,
        "terms": f"pages/{TERMS}",
        "docker_image": competition.docker_image,
        "registration_auto_approve": False,
        "make_programs_available": True,
        "make_input_data_available": False,
        "enable_detailed_results": True,
        "pages": [{"title": title, "file": f"pages/{file}"} for title, file in PAGES.items()],
        "tasks": [task],
        "phases": [phase],
        "leaderboards": [
            {"title": what, "key": "main", "submission_rule": "Force_Last", "columns": _columns(benchmark.columns)}
        ],
    }


def pages(benchmark: Benchmark, blur: Results) -> dict[str, str]:
    """Return the texts of the pages by file name, including the terms."""
    digests = "\n".join(f"- {key}: `{value}`" for key, value in benchmark.digests.items())
    measured = {METRICS[name]: blur.summary[name] for name in benchmark.columns if name in METRICS}
    scores = "\n".join(f"- {metric.heading}: {mean:.{metric.decimals}f}" for metric, mean in measured.items())
    words = {
        "dataset": blur.dataset["name"],
        "split": benchmark.split,
        "protocol": benchmark.protocol,
        "images": str(len(blur.images)),
        "bits": str(benchmark.score_bits),
        "digests": digests,
        "blur_scores": scores,
        "version": __version__,
    }
    folder = resources.files("leaderboard") / "codabench" / "pages"
    return {
        file: Template((folder / file).read_text(encoding="utf-8")).substitute(words)
        for file in (*PAGES.values(), TERMS)
    }


def logo() -> NDArray[np.uint8]:
    """Return the logo of a competition: a bright disk, sharp on the left and out of focus on the right."""
    y, x = np.mgrid[:LOGO_PX, :LOGO_PX] / (LOGO_PX - 1) * 2 - 1
    softness = np.where(x < 0, 0.01, 0.01 + 0.3 * x)
    level = np.clip(0.5 + (0.6 - np.hypot(x, y)) / softness, 0, 1)[..., None]
    dark, bright = np.array([18.0, 32.0, 58.0]), np.array([245.0, 214.0, 120.0])
    return np.rint(dark + (bright - dark) * level).astype(np.uint8)


def _columns(names: list[str]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for index, name in enumerate(names):
        metric = METRICS.get(name)
        heading = OTHER_COLUMNS[name] if metric is None else metric.heading
        up = HIGHER_IS_BETTER.get(name, name == "n_images")
        digits = 0 if metric is None else metric.decimals
        column = {"title": heading, "key": name, "index": index, "sorting": "desc" if up else "asc"}
        found.append({**column, "precision": digits, "hidden": False})
    return found
