"""Small, real inputs of every kind that commands read, made by the commands themselves, and their readers."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import known_images
import numpy as np
import tifffile
from harness import Warm
from known_images import profile
from known_raw import write_dng
from mutate import BYTES, CSV, JSON, JSON_LINES, TOML, Mutation
from mutate_images import MORE, icc, tiff_tag
from numpy.typing import NDArray
from PIL import Image

from sdd_bench.io.images import write_png

Words = tuple[str, ...]
ONE = ("--jobs", "1")
TRAIN = (
    "--set", "network='unet'", "--set", "blur_map=false", "--set", "width=4", "--set", "reblur_width=4", "--set",
    "crop=48", "--set", "batch=2", "--set", "workers=0", "--set", "val_scenes=1", "--set", "warmup_epochs=0", "--set",
    "steps=1", "--accelerator", "cpu",
)  # fmt: skip
ANALYSE = ("analyse", "--data", "in/source", "--out", "out/m.csv", *ONE)


@dataclass(frozen=True)
class Reader:
    """A command and the file that it reads.

    Attributes:
        target: The file to change, relative to the corpus, as a pattern.
        words: The command; patterns in it are filled in.
    """

    target: str
    words: Words


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    Attributes:
        corpus: Key of `CORPORA`, the folder that holds the input.
        mutations: Mutations that may be applied to it.
        readers: Commands of which one is drawn for each mutant.
        share: Weight among the mutants, relative to 1 for other kinds.
    """

    corpus: str
    mutations: Sequence[Mutation]
    readers: tuple[Reader, ...]
    share: float = 1.0


def texture(height: int, width: int, seed: int, kind: type = np.uint8) -> NDArray[np.uint8]:
    """Return (height, width, 3) of smooth random samples."""
    coarse = np.random.default_rng(seed).random((height // 8 + 2, width // 8 + 2, 3))
    fine = coarse.repeat(8, axis=0).repeat(8, axis=1)[4 : 4 + height, 4 : 4 + width]
    return (fine * np.iinfo(kind).max).astype(kind)


def _png(bits: int) -> Callable[[Path, NDArray[np.uint8]], None]:
    def write(path: Path, pixels: NDArray[np.uint8]) -> None:
        write_png(path, pixels if bits == 8 else pixels.astype(np.uint16) * 257)

    return write


def _tiff(bits: int, compression: str | None) -> Callable[[Path, NDArray[np.uint8]], None]:
    def write(path: Path, pixels: NDArray[np.uint8]) -> None:
        samples = pixels if bits == 8 else pixels.astype(np.uint16) * 257
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, samples, photometric="rgb", compression=compression, predictor=compression is not None)

    return write


def _jpeg(path: Path, pixels: NDArray[np.uint8]) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Known", "Known camera", 6
    exif.get_ifd(0x8769)[0x9003] = "2024:05:01 10:00:00"
    exif.get_ifd(0x8769)[0x829A] = 0.01
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=90, exif=exif)


def _profiled(write: Callable[..., None], kind: type = np.uint8) -> Callable[[Path, NDArray[np.uint8]], None]:
    """Return a function that writes an image with an orientation and the profile of another colour space."""

    def write_one(path: Path, pixels: NDArray[np.uint8]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = pixels if kind == np.uint8 else (pixels / 255).astype(kind)
        write(path, samples, 6, profile())

    return write_one


def _progressive(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=90, progressive=True, icc_profile=profile())


IMAGES: dict[str, tuple[str, Callable[[Path, NDArray[np.uint8]], None]]] = {
    "png8": ("png", _png(8)),
    "png16": ("png", _png(16)),
    "tiff8": ("tif", _tiff(8, None)),
    "tiff16": ("tif", _tiff(16, "zlib")),
    "jpeg": ("jpg", _jpeg),
    "png of P3": ("png", _profiled(known_images.write_png)),
    "tiff of floats": ("tif", _profiled(known_images.write_tiff, np.float32)),
    "progressive": ("jpg", _progressive),
    "avif": ("avif", _profiled(known_images.write_avif)),
}
if find_spec("pillow_heif"):
    IMAGES["heic"] = ("heic", _profiled(known_images.write_heic))
PROFILED = ("png of P3", "tiff of floats", "progressive")


def images(kind: str) -> Callable[[Warm, Path, Path], None]:
    """Return a function that writes pairs in an image format, as a source and as a session."""

    def build(warm: Warm, root: Path, others: Path) -> None:  # noqa: ARG001
        suffix, write = IMAGES[kind]
        for number, name in enumerate("ab"):
            for role in ("blur", "gt"):
                pixels = texture(96, 128, number)
                if role == "blur":
                    pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 1.5), np.uint8)
                write(root / "in" / "source" / role / f"{name}.{suffix}", pixels)
                write(root / "in" / "card" / f"{name}-{role}.{suffix}", pixels)
                write(root / "out" / "shots" / f"{name}-{role}.{suffix}", pixels)
        rows = [f"{n}-{role}.{suffix},{n},{role}\n" for n in "ab" for role in ("blur", "gt")]
        (root / "in" / "card" / "session.csv").write_text("file,scene,role\n" + "".join(rows))

    return build


