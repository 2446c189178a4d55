"""Detection of file formats by their first bytes, and messages for unsupported formats."""

from __future__ import annotations

START_BYTES = 64
"""Number of bytes that identify a file's format."""

IMAGE_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".heic", ".heif", ".hif", ".avif")
"""Suffixes of supported image files; phones write the last four."""

RAW_NAMES = (
    ".3fr", ".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw", ".x3f",
)  # fmt: skip
OTHER_SUFFIXES = (
    ".webp", ".gif", ".bmp", ".jp2", ".j2k", ".jxl", ".exr", ".hdr", ".pfm", ".ppm", ".psd", ".tga", ".dds", *RAW_NAMES,
)  # fmt: skip
"""Suffixes of unsupported image files: listings of images include them, so that they are reported instead of
ignored."""

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1")
AVIF_BRANDS = (b"avif", b"avis")

RAW = "a camera's RAW file", "develop it with sdd-bench ingest"
_WEB = "a web page", "its download failed; download it again"
_ARCHIVE = "an archive", "unpack it"

OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"GIF8", "a GIF file", ""),
    (b"BM", "a BMP file", ""),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 file", ""),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 file", ""),
    (b"\0\0\0\x0cJXL ", "a JPEG XL file", ""),
    (b"\xff\x0a", "a JPEG XL file", ""),
    (b"\x76\x2f\x31\x01", "an OpenEXR file", ""),
    (b"#?R", "a Radiance HDR file", ""),
    (b"PF\n", "a PFM file", ""),
    (b"Pf\n", "a PFM file", ""),
    (b"P5", "a PGM file", ""),
    (b"P6", "a PPM file", ""),
    (b"8BPS", "a Photoshop file", ""),
    (b"DDS ", "a DDS file", ""),
    (b"II\xbc\x01", "a JPEG XR file", ""),
    (b"FUJIFILMCCD-RAW", *RAW),
    (b"IIRO", *RAW),
    (b"IIRS", *RAW),
    (b"IIU\0", *RAW),
    (b"FOVb", *RAW),
    (b"<!DOCTYPE", *_WEB),
    (b"<!doctype", *_WEB),
    (b"<html", *_WEB),
    (b"<HTML", *_WEB),
    (b"version https://git-lfs", "a pointer of Git LFS", "fetch the file itself with git lfs pull"),
    (b"%PDF", "a PDF file", ""),
    (b"PK\3\4", *_ARCHIVE),
    (b"\x1f\x8b", *_ARCHIVE),
    (b"\x89HDF", "an HDF5 file", ""),
    (b"\x93NUMPY", "a NumPy file", ""),
    (b"MATLAB 5.0", "a MATLAB file", ""),
    (b"\0\5\x16\7", "metadata that macOS keeps beside a file", "remove it"),
)
"""First bytes, description, and remedy if it is not conversion, of each unsupported format."""


def format_of(start: bytes) -> str:
    """Return PNG, JPEG, TIFF, HEIC or AVIF, or an empty text for a file of another kind.

    Args:
        start: The first `START_BYTES` of the file.
    """
    if start.startswith(PNG):
        return "PNG"
    if start.startswith(JPEG):
        return "JPEG"
    if start.startswith(TIFF):
        return "" if start[8:10] == b"CR" else "TIFF"
    brands = _brands(start)
    if any(brand in AVIF_BRANDS for brand in brands):
        return "AVIF"
    return "HEIC" if any(brand in HEIF_BRANDS for brand in brands) else ""


def refusal_of(start: bytes) -> str:
    """Return the message for an unsupported file: its format, the expected ones, and the remedy.

    >>> refusal_of(b"GIF89a")
    'a GIF file, expected PNG, TIFF or JPEG: convert it'
    """
    what, remedy = _named(start)
    if not what:
        return "not a PNG, TIFF or JPEG image, despite its name"
    return f"{what}, expected PNG, TIFF or JPEG: {remedy or 'convert it'}"


def _named(start: bytes) -> tuple[str, str]:
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "a WebP file", ""
    if start.startswith(TIFF):  # of Canon, since other TIFF is supported
        return RAW
    if start[4:8] == b"ftyp":
        return RAW if start[8:11] == b"crx" else ("a video", "extract its frames")
    if not start.strip(b"\0"):
        return "a file of zeros", "its copy failed; copy it again"
    return next(((what, remedy) for magic, what, remedy in OTHERS if start.startswith(magic)), ("", ""))


def _brands(start: bytes) -> list[bytes]:
    """Return the brands of a file in ISO's base media format, the major brand first."""
    if start[4:8] != b"ftyp":
        return []
    size = min(int.from_bytes(start[:4], "big"), len(start))
    return [start[8:12], *(start[at : at + 4] for at in range(16, size - 3, 4))]
