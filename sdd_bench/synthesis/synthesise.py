"""Synthesis of a folder of misaligned pairs with known truth from sharp photographs.

```
OUT/blur/NAME.png               the defocused image: disk blur in linear light, then noise in the 8-bit domain
OUT/gt/NAME.png                 the sharp image, warped once, band-limited, with a known zoom, rotation and shift
OUT/truth/aligned/NAME.png      the sharp image exactly aligned with the blur image
OUT/truth/blur_radius/NAME.png  16-bit, 256 times the disk radius in pixels at each pixel of the blur image
OUT/truth/displacement/NAME.npz flow_blur_to_sharp, (H, W, 2) float32: from each pixel of blur/ to its place in gt/
OUT/truth/visible/NAME.png      255 where gt/ shows the same point as truth/aligned/, else 0
OUT/truth/camera.csv            one row per pair: all random values of the camera, including directions
OUT/truth/truth.csv             name, zoom, shift_x_px, shift_y_px, rotation_deg, max_radius_px
OUT/truth/synthesis.json        settings, seed, versions, SHA-256 of the photographs, conventions
OUT/places.csv                  name, scene, place: pairs cut from one photograph are one scene
```

Everything is cut from within the photograph: neither the blur image nor the sharp image has an invented border.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from sdd_bench.errors import UserError, fault_report
from sdd_bench.io.blur_radius import RADIUS_SCALE
from sdd_bench.io.files import file_sha256, write_text
from sdd_bench.io.images import list_images, read_header
from sdd_bench.io.serialise import csv_text, json_text
from sdd_bench.jobs.items import Item, fingerprint, map_items
from sdd_bench.jobs.run_folder import RunFolder
from sdd_bench.jobs.workers import Workers
from sdd_bench.synthesis.camera import SIMILARITY_INGREDIENTS
from sdd_bench.synthesis.camera_files import make_camera_pair
from sdd_bench.synthesis.drawn import CAMERA_COLUMNS
from sdd_bench.synthesis.known_pair import make_pair
from sdd_bench.synthesis.settings import Synthesis
from sdd_bench.synthesis.truth_files import TRUTH_COLUMNS, PairPlan, files_of
from sdd_bench.version import __version__

BUILT_IN = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
"""Colour photographs included in scikit-image."""

CONVENTIONS = {
    "transform": "p_blur = c + zoom * R(rotation) * (p_sharp - c) + shift, c = ((W-1)/2, (H-1)/2), x right, y down, "
    "R = [[cos, -sin], [sin, cos]]; p_sharp in gt/, p_blur in blur/ and truth/aligned/",
    "blur_radius": f"disk radius in pixels = value / {RADIUS_SCALE}; a radius of up to 0.5 px leaves the picture sharp",
    "max_radius_px": "the largest value in blur_radius",
    "noise": "Gaussian, standard deviation in counts of 255, on blur/ only, after the transfer curve",
    "light": "the blur is done on linear values of the sRGB curve",
}

CAMERA_CONVENTIONS = {
    "displacement": "flow_blur_to_sharp, (dx, dy) in pixels: pixel p of blur/ lies at p + flow in gt/; q = S^-1(y + "
    "distortion (|y - c|/R)^2 (y - c)/R), y = p + n (parallax + axial_parallax (p - c)/R) + motion, S the transform, "
    "R the distance from c to a corner pixel, n from -1/2 at the farthest to 1/2 at the nearest surface, linear in "
    "inverse depth",
    "cats_eye": "the spread is where two disks overlap: one about p, one about p + cats_eye defocus (p - c)/R",
    "exposure": "blur/ and truth/aligned/: (linear light * gain * (1 - vignetting (|p - c|/R)^2), as sRGB)^tone",
    "lateral_colour": "red of blur/ lies at p + lateral_colour (p - c)/R, blue as far in; not in truth/aligned/",
}
"""Additional conventions for cameras other than a similarity."""


def synthesise(photos: Sequence[Path] | None, out: Path, synthesis: Synthesis, jobs: Workers = 1) -> str:
    """Synthesise pairs and return one line with their number; an interrupted run resumes where it stopped.

    Args:
        photos: Image files and folders of them; None takes `BUILT_IN`.
        out: A new or empty folder, or that of a run with the same settings and photographs.
        synthesis: Settings of the synthesis.
        jobs: Number of worker processes; the bytes written do not depend on it.

    Raises:
        UserError: There is no photograph, one is too small or unreadable, two have the same name, or the folder has
            other content.
    """
    files = list_photos(photos)
    plans = _plan(files, out, synthesis)
    request = _request(files, synthesis)
    record = out / "truth" / "synthesis.json"
    folder = RunFolder(out, record, request)
    tables = (out / "truth" / "truth.csv", out / "truth" / "camera.csv", out / "places.csv")
    is_similarity = synthesis.camera.is_similarity
    if folder.is_finished and all(path.is_file() for path in (*tables, *files_of(out, [p.name for p in plans]))):
        folder.end()
        return f"{out}: already complete, {len(plans)} pairs with these settings; nothing done"
    with folder.claimed() as journal:
        rows = map_items(
            make_pair if is_similarity else make_camera_pair,
            [Item(p.name, p, fingerprint([request, p.index])) for p in plans],
            jobs=jobs,
            label="synthesise",
            where=str(out),
            journal=journal,
            still_valid=lambda result: all(path.is_file() for path in files_of(out, [str(result["name"])])),
        )
        write_text(tables[0], csv_text(TRUTH_COLUMNS, [[row[c] for c in TRUTH_COLUMNS] for row in rows]))
        write_text(tables[1], csv_text(CAMERA_COLUMNS, [[row[c] for c in CAMERA_COLUMNS] for row in rows]))
        write_text(tables[2], csv_text(("name", "scene", "place"), [(p.name, p.photo.stem, "") for p in plans]))
        conventions = CONVENTIONS if is_similarity else {**CONVENTIONS, **CAMERA_CONVENTIONS}
        write_text(record, json_text({"request": request, "conventions": conventions}))
        folder.end()
    return f"{out}: {len(plans)} pairs from {len({p.photo for p in plans})} photographs"


def list_photos(photos: Sequence[Path] | None) -> list[Path]:
    """Return the named image files and those in the named folders; without any, `BUILT_IN`.

    Raises:
        UserError: A path does not exist, or a folder has no images.
    """
    if photos is None:
        spec = importlib.util.find_spec("skimage")
        folder = Path(str(spec.origin)).parent / "data" if spec else Path("skimage/data")
        return [folder / name for name in BUILT_IN]
    files = []
    for path in photos:
        found = list_images(path) if path.is_dir() else [path]
        if not found:
            raise UserError(f"{path}: no PNG, TIFF or JPEG image in it")
        files += found
    if not files:
        raise UserError("no photographs given; give PHOTOS as files or folders")
    return files


def _plan(files: Sequence[Path], out: Path, synthesis: Synthesis) -> list[PairPlan]:
    faults = []
    stems: dict[str, Path] = {}
    chosen = files[: synthesis.count]
    for file in chosen:
        twin = stems.setdefault(file.stem.lower(), file)
        if twin is not file:
            faults.append(f"{file}: its pair would have the name of {twin.name}'s")
        try:
            header = read_header(file)
            synthesis.frame(header.width, header.height)
        except UserError as error:
            faults.append(error.message)
        except ValueError as error:
            faults.append(f"{file}: {error}")
    if faults:
        raise fault_report(faults, "photographs") if len(faults) > 1 else UserError(faults[0])
    plans = []
    for index in range(synthesis.count or len(chosen)):
        use, file = index // len(chosen), chosen[index % len(chosen)]
        plans.append(PairPlan(index, f"{file.stem}_{use:03d}", file, use, out, synthesis))
    return plans


def _request(files: Sequence[Path], synthesis: Synthesis) -> dict[str, object]:
    """Return everything that determines the output: settings, photographs, versions."""
    photos = [{"name": f.name, "sha256": file_sha256(f)} for f in files[: synthesis.count]]
    versions = {"sdd-bench": __version__, "numpy": np.__version__, "opencv": cv2.__version__}
    settings = json.loads(json.dumps(dataclasses.asdict(synthesis)))
    camera = settings.pop("camera")
    if not synthesis.camera.is_similarity:
        settings["camera"] = {name: value for name, value in camera.items() if name not in SIMILARITY_INGREDIENTS}
    return {"settings": settings, "versions": versions, "photographs": photos}
