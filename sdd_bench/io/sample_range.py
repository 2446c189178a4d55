"""Detection of the value range of samples: fewer bits in 16-bit files, shifted bits, only 0 and 1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

FEWER_BITS = (8, 10, 12, 14)
"""Bit depths other than 16 that cameras, screens and programs use."""

SURE_IMAGES = 5
"""Number of files without a sample above 1/16 of white that cannot all be dark photographs."""

FULL = 0.999
"""Share of the largest value of a bit depth that must be reached if the picture might only be dark."""


@dataclass(frozen=True)
class Samples:
    """Statistics of the samples of one file.

    Attributes:
        bits: Bits per sample of the file, 8 or 16.
        largest: Largest sample.
        used_bits: Bitwise or of all samples; a bit that is 0 in it is 0 in every sample.
    """

    bits: int
    largest: int
    used_bits: int

    @property
    def white_share(self) -> float:
        """Largest sample as a share of white."""
        return self.largest / (2**self.bits - 1)


@dataclass(frozen=True)
class RangeFound:
    """Finding that samples do not use their whole range.

    Attributes:
        words: Description of the finding.
        option: Value of `--values-as` that reads them correctly; empty if there is none.
        certain: Whether a dark photograph is excluded as an explanation.
        harmless: Whether the effect on scores is small, because white is only slightly under 1.
    """

    words: str
    option: str = ""
    certain: bool = True
    harmless: bool = False


def find_range(samples: Iterable[Samples]) -> RangeFound | None:
    """Return the value range of files of one kind; None if they use the whole range.

    Dark photographs are told apart because other files are brighter or the largest value of a bit depth is not reached.

    Args:
        samples: Statistics of all files that were written in the same way, such as a method's predictions.

    >>> found = find_range([Samples(16, 4095, 4095), Samples(16, 3011, 4095)])
    >>> found.words, found.option, found.certain
    ('12-bit values in 16-bit files: the largest sample is 4095, white is 65535', '12bit', True)
    >>> find_range([Samples(16, 4095, 4095), Samples(16, 65535, 65535)])
    """
    known = list(samples)
    wide = [of for of in known if of.bits == 16 and of.largest > 0]
    if not wide:
        return _of_bytes([of for of in known if of.bits == 8])
    largest = max(of.largest for of in wide)
    for bits in FEWER_BITS:
        if largest < 2**bits:
            words = f"{bits}-bit values in 16-bit files: the largest sample is {largest}, white is 65535"
            return RangeFound(words, f"{bits}bit", _is_certain(bits, largest, len(wide)))
    used = 0
    for of in wide:
        used |= of.used_bits
    for bits in FEWER_BITS:
        if used % 2 ** (16 - bits) == 0:
            white = (2**bits - 1) << (16 - bits)
            words = f"{bits}-bit values moved to the left in 16-bit files: white is {white}, expected 65535"
            return RangeFound(words, f"{bits}bit-high", harmless=True)
    return None


def _is_certain(bits: int, largest: int, files: int) -> bool:
    """Return whether a dark photograph is excluded as an explanation for small values."""
    if bits <= 10 or largest >= FULL * (2**bits - 1):
        return True
    return bits == 12 and files >= SURE_IMAGES


def _of_bytes(known: list[Samples]) -> RangeFound | None:
    """Return the finding for files of 8 bits."""
    if not known or max(of.largest for of in known) != 1:
        return None
    return RangeFound("0 and 1 alone: values in [0, 1] were written as bytes without times 255")
