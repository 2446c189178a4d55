"""What sdd-bench does on a GPU: is it right, how fast is it, and does every command run; minutes on one GPU.

    python benchmarks/gpu.py [--parts NAME ...] [--out docs/tables] [--repeats 20] [--seconds 480] [--device cuda]

Writes OUT/gpu.md and OUT/gpu.json after every part; earlier results of parts that are not requested are kept if they
were measured on the same GPU with the same versions. An error of one part is reported in its place and the next part
runs, in a new process if the old one was lost. A part without a library or weights that it needs reports that. Beyond
torch and numpy, the parts need the packages that sdd-bench itself imports; RAFT and LPIPS need their weights in the
folder `weights` of the folder that SDD_BENCH_TEST_ASSETS names. On a CPU everything runs at toy size, and the page
states that nothing was measured on a GPU.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from gpu_meter import LeftOutError, Section, Setting
from pages import write_page

from sdd_bench.io.files import write_text
from sdd_bench.io.serialise import json_text
from sdd_bench.version import __version__

STARTED = time.perf_counter()
ASSETS_VARIABLE = "SDD_BENCH_TEST_ASSETS"
PARTS = {
    "ceilings": "gpu_networks.ceilings",
    "reblurring": "gpu_networks.reblurring",
    "networks": "gpu_networks.networks",
    "training": "gpu_training.training",
    "prediction": "gpu_whole.prediction",
    "lpips": "gpu_whole.lpips",
    "commands": "gpu_whole.commands",
    "compiled": "gpu_networks.compiled",
}
"""Module and name of each part's function, in the order in which the parts run."""

MEASURED = "Measured on one {gpu}."
NOT_MEASURED = (
    "**Nothing on this page was measured on a GPU**: there was none, and everything ran at toy size on the CPU."
)


LOST = 3
"""Exit code of a process whose GPU cannot be used any more after an error."""

GRACE_S = 60
"""Additional time that a part that began in time may take before it is stopped."""

Found = dict[str, Any]
"""Result of a part: part, seconds, sections, and, if it did not complete, left_out or fault."""


def run_part(name: str, setting: Setting) -> Found:
    """Return the result of a part, or the reason why it has none."""
    started = time.perf_counter()
    found: Found = {"part": name, "sections": []}
    try:
        if setting.left_s <= 0:
            raise LeftOutError("no time left; give --seconds or fewer --parts")
        module, function = PARTS[name].split(".")
        part: Callable[[Setting], list[Section]] = getattr(import_module(module), function)
        found["sections"] = [asdict(section) for section in part(setting)]
    except (LeftOutError, ModuleNotFoundError) as reason:
        found["left_out"] = str(reason)
    except Exception as error:
        traceback.print_exc()
        found["fault"] = f"{type(error).__name__}: {str(error).strip()[:300]}"
    found["seconds"] = time.perf_counter() - started
    return found


def is_gpu_lost(setting: Setting) -> bool:
    """Return whether the GPU refuses all work of this process, as after an access out of bounds."""
    try:
        if setting.on_gpu:
            torch.zeros(1, device="cuda").add_(1).item()
    except RuntimeError:
        return True
    return False


def work(arguments: argparse.Namespace, seconds: float) -> None:
    """Run parts in this process and write each result to the folder of `--child`."""
    folder: Path = arguments.child
    if arguments.device == "cpu":
        torch.set_num_threads(1)
    repeats = arguments.repeats or (20 if arguments.device == "cuda" else 1)
    assets = os.environ.get(ASSETS_VARIABLE)
    weights = Path(assets).resolve() / "weights" if assets else None
    for name in arguments.parts:
        (folder / name).mkdir(exist_ok=True)
        setting = Setting(arguments.device, repeats, weights, folder / name, STARTED + seconds)
        found = run_part(name, setting)
        about = {"gpu": torch.cuda.get_device_name() if setting.on_gpu else None, "repeats": repeats}
        about |= {"machine": machine(setting), "version": __version__}
        write_text(folder / f"{name}.json", json.dumps({"about": about, "found": found}))
        said = found.get("fault") or found.get("left_out") or "done"
        print(f"{name}: {said}, {found['seconds']:.1f} s", file=sys.stderr, flush=True)
        if is_gpu_lost(setting):
            sys.exit(LOST)


