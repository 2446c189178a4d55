# %% [markdown]
# # A tour in Python
#
# From two misaligned photographs to a ranked table, in a few cells. The data are made here from photographs inside
# scikit-image; nothing is downloaded.

# %%
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import skimage as ski

import sdd_bench as sb

work = Path(tempfile.mkdtemp())
command = [sys.executable, "-m", "sdd_bench.cli", "synthesise", "--out", work / "pairs"]
subprocess.run([*command, "--count", "6", "--size", "192x144", "--max-radius", "4", "--shift-range", "4"], check=True)

# %% [markdown]
# ## A pair and its misalignment
#
# The two images of a pair differ in zoom and shift. `analyse` measures both from the images alone; the motion that
# `synthesise` drew is in `truth/truth.csv`.

# %%
dataset = sb.open_dataset(work / "pairs/blur", sharp=work / "pairs/gt", dataset="tour")
pair = dataset[0]
analysis = sb.analyse(pair.blur, pair.sharp)
found = analysis.similarity
print(
    f"{pair.name}: zoom {found.zoom:.4f}, shift {found.shift_x_px:.2f} and {found.shift_y_px:.2f} px, {analysis.kind}"
)

# %% [markdown]
# ## Why the protocol matters
#
# Scored against the sharp image as it is, the exact truth gets a low PSNR, because the sharp image is displaced. Scored
# against the anchored truth, over the pixels that are proven to be aligned, it gets a high one.

# %%
exact = sb.read_image(work / f"pairs/truth/aligned/{pair.name}.png")
anchor = sb.anchor(pair.blur, pair.sharp)
direct_db = sb.score(exact, pair.sharp)["psnr_db"]
anchored_db = sb.score(exact, anchor.truth, anchor.mask)["psnr_db"]
print(f"the exact truth: {direct_db:.1f} dB against the sharp image, {anchored_db:.1f} dB against the anchored truth")


# %% [markdown]
# ## Score functions, rank them
#
# Any function of an image can be scored. The images are `(H, W, 3)` float32 in [0, 1].


# %%
def sharpened(blur: np.ndarray) -> np.ndarray:
    """Return the image after an unsharp mask."""
    return ski.filters.unsharp_mask(blur, radius=1, amount=0.5, channel_axis=2)


results = [
    sb.evaluate(sb.load_baseline("identity"), dataset, method="Blur image", anchors=work / "anchors"),
    sb.evaluate(sharpened, dataset, method="Unsharp mask", anchors=work / "anchors"),
]
table = sb.rank(results)
print(table[["rank", "tie", "method", "psnr_db", "psnr_lo", "psnr_hi"]].to_string(index=False))

# %% [markdown]
# ## One row an image
#
# `no_harm_db` says what a method did to places that were sharp already, `gdi_px` how far its output is displaced.

# %%
print(results[1].rows[["name", "psnr_db", "blur_psnr_db", "no_harm_db", "gdi_px"]].round(2).to_string(index=False))
