"""Parquet files of the Hub: recognised by columns, names and splits; prepared to the same bytes as the release."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from known_folders import plant
from known_rawdata import tree

from sdd_bench.cli import root as cli
from sdd_bench.datasets import parquet_file
from sdd_bench.datasets.catalog import list_dataset, open_dataset
from sdd_bench.datasets.parquet import dataset_of, unpack_parquet
from sdd_bench.datasets.plan import Choices
from sdd_bench.datasets.prepare_source import prepare_source
from sdd_bench.errors import UserError
from sdd_bench.io.images import encode_png

CHOICES = Choices(recipe="none")
DPDD = [("1P0A0917", "1P0A0916"), ("1P0A0984", "1P0A0985")]
RNG = np.random.default_rng(5)


def png(seed: int) -> bytes:
    return encode_png(np.random.default_rng(seed).integers(0, 65536, (18, 16, 3), np.uint16))


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as `datasets` does: an image is a struct of bytes and path."""
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    pq = pytest.importorskip("pyarrow.parquet")
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [(name, image if isinstance(value, dict) else pa.string()) for name, value in rows[0].items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(fields)), path, row_group_size=2)
    return path


def cell(content: bytes | None, path: str | None) -> dict[str, Any]:
    return {"bytes": content, "path": path}


def pair(
    blur: str, sharp: str, content: bytes | None = b"\x89PNG\r\n\x1a\n", names: tuple[str, str] = ("source", "target")
) -> dict[str, Any]:
    return {names[0]: cell(content, blur), names[1]: cell(png(2), sharp)}


def dpdd_files(folder: Path) -> Path:
    """Two splits of DPDD as in JacobLinCool/DPDD, one of them in two files."""
    rows = [
        {"source": cell(png(n), f"{a}.png"), "target": cell(png(10 + n), f"{b}.png")} for n, (a, b) in enumerate(DPDD)
    ]
    write(folder / "combined/test-00000-of-00002.parquet", rows[:1])
    write(folder / "combined/test-00001-of-00002.parquet", rows[1:])
    write(folder / "combined/train-00000-of-00001.parquet", rows)
    return folder


def released_dpdd(folder: Path) -> Path:
    for split in ("train", "test"):
        for n, (a, b) in enumerate(DPDD):
            for role, name, seed in (("source", a, n), ("target", b, 10 + n)):
                path = folder / f"{split}_c" / role / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(png(seed))
    return folder


@pytest.mark.parametrize("jobs", [1, 2])
def test_dpdd_of_the_hub_gives_the_dataset_of_the_release(tmp_path: Path, jobs: int) -> None:
    source = dpdd_files(tmp_path / "hub")
    write(tmp_path / "hub/left/test-00000-of-00001.parquet", [{"source": cell(png(1), "x.png")}])
    prepare_source(released_dpdd(tmp_path / "released"), CHOICES, tmp_path / "a", 1)
    found, target, summary = prepare_source(source, CHOICES, tmp_path / "b", jobs)
    assert (found.name, found.layout, summary.pairs) == ("dpdd", "released", {"test": 2, "train": 2})
    assert tree(tmp_path / "a") == tree(target)
    assert not (tmp_path / ".b.unpacked").exists()
    again = prepare_source(source, CHOICES, tmp_path / "b", jobs)
    assert again[2].already_there
    assert tree(tmp_path / "a") == tree(target)


def test_realdof_of_the_hub(tmp_path: Path) -> None:
    for shard in range(2):
        name = f"realdof_{shard}_aligned"
        row = {
            "image_pre_deblur": cell(png(shard + 40), "x.png"),
            "image_blur": cell(png(shard), f"RealDOF_{shard}_blur_aligned.png"),
            "image_focus": cell(png(shard + 20), f"RealDOF_{shard}_focus_aligned.png"),
            "file_name_base": name,
        }
        write(tmp_path / f"data/validation-0000{shard}-of-00002.parquet", [row])
    preparation, target, _ = prepare_source(tmp_path / "data", CHOICES, tmp_path / "out", 1)
    assert preparation.name == "realdof"
    found = open_dataset(target, "test")
    assert [pair.name for pair in found] == ["realdof_0_aligned", "realdof_1_aligned"]
    assert [(p.blur.read_bytes(), p.sharp.read_bytes()) for p in found] == [(png(0), png(20)), (png(1), png(21))]
    assert "test: 2 pairs, RealDOF has 50" in preparation.notes


def test_converted_files_whose_folder_says_the_split_and_pairs_of_anybody(tmp_path: Path) -> None:
    row = {"blur": cell(png(1), None), "sharp": cell(png(2), None)}
    write(tmp_path / "a/default/train/0000.parquet", [row, row])
    write(tmp_path / "a/default/validation/0000.parquet", [row])
    preparation, target, summary = prepare_source(tmp_path / "a", CHOICES, tmp_path / "out", 1)
    assert (preparation.name, summary.pairs) == ("pairs", {"train": 2, "val": 1})
    assert [pair.name for pair in open_dataset(target, "train")] == ["0000-00000", "0000-00001"]