def run_all(arguments: argparse.Namespace, folder: Path) -> list[Found]:
    """Run all parts in as few other processes as possible, and write the page after each process and each part."""
    ends_at = STARTED + arguments.seconds
    found: list[Found] = []
    about: dict[str, Any] = {}
    earlier = read_earlier(arguments.out / "gpu.json", arguments.parts)
    while waiting := arguments.parts[len(found) :]:
        left_s = max(ends_at - time.perf_counter(), 0)
        words = [sys.executable, __file__, "--child", folder, "--device", arguments.device, "--seconds", left_s]
        words += ["--repeats", arguments.repeats] if arguments.repeats else []
        child = subprocess.Popen([str(word) for word in (*words, "--parts", *waiting)])
        ended = False
        while not ended:
            ended = child.poll() is not None
            for name in arguments.parts[len(found) :]:
                file = folder / f"{name}.json"
                if not file.is_file():
                    break
                both = json.loads(file.read_text(encoding="utf-8"))
                about = both["about"]
                found.append(both["found"])
                write(arguments.out, about, found, earlier)
            if not ended and time.perf_counter() > ends_at + GRACE_S:
                child.kill()
            time.sleep(0 if ended else 0.2)
        if child.returncode not in (0, LOST):
            name = arguments.parts[len(found)]
            why = f"its process ended with {child.returncode}"
            found.append({"part": name, "sections": [], "fault": why, "seconds": 0.0})
            write(arguments.out, about, found, earlier)
    return found


def read_earlier(path: Path, asked: Sequence[str]) -> dict[str, Any]:
    """Return the results of an earlier run, without the parts requested now; empty if there was none."""
    if not path.is_file():
        return {}
    both: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {**both, "parts": [part for part in both["parts"] if part["part"] not in asked]}


def write(out: Path, about: Mapping[str, Any], found: list[Found], earlier: Mapping[str, Any]) -> None:
    """Write the page and all results, those of an earlier run too if GPU and versions are the same."""
    same = all(earlier.get(key) == about.get(key) for key in ("gpu", "machine", "version"))
    parts = [*(earlier["parts"] if same and earlier else []), *found]
    parts.sort(key=lambda part: list(PARTS).index(part["part"]))
    write_text(out / "gpu.json", json_text({**about, "parts": parts}))
    write_page(out / "gpu.md", page(about, parts))


def page(about: Mapping[str, Any], found: list[Found]) -> str:
    """Return the page as Markdown."""
    gpu = about.get("gpu")
    lines = [
        "# On a GPU",
        "",
        "Generated by `python benchmarks/gpu.py`. Do not edit.",
        "",
        MEASURED.format(gpu=gpu) if gpu else NOT_MEASURED,
        "",
        f"{about.get('machine', '')}. sdd-bench {__version__}, {datetime.datetime.now(datetime.UTC).date()}.",
        "",
        f"Times are medians of up to {about.get('repeats')} calls after a warm-up, each until the device has finished.",
        "",
    ]
    for part in found:
        lines += [f"## {part['part'].capitalize()}", ""]
        lines += [f"Left out: {part['left_out']}.", ""] if "left_out" in part else []
        lines += [f"Failed: {part['fault']}.", ""] if "fault" in part else []
        for section in part["sections"]:
            lines += Section(**section).markdown()
        lines += [f"This part took {part['seconds']:.0f} s.", ""]
    missing = [name for name in PARTS if name not in [part["part"] for part in found]]
    lines += [f"Parts that were not run: {', '.join(missing)}."] if missing else []
    return "\n".join(lines).rstrip() + "\n"


def machine(setting: Setting) -> str:
    """Return the description of the machine that the parts ran on."""
    cuda = f", CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}" if setting.on_gpu else ""
    return f"{os.cpu_count()} CPUs, Python {platform.python_version()}, torch {torch.__version__}{cuda}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), metavar="NAME")
    parser.add_argument("--out", type=Path, default=Path("gpu"), metavar="DIR")
    parser.add_argument("--repeats", type=int, default=None, help="timed calls  [default: 20 on a GPU, else 1]")
    parser.add_argument("--seconds", type=float, default=480, help="no part begins after this time")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--child", type=Path, default=None, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        work(arguments, arguments.seconds)
        return
    with tempfile.TemporaryDirectory() as folder:
        found = run_all(arguments, Path(folder))
    print((arguments.out / "gpu.md").read_text(encoding="utf-8"))
    if any("fault" in part for part in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
