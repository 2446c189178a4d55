"""Defocus maps of image files: 16-bit PNG with the blur radius, written and resumed like predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jdrl_baseline.prediction_folder import PREDICTION
from jdrl_baseline.restorers import radius_png
from sdd_bench.errors import UserError
from sdd_bench.io.blur_radius import RadiusMap
from sdd_bench.io.files import file_sha256
from sdd_bench.io.text import shown


def _ebdb(_: Path | None, __: str) -> RadiusMap:
    from jdrl_baseline.classical.maps import MAPS

    return MAPS["ebdb"]


def _zhuo_sim(_: Path | None, __: str) -> RadiusMap:
    from jdrl_baseline.classical.maps import MAPS
    from jdrl_baseline.classical.matting import pymatting

    pymatting()  # report a missing package now
    return MAPS["zhuo-sim"]


def _lbk(weights: Path | None, device: str) -> RadiusMap:
    from jdrl_baseline.radius_maps import load_map_network

    assert weights is not None
    return load_map_network(weights, device)


MAP_METHODS: dict[str, Callable[[Path | None, str], RadiusMap]] = {"ebdb": _ebdb, "zhuo-sim": _zhuo_sim, "lbk": _lbk}
"""Functions by name from a checkpoint (for trained methods) and a torch device to the function that estimates maps."""

TRAINED = frozenset({"lbk"})
"""Methods among `MAP_METHODS` that need a checkpoint."""


class MapRestorer:
    """A method that estimates defocus maps, as a `restorers.Restorer` whose prediction is the map.

    Attributes:
        command: Name of the command, as in `restorers.Restorer`.
        verb: Verb for messages, as in `restorers.Restorer`.
        map_roles: Roles of additional maps, as in `restorers.Restorer`; empty, because the prediction is the map.
    """

    command, verb = "blur-map", "map"

    def __init__(self, name: str, checkpoint: Path | None = None) -> None:
        """Choose a method.

        Args:
            name: A key of `MAP_METHODS`.
            checkpoint: Checkpoint of a method in `TRAINED`.

        Raises:
            UserError: The name is unknown, or a checkpoint is missing or not accepted.
        """
        if name not in MAP_METHODS:
            raise UserError(f"unknown defocus map {shown(name)}, expected one of {', '.join(MAP_METHODS)}")
        if name in TRAINED and checkpoint is None:
            raise UserError(f"--baseline {name}: is trained; give its --checkpoint FILE")
        if name not in TRAINED and checkpoint is not None:
            raise UserError(f"--checkpoint {checkpoint}: {name} needs no weights; leave --checkpoint out")
        self.map_roles: Sequence[str] = ()
        self._name, self._checkpoint = name, checkpoint

    def settings(self) -> Mapping[str, object]:
        """See `restorers.Restorer`."""
        weights = {} if self._checkpoint is None else {"checkpoint_sha256": file_sha256(self._checkpoint)}
        return {"blur_map": self._name, **weights}

    def load(self, device: str, *, maps: bool) -> None:
        """See `restorers.Restorer`."""
        del maps
        if device != "cpu" and self._name not in TRAINED:
            raise UserError(f"--device {device}: {self._name} runs on the CPU; leave --device out")
        self._draw = MAP_METHODS[self._name](self._checkpoint, device)

    def choose_tile_px(self, files: Mapping[str, Path], processes: int) -> tuple[int, str]:
        """See `restorers.Restorer`; maps are always computed on the whole frame."""
        del files, processes
        return 0, "as maps are"

    def contents(self, image: NDArray[np.float32], tile_px: int, bits: int) -> dict[str, bytes]:
        """See `restorers.Restorer`."""
        del tile_px, bits
        return {PREDICTION: radius_png(self._draw(image))}
