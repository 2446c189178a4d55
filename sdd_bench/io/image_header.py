"""Image header: the fields that are known before a file is decoded."""

from __future__ import annotations

from dataclasses import dataclass

from sdd_bench.io.colour import Profile


@dataclass(frozen=True)
class ImageHeader:
    """Header of an image file before decoding; size and channels are those of the decoded picture.

    Attributes:
        width: Width of the upright picture, in pixels.
        height: Height of the upright picture, in pixels.
        bits: Bits per sample after reading, 8 or 16.
        channels: Stored channels; 1 and 2 are grey, 2 and 4 include alpha.
        format: PNG, JPEG, TIFF, HEIC or AVIF.
        orientation: Value of the orientation tag; 1 if it is missing or invalid, or the format has none.
        stored_bits: Bits per sample in the file if they differ from `bits`: 10, 12, 14, or 16 to 64 for floating point.
        floating: Whether the file has floating-point samples.
        profile: Profile from which the colours are converted while reading.
    """

    width: int
    height: int
    bits: int
    channels: int
    format: str
    orientation: int = 1
    stored_bits: int = 0
    floating: bool = False
    profile: Profile | None = None

    @property
    def sample_bytes(self) -> int:
        """Size of the decoded samples in bytes, as stored or after reading, whichever is larger."""
        return self.width * self.height * max(self.channels, 1) * max(self.bits, self.stored_bits, 8) // 8

    def conversions(self) -> list[str]:
        """Return the conversions of the file's values while reading, in words; empty for most files."""
        found = []
        if self.floating:
            found.append(f"{self.stored_bits}-bit floating point rounded to 16 bits")
        elif self.stored_bits:
            found.append(f"{self.stored_bits} bits scaled to 16")
        if self.profile is not None:
            found.append(f"colours converted from {self.profile.name} to sRGB")
        return found
