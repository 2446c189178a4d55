"""Parts of gpu.py: limits of the device, reblurring, and each network alone."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import torch
from bench_reblur import unfolded
from gpu_meter import Cell, LeftOutError, Section, Setting, attempt, largest_difference, synchronise, timed
from torch import Tensor, nn

from jdrl_baseline.config import Config, load_config
from jdrl_baseline.models import build_deblurring, build_reblurring
from jdrl_baseline.networks.deblurring import parameter_count
from jdrl_baseline.reblur import LEVELS, SEEDS, reblur

TOLERANCE = 1e-5
MODES = {"fp32": (False, False), "bf16": (True, False), "bf16, channels last": (True, True)}
"""Each mode: whether autocast to bf16 is used, and whether tensors are channels last."""


@contextlib.contextmanager
def exact_products() -> Iterator[None]:
    """Switch TF32 off within the block."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def ceilings(setting: Setting) -> list[Section]:
    """Return the limits of the device, measured by copies and matrix products."""
    section = Section("What the device can do")
    side = setting.size(8192, 256)
    source = torch.randn(side, side * setting.size(4, 1), device=setting.device)
    target = torch.empty_like(source)
    copy_ms, _ = timed(setting, lambda: target.copy_(source))
    moved = 2 * source.numel() * source.element_size()
    section.rows.append({"what": "copy on the device, bytes read and written", "GB/s": moved / copy_ms / 1e6})
    for dtype, name in ((torch.float32, "float32"), (torch.bfloat16, "bf16")):
        a = torch.randn(side, side, device=setting.device).to(dtype)
        product_ms, _ = timed(setting, lambda a=a: a @ a)
        section.rows.append({"what": f"matrix product, {side}, {name}", "TFLOP/s": 2 * side**3 / product_ms / 1e9})
    return [section]


def reblur_inputs(count: int, side: int, device: str) -> list[Tensor]:
    """Return an image, seeds and weights with gradients."""
    generator = torch.Generator().manual_seed(0)
    image, seeds, weights = (
        torch.randn(count, channels, side, side, generator=generator) for channels in (3, SEEDS, LEVELS)
    )
    return [t.to(device).requires_grad_() for t in (image.sigmoid(), seeds, torch.softmax(weights, 1))]


def reblurring(setting: Setting) -> list[Section]:
    """Return the agreement of reblurring with the CPU, and its time compared with an unfolding of every tap."""
    equal = Section("Reblurring on the device against the CPU")
    with exact_products():
        own, there = (
            reblur_inputs(2, setting.size(200, 40), "cpu"),
            reblur_inputs(2, setting.size(200, 40), setting.device),
        )
        ours, far = reblur(*own), reblur(*there)
        gradients = [torch.autograd.grad(out.square().mean(), given) for out, given in ((ours, own), (far, there))]
        scales = [float(gradient.abs().max()) for gradient in gradients[0]]
    names = ("output", "gradient of the image", "gradient of the seeds", "gradient of the weights")
    for name, a, b, scale in zip(names, (far, *gradients[1]), (ours, *gradients[0]), (1.0, *scales), strict=True):
        apart = largest_difference([a], [b]) / scale
        equal.rows.append({"what": name, "largest difference": apart, f"within {TOLERANCE:g}": apart <= TOLERANCE})
    equal.notes.append("Gradients are relative to their largest value. float32 without TF32.")
    times = Section("Reblurring, forward and backward")
    for count in (1, 4):
        side = setting.size(512, 48)
        for name, method in (("ours", reblur), ("unfolding every tap", unfolded)):
            row: dict[str, Cell] = {"method": name, "images": f"{count} of {side}x{side}"}
            attempt(row, lambda method=method, count=count, side=side: _reblur_cost(setting, method, count, side))
            times.rows.append(row)
    return [equal, times]


def _reblur_cost(setting: Setting, method: Callable[..., Tensor], count: int, side: int) -> dict[str, Cell]:
    given = reblur_inputs(count, side, setting.device)
    with torch.no_grad():
        forward_ms, _ = timed(setting, lambda: method(*given))
    both_ms, peak_gb = timed(setting, lambda: torch.autograd.grad(method(*given).square().sum(), given))
    row: dict[str, Cell] = {"forward, ms": forward_ms, "forward and backward, ms": both_ms, "peak memory, GB": peak_gb}
    if setting.on_gpu:
        row["kernels"] = kernels_of(lambda: torch.autograd.grad(method(*given).square().sum(), given))
    return row


