"""Parts of gpu.py: whole frames, LPIPS, and the commands from training to scores, as a user runs them."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from frames import mosaic
from gpu_meter import Cell, Section, Setting, attempt, timed

from jdrl_baseline.config import load_config
from jdrl_baseline.models import build_deblurring
from jdrl_baseline.restore import TILE_PX, image_of, through

TRUNK = "alexnet_features_torchvision.pth"
PRECISIONS = ((torch.float32, "fp32"), (torch.bfloat16, "bf16"))
TINY = ("width=8",)
TINY_TRANSFORMER = ("blocks=[1,1,1,1]", "heads=[1,1,2,2]", "refinement=1")


def prediction(setting: Setting) -> list[Section]:
    """Return the time and memory of restoring a frame as a whole and in tiles, from array to array."""
    width, height = (4096, 2160) if setting.on_gpu else (160, 96)
    section = Section(f"Restoring one frame of {width}x{height} px, copies to and from the device included")
    image = mosaic(width, height, 0).astype(np.float32) / 255
    tile_px = setting.size(TILE_PX, 64)
    for preset in ("small-eq1", "unet-eq1", "eq1", "eq2"):
        tiny = () if setting.on_gpu else (*TINY, *(TINY_TRANSFORMER if preset.startswith("eq") else ()))
        for dtype, name in PRECISIONS[: setting.size(2, 1)]:
            for tiles in (0, tile_px):
                row: dict[str, Cell] = {
                    "network": preset, "precision": name, "frame": f"tiles of {tiles} px" if tiles else "whole",
                }  # fmt: skip

                def measure(preset=preset, tiny=tiny, dtype=dtype, tiles=tiles):
                    network = image_of(build_deblurring(load_config(preset, tiny)).to(setting.device).eval())
                    repeats = max(1, setting.repeats // 4)
                    milliseconds, peak_gb = timed(
                        setting,
                        lambda: through(network, image, setting.device, tile_px=tiles, dtype=dtype),
                        repeats=repeats,
                        warm_up=1,
                    )
                    return {"seconds": milliseconds / 1000, "peak memory, GB": peak_gb}

                attempt(row, measure)
                section.rows.append(row)
    return [section]


def lpips(setting: Setting) -> list[Section]:
    """Return LPIPS of a frame on the device compared with the CPU: time and difference."""
    from sdd_bench.metrics.lpips import load_perceptual

    trunk = setting.weights_file(TRUNK)
    width, height = (1280, 720) if setting.on_gpu else (160, 96)
    section = Section(f"LPIPS-alex of two frames of {width}x{height} px")
    frames = [mosaic(width, height, seed).astype(np.float32) / 255 for seed in (0, 1)]
    values = []
    for device in dict.fromkeys(("cpu", setting.device)):
        distance = load_perceptual("alex", trunk, device).distance
        milliseconds, _ = timed(setting, lambda distance=distance: distance(*frames), repeats=3, warm_up=1)
        values.append(distance(*frames))
        section.rows.append({"device": device, "ms": milliseconds, "LPIPS": values[-1]})
    section.notes.append(f"Difference between the devices: {abs(values[0] - values[-1]):.1e}.")
    return [section]


def commands(setting: Setting) -> list[Section]:
    """Return the seconds of each command from pairs to scores; each is a process with its own imports."""
    section = Section("The commands, one after the other")
    work, device = setting.work, setting.device
    crop = setting.size(256, 64)
    size = "320x288" if setting.on_gpu else "128x96"
    tiny = ["--set", "width=64", "--set", "batch=4"] if setting.on_gpu else ["--set", "width=8", "--set", "batch=2"]
    settings = [*tiny, "--set", f"crop={crop}", "--set", f"steps={setting.size(24, 2)}", "--set", "warmup_epochs=2"]
    train = ["train-baseline", "--data", work / "data", "--preset", "smoke", *settings, "--accelerator", device]
    bf16 = ["--precision", "bf16-mixed" if setting.on_gpu else "32"]
    scores = [
        "evaluate",
        "--data",
        work / "data",
        "--pred",
        work / "predictions",
        "--method",
        "toy",
        "--protocol",
        "paper/1",
    ]
    trunk = None if setting.weights is None else setting.weights / TRUNK
    lpips_options = ["--lpips-trunk", trunk] if trunk is not None and trunk.is_file() else []
    steps: dict[str, list[object]] = {
        "synthesise": ["synthesise", "--out", work / "pairs", "--count", 10, "--size", size, "--max-radius", 3],
        "prepare": ["prepare", work / "pairs", "--out", work / "data", "--split", 0.6, "--window", crop],
        "train": [*train, "--out", work / "run"],
        f"train, {bf16[1]}": [*train, *bf16, "--out", work / "run-again"],
        f"train, {bf16[1]}, compiled": [*train, *bf16, "--compile", "--out", work / "run-compiled"],
        "predict": [
            "predict", "--checkpoint", work / "run" / "deblurring.pt", "--data", work / "data", "--out",
            work / "predictions", "--device", device,
        ],
        "evaluate": [*scores, "--device", device, *lpips_options, "--out", work / "results.json"],
    }  # fmt: skip
    for name, words in steps.items():
        row: dict[str, Cell] = {"command": name}
        attempt(row, lambda name=name, words=words: _call(name, words, work))
        section.rows.append(row)
    section.notes.append(
        "Training is of a UNet, eq. (1), half of it warm-up, with DIS; its rate is the median of the last half of the "
        "steps, reading included, validation left out."
    )
    return [section]


def _call(name: str, words: list[object], work: Path) -> dict[str, Cell]:
    started = time.perf_counter()
    command = [sys.executable, "-m", "sdd_bench.cli", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=work, env=dict(os.environ))
    row: dict[str, Cell] = {"seconds": time.perf_counter() - started}
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        row["fault"] = f"exit code {done.returncode}: {said[-1][:200] if said else ''}"
        (work / f"{name.replace(', ', '-')}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        print(done.stdout[-1500:] + done.stderr[-3000:], file=sys.stderr, flush=True)
    elif name.startswith("train"):
        with (Path(str(words[-1])) / "log.csv").open(encoding="utf-8") as file:
            rates = [float(line["images_per_s"]) for line in csv.DictReader(file)]
        row["images/s"] = float(np.median(rates[len(rates) // 2 :]))
    return row
