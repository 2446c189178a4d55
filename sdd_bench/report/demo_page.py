"""The demo's page: two rankings, what they show in words, and the pictures behind them, in one offline file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape

from sdd_bench.dataset.manifest import Pair, read_csv
from sdd_bench.image_io import encode_png, read_pixels, write_text
from sdd_bench.version import __version__

CROP_PX = 144
PICTURED = 3
COLUMNS = ("rank", "method", "psnr_db", "ssim", "lpips", "mae", "status")


def explain(tables: Mapping[str, Path]) -> list[str]:
    """Return what the two rankings show, in sentences with their own numbers.

    Args:
        tables: Protocol to leaderboard CSV; `direct/1` and `paper/1`.
    """
    direct = {row["method"]: float(row["psnr_db"]) for row in read_csv(tables["direct/1"], COLUMNS)}
    paper = {row["method"]: float(row["psnr_db"]) for row in read_csv(tables["paper/1"], COLUMNS)}
    best = max(paper, key=lambda name: paper[name])
    spread = max(direct.values()) - min(direct.values())
    runner_up = max(value for name, value in paper.items() if name != best)
    lines = [
        f"direct/1 compares with the sharp photograph as it was taken. That is zoomed and shifted, so even the exact "
        f"truth gets only {direct[best]:.2f} dB and all predictions lie within {spread:.2f} dB: the score is about the "
        f"misalignment, not about the restoration.",
        f"paper/1 draws the sharp photograph into each prediction's frame by optical flow, as the papers do. Now the "
        f"truth leads by {paper[best] - runner_up:.2f} dB. Its {paper[best]:.2f} dB should be infinite: bilinear "
        f"drawing and errors of the flow cap what a perfect restoration can reach, and a truth that follows each "
        f"prediction also forgives its geometric errors.",
        "The deconvolution undoes one fixed disk. Where the blur is smaller it rings, where it is larger too little is "
        "undone, and noise grows everywhere: that is why blur that varies over the frame has to be learnt.",
    ]
    order = {name: sorted(scores, key=lambda n: -scores[n]) for name, scores in (("d", direct), ("p", paper))}
    if order["d"] != order["p"]:
        lines.append(f"The order changes from {' > '.join(order['d'])} to {' > '.join(order['p'])}.")
    return lines


def write_page(path: Path, tables: Mapping[str, Path], pairs: Sequence[Pair], predictions: Mapping[str, Path]) -> Path:
    """Write the page and return its path.

    Args:
        path: HTML file to write.
        tables: Protocol to leaderboard CSV.
        pairs: The split that was scored; the first pair of each of `PICTURED` scenes is shown.
        predictions: Method to folder of PNG predictions.
    """
    environment = Environment(
        loader=PackageLoader("sdd_bench.report"), autoescape=select_autoescape(["html"]), trim_blocks=True
    )
    rows = {protocol: read_csv(file, COLUMNS) for protocol, file in tables.items()}
    scenes = {pair.scene: pair for pair in reversed(pairs)}
    page = environment.get_template("demo.html").render(
        version=__version__,
        columns=[column for column in COLUMNS if any(row[column] for table in rows.values() for row in table)],
        tables=rows,
        words=explain(tables),
        methods=list(predictions),
        strips=[_strip(scenes[scene], predictions) for scene in sorted(scenes)[:PICTURED]],
    )
    write_text(path, page)
    return path


def _strip(pair: Pair, predictions: Mapping[str, Path]) -> dict[str, object]:
    """Return a pair's name and the same crop of the sharp photograph and of every prediction."""
    pictures = [("Sharp photograph (misaligned)", _crop(pair.sharp))]
    pictures += [(method, _crop(folder / f"{pair.name}.png")) for method, folder in predictions.items()]
    return {"name": pair.name, "pictures": pictures}


def _crop(path: Path) -> str:
    """Return the middle of an image as a data address, so that the page needs no other file."""
    pixels = read_pixels(path)
    side = min(CROP_PX, *pixels.shape[:2])
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    png = encode_png(pixels[top : top + side, left : left + side], level=9)
    return "data:image/png;base64," + base64.b64encode(png).decode()
