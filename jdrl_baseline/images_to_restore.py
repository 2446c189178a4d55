"""Blur images that a command processes: those of a split, or of a folder."""

from __future__ import annotations

from pathlib import Path

from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.errors import UserError
from sdd_bench.io.images import list_images
from sdd_bench.io.names import stem_of


def blur_images(images: Path | None, data: Path | None, split: str, grey: str) -> dict[str, Path]:
    """Return blur images by the name of their prediction.

    Args:
        images: Folder of images, or None for a dataset.
        data: Folder of the dataset.
        split: Split of the dataset.
        grey: Handling of grey images, `refuse` or `expand`.

    Raises:
        UserError: The folder holds no image, or two of the same name, or the dataset cannot be opened.
    """
    if images is None:
        assert data is not None
        return {pair.name: pair.blur for pair in open_dataset(data, split, grey=grey).split(split)}
    found = list_images(images)
    if not found:
        raise UserError(f"{images}: no images in this folder")
    files = {stem_of(path): path for path in found}
    alike = sorted(path.name for path in found if files[stem_of(path)] != path)
    if alike:
        raise UserError(
            f"{images}: {', '.join(alike)}: another image of that name, whose prediction would be the same file"
        )
    return files
