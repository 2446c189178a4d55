"""Image header: the fields that are known before a file is decoded."""

from __future__ import annotations

from dataclasses import dataclass

from sdd_bench.io.colour import Profile


@dataclass(frozen=True)
class ImageHeader:
    """Header of an image file before it is decoded: size and channels are those of the picture as it is read.

    Attributes:
        width: Upright.
        height: Upright.
        bits: As read, 8 or 16.
        channels: As stored; 1 and 2 are grey, 2 and 4 have alpha.
        format: PNG, JPEG, TIFF, HEIC or AVIF.
        orientation: The tag's value, 1 where a file says nothing or nonsense, or where the format has no tag.
        stored_bits: Bits of a sample in the file where those are others: 10, 12, 14, or 16 to 64 of floating point.
        floating: The file holds floating point.
        profile: Profile that the colours are converted from as they are read.
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
        """Bytes that the decoded samples take, as they are stored or as they are read, whichever is more."""
        return self.width * self.height * max(self.channels, 1) * max(self.bits, self.stored_bits, 8) // 8

    def conversions(self) -> list[str]:
        """Return what reading changes of the file's numbers, in words; nothing for most files."""
        found = []
        if self.floating:
            found.append(f"{self.stored_bits}-bit floating point rounded to 16 bits")
        elif self.stored_bits:
            found.append(f"{self.stored_bits} bits scaled to 16")
        if self.profile is not None:
            found.append(f"colours converted from {self.profile.name} to sRGB")
        return found
