"""Seeded mutations of the metadata of image files: tags of TIFF, chunks of PNG, segments of JPEG, profiles."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Sequence

from mutate import BYTES, Mutation, flip, overwrite, remove, truncate

TAGS = (
    254,
    256,
    257,
    258,
    259,
    262,
    266,
    273,
    274,
    277,
    278,
    279,
    284,
    317,
    320,
    322,
    323,
    330,
    338,
    339,
    34675,
    50706,
)
"""Tags to change, among them those that determine how an image is read."""

NUMBERS = (0, 1, 2, 3, 5, 6, 8, 9, 12, 16, 31, 32, 64, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1)
PNG_START, SOI = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
EMPTY_SCAN = b"\xff\xda\0\x08\1\1\0\1\1\0\0\0"


def tiff_tag(data: bytes, rng: random.Random) -> bytes:
    """Change tag, type, count or value of an entry, drop or double one, or change the offset of the next image."""
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    changed = bytearray(data)
    at, end = start + 2 + 12 * rng.randrange(count), start + 2 + 12 * count
    match rng.randrange(8):
        case 0:
            struct.pack_into(f"{order}H", changed, at, rng.choice(TAGS))
        case 1:
            struct.pack_into(f"{order}H", changed, at + 2, rng.choice((0, *range(1, 19), 65535)))
        case 2:
            struct.pack_into(f"{order}I", changed, at + 4, rng.choice(NUMBERS))
        case 3 | 4:
            struct.pack_into(f"{order}I", changed, at + 8, rng.choice((*NUMBERS, rng.randrange(len(data)), start)))
        case 5:
            changed[at:end] = changed[at + 12 : end] + bytes(12)
            struct.pack_into(f"{order}H", changed, start, count - 1)
        case 6:
            other = start + 2 + 12 * rng.randrange(count)
            changed[at : at + 12] = changed[other : other + 12]
        case _:
            struct.pack_into(f"{order}I", changed, end, rng.choice((start, 0, 8, len(data) - 3, 2**32 - 1)))
    return bytes(changed)


def _within(data: bytes, rng: random.Random) -> bytes:
    return rng.choice((flip, overwrite, truncate, remove))(data, rng)


def icc(data: bytes, rng: random.Random) -> bytes:
    """Damage the ICC profile of a PNG, JPEG or TIFF, or replace it by another of its length."""
    if data.startswith(PNG_START):
        at = data.index(b"iCCP")
        length = int.from_bytes(data[at - 4 : at], "big")
        name, _, packed = data[at + 4 : at + 4 + length].partition(b"\0")
        body = b"iCCP" + name + b"\0\0" + zlib.compress(_within(zlib.decompress(packed[1:]), rng))
        return data[: at - 4] + _chunk(body) + data[at + 8 + length :]
    start = data.index(b"acsp") - 36
    size = int.from_bytes(data[start : start + 4], "big")
    damaged = (_within(data[start : start + size], rng) + bytes(size))[:size]
    return data[:start] + damaged + data[start + size :]


def png_chunk(data: bytes, rng: random.Random) -> bytes:
    """Change, drop, double or move a chunk of a PNG, with valid checksums; sometimes insert EXIF or another header."""
    chunks, at = [], 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        chunks.append(data[at + 4 : at + 8 + length])
        at += 12 + length
    place = rng.randrange(len(chunks))
    match rng.randrange(6):
        case 0:
            del chunks[place]
        case 1:
            chunks.insert(rng.randrange(len(chunks)), chunks[place])
        case 2:
            chunks[place] = chunks[place][:4] + _within(chunks[place][4:] or b"\0", rng)
        case 3:
            exif = b"MM\0*\0\0\0\x08\0\1" + struct.pack(">HHIHH", 274, 3, 1, rng.choice((*range(9), 65535)), 0)
            chunks.insert(rng.randrange(len(chunks)), b"eXIf" + rng.choice((exif, exif[:9], exif * 2)))
        case 4:
            chunks.insert(1, rng.choice((b"acTL\0\0\0\2\0\0\0\0", b"iCCPx\0\0" + zlib.compress(bytes(3_000_000)))))
        case _:
            header = bytearray(chunks[0])
            header[rng.randrange(4, len(header))] = rng.choice((0, 1, 2, 3, 4, 6, 16, 255))
            chunks[0] = bytes(header)
    return PNG_START + b"".join(map(_chunk, chunks))


def jpeg_segment(data: bytes, rng: random.Random) -> bytes:
    """Add scans, empty or repeated, to a JPEG, or change, double or drop a segment before its first scan."""
    first = data.index(b"\xff\xda")
    if rng.random() < 0.4:
        scan = rng.choice((EMPTY_SCAN, data[first : first + rng.choice((20, 200))]))
        return data[:-2] + scan * rng.choice((1, 30, 3000)) + data[-2:]
    segments, at = [], 2
    while at < first:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        segments.append(data[at:end])
        at = end
    place = rng.randrange(len(segments))
    match rng.randrange(3):
        case 0:
            del segments[place]
        case 1:
            segments.insert(place, segments[place])
        case _:
            segments[place] = segments[place][:4] + _within(segments[place][4:], rng)
    return SOI + b"".join(segments) + data[at:]


def _chunk(body: bytes) -> bytes:
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


MORE: dict[str, Sequence[Mutation]] = {
    "png": (*BYTES, *[png_chunk] * 8),
    "tif": (*BYTES, *[tiff_tag] * 12),
    "jpg": (*BYTES, *[jpeg_segment] * 8),
}
"""Suffix to mutations of such files; other files are changed byte by byte."""