def test_images_beside_parquet_files_come_first(tmp_path: Path) -> None:
    dpdd_files(tmp_path)
    plant(tmp_path, "blur/1.png", "gt/1.png", "blur/2.png", "gt/2.png")
    preparation, _, _ = prepare_source(tmp_path, Choices(recipe="none", fraction=0.5), tmp_path / "out", 1)
    assert (preparation.name, preparation.layout) == ("pairs", "full")


def test_a_killed_unpacking_goes_on_and_a_spoilt_image_is_written_again(tmp_path: Path) -> None:
    source = dpdd_files(tmp_path / "hub")
    folder = tmp_path / "unpacked"
    unpack_parquet(source, folder, "dpdd")
    expected = tree(folder)
    spoilt = folder / "test_c/source/1P0A0917.png"
    spoilt.write_bytes(b"half")
    (folder / "train_c/target/1P0A0916.png").unlink()
    unpack_parquet(source, folder, "dpdd")
    assert tree(folder) == expected
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match=r"mine\.txt: does not belong to the parquet files; delete "):
        unpack_parquet(source, folder, "dpdd")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [pair("a.png", "b.png", names=("left", "right"))],
            "no columns of blur and sharp images; expected source",
        ),
        ([pair("a/../.png", "b.png")], r"row 0: '\.png' is no plain name"),
        ([pair("a.png", "b.png"), pair("a.png", "c.png")], "duplicate pair test/a"),
        ([pair("a.png", "b.png", b"GIF89a")], "row 0, source: neither PNG, JPEG nor TIFF"),
        ([pair("a.png", "b.png", None)], "row 0, source: holds no image, only a path"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path: Path, rows: list[dict[str, Any]], message: str) -> None:
    path = write(tmp_path / "test-0.parquet", rows)
    with pytest.raises(UserError, match=message):
        unpack_parquet(path, tmp_path / "out", "pairs")


def test_names_stay_in_the_folder_whatever_the_paths_say(tmp_path: Path) -> None:
    row = {"source": cell(png(1), "../../etc/x.png"), "target": cell(png(2), "C:\\windows\\y.png")}
    unpack_parquet(write(tmp_path / "test-0.parquet", [row]), tmp_path / "out", "dpdd")
    files = sorted(p.relative_to(tmp_path).as_posix() for p in (tmp_path / "out").rglob("*.png"))
    assert files == ["out/test_c/source/x.png", "out/test_c/target/y.png"]


def test_files_without_a_split_and_of_several_configurations(tmp_path: Path) -> None:
    row = {"source": cell(png(1), "1P0A0001.png"), "target": cell(png(2), "1P0A0002.png")}
    write(tmp_path / "a/0000.parquet", [row])
    assert dataset_of(tmp_path / "a") == "dpdd"
    with pytest.raises(UserError, match=r"0000\.parquet: the name does not say the split; expected train-\*"):
        unpack_parquet(tmp_path / "a", tmp_path / "out", "dpdd")
    for side in ("left", "right"):
        write(tmp_path / f"b/{side}/test-0.parquet", [row])
    with pytest.raises(UserError, match="parquet files in several folders, left/, right/; give one of them"):
        dataset_of(tmp_path / "b")


def test_other_commands_and_other_datasets_say_what_to_type(tmp_path: Path) -> None:
    source = dpdd_files(tmp_path / "hub")
    with pytest.raises(UserError, match=f"Parquet files are unpacked by sdd-bench prepare {source} --out DIR"):
        list_dataset(source)
    message = "a dataset of parquet files is never lfdof; --dataset can be dpdd or realdof or sdd or pairs"
    with pytest.raises(UserError, match=message):
        prepare_source(source, Choices(dataset="lfdof"), tmp_path / "out", 1)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "test-0.parquet", [{"source": cell(png(1), "a.png"), "target": cell(png(2), "b.png")}])
    path.write_bytes(path.read_bytes()[:-20])
    found = CliRunner().invoke(cli, ["prepare", str(path), "--out", str(tmp_path / "out")])
    assert found.exit_code == 1
    assert "cannot be read as parquet, truncated or damaged" in found.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seed", range(4))
def test_a_file_with_any_bytes_wrong_is_unpacked_or_refused(tmp_path: Path, seed: int) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    content = write(tmp_path / "good.parquet", [pair(f"{n}.png", f"{n}.png") | {"name": f"n{n}"} for n in range(3)])
    good, rng = content.read_bytes(), np.random.default_rng(seed)
    for turn in range(40):
        spoilt = bytearray(good)
        for place in rng.integers(0, len(good), rng.integers(1, 6)):
            spoilt[place] = rng.integers(256)
        (tmp_path / "test-0.parquet").write_bytes(spoilt[: rng.integers(len(good))] if turn % 10 == 0 else spoilt)
        with contextlib.suppress(UserError):
            unpack_parquet(tmp_path / "test-0.parquet", tmp_path / f"out{turn}", "pairs")


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test-0.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"read by pyarrow; pip install 'sdd-bench\[parquet\]'"):
        parquet_file.pair_columns(tmp_path / "test-0.parquet")
