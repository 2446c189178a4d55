"""Small files that ask for much memory, and files that would run code: refused before either happens."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from harness import Warm, scratch
from known_rawdata import NAMES
from PIL import Image

from sdd_bench.datasets.archive import unpack
from sdd_bench.datasets.store import read_patch
from sdd_bench.errors import UserError
from sdd_bench.io.images import read_header, read_pixels, write_png


def png(path: Path, width: int, height: int, samples: bytes = b"") -> Path:
    """Write an 8-bit RGB PNG with a given header and given samples."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(samples)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    return path


def test_a_png_of_60000_by_60000_is_refused_from_its_header(tmp_path: Path, warm: Warm, corpora: Path) -> None:
    folder = scratch(tmp_path / "w", corpora / "png8")
    path = png(folder / "in" / "source" / "blur" / "a.png", 60_000, 60_000)
    with pytest.raises(UserError, match="60000x60000 is over the limit of 400 megapixels"):
        read_pixels(path)
    found = warm.run(["prepare", "in/source", "--out", "out/x", "--split", "0.5", "--jobs", "1"], folder)
    assert (found.code, found.faults()) == (1, [])
    assert "60000x60000 is over the limit of 400 megapixels" in found.stderr
    assert found.memory_mb < 200


def test_samples_that_a_file_is_too_small_for_are_refused(tmp_path: Path) -> None:
    path = png(tmp_path / "a.png", 19_000, 19_000, b"\0" * 1000)
    words = "19000x19000: 1083 MB of samples in a file of 7.4e-05 MB, rejected as a decompression bomb"
    with pytest.raises(UserError, match=words):
        read_header(path)
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((9000, 9000, 3), np.uint8), compression="zlib", photometric="rgb")
    with pytest.raises(UserError, match="rejected as a decompression bomb"):
        read_pixels(tmp_path / "a.tif")


def test_a_plain_frame_of_24_megapixels_is_no_bomb(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.zeros((4000, 6000, 3), np.uint8))
    assert (tmp_path / "a.png").stat().st_size < 300_000
    assert read_pixels(tmp_path / "a.png").shape == (4000, 6000, 3)


def test_a_jpeg_with_a_preview_behind_it_is_read(tmp_path: Path) -> None:
    picture = Image.fromarray(np.full((48, 64, 3), 90, np.uint8))
    picture.save(tmp_path / "phone.jpg", format="MPO", save_all=True, append_images=[picture])
    assert read_header(tmp_path / "phone.jpg").format == "JPEG"
    assert read_pixels(tmp_path / "phone.jpg").shape == (48, 64, 3)


