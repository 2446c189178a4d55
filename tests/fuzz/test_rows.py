"""Tables of a million rows, and rows of a million cells: refused in one line, with bounded time and memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from harness import Warm, scratch

MILLION = 1_000_000


def refused(warm: Warm, folder: Path, words: list[str], message: str) -> None:
    found = warm.run(words, folder)
    assert found.code == 1, found.stderr
    assert message in found.stderr
    assert not [fault for fault in found.faults() if not fault.endswith(" MB")]
    assert found.memory_mb < 1500


def test_a_million_pairs_are_refused(tmp_path: Path, warm: Warm, corpora: Path) -> None:
    folder = scratch(tmp_path / "w", corpora / "data")
    path = folder / "out" / "data" / "pairs.csv"
    head, row = path.read_text().splitlines()[:2]
    cells = row.split(",")
    with path.open("w") as file:
        file.write(head + "\n")
        file.writelines(",".join([cells[0], f"{i}", *cells[2:]]) + "\n" for i in range(MILLION))
    words = ["evaluate", "--pred", "in/pred", "--data", "out/data", "--jobs", "1", "--out", "out/x.json"]
    refused(warm, folder, words, "pairs.csv: over 500,000 rows, more than are read")


def test_a_million_images_in_results_are_refused(tmp_path: Path, warm: Warm, corpora: Path) -> None:
    folder = scratch(tmp_path / "w", corpora / "board")
    path = next((folder / "in" / "results").glob("One.*.direct-1.json"))
    content = json.loads(path.read_text())
    row = json.dumps(content["images"][0])
    before, after = json.dumps({**content, "images": "ROWS"}).split('"ROWS"')
    with path.open("w") as file:
        file.write(f"{before}[{row}")
        file.writelines(f",{row}" for _ in range(MILLION - 1))
        file.write(f"]{after}")
    refused(
        warm, folder, ["leaderboard", str(path.relative_to(folder)), "--out", "out/b.csv"], "MB limit for such a file"
    )


def test_few_numbers_of_a_million_images_are_refused(tmp_path: Path, warm: Warm, corpora: Path) -> None:
    folder = scratch(tmp_path / "w", corpora / "board")
    path = next((folder / "in" / "results").glob("One.*.direct-1.json"))
    content = json.loads(path.read_text())
    before, after = json.dumps({**content, "images": "ROWS"}).split('"ROWS"')
    rows = ",".join(f'{{"name":"{i}","psnr_db":30,"ssim":1,"mae":0,"lpips":0}}' for i in range(MILLION))
    path.write_text(f"{before}[{rows}]{after}")
    words = ["leaderboard", str(path.relative_to(folder)), "--out", "out/b.csv"]
    refused(warm, folder, words, "images: 1,000,000 images, expected a list of 1 to 100,000")


@pytest.mark.parametrize("text", ["," * 3_000_000 + "\n" + "x\n" * 1_000_000, "name,place\n" + "a," * 3_000_000])
def test_rows_of_a_million_cells_are_refused(tmp_path: Path, warm: Warm, corpora: Path, text: str) -> None:
    folder = scratch(tmp_path / "w", corpora / "data")
    (folder / "in" / "source" / "places.csv").write_text(text)
    words = ["prepare", "in/source", "--out", "out/x", "--split", "0.5", "--jobs", "1"]
    refused(warm, folder, words, "places.csv: ")
