"""sdd-bench: toolkit and benchmark for defocus deblurring with misaligned pairs.

```python
import sdd_bench as sb
sb.read_image("restored/0012.png")                 # (H, W, 3) float32 in [0, 1]
sb.score(restored, truth)                          # dict of floats
sb.analyse(blur, sharp)                            # zoom, shift, rotation, residual, blur
sb.anchor(blur, sharp)                             # the truth of anchored protocols, and its mask
dataset = sb.open_dataset("data/sdd", split="test")
sb.torch.PairDataset(dataset, crop=256)            # for training
results = sb.evaluate("restored/", dataset)        # or a function instead of a folder
sb.load_results("results/mine.json")
sb.rank([results])                                 # DataFrame
sb.load_baseline("identity")                       # array to array
```

Each name is imported when it is first used, so that `import sdd_bench` is fast and does not load torch. None of them
writes files or changes global state.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from sdd_bench.version import __version__

if TYPE_CHECKING:
    from sdd_bench import torch as torch
    from sdd_bench.api.datasets import open_dataset as open_dataset
    from sdd_bench.api.methods import evaluate as evaluate
    from sdd_bench.api.methods import load_baseline as load_baseline
    from sdd_bench.api.methods import load_results as load_results
    from sdd_bench.api.methods import rank as rank
    from sdd_bench.api.pairs import analyse as analyse
    from sdd_bench.api.pairs import anchor as anchor
    from sdd_bench.api.pairs import read_image as read_image
    from sdd_bench.api.pairs import score as score

_PLACES = {
    "read_image": "pairs",
    "score": "pairs",
    "analyse": "pairs",
    "anchor": "pairs",
    "open_dataset": "datasets",
    "evaluate": "methods",
    "load_results": "methods",
    "rank": "methods",
    "load_baseline": "methods",
}
"""File in `sdd_bench.api` that contains each name."""

__all__ = ["__version__", "torch", *_PLACES]


def __getattr__(name: str) -> object:
    """Import a name of the public API when it is first used."""
    if name == "torch":
        return importlib.import_module("sdd_bench.torch")
    if name not in _PLACES:
        raise AttributeError(f"module 'sdd_bench' has no attribute {name!r}")
    found: object = getattr(importlib.import_module(f"sdd_bench.api.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the public names, for completion."""
    return sorted([*__all__, "__doc__", "__name__"])
