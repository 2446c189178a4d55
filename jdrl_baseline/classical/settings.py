"""Settings of the baselines without weights, and the table of these baselines."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace

from jdrl_baseline.classical.deconvolvers import DECONVOLVERS
from jdrl_baseline.classical.maps import MAPS
from jdrl_baseline.classical.matting import pymatting
from jdrl_baseline.classical.point_spread import POINT_SPREADS

TILE_PX = 512
"""Default side of the tiles; each tile is deconvolved only for its few blur levels."""

PUBLISHED_STRENGTHS = {"cuhk": (420.0, 1.5), "dpdd": (16.8, 1.5), "realdof": (4.2, 1.5)}
"""Lambda and alpha with which the defocus maps in the papers' tables were deconvolved, by dataset."""


@dataclass(frozen=True)
class Deconvolution:
    """Settings of a deconvolution by a defocus map.

    Attributes:
        method: A key of `DECONVOLVERS`.
        map: A key of `MAPS`.
        psf: A key of `POINT_SPREADS`.
        strength: Strength of the deblurring: lambda of the hyper-Laplacian prior, 1 / balance of Wiener's filter, or
            the number of Richardson-Lucy iterations.
        alpha: Exponent of the hyper-Laplacian prior; 0 for other methods, which have none.
        linear_light: Whether linear light is deconvolved instead of sRGB values.
    """

    method: str
    map: str = "ebdb"
    psf: str = "disk"
    strength: float = 100.0
    alpha: float = 0.0
    linear_light: bool = False

    def __post_init__(self) -> None:
        for what, name, known in (("map", self.map, MAPS), ("psf", self.psf, POINT_SPREADS)):
            if name not in known:
                raise ValueError(f"{what} is {name!r}, expected one of {', '.join(known)}")
        if self.method not in DECONVOLVERS:
            raise ValueError(f"method is {self.method!r}, expected one of {', '.join(DECONVOLVERS)}")
        if not (math.isfinite(self.strength) and self.strength > 0):
            raise ValueError(f"strength is {self.strength:g}, expected a number above 0")
        if self.method == "richardson-lucy" and self.strength != round(self.strength):
            raise ValueError(f"strength is {self.strength:g}, expected a whole number of steps")
        if self.method == "hyper-laplacian" and not 0 < self.alpha < 2:
            raise ValueError(f"alpha is {self.alpha:g}, expected a number above 0 and below 2")
        if self.method != "hyper-laplacian" and self.alpha != 0:
            raise ValueError(f"alpha is {self.alpha:g}, but only ebdb and zhuo-sim have an exponent")

    def check_installed(self) -> None:
        """Check that the library required by the map is installed.

        Raises:
            UserError: The library is not installed.
        """
        if self.map == "zhuo-sim":
            pymatting()

    def record(self) -> dict[str, object]:
        """Return the settings for a record."""
        return asdict(self)


CLASSICAL = {
    "wiener": Deconvolution("wiener", strength=10.0),
    "richardson-lucy": Deconvolution("richardson-lucy", strength=10.0),
    "ebdb": Deconvolution("hyper-laplacian", alpha=1.0),
    "zhuo-sim": Deconvolution("hyper-laplacian", map="zhuo-sim", alpha=1.0),
}
"""Baselines without weights, with their default settings."""


def settings_of(
    name: str,
    *,
    map: str | None = None,
    psf: str | None = None,
    strength: float | str | None = None,
    alpha: float | None = None,
    linear_light: bool = False,
) -> Deconvolution:
    """Return the settings of a baseline, with the given changes.

    Args:
        name: A key of `CLASSICAL`.
        map: A key of `MAPS`, for baselines that are not named after a map.
        psf: A key of `POINT_SPREADS`.
        strength: See `Deconvolution`; or a key of `PUBLISHED_STRENGTHS`, which also sets the exponent.
        alpha: See `Deconvolution`.
        linear_light: See `Deconvolution`.

    Raises:
        ValueError: The baseline has no such setting.

    >>> settings_of("ebdb", strength="dpdd").strength
    16.8
    """
    default = CLASSICAL[name]
    changes: dict[str, object] = {"linear_light": linear_light}
    if map is not None and name in MAPS and map != name:
        raise ValueError(f"map is {map!r}, but {name} is named after its own; give another baseline")
    if isinstance(strength, str) and strength in PUBLISHED_STRENGTHS:
        if default.method != "hyper-laplacian" or alpha is not None:
            raise ValueError(f"strength {strength!r} is a published lambda with its alpha, for ebdb and zhuo-sim alone")
        strength, alpha = PUBLISHED_STRENGTHS[strength]
    elif isinstance(strength, str):
        try:
            strength = float(strength)
        except ValueError:
            known = ", ".join(PUBLISHED_STRENGTHS)
            raise ValueError(f"strength is {strength!r}, expected a number or one of {known}") from None
    given = {"map": map, "psf": psf, "strength": strength, "alpha": alpha}
    changes |= {key: value for key, value in given.items() if value is not None}
    return replace(default, **changes)  # type: ignore[arg-type]
