"""The HDF5 archive of developed pairs: its layout, reading it back, and refusals."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from known_rawdata import NAMES, PLACES, tree, write_folder

from sdd_bench.datasets import archive as module
from sdd_bench.datasets.archive import is_archive, unpack, write_archive
from sdd_bench.errors import UserError
from sdd_bench.io.images import write_png
from sdd_bench.io.serialise import read_csv

DOCS = (Path(__file__).parent.parent / "docs" / "reference" / "datasets.md").read_text(encoding="utf-8")


# --- the file


def test_the_layout_is_the_documented_one(packed: Path, rawdata: Path) -> None:
    with h5py.File(packed) as file:
        assert (file.attrs["format"], file.attrs["schema"]) == ("sdd-bench pairs", 1)
        assert json.loads(file.attrs["about"]) == {"tool": "x"}
        columns = list(file["pairs"].attrs["columns"])
        assert columns == ["name", "scene", "place", "notes", "blur_sha256", "sharp_sha256"]
        rows = read_csv(rawdata / "pairs.csv", ["name"])
        for column in columns:
            assert list(file["pairs"][column].asstr()[:]) == [row[column] for row in rows]
        assert {role: list(file[role]) for role in ("blur", "gt")} == {"blur": NAMES, "gt": NAMES}
        assert [file["gt"][name].dtype.name for name in NAMES] == ["uint8"] * 3 + ["uint16", "uint8"]
        frame = file["blur"][NAMES[2]]
        assert (frame.shape, frame.chunks) == ((50, 300, 3), (50, 256, 3))
        assert (frame.compression, frame.compression_opts, frame.shuffle) == ("gzip", 3, True)


def test_the_example_of_the_docs_runs(packed: Path, rawdata: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    example = next(text for text in code if "h5py.File" in text)
    assert len(example.strip().splitlines()) <= 6
    monkeypatch.chdir(packed.parent)
    found: dict[str, Any] = {}
    exec(example, found)
    assert found["names"] == NAMES
    assert found["places"] == PLACES
    from sdd_bench.io.images import read_pixels

    np.testing.assert_array_equal(found["blur"], read_pixels(rawdata / "blur" / f"{NAMES[0]}.png"))
    np.testing.assert_array_equal(found["sharp"], read_pixels(rawdata / "gt" / f"{NAMES[0]}.png"))


def test_same_input_gives_the_same_bytes_and_an_archive_is_replaced(packed: Path, rawdata: Path) -> None:
    first = packed.read_bytes()
    other = packed.with_name("other.hdf5")
    write_archive(other, rawdata, rawdata / "pairs.csv", {"tool": "x"})
    assert other.read_bytes() == first
    write_archive(packed, rawdata, rawdata / "pairs.csv", {"tool": "y"})
    assert packed.read_bytes() != first
    assert is_archive(packed)
    assert is_archive(other)
    assert not is_archive(rawdata)
    assert not is_archive(packed.with_name("gone.h5"))


def test_text_longer_than_an_attribute_usually_holds(packed: Path, rawdata: Path) -> None:
    about = {"sessions": "x" * 300_000}
    write_archive(packed, rawdata, rawdata / "pairs.csv", about)
    with h5py.File(packed) as file:
        assert json.loads(file.attrs["about"]) == about


@pytest.mark.parametrize("content", [b"", b"precious", None])
def test_other_files_in_the_way_are_left_alone(rawdata: Path, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.h5"
    if content is None:
        with h5py.File(path, "w") as file:
            file["measurements"] = [1, 2]
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"x\.h5: exists but is not an archive of sdd-bench; give another name"):
        write_archive(path, rawdata, rawdata / "pairs.csv", {})
    assert path.read_bytes() == before


def test_what_cannot_be_archived_is_named_and_nothing_is_left(rawdata: Path, tmp_path: Path) -> None:
    path, table = tmp_path / "x.h5", tmp_path / "table.csv"
    for text, words in [
        ("scene\na\n", "missing column name"),
        ("name\n", "no pairs"),
        ("name\n../a\n", r"pair '\.\./a' is not a plain file name"),
        ("name\nb\nB\n", "duplicate name b, perhaps in another case"),
        ("name,a/b\nhall_0000,1\n", "column 'a/b' is no plain name"),
        ("name\nabsent\n", r"absent\.png: cannot be read"),
    ]:
        table.write_text(text)
        with pytest.raises(UserError, match=words):
            write_archive(path, rawdata, table, {})
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        write_archive(tmp_path / "file" / "x.h5", rawdata, rawdata / "pairs.csv", {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "rawdata", "table.csv"]


@pytest.mark.parametrize(
    "share", [0.0, pytest.param(0.02, marks=pytest.mark.long), 0.3, pytest.param(0.9, marks=pytest.mark.long), 0.999]
)
def test_a_full_disk_ends_in_one_line_and_leaves_the_archive_there(packed: Path, rawdata: Path, share: float) -> None:
    before = packed.read_bytes()
    code = (
        "import resource, sys; from pathlib import Path; import h5py, joblib\n"
        "from sdd_bench.datasets.archive import write_archive\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))\n"
        "try: write_archive(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[2]) / 'pairs.csv', {'tool': 'x'})\n"
        "except Exception as error: print(type(error).__name__, error.message)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, packed, rawdata, str(int(share * len(before)))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"CannotWriteError {packed}: cannot be written (File too large)\n"
    assert packed.read_bytes() == before
    assert not list(packed.parent.glob(".part-*"))


# --- reading back


@pytest.mark.parametrize("jobs", [1, 2])
def test_unpacking_gives_the_folder_back(packed: Path, rawdata: Path, tmp_path: Path, jobs: int) -> None:
    unpack(packed, tmp_path / "back", jobs=jobs)
    assert tree(tmp_path / "back") == tree(rawdata)


@pytest.mark.parametrize("columns", [("name",), ("name", "blur_sha256", "sharp_sha256")])
def test_unpacking_goes_on_after_a_kill_and_mends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: tuple[str, ...]
) -> None:
    rawdata = write_folder(tmp_path / "rawdata", columns)
    write_archive(tmp_path / "a.h5", rawdata, rawdata / "pairs.csv", {})
    written: list[Path] = []

    def killed_after_four(path: Path, pixels: Any) -> None:
        if len(written) == 4:
            raise KeyboardInterrupt
        written.append(path)
        write_png(path, pixels)

    monkeypatch.setattr(module, "write_png", killed_after_four)
    with pytest.raises(KeyboardInterrupt):
        unpack(tmp_path / "a.h5", tmp_path / "back")
    (tmp_path / "back" / "blur" / ".part-left").touch()
    shutil.copy(
        rawdata / "gt" / f"{NAMES[1]}.png", tmp_path / "back" / "blur" / f"{NAMES[1]}.png"
    )  # of another archive
    times = {p: p.stat().st_mtime_ns for p in written if NAMES[1] not in p.name}
    again: list[Path] = []
    monkeypatch.setattr(module, "write_png", lambda path, pixels: (again.append(path), write_png(path, pixels)))
    unpack(tmp_path / "a.h5", tmp_path / "back")
    assert len(again) == 7
    assert {p: p.stat().st_mtime_ns for p in times} == times
    (tmp_path / "back" / "blur" / ".part-left").unlink()
    assert tree(tmp_path / "back") == tree(rawdata)


def test_a_folder_with_other_files_is_not_unpacked_to(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "back" / "gt").mkdir(parents=True)
    (tmp_path / "back" / "gt" / "other.png").touch()
    with pytest.raises(UserError, match=r"gt: holds other\.png, which does not belong to the archive; delete .*back"):
        unpack(packed, tmp_path / "back")


def _link(file: Any) -> None:
    del file["gt"][NAMES[1]]
    file["gt"][NAMES[1]] = h5py.SoftLink(f"/blur/{NAMES[1]}")


def _external_link(file: Any) -> None:
    del file["blur"]
    file["blur"] = h5py.ExternalLink("/etc/passwd", "/")


def _external_data(file: Any) -> None:
    del file["gt"][NAMES[1]]
    file["gt"].create_dataset(NAMES[1], (2, 2, 3), "u1", external=[("/etc/passwd", 0, 12)])


def _virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((49, 300, 3), "u1")
    layout[:] = h5py.VirtualSource("other.h5", "x", (49, 300, 3))
    del file["gt"][NAMES[1]]
    file["gt"].create_virtual_dataset(NAMES[1], layout)


def _frame(shape: tuple[int, ...], dtype: str, **options: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file["gt"][NAMES[1]]
        file["gt"].create_dataset(NAMES[1], shape, dtype, **options)

    return change


def _name(name: str) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        file["pairs"]["name"][1] = name

    return change


def _group_for_frame(file: Any) -> None:
    del file["gt"][NAMES[1]]
    file["gt"].create_group(NAMES[1])


def _numbers(file: Any) -> None:
    del file["pairs"]["scene"]
    file["pairs"]["scene"] = np.arange(5)


def _short_column(file: Any) -> None:
    del file["pairs"]["scene"]
    file["pairs"].create_dataset("scene", data=["a"], dtype=h5py.string_dtype())


def _not_text(file: Any) -> None:
    del file["pairs"]["scene"]
    file["pairs"].create_dataset("scene", data=[b"\xff\xfe"] * 5, dtype=h5py.string_dtype())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.attrs.__delitem__("format"), "an HDF5 file, but not an archive of sdd-bench ingest"),
        (lambda f: f.attrs.__setitem__("format", [1, 2]), "cannot be read as HDF5"),
        (lambda f: f.attrs.__setitem__("schema", 2), "schema .*2.*, this version reads schema 1"),
        (lambda f: f.__delitem__("pairs"), "/pairs is missing"),
        (lambda f: f["gt"].__delitem__(NAMES[1]), f"/gt/{NAMES[1]} is missing"),
        (lambda f: f["pairs"].__delitem__("scene"), "/pairs/scene is missing"),
        (lambda f: f["pairs"].attrs.__delitem__("columns"), "expected each once, one of them name"),
        (lambda f: f["pairs"].attrs.__setitem__("columns", ["name", "../blur"]), "column '../blur' is no plain name"),
        (lambda f: f["pairs"].attrs.__setitem__("columns", ["name", "name"]), "expected each once"),
        (_link, f"/gt/{NAMES[1]} is a link, expected the data themselves"),
        (_external_link, "/blur is a link"),
        (_external_data, f"/gt/{NAMES[1]} has its data in other files"),
        (_virtual, f"/gt/{NAMES[1]} has its data in other files"),
        (_group_for_frame, f"/gt/{NAMES[1]} is a group, expected a dataset"),
        (_numbers, "/pairs/scene is not text"),
        (_short_column, r"/pairs/scene has shape \(1,\), expected \(5,\)"),
        (_not_text, "cannot be read as HDF5"),
        (lambda f: f["blur"].__delitem__(NAMES[1]), r"/pairs/name has shape \(5,\), expected \(4,\)"),
        (_frame((4, 4), "u1"), r"is \(4, 4\) uint8, expected \(H, W, 3\) uint8 or uint16"),
        (_frame((4, 4, 4), "u1"), "expected"),
        (_frame((0, 4, 3), "u1"), "expected"),
        (_frame((4, 4, 3), "f4"), r"is \(4, 4, 3\) float32"),
        (_frame((4, 4, 3), ">u2"), "expected"),
        (_frame((20001, 20000, 3), "u1", chunks=(1, 1000, 3)), "20000x20001 is over the limit of 400 megapixels"),
        (_frame((4, 4, 3), "u1", chunks=(30000, 30000, 3), maxshape=(None, None, 3)), "30000x30000 is over the limit"),
        *[
            (_name(n), "is not a plain file name")
            for n in ("", "..", ".hidden", "../x", "/etc/x", "a\\b", "C:x", "a/b")
        ],
        (_name(NAMES[0]), f"duplicate name {NAMES[0]}"),
    ],
)
def test_what_is_no_archive_is_refused_before_anything_is_written(
    packed: Path, tmp_path: Path, change: Callable[[Any], object], words: str
) -> None:
    with h5py.File(packed, "r+") as file:
        change(file)
    with pytest.raises(UserError, match=words) as caught:
        unpack(packed, tmp_path / "back")
    assert "\n" not in caught.value.message
    assert caught.value.message.startswith(str(packed))
    assert not (tmp_path / "back").exists()


def test_damaged_files_are_refused(packed: Path, tmp_path: Path) -> None:
    whole = packed.read_bytes()
    for content in (b"", b"not HDF5", whole[: len(whole) // 2], whole[:-1]):
        packed.write_bytes(content)
        with pytest.raises(UserError, match="cannot be read as HDF5, truncated or damaged"):
            unpack(packed, tmp_path / "back")
        assert not (tmp_path / "back").exists()
    with h5py.File(packed.with_name("x.h5"), "w") as file:
        file["a"] = 1
    packed.write_bytes(whole)
    with h5py.File(packed) as file:
        offset = file["gt"][NAMES[2]].id.get_chunk_info(0).byte_offset
    packed.write_bytes(whole[:offset] + b"\xff" * 64 + whole[offset + 64 :])
    with pytest.raises(UserError, match=f"gt/{NAMES[2]} cannot be read as HDF5") as caught:
        unpack(packed, tmp_path / "back")
    assert "\n" not in caught.value.message
    assert not (tmp_path / "back" / "gt" / f"{NAMES[2]}.png").exists()