def raw(warm: Warm, root: Path, others: Path) -> None:  # noqa: ARG001
    """Write a session of two small DNG files, and one of the DNG files of the test assets if they exist."""
    card = root / "in" / "card"
    card.mkdir(parents=True)
    for name, seed in (("blur", 1), ("gt", 2)):
        write_dng(card / f"{name}.dng", texture(96, 128, seed) / 255)
    shutil.copytree(card, root / "out" / "shots")
    (card / "session.csv").write_text("file,scene,role\nblur.dng,s,blur\ngt.dng,s,gt\n")


def card(warm: Warm, root: Path, others: Path) -> None:
    """Write a session described in TOML and CSV, and a folder that it was ingested into."""
    source = others / "png8" / "in" / "card"
    shutil.copytree(source, root / "in" / "card")
    shutil.copytree(source, root / "in" / "toml")
    (root / "in" / "toml" / "session.csv").unlink()
    shots = "".join(
        f'\n[[shot]]\nfile = "{n}-{role}.png"\nscene = "{n}"\nrole = "{role}"\nmotor = {i}\nnotes = "grün"\n'
        for i, (n, role) in enumerate((n, role) for n in "ab" for role in ("blur", "gt"))
    )
    head = 'place = "indoor"\ncamera = "Known"\n\n[limits]\nmax_shift_px = 300\n'
    (root / "in" / "toml" / "session.toml").write_text(head.split("\n[")[0] + shots)
    _run(warm, root, *INGEST)


def data(warm: Warm, root: Path, others: Path) -> None:  # noqa: ARG001
    """Write a source of pairs with places and a split list, and the prepared data, anchors and results made from it."""
    size = ("--size", "160x112", "--max-radius", "2", "--seed", "5", "--count", "4")
    _run(warm, root, "synthesise", "--out", "out/source", *size, *ONE)
    names = sorted(path.stem for path in (root / "out" / "source" / "blur").iterdir())
    lines = [f"{name},{split}" for name, split in zip(names, ("train", "train", "test", "test"), strict=True)]
    (root / "in" / "source").mkdir(parents=True)
    for kept in ("blur", "gt"):
        shutil.move(root / "out" / "source" / kept, root / "in" / "source" / kept)
    places = [
        f"{name},{name},{place}\n"
        for name, place in zip(names, ("indoor", "outdoor", "indoor", "outdoor"), strict=True)
    ]
    (root / "in" / "source" / "places.csv").write_text("name,scene,place\n" + "".join(places))
    (root / "in" / "split.csv").write_text("\n".join(["name,split", *lines]) + "\n")
    choices = ("--split-file", "in/split.csv", "--window", "64", *ONE)
    _run(warm, root, "prepare", "in/source", "--out", "out/data", *choices)
    _run(warm, root, "prepare", "in/source", "--out", "out/packed", *choices, "--store", "hdf5")
    _run(warm, root, "anchor", "--data", "out/data", *ONE)
    shutil.rmtree(root / "out" / "source")
    shutil.copytree(root / "out" / "data" / "test" / "blur", root / "in" / "pred")
    (root / "in" / "meta.toml").write_text(
        'name = "Mine, ünd"\npaper = "https://example.org"\nparams_m = 12.5\nmacs_g = 3\nsize = "160x112"\n'
        'selection_on_test = "no"\n'
    )
    common = ("--pred", "in/pred", "--data", "out/data", *ONE, "--metrics", "psnr,ssim,mae")
    for method in ("One", "Two"):
        words = ("--protocol", "all", "--method", method, "--out", "out/results/")
        _run(warm, root, "evaluate", *common, *words)
    _run(warm, root, "submit", *common, "--method", "in/meta.toml", "--out", "out/entry", "--codabench")


