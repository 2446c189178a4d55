"""What restores images for `predict`: a network or a baseline without weights, told alike."""

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
    """Restores images, and draws maps of their blur where it can."""

    command: str
    """The command that it works for, which its messages begin with."""

    verb: str
    """What is done to images, for messages."""

    map_roles: Sequence[str]
    """Maps that it draws of every image."""

    def settings(self) -> Mapping[str, object]:
        """Return what makes its predictions what they are, tiles and bits aside, as a record holds it."""

    def load(self, device: str, *, maps: bool) -> None:
        """Get ready on a device.

        Raises:
            UserError: Something is missing, or it draws no maps where some are wanted.
        """

    def choose_tile_px(self, files: Mapping[str, Path], processes: int) -> tuple[int, str]:
        """Return the side of tiles for images, 0 for whole frames, and why, in words; after `load`."""

    def contents(self, image: NDArray[np.float32], tile_px: int, bits: int) -> dict[str, bytes]:
        """Return the PNG files of an image by their role; after `load`.

        Raises:
            torch.OutOfMemoryError: It does not fit on the GPU.
        """


Restore = Callable[[NDArray[np.float32], int], tuple[NDArray[np.float32], NDArray[np.float32] | None]]
"""An image and the side of tiles to the restoration in [0, 1] and the radius in pixels, (H, W), or None."""


class WithoutWeights:
    """A baseline that is a function and needs no weights.

    Attributes:
        name: What the user calls it.
        command: As for `Restorer`.
        verb: As for `Restorer`.
        map_roles: As for `Restorer`.
    """

    command, verb = "predict", "restore"

    def __init__(self, name: str, restore: Restore, record: Mapping[str, object] | None, tile_px: int) -> None:
        """Take a function for a baseline.

        Args:
            name: What the user calls it.
            restore: The function; it gives a map if it has settings.
            record: Its settings, or None where it has none.
            tile_px: Side of tiles unless told otherwise.
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
        """Return the restoration of an image and the radius of its blur, None where there is no map.

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
    """Return a PNG of 16 bits of radii in 1/256 px, rounded.

    Args:
        radius_px: (H, W), 0 to 255 px.
    """
    return encode_png(radius_counts(radius_px))
