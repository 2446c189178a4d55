"""Interface of restoration methods for `predict`, and its implementation for baselines without weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from jdrl_baseline.prediction_folder import PREDICTION, RADIUS_MAP
from sdd_bench.errors import UserError
from sdd_bench.io.blur_radius import radius_counts
from sdd_bench.io.images import encode_png, to_pixels


class Restorer(Protocol):
    """A method that restores images and, if it can, computes maps of their blur."""

    command: str
    """Name of the command that runs it, with which its messages begin."""

    verb: str
    """Verb for its work on images, for messages."""

    map_roles: Sequence[str]
    """Roles of the maps that it computes for every image."""

    def settings(self) -> Mapping[str, object]:
        """Return the settings that determine its predictions, except tiles and bits, as they are recorded."""

    def load(self, device: str, *, maps: bool) -> None:
        """Prepare the method on a device.

        Raises:
            UserError: Something is missing, or maps are requested and the method computes none.
        """

    def choose_tile_px(self, files: Mapping[str, Path], processes: int) -> tuple[int, str]:
        """Return the side of tiles for images, 0 for whole frames, and the reason, in words; after `load`."""

    def contents(self, image: NDArray[np.float32], tile_px: int, bits: int) -> dict[str, bytes]:
        """Return the PNG files of an image by role; after `load`.

        Raises:
            torch.OutOfMemoryError: The image does not fit on the GPU.
        """


Restore = Callable[[NDArray[np.float32], int], tuple[NDArray[np.float32], NDArray[np.float32] | None]]
"""Function from an image and the side of tiles to the restored image in [0, 1] and the radius in pixels, (H, W), or
None."""


class WithoutWeights:
    """A baseline that is a function and needs no weights.

    Attributes:
        name: Name of the baseline for the user.
        command: As in `Restorer`.
        verb: As in `Restorer`.
        map_roles: As in `Restorer`.
    """

    command, verb = "predict", "restore"

    def __init__(self, name: str, restore: Restore, record: Mapping[str, object] | None, tile_px: int) -> None:
        """Take the function of a baseline.

        Args:
            name: Name of the baseline for the user.
            restore: The function; it returns a map if the baseline has settings.
            record: Its settings, or None if it has none.
            tile_px: Default side of tiles.
        """
        self.name, self._function, self._record, self._tile_px = name, restore, record, tile_px
        self.map_roles: Sequence[str] = () if record is None else (RADIUS_MAP,)

    def settings(self) -> Mapping[str, object]:
        """See `Restorer`."""
        return {"baseline": self.name, **({} if self._record is None else {"settings": self._record})}

    def load(self, device: str, *, maps: bool) -> None:
        """See `Restorer`."""
        if maps and not self.map_roles:
            raise UserError(f"--maps: {self.name} draws no map")
        if device != "cpu":
            raise UserError(f"--device {device}: {self.name} runs on the CPU; leave --device out")

    def choose_tile_px(self, files: Mapping[str, Path], processes: int) -> tuple[int, str]:
        """See `Restorer`."""
        del files, processes
        return self._tile_px, f"the default of {self.name}"

    def restore(
        self, image: NDArray[np.float32], tile_px: int | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return the restored image and its blur radius, None if there is no map.

        Args:
            image: (H, W, 3) in [0, 1].
            tile_px: Side of tiles, 0 for whole frames, None for the baseline's own choice.
        """
        return self._function(image, self._tile_px if tile_px is None else tile_px)

    def contents(self, image: NDArray[np.float32], tile_px: int, bits: int) -> dict[str, bytes]:
        """See `Restorer`."""
        restored, radius_px = self.restore(image, tile_px)
        contents = {PREDICTION: encode_png(to_pixels(restored, bits))}
        return contents if radius_px is None else {**contents, RADIUS_MAP: radius_png(radius_px)}


def radius_png(radius_px: NDArray[np.floating]) -> bytes:
    """Return a 16-bit PNG of radii in 1/256 px, rounded.

    Args:
        radius_px: (H, W), 0 to 255 px.
    """
    return encode_png(radius_counts(radius_px))