def board(warm: Warm, root: Path, others: Path) -> None:  # noqa: ARG001
    """Copy the results, the entry and its dataset."""
    source = others / "data"
    shutil.copytree(source / "out" / "results", root / "in" / "results")
    shutil.copytree(source / "out" / "entry", root / "in" / "entry")
    shutil.copytree(source / "in" / "pred", root / "in" / "pred")
    shutil.copytree(source / "out" / "data", root / "in" / "data")
    shutil.copytree(source / "out" / "data" / "anchors", root / "out" / "anchors")


def packed(warm: Warm, root: Path, others: Path) -> None:  # noqa: ARG001
    """Write an archive as ingest does, and a prepared dataset whose patches are in HDF5."""
    from sdd_bench.datasets.archive import write_archive

    source = others / "data" / "in" / "source"
    names = sorted(path.stem for path in (source / "blur").iterdir())
    frames = root / "frames"
    shutil.copytree(source, frames)
    (frames / "pairs.csv").write_text("name,scene,place\n" + "".join(f"{n},{n},indoor\n" for n in names))
    (root / "in").mkdir()
    write_archive(root / "in" / "pairs.h5", frames, frames / "pairs.csv", {"tool": "x"})
    shutil.rmtree(frames)
    shutil.copytree(others / "data" / "out" / "packed", root / "out" / "packed")


def weights(warm: Warm, root: Path, others: Path) -> None:
    """Train one step, and write a backbone of LPIPS with random weights."""
    shutil.copytree(others / "data" / "out" / "data", root / "in" / "data")
    shutil.copytree(others / "data" / "in" / "pred", root / "in" / "pred")
    _run(warm, root, "train-baseline", "--data", "in/data", "--preset", "smoke", *TRAIN, "--out", "out/run")
    shutil.copy(root / "out" / "run" / "deblurring.pt", root / "in" / "deblurring.pt")
    shutil.copy(root / "out" / "run" / "best.pt", root / "in" / "best.pt")


def trunk(warm: Warm, root: Path, others: Path) -> None:  # noqa: ARG001
    """Write a backbone of LPIPS with random weights, and images to score with it."""
    import torch
    import torchvision

    shutil.copytree(others / "data" / "out" / "data", root / "out" / "data")
    shutil.copytree(others / "data" / "in" / "pred", root / "in" / "pred")
    with torch.random.fork_rng(devices=[]):
        network = torchvision.models.squeezenet1_1(weights=None).features
    content = io.BytesIO()
    torch.save(network.state_dict(), content)
    (root / "in" / "trunk.pth").write_bytes(content.getvalue())


def journal(warm: Warm, root: Path, others: Path) -> None:
    """Write the journal of finished pairs that a killed analysis leaves."""
    from sdd_bench.jobs.items import Item, Journal, fingerprint

    shutil.copytree(others / "png8" / "in" / "source", root / "in" / "source")
    _run(warm, root, *ANALYSE)
    rows = list(csv.DictReader(io.StringIO((root / "out" / "m.csv").read_text())))
    shutil.rmtree(root / "out")
    found = Journal(root / "out" / ".m.csv.journal")
    for row in rows:
        words = ("name", "model", "kind", "split", "note")
        result = {key: cell if key in words else float(cell or 0) for key, cell in row.items()}
        pair = [Path("in/source", role, f"{row['name']}.png") for role in ("blur", "gt")]
        with contextlib.chdir(root):
            mark = fingerprint(["refuse"], *pair)
        found.add(Item(row["name"], None, mark), result)


def released(warm: Warm, root: Path, others: Path) -> None:  # noqa: ARG001
    """Write DPDD with its lists of names."""
    for number, name in enumerate(("1P0A1000", "1P0A1002")):
        write_png(root / "in" / "dpdd" / "test_c" / "source" / f"{name}.png", texture(96, 128, number))
        write_png(root / "in" / "dpdd" / "test_c" / "target" / f"{name[:-1]}{2 * number + 1}.png", texture(96, 128, 9))
    lists = root / "in" / "dpdd" / "file_names"
    lists.mkdir()
    np.save(lists / "test_src.npy", np.array(["./t/1P0A1000.png", "./t/1P0A1002.png"]))
    np.save(lists / "test_trg.npy", np.array(["./t/1P0A1001.png", "./t/1P0A1003.png"]))


