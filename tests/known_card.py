"""A memory card with difficult contents for a contact sheet: unusual names, RAW and JPEG, one damaged file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from known_raw import write_dng
from known_session import views
from PIL import Image

from sdd_bench.io.images import to_pixels
from sdd_bench.io.srgb import decode_srgb

EVIL = '<script>alert(1)<\u2044script> "it\'s" ${ü} 日本 &amp;.jpg'
"""With a slash-like character that a file's name may contain."""

TIMES = 0x9003


def write_card(folder: Path) -> Path:
    """Write five scenes: two of two shots, one of three, one of a single shot, and one with both RAW and JPEG."""
    one, two, three, alone, raw = views(5)
    write_shot(folder / EVIL, one, 0)
    write_shot(folder / "= far.jpg", blurred(one), 4)
    write_shot(folder / "A 1.jpg", two, 900)
    write_shot(folder / "A 2.jpg", blurred(two), 905)
    for number, view in enumerate((three, three, blurred(three))):
        write_shot(folder / f"b{number}.jpg", view, 1800 + number)
    write_shot(folder / "c alone.jpg", alone, 2700)
    for name, view in (("r1", raw), ("r2", blurred(raw))):
        write_dng(folder / f"{name}.dng", decode_srgb(view[: view.shape[0] // 2 * 2, : view.shape[1] // 2 * 2]))
        write_shot(folder / f"{name.upper()}.JPG", view)
    (folder / "broken<b>.png").write_bytes(b"no picture")
    return folder


def blurred(view: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(view, (0, 0), 3)


def write_shot(path: Path, view: np.ndarray, after_s: int | None = None) -> None:
    exif = Image.Exif()
    if after_s is not None:
        minutes, seconds = divmod(after_s, 60)
        exif.get_ifd(0x8769)[TIMES] = f"2026:03:01 10:{minutes:02d}:{seconds:02d}"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(to_pixels(view)).save(path, quality=92, exif=exif)
