"""The predictions of a split: which file of a folder is whose, or what a function makes of the blur images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError, fault_report
from sdd_bench.io.headers import ImageHeader, headers_or_faults
from sdd_bench.io.images import IMAGE_SUFFIXES, OVERSHOOT, list_images, read_image, to_pixels, write_png
from sdd_bench.io.names import stem_of

Restore = Callable[[NDArray[np.float32]], NDArray[np.floating]]
"""A blur image to a restored one, both (H, W, 3) in [0, 1]."""


def match_predictions(
    folder: Path,
    pairs: Sequence[Pair],
    *,
    pattern: str = "{name}",
    by_order: bool = False,
    allow_missing: bool = False,
) -> dict[str, Path]:
    """Return the prediction of each pair's name.

    Args:
        folder: PNG, TIFF or JPEG files of any bit depth, directly in it.
        pairs: The split that is scored.
        pattern: What the files are called; `{name}` stands for the pair's name, a suffix of the image kind is
            ignored: `{name}_restored.png`, `out_{name}`.
        by_order: Match the sorted files to the sorted names instead; the counts must be equal.
        allow_missing: Leave out pairs without a prediction instead of refusing.

    Raises:
        UserError: Missing, extra or doubly present predictions (all named), a pattern without `{name}`.
    """
    files = list_images(folder)
    names = sorted(p.name for p in pairs)
    if not files:
        raise UserError(f"{folder}: no PNG, TIFF or JPEG files, expected {len(names)} predictions")
    if by_order:
        if len(files) != len(names):
            raise UserError(f"{folder}: {len(files)} files for {len(names)} images; --by-order needs equal counts")
        return dict(zip(names, files, strict=True))
    if pattern.count("{name}") != 1:
        raise UserError(f"--pred-pattern {pattern!r}: expected '{{name}}' in it exactly once")
    before, after = _stem(pattern).split("{name}")
    found: dict[str, list[Path]] = defaultdict(list)
    faults = []
    for file in files:
        stem = stem_of(file)
        fits = stem.startswith(before) and stem.endswith(after) and len(stem) > len(before) + len(after)
        name = stem[len(before) : len(stem) - len(after)] if fits else None
        if name is None:
            faults.append(f"{file.name}: does not look like {pattern}")
        else:
            found[name].append(file)
    wanted = set(names)
    faults += [
        f"{', '.join(f.name for f in fs)}: {len(fs)} predictions for {n}" for n, fs in found.items() if len(fs) > 1
    ]
    faults += [f"{found[n][0].name}: no such image in the split" for n in sorted(set(found) - wanted)]
    missing = sorted(wanted - set(found))
    if missing and not allow_missing:
        faults += [f"{name}: no prediction" for name in missing]
    if faults:
        hint = " (--allow-missing scores what is there)" if missing and not allow_missing else ""
        raise fault_report(faults, f"{folder}{hint}")
    if len(missing) == len(names):
        raise UserError(f"{folder}: not one prediction for {len(names)} images")
    return {name: found[name][0] for name in names if name in found}


def restore_pairs(
    restore: Restore, pairs: Sequence[Pair], folder: Path, *, bits: int = 8, grey: str = "refuse"
) -> dict[str, Path]:
    """Restore each pair's blur image and write it as a PNG; return the file of each pair's name.

    Args:
        restore: The blur image, (H, W, 3) float32 in [0, 1], to the restored one of the same shape, floating point in
            [0, 1]; values outside by up to `OVERSHOOT` are clipped.
        pairs: The pairs.
        folder: Where the PNGs are written.
        bits: 8 or 16, to which values are rounded.
        grey: `refuse` or `expand`, for the blur images.

    Raises:
        ValueError: A result of another shape or type, with NaN, or with values out of range; the pair is named.
        UserError: A blur image cannot be read, or a PNG cannot be written.
    """
    files = {}
    for number, pair in enumerate(pairs):
        blur = read_image(pair.blur, grey=grey)
        try:
            restored = np.asarray(restore(blur.copy()))
        except ValueError as error:
            raise ValueError(f"{pair.name}: {error}") from error
        if restored.shape != blur.shape or not np.issubdtype(restored.dtype, np.floating):
            found = f"{restored.dtype} of shape {restored.shape}"
            raise ValueError(f"{pair.name}: restored image is {found}, expected floating point of shape {blur.shape}")
        low, high = float(restored.min()), float(restored.max())
        if not (low >= -OVERSHOOT and high <= 1 + OVERSHOOT):  # false for NaN as well
            raise ValueError(f"{pair.name}: restored image has values from {low:.4g} to {high:.4g}, expected [0, 1]")
        files[pair.name] = folder / f"{number}.png"
        write_png(files[pair.name], to_pixels(restored, bits))
    return files


def check_sizes(predictions: dict[str, Path], pairs: Sequence[Pair], crop_multiple: int) -> None:
    """Refuse predictions that are neither of the sharp image's size nor of its cropped size.

    Args:
        predictions: Name to file.
        pairs: The split.
        crop_multiple: As in the protocol.

    Raises:
        UserError: Wrong sizes or unreadable headers, all named.
    """
    wanted = [(pair.name, predictions[pair.name], pair.sharp) for pair in pairs if pair.name in predictions]
    headers = headers_or_faults(path for _, prediction, truth in wanted for path in (prediction, truth))
    faults = []
    for name, prediction, truth in wanted:
        found, sharp = headers[prediction], headers[truth]
        if isinstance(found, str) or isinstance(sharp, str):
            faults += [fault for fault in (found, sharp) if isinstance(fault, str) and fault not in faults]
            continue
        whole = (sharp.width, sharp.height)
        cropped = (sharp.width // crop_multiple * crop_multiple, sharp.height // crop_multiple * crop_multiple)
        if (found.width, found.height) not in (whole, cropped):
            expected = f"{sharp.width}x{sharp.height}" + (f" or {cropped[0]}x{cropped[1]}" if cropped != whole else "")
            faults.append(
                f"{name}: prediction is {found.width}x{found.height}, expected {expected}" + _crop_hint(found, sharp)
            )
    if faults:
        raise fault_report(faults, "predictions")


def _crop_hint(found: ImageHeader, sharp: ImageHeader) -> str:
    def cropped(multiple: int) -> tuple[int, int]:
        return sharp.width // multiple * multiple, sharp.height // multiple * multiple

    fitting = [str(m) for m in (8, 16, 32) if (found.width, found.height) == cropped(m)]
    return f" (cropped to multiples? --crop-multiple {' or '.join(fitting)})" if fitting else ""


def _stem(pattern: str) -> str:
    """Return a pattern without an image suffix."""
    suffix = Path(pattern).suffix
    return pattern.removesuffix(suffix) if suffix.lower() in IMAGE_SUFFIXES else pattern