def presets(warm: Warm, root: Path, others: Path) -> None:  # noqa: ARG001
    """Write a preset like those of sdd-bench, with all of its settings."""
    shutil.copytree(others / "data" / "out" / "data", root / "out" / "data")
    pairs = [word.partition("=") for word in TRAIN[1::2] if "=" in word]
    more = 'mask = "robust"\nlearning_rate = 1e-3\nblocks = [1, 1, 1, 1]\nalpha = 0.5\n'
    (root / "in").mkdir()
    (root / "in" / "own.toml").write_text("".join(f"{key} = {value}\n" for key, _, value in pairs) + more)


def real_raw(warm: Warm, root: Path, others: Path) -> None:  # noqa: ARG001
    """Write a session of the real RAW files of the test assets."""
    folder = root / "out" / "shots"
    folder.mkdir(parents=True)
    for number, path in enumerate(sorted((Path(os.environ["SDD_BENCH_TEST_ASSETS"]) / "data" / "raw").iterdir())):
        shutil.copyfile(path, folder / f"{number}.dng")


def _run(warm: Warm, root: Path, *words: str) -> None:
    found = warm.run(words, root)
    assert found.code == 0, f"{words}: {found.stdout}{found.stderr}"


CORPORA: dict[str, Callable[[Warm, Path, Path], None]] = {
    **{name: images(name) for name in IMAGES},
    "raw": raw,
    "card": card,
    "data": data,
    "board": board,
    "packed": packed,
    "weights": weights,
    "trunk": trunk,
    "journal": journal,
    "released": released,
    "presets": presets,
}
"""Name to the function that makes the corpus, in an order in which each finds the corpora it is made from."""

if os.environ.get("SDD_BENCH_TEST_ASSETS"):
    CORPORA["real_raw"] = real_raw


NEW = ("prepare", "in/source", "--out", "out/new", "--recipe", "none", *ONE)
LISTED = (*NEW, "--split-file", "in/split.csv")
INGEST = ("ingest", "in/card", "--out", "out/raw", *ONE)
INIT = ("ingest", "--init", "out/shots", *ONE)
SCORE = ("--metrics", "psnr,ssim,mae", *ONE)
EVALUATE = ("evaluate", "--pred", "in/pred", "--data", "out/data", *SCORE, "--out", "out/new.json")
AGAIN = ("prepare", "in/source", "--out", "out/data", "--split-file", "in/split.csv", "--window", "64", *ONE)
TRAINING = ("train-baseline", "--preset", "smoke", *TRAIN, "--out", "out/new-run", "--data")
VERIFY = ("verify", "in/entry", "--pred", "in/pred", "--data", "in/data", "--anchors", "out/anchors", *ONE)
RESULTS = ("in/results/One.*.anchored-1.json", "in/results/Two.*.anchored-1.json")
BOARD = ("leaderboard", *RESULTS, "--out", "out/board.csv")
PREDICT = ("predict", "--data", "in/data", "--out", "out/predictions", "--checkpoint")
PROFILE = ("profile", "--size", "64x48", "--repeats", "1", "--checkpoint")


def _image_kind(name: str) -> Kind:
    suffix = IMAGES[name][0]
    frame, shot = f"in/source/*/a.{suffix}", f"in/card/a-*.{suffix}"
    scored = ("evaluate", "--data", "in/source", "--pred", "in/source/blur", "--protocol", "direct/1", *SCORE)
    readers = (
        Reader(frame, (*NEW, "--split", "0.5")),
        Reader(shot, INGEST),
        Reader(f"out/shots/a-*.{suffix}", INIT),
        Reader(frame, ANALYSE),
        Reader(frame, (*scored, "--out", "out/r.json")),
        Reader(f"in/source/blur/a.{suffix}", ("synthesise", "in/source/blur", "--out", "out/s", *ONE)),
    )
    mutations = (*MORE.get(suffix, BYTES), *([icc] * 6 if name in PROFILED else []))
    return Kind(name, mutations, readers)