def kernels_of(function: Callable[[], object]) -> int:
    """Return the number of kernels that a call starts on the GPU."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        function()
        torch.cuda.synchronize()
    device = torch.autograd.DeviceType.CUDA
    return sum(event.count for event in profiler.key_averages() if event.device_type == device)


def known_networks(setting: Setting) -> dict[str, tuple[Config, int]]:
    """Return every network by name, with its configuration and the number of images in its batch."""
    small = ["network=small", "blur_map=false"]
    narrow = [] if setting.on_gpu else ["width=8", "reblur_width=8"]
    one = ["blocks=[1,1,1,1]", "heads=[1,1,2,2]", "refinement=1"] if narrow else []
    return {
        "F, restormer, blur map": (load_config("eq2", [*narrow, *one]), 1),
        "F, restormer": (load_config("eq1", [*narrow, *one]), 1),
        "F, UNet of width 64": (load_config("unet-eq1", narrow), 1),
        "F, small, 24 x 4": (load_config("small-eq1", narrow), setting.size(16, 1)),
        "F, small, 48 x 12": (load_config("eq1", [*small, "width=48", "blocks=[12]", *narrow]), setting.size(16, 1)),
        "R": (load_config("eq1", [*narrow, *one]), 1),
    }


def build(name: str, config: Config, device: str) -> nn.Module:
    """Return a network of `known_networks` on the device."""
    network = build_reblurring(config) if name == "R" else build_deblurring(config)
    assert network is not None
    return network.to(device).train()


def network_step(network: nn.Module, name: str, blur: Tensor, *, bf16: bool) -> Callable[[], None]:
    """Return a function that runs a network forward and backward."""

    def step() -> None:
        with torch.autocast(blur.device.type, torch.bfloat16, enabled=bf16):
            found = network(blur, blur) if name == "R" else network(blur)
        sum(part.float().square().mean() for part in found if part is not None).backward()
        network.zero_grad(set_to_none=True)

    return step


def _forward(network: nn.Module, name: str, blur: Tensor, *, bf16: bool) -> None:
    with torch.inference_mode(), torch.autocast(blur.device.type, torch.bfloat16, enabled=bf16):
        network(blur, blur) if name == "R" else network(blur)


def networks(setting: Setting) -> list[Section]:
    """Return time and memory of every network, forward alone and with backward."""
    side = setting.size(512, 32)
    section = Section(f"Networks on {side}x{side} px")
    for name, (config, count) in known_networks(setting).items():
        for mode, (bf16, channels_last) in MODES.items():
            row: dict[str, Cell] = {"network": name, "images": count, "mode": mode}

            def measure(name=name, config=config, count=count, bf16=bf16, channels_last=channels_last):
                network = build(name, config, setting.device)
                layout = torch.channels_last if channels_last else torch.contiguous_format
                network.to(memory_format=layout)
                blur = torch.rand(count, 3, side, side, device=setting.device).contiguous(memory_format=layout)
                forward_ms, _ = timed(setting, lambda: _forward(network, name, blur, bf16=bf16))
                both_ms, peak_gb = timed(setting, network_step(network, name, blur, bf16=bf16))
                return {
                    "parameters": f"{parameter_count(network):,}",
                    "forward, ms": forward_ms,
                    "forward and backward, ms": both_ms,
                    "peak memory, GB": peak_gb,
                }

            attempt(row, measure)
            section.rows.append(row)
    section.notes.append("fp32 has TF32 in convolutions and not in matrix products, PyTorch's defaults.")
    return [section]


def compiled(setting: Setting) -> list[Section]:
    """Return the time of the networks under torch.compile, the smallest first, and the time of compiling."""
    side = setting.size(512, 32)
    section = Section(f"torch.compile, {side}x{side} px, bf16, forward and backward")
    known = known_networks(setting)
    order = ("F, small, 48 x 12", "F, UNet of width 64", "R", "F, restormer, blur map")
    for name in order if setting.on_gpu else order[:1]:
        config, count = known[name]
        row: dict[str, Cell] = {"network": name, "images": count}

        def measure(name=name, config=config, count=count):
            if setting.left_s < (120 if "restormer" in name else 40):
                raise LeftOutError("no time left")
            network = build(name, config, setting.device)
            blur = torch.rand(count, 3, side, side, device=setting.device)
            eager_ms, eager_gb = timed(setting, network_step(network, name, blur, bf16=True))
            step = network_step(torch.compile(network), name, blur, bf16=True)
            started = time.perf_counter()
            step()
            synchronise(setting)
            compile_s = time.perf_counter() - started
            fast_ms, fast_gb = timed(setting, step)
            return {
                "eager, ms": eager_ms, "compiled, ms": fast_ms, "eager, GB": eager_gb, "compiled, GB": fast_gb,
                "compiling, s": compile_s,
            }  # fmt: skip

        attempt(row, measure)
        torch.compiler.reset()
        section.rows.append(row)
    return [section]