class Evil:
    """A pickle that creates a file when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def _pickle(path: Path, mark: Path) -> None:
    path.write_bytes(pickle.dumps({"schema": 1, "deblurring": {}, "x": Evil(mark)}))


def _zip(path: Path, mark: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(Evil(mark)))
        file.writestr("archive/version", "3\n")


def _torch(path: Path, mark: Path) -> None:
    import torch

    torch.save({"schema": 1, "deblurring": {}, "0.weight": Evil(mark)}, path)


def _bomb(path: Path, mark: Path) -> None:  # noqa: ARG001
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", pickle.dumps({}))
        file.writestr("archive/version", "3\n")
        file.writestr("archive/data/0", b"\0" * 50_000_000)


@pytest.mark.parametrize("write", [_pickle, _zip, _torch, _bomb])
def test_what_poses_as_a_checkpoint_is_refused_and_runs_nothing(
    write: Callable[[Path, Path], None], tmp_path: Path, warm: Warm, corpora: Path
) -> None:
    for corpus, name, words in (
        ("weights", "in/best.pt", ["predict", "--data", "in/data", "--out", "out/p", "--checkpoint", "in/best.pt"]),
        ("weights", "in/best.pt", ["profile", "--checkpoint", "in/best.pt"]),
        ("weights", "out/run/last.pt", ["train-baseline", "--data", "in/data", "--resume", "out/run"]),
        ("trunk", "in/trunk.pth", ["evaluate", "--pred", "in/pred", "--data", "out/data", "--lpips-net", "squeeze",
                                   "--lpips-trunk", "in/trunk.pth", "--jobs", "1", "--out", "out/r.json"]),
    ):  # fmt: skip
        folder = scratch(tmp_path / "w", corpora / corpus)
        mark = folder / "out" / "it-ran"
        write(folder / name, mark)
        found = warm.run(words, folder)
        assert not mark.exists()
        assert (found.code, found.faults()) == (1, []), found.stderr
        assert name in found.stderr
        assert found.memory_mb < 400
        assert "not a checkpoint" in found.stderr or "not a torch file that holds tensors only" in found.stderr


def test_a_network_larger_than_its_checkpoint_is_refused(tmp_path: Path, warm: Warm, corpora: Path) -> None:
    import torch

    folder = scratch(tmp_path / "w", corpora / "weights")
    state = torch.load(folder / "in" / "best.pt", weights_only=True)
    for change, words in (
        ({"width": 1024}, "the weights are not those of this network"),
        ({"width": 10**7}, "width = 10000000: expected at most 1024"),
        ({"seed": 10**30}, "expected at most 2147483647"),
        ({"flow": 3}, "flow = 3: expected text"),
    ):
        torch.save({**state, "config": {**state["config"], **change}}, folder / "in" / "best.pt")
        found = warm.run(["profile", "--checkpoint", "in/best.pt"], folder)
        assert (found.code, found.faults()) == (1, [])
        assert words in found.stderr
        assert found.memory_mb < 300
    name, first = next(iter(state["deblurring"].items()))
    for weight, words in (
        (torch.zeros(1).expand(10**5, 10**5), "is larger than the file"),
        (torch.full_like(first, float("nan")), "not finite"),
        (first.to_sparse(), "is no names and tensors"),
        ("x", "is no names and tensors"),
    ):
        torch.save({**state, "deblurring": {**state["deblurring"], name: weight}}, folder / "in" / "best.pt")
        found = warm.run(["profile", "--checkpoint", "in/best.pt"], folder)
        assert (found.code, found.faults()) == (1, []), found.stderr
        assert words in found.stderr


def test_a_run_whose_checkpoint_says_what_cannot_be_is_refused(tmp_path: Path, warm: Warm, corpora: Path) -> None:
    import torch

    folder = scratch(tmp_path / "w", corpora / "weights")
    path = folder / "out" / "run" / "last.pt"
    state = torch.load(path, weights_only=True)
    for change, words in (
        ({"step": -7}, "its step is -7"),
        ({"step": 10**30}, "its step is 1000000000000000000000000000000"),
        ({"world": "x"}, "its world is str"),
        ({"optimiser": []}, "its optimiser is list"),
        ({"config": None}, "its config is NoneType"),
        ({"reblurring": None}, "the weights are not those of this network"),
    ):
        torch.save({**state, **change}, path)
        found = warm.run(["train-baseline", "--data", "in/data", "--resume", "out/run"], folder)
        assert (found.code, found.faults()) == (1, []), found.stderr
        assert words in found.stderr


def test_an_optimiser_of_other_parameters_is_refused() -> None:
    import torch

    from jdrl_baseline.models import load_optimiser

    weight = torch.nn.Parameter(torch.zeros(3))
    optimiser = torch.optim.Adam([weight])
    weight.sum().backward()
    optimiser.step()
    good = optimiser.state_dict()
    load_optimiser(optimiser, good, "x")
    moments = {**good["state"][0], "exp_avg": torch.zeros(4)}
    for bad in ({}, {**good, "param_groups": []}, {**good, "state": {0: moments}}):
        with pytest.raises(UserError, match="x: the optimiser is not that of this run"):
            load_optimiser(optimiser, bad, "x")


def _frame(shape: tuple[int, ...], **options: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file["gt"][NAMES[1]]
        file["gt"].create_dataset(NAMES[1], shape, "u1", **options)

    return change


def _many(file: Any) -> None:
    for role in ("blur", "gt"):
        for name in NAMES:
            del file[role][name]
            file[role].create_dataset(name, (5000, 5000, 3), "u1", chunks=(500, 500, 3), compression="gzip")


def _shared_text(file: Any) -> None:
    del file["pairs"]["scene"]
    file["pairs"].create_dataset("scene", data=["a" * 25_000_000] * len(NAMES), dtype=h5py.string_dtype())


def _controls(file: Any) -> None:
    file["pairs"]["scene"][1] = "\x1b[31mred"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_frame((15_000, 15_000, 3), chunks=(500, 500, 3), compression="gzip"), "rejected as a decompression bomb"),
        (_frame((4, 4, 3), chunks=(9000, 9000, 3), maxshape=(None, None, 3)), "rejected as a decompression bomb"),
        (_many, "rejected as a decompression bomb"),
        (_shared_text, "/pairs/scene holds over 100 MB of text"),
        (_controls, "/pairs/scene holds control characters"),
        (lambda f: f["pairs"]["name"].__setitem__(1, "a\nb"), r"pair 'a\\nb' is not a plain file name"),
        (lambda f: f["pairs"].attrs.__setitem__("columns", ["name", "a\nb"]), "is no plain name"),
    ],
)
def test_an_archive_that_asks_for_more_than_it_holds_is_refused(
    packed: Path, tmp_path: Path, change: Callable[[Any], None], words: str
) -> None:
    with h5py.File(packed, "r+") as file:
        change(file)
    with pytest.raises(UserError, match=words):
        unpack(packed, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def _store(path: Path, change: Callable[[Any], None]) -> Path:
    with h5py.File(path, "w") as file:
        for role in ("blur", "gt"):
            file.create_dataset(role, data=np.zeros((2, 8, 8, 3), np.uint8), chunks=(1, 8, 8, 3), compression="gzip")
        file.create_dataset("name", data=["a", "b"], dtype=h5py.string_dtype())
        change(file)
    return path


def _instead(member: str, value: Callable[[Any], object]) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[member]
        made = value(file)
        if made is not None:
            file[member] = made

    return change


def _made(file: Any, *shape: Any, **options: Any) -> None:
    file.create_dataset(*shape, **options)


def _virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((2, 8, 8, 3), "u1")
    layout[:] = h5py.VirtualSource("other.h5", "x", (2, 8, 8, 3))
    file.create_virtual_dataset("gt", layout)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_instead("gt", lambda _: h5py.ExternalLink("/etc/passwd", "/gt")), "/gt is a link"),
        (_instead("gt", lambda _: h5py.SoftLink("/blur")), "/gt is a link"),
        (_instead("name", lambda _: h5py.SoftLink("/blur")), "/name is a link"),
        (_instead("gt", lambda _: None), "/gt is missing"),
        (_instead("gt", lambda f: f.create_group("gt") and None), "/gt is a group, expected a dataset"),
        (_instead("gt", _virtual), "/gt has its data in other files"),
        (
            _instead("gt", lambda f: _made(f, "gt", (2, 8, 8, 3), "u1", external=[("/etc/passwd", 0, 384)])),
            "/gt has its data in other files",
        ),
        (
            _instead("gt", lambda f: f.create_dataset("gt", (2, 10**5, 10**5, 3), "u1", chunks=(1, 9, 9, 3)) and None),
            "rejected as a decompression bomb",
        ),
        (_instead("gt", lambda f: f.create_dataset("gt", (2, 8, 8, 3), "f8") and None), "expected .* uint8 or uint16"),
        (_instead("gt", lambda f: f.create_dataset("gt", (2,), "u1") and None), "expected .* uint8 or uint16"),
        (_instead("name", lambda _: np.zeros((2, 3))), "its names are not text"),
        (_instead("name", lambda _: np.zeros(2, "S2000000")), "its names are not text"),
        (_instead("name", lambda f: _made(f, "name", data=["a\x1b[2J", "b"], dtype=h5py.string_dtype())),
         r"patch 0 is a\\x1b\[2J, expected a"),
    ],
)  # fmt: skip
def test_a_patch_store_that_points_elsewhere_or_asks_for_more_than_it_holds_is_refused(
    tmp_path: Path, change: Callable[[Any], None], words: str
) -> None:
    path = _store(tmp_path / "train_patches.h5", change)
    with pytest.raises(UserError, match=words) as caught:
        read_patch(path, 0, "a")
    assert "\n" not in caught.value.message


def test_a_list_of_names_that_its_file_cannot_hold_is_refused(tmp_path: Path) -> None:
    from sdd_bench.datasets.layouts.dpdd import list_dpdd

    for role in ("source", "target"):
        write_png(tmp_path / "test_c" / role / "1P0A1000.png", np.zeros((8, 8, 3), np.uint8))
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<U20", "fortran_order": False, "shape": (10**9,)})
    pickled = io.BytesIO()
    np.save(pickled, np.array([Evil(tmp_path / "it-ran")], object), allow_pickle=True)
    codes = io.BytesIO()
    np.save(codes, np.array([0x7FFFFFFF, 1], "<u4").view("<U2"))
    controls = io.BytesIO()
    np.save(controls, np.array(["a\x1b[2J"]))
    for content, words in (
        (head, "not a numpy array of names"),
        (pickled, "not a numpy array of names"),
        (codes, "names that are no text"),
        (controls, "is not a plain file name"),
    ):
        for role in ("src", "trg"):
            (tmp_path / f"test_{role}.npy").write_bytes(content.getvalue())
        with pytest.raises(UserError, match=words):
            list_dpdd(tmp_path)
    assert not (tmp_path / "it-ran").exists()


@pytest.mark.parametrize("side", [20_000, 60_000])
def test_a_raw_file_that_is_too_small_for_its_picture_is_refused(
    side: int, tmp_path: Path, warm: Warm, corpora: Path
) -> None:
    folder = scratch(tmp_path / "w", corpora / "raw")
    for place in ("in/card", "out/shots"):
        with tifffile.TiffFile(folder / place / "gt.dng", mode="r+b") as file:
            page = file.pages.first
            for name in ("ImageWidth", "ImageLength", "RowsPerStrip"):
                page.tags[name].overwrite(side)
    found = warm.run(["ingest", "in/card", "--out", "out/raw", "--jobs", "1"], folder)
    assert (found.code, found.faults()) == (1, [])
    assert "refused: card_s: gt.dng: " in found.stdout
    found = warm.run(["ingest", "--init", "out/shots", "--jobs", "1"], folder)
    assert (found.code, found.faults()) == (0, [])
    assert "cannot be developed: gt.dng" in found.stdout