def _kind(corpus: str, mutations: Sequence[Mutation], target: str, *commands: Words, share: float = 1) -> Kind:
    return Kind(corpus, mutations, tuple(Reader(target, words) for words in commands), share)


KINDS: dict[str, Kind] = {
    **{name: _image_kind(name) for name in IMAGES},
    "raw": Kind(
        "raw", (*BYTES, *[tiff_tag] * 6), (Reader("in/card/*.dng", INGEST), Reader("out/shots/*.dng", INIT)), 2
    ),
    "session.toml": _kind("card", TOML, "in/toml/session.toml", ("ingest", "in/toml", *INGEST[2:]), share=1.5),
    "session.csv": _kind("card", CSV, "in/card/session.csv", INGEST),
    "sessions.json": _kind("card", JSON, "out/raw/sessions/card.json", INGEST, share=1.5),
    "pairs.csv": _kind("data", CSV, "out/data/pairs.csv", (*EVALUATE, "--protocol", "direct/1"), AGAIN, share=1.5),
    "dataset.json": _kind("data", JSON, "out/data/dataset.json", EVALUATE, AGAIN, share=1.5),
    "split.csv": _kind("data", CSV, "in/split.csv", LISTED),
    "places.csv": _kind("data", CSV, "in/source/places.csv", LISTED),
    "patches.csv": _kind("data", CSV, "out/data/patches.csv", (*TRAINING, "out/data")),
    "results": _kind(
        "board",
        JSON,
        RESULTS[0],
        BOARD,
        (*BOARD, "--html", "out/page.html"),
        (*BOARD, "--by", "place", "--by", "blur"),
        ("stability", *RESULTS, "--reference", "anchored/1", "--out", "out/stability.csv"),
        share=2.5,
    ),
    "entry.json": _kind(
        "board", JSON, "in/entry/entry.json", ("leaderboard", "in/entry", "--out", "out/b.csv"), VERIFY, share=1.5
    ),
    "entry results": _kind("board", JSON, "in/entry/results/*.paper-1.json", VERIFY),
    "meta.toml": _kind(
        "data",
        TOML,
        "in/meta.toml",
        ("submit", *EVALUATE[1:5], *SCORE, "--method", "in/meta.toml", "--out", "out/new"),
        share=1.5,
    ),
    "preset": _kind(
        "presets",
        TOML,
        "in/own.toml",
        ("train-baseline", "--data", "out/data", "--preset", "in/own.toml", "--accelerator", "cpu", "--out", "out/run"),
    ),
    "anchor.json": _kind("data", JSON, "out/data/anchors/test/*.json", EVALUATE),
    "anchor.mask": _kind("data", BYTES, "out/data/anchors/test/*.mask.png", EVALUATE, share=0.5),
    "anchor.truth": _kind("data", BYTES, "out/data/anchors/test/*.truth.png", EVALUATE, share=0.5),
    "journal": _kind("journal", JSON_LINES, "out/.m.csv.journal", ANALYSE),
    "archive": _kind("packed", BYTES, "in/pairs.h5", ("prepare", "in/pairs.h5", *NEW[2:], "--split", "0.5"), share=2),
    "patch store": _kind("packed", BYTES, "out/packed/train_patches.h5", (*TRAINING, "out/packed")),
    "checkpoint": _kind("weights", BYTES, "in/best.pt", (*PREDICT, "in/best.pt"), (*PROFILE, "in/best.pt")),
    "run": _kind("weights", BYTES, "out/run/last.pt", ("train-baseline", "--data", "in/data", "--resume", "out/run")),
    "trunk": _kind(
        "trunk",
        BYTES,
        "in/trunk.pth",
        (*EVALUATE, "--metrics", "lpips", "--lpips-net", "squeeze", "--lpips-trunk", "in/trunk.pth"),
        share=0.5,
    ),
    "lists": _kind(
        "released", BYTES, "in/dpdd/file_names/*.npy", ("analyse", "--data", "in/dpdd", "--out", "out/m.csv", *ONE)
    ),
}
"""Name to the changed file, its mutations, and the commands that read it."""

if "real_raw" in CORPORA:
    KINDS["real raw"] = _kind("real_raw", BYTES, "out/shots/*.dng", INIT, share=0.2)
