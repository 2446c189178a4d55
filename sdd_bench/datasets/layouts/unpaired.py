"""CUHK: blurred photographs without sharp ones, which can be restored but not scored."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from sdd_bench.datasets.layouts.listing import Listing
from sdd_bench.errors import UserError
from sdd_bench.io.images import list_images

NAMES = re.compile(r"(out_of_focus|motion)\d+")
SHOWN = {"out_of_focus": "out of focus", "motion": "blurred by motion"}


def list_cuhk(root: Path) -> Listing | None:
    """Return None unless the folder is CUHK's: image/{out_of_focus,motion}NNNN.jpg, and masks in gt/.

    Raises:
        UserError: The folder is CUHK's, which has no pairs; the message names the command for such photographs.
    """
    folder = root / "image"
    if not folder.is_dir():
        return None
    kinds = Counter(match[1] for path in list_images(folder) if (match := NAMES.fullmatch(path.stem)))
    if not kinds:
        return None
    found = ", ".join(f"{kinds[kind]} {words}" for kind, words in SHOWN.items() if kinds[kind])
    raise UserError(
        f"{root}: CUHK has blurred photographs ({found}) and masks of what is blurred, but no sharp images. It cannot "
        "be prepared, analysed, anchored or scored, because every protocol compares with a sharp image. Restore them: "
        f"sdd-bench predict --checkpoint FILE --images {folder} --out DIR"
    )
