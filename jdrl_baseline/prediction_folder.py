"""Folder of predictions, with a record of the inputs of each.

OUT/predictions.json holds the request (checkpoint or baseline with its settings, tiles, bits, version) and, for each
prediction, the SHA-256 of its blur image and of the written files. While a run is at work or after it was interrupted,
OUT/.run/ holds the same information. Files that are not in the record with their SHA-256 are neither taken for
predictions nor overwritten.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from sdd_bench.errors import UserError, fault_report
from sdd_bench.io.files import clear_leftovers, file_sha256, write_bytes, write_text
from sdd_bench.io.serialise import json_text
from sdd_bench.io.text import read_json
from sdd_bench.jobs.items import Item, Journal
from sdd_bench.jobs.run_folder import WORK_FOLDER, RunFolder
from sdd_bench.version import __version__

RECORD = "predictions.json"
IMAGE, PREDICTION, RADIUS_MAP, BLUR_MAP = "image", "prediction", "radius", "blur_map"

Digests = dict[str, str]
"""SHA-256 of a blur image, under `IMAGE`, and of the files made from it, under their roles."""

Predictions = dict[str, Digests]
"""Digests of predictions, by image name."""


class PredictionFolder:
    """Folder of the predictions of one method and of their maps."""

    def __init__(self, out: Path, maps: Path | None, map_roles: Sequence[str] = (RADIUS_MAP, BLUR_MAP)) -> None:
        """Take the folders of predictions and maps.

        Args:
            out: Folder of predictions.
            maps: Folder of maps, or None if no maps are written.
            map_roles: Roles of the maps that the method computes.
        """
        self.out, self.maps, self._work = out, maps, out / WORK_FOLDER
        self._map_roles = () if maps is None else tuple(map_roles)
        self._may_lack = {RADIUS_MAP} if BLUR_MAP in map_roles else set()  # not all checkpoints give a radius

    def targets(self, name: str) -> dict[str, Path]:
        """Return the files of a prediction by role."""
        maps = {} if self.maps is None else {role: self.maps / role / f"{name}.png" for role in self._map_roles}
        return {PREDICTION: self.out / f"{name}.png", **maps}

    def check_apart(self, files: Mapping[str, Path]) -> None:
        """Check that no image to restore lies in a folder of predictions.

        Raises:
            UserError: An image lies in such a folder.
        """
        places = {path.parent.resolve() for path in self.targets("any").values()}
        for path in files.values():
            if path.parent.resolve() in places:
                raise UserError(f"{path}: an image to restore lies in a folder of the output; give another folder")

    def recorded_tile_px(self) -> int | None:
        """Return the tile side of an earlier run in the folder, None if there was no run.

        Raises:
            UserError: The record of that run cannot be read.
        """
        for path in (self.out / RECORD, self._work / "request.json"):
            if path.is_file():
                content = read_json(path)
                request = content.get("request") if isinstance(content, dict) else None
                tile_px = request.get("tile_px") if isinstance(request, dict) else None
                return tile_px if isinstance(tile_px, int) else None
        return None

    @contextlib.contextmanager
    def claimed(self, settings: Mapping[str, object], files: Mapping[str, Path]) -> Iterator[Predictions]:
        """Claim the folder for one run: yield the predictions to compute, and write the record after they are done.

        Args:
            settings: Settings shared by all predictions of the folder.
            files: Blur images by name.

        Raises:
            UserError: Another run is at work in the folder, or it holds files that no run with these settings wrote.
        """
        request = {**settings, "version": __version__}
        run = RunFolder(self.out, self.out / RECORD, request)
        earlier = self._read_record() if run.is_finished else {}
        with run.claimed():
            if self.maps is not None:
                clear_leftovers(self.maps / RADIUS_MAP, self.maps / BLUR_MAP)
            images = {name: file_sha256(path) for name, path in files.items()}
            yield self._to_do(self._known(images, earlier))
            predictions = dict(sorted((earlier | self._known(images, earlier)).items()))
            write_text(self.out / RECORD, json_text({"request": request, "predictions": predictions}))
            run.end()

    def journal(self, rank: int) -> Journal:
        """Return the journal of a process."""
        return Journal(self._work / f"journal-{rank}.jsonl")

    def add(self, journal: Journal, name: str, known: Digests, contents: Mapping[str, bytes]) -> None:
        """Write the files of a prediction that do not exist yet.

        The journal is written first, so that after an interruption every file is known to it.

        Args:
            journal: Journal of this process.
            name: Name of the image.
            known: Known digests of the image.
            contents: PNG files by role.

        Raises:
            CannotWriteError: The folder cannot be written or the disk is full.
        """
        targets = self.targets(name)
        new = {role: content for role, content in contents.items() if role in targets and not targets[role].exists()}
        digests = {role: hashlib.sha256(content).hexdigest() for role, content in new.items()}
        journal.add(Item(name, None, known[IMAGE]), known | digests)
        for role, content in new.items():
            write_bytes(targets[role], content)

    def _known(self, images: Mapping[str, str], earlier: Predictions) -> Predictions:
        """Return the digests in the journals, else in an earlier run's record, for images with these SHA-256."""
        journals = [Journal(path) for path in sorted(self._work.glob("journal-*.jsonl"))]
        known = {}
        for name, image in images.items():
            found = [r for journal in journals if (r := journal.result_of(Item(name, None, image))) is not None]
            if not found and earlier.get(name, {}).get(IMAGE) == image:
                found = [earlier[name]]
            known[name] = found[-1] if found else {IMAGE: image}
        return known

    def _to_do(self, predictions: Predictions) -> Predictions:
        """Return the predictions whose files do not all exist.

        Raises:
            UserError: Existing files were not written for these images; the message names all of them.
        """
        faults, waiting = [], {}
        for name, known in predictions.items():
            for role, target in self.targets(name).items():
                if target.exists() and known.get(role) != file_sha256(target):
                    faults.append(f"{target} is there, and was not written for this image and these settings")
                elif not target.exists() and (role in known or role not in self._may_lack):
                    waiting[name] = known
        if faults:
            raise fault_report(faults, f"{self.out}: move these files away, or give another folder")
        return waiting

    def _read_record(self) -> Predictions:
        try:
            return TypeAdapter(Predictions).validate_python(read_json(self.out / RECORD)["predictions"], strict=True)
        except (ValidationError, KeyError):
            raise UserError(f"{self.out / RECORD}: damaged; delete the folder or give another --out") from None
