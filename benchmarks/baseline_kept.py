"""Predictions and scores of the table of baselines, kept as long as what they were made with is the same."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from command_line import call

import sdd_bench as sb
from jdrl_baseline import classical
from jdrl_baseline.baselines import WITHOUT_WEIGHTS, Options, trained_weights
from sdd_bench.io.files import file_sha256, write_text
from sdd_bench.io.images import list_images
from sdd_bench.io.serialise import json_text

CLASSICAL = Path(classical.__file__).parent
"""What the baselines without weights are written in; their kept predictions are those of these files."""


@dataclass(frozen=True)
class Made:
    """How a baseline's predictions of a folder were made.

    Attributes:
        by: Digest of its weights, or of its settings and code.
        images: Digest of the blur images.
        seconds: Processor seconds an image, start of the program included; None where it was not finished in time.
    """

    by: str
    images: str
    seconds: float | None


def digest_of(baseline: str) -> str:
    """Return the digest of what makes a baseline's predictions what they are.

    Args:
        baseline: Its name, or NAME=CHECKPOINT.
    """
    name, _, checkpoint = baseline.partition("=")
    if checkpoint or name not in WITHOUT_WEIGHTS:
        return file_sha256(Path(checkpoint) if checkpoint else trained_weights(name))
    settings = json.dumps(WITHOUT_WEIGHTS[name](name, Options()).settings(), sort_keys=True)
    code = [file_sha256(path) for path in sorted(CLASSICAL.glob("*.py"))]
    return _digest([settings, *code])


def predict(baseline: str, blurs: Path, out: Path, most_s: float | None = None) -> Made:
    """Restore the images of a folder, unless it was done with the same weights, settings and code.

    Args:
        baseline: Its name, or NAME=CHECKPOINT.
        blurs: Folder of the images.
        out: Folder of the predictions; OUT.json beside it says how they were made.
        most_s: Longest time; a later call with more time goes on where this one stopped.
    """
    name, _, checkpoint = baseline.partition("=")
    images, record = list_images(blurs), out.with_suffix(".json")
    wanted = Made(digest_of(baseline), _digest([file_sha256(path) for path in images]), None)
    known = Made(**json.loads(record.read_text(encoding="utf-8"))) if record.is_file() else None
    if known is None or (known.by, known.images) != (wanted.by, wanted.images):
        shutil.rmtree(out, ignore_errors=True)
    elif known.seconds is not None and len(list_images(out)) == len(images):
        return known
    write_text(record, json_text(asdict(wanted)))
    fresh = not out.is_dir()
    chosen = ("--checkpoint", checkpoint) if checkpoint else ("--baseline", name)
    seconds = call("predict", *chosen, "--images", blurs, "--out", out, most_s=most_s)
    made = Made(wanted.by, wanted.images, None if seconds is None or not fresh else seconds / len(images))
    write_text(record, json_text(asdict(made)))
    return made


def score(dataset: sb.Dataset, predictions: Path, protocol: str, name: str, anchors: Path) -> sb.Results:
    """Return what a baseline scores under a protocol, from an earlier run where the predictions are the same."""
    made = _digest([file_sha256(path) for path in list_images(predictions)])
    kept = predictions.with_name(f"{predictions.name}.{protocol.replace('/', '-')}.{made[:16]}.json")
    if kept.is_file():
        return sb.load_results(kept)
    scored = sb.evaluate(
        predictions, dataset, protocol=protocol, method=name, diagnostics=False, metrics=("psnr", "ssim"),
        exclude_failed=True, anchors=anchors,
    )  # fmt: skip
    scored.save(kept)
    return scored


def _digest(values: list[str]) -> str:
    return hashlib.sha256("\n".join(values).encode()).hexdigest()
