"""Reblurring operator of JDRL: one isotropic kernel per pixel, eqs. (8) to (11), and the blur map of eq. (13).

Level 1 is the image itself. Level i, from 2 to 8, has a kernel of (2i - 1)^2 taps per pixel whose logits follow from i
seeds. The 679 taps are never materialised: all levels are summed into one value per ring and pixel, the image is summed
over each ring (see `rings`), and the image is processed in strips of rows. The backward pass keeps the inputs only and
recomputes the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.autograd.function import once_differentiable

from jdrl_baseline.dense_rings import PIXELS, blur_dense
from jdrl_baseline.rings import RADIUS, gather, scatter, shares_of_levels, slopes_of_shares, softmax_terms
from sdd_bench.registration.disk import disk

LEVELS = 8
SIZES = tuple(range(2, LEVELS + 1))
SEEDS = sum(SIZES)
PADDING = {"replicate": "replicate", "zeros": "constant"}
DENSE = {"cuda"}
"""Kinds of devices on which images of moderate size are blurred by `dense_rings`."""

STRIP_PIXELS = {"cpu": 1 << 15}  # enough for several threads, and small enough for the caches
STRIP_PIXELS_ELSEWHERE = 1 << 18


def reblur(
    image: Tensor, seeds: Tensor, weights: Tensor, *, border: str = "replicate", truncate: bool = False
) -> Tensor:
    """Return the image blurred by the weighted kernels of all levels, eqs. (9) and (11).

    The logit at distance rho from the centre is the linear interpolation of |a_floor(rho)| and |a_ceil(rho)| (eq. (9)
    with its signs exchanged, because as printed it extrapolates) and 0 beyond the radius i - 1; the kernel is the
    softmax of the logits over the square. The function is differentiable once in all three tensors. On the CPU, results
    are the same in every run. On CUDA, the gradient of the seeds uses a matrix product and follows
    `torch.set_float32_matmul_precision`.

    Args:
        image: (N, 3, H, W), any range.
        seeds: (N, 35, H, W), any sign: a_0, a_1 of level 2, then a_0, a_1, a_2 of level 3, to a_0 ... a_7 of level 8.
        weights: (N, 8, H, W), level 1 to 8, after softmax.
        border: Padding outside the image, `replicate` (its edge) or `zeros`.
        truncate: Leave the corners beyond the radius out of the softmax instead of giving them the logit 0.

    Returns:
        (N, 3, H, W), float64 if an input is, otherwise float32, even under autocast.

    Raises:
        ValueError: A shape does not fit, or the border is unknown.

    Reference:
        Reblurring-Guided Single Image Defocus Deblurring, section 3.3.

    >>> image = torch.rand(1, 3, 4, 5)
    >>> sharp = torch.zeros(1, LEVELS, 4, 5)
    >>> sharp[:, 0] = 1
    >>> torch.equal(reblur(image, torch.zeros(1, SEEDS, 4, 5), sharp), image)
    True
    """
    _check(image, border, seeds=(seeds, SEEDS), weights=(weights, LEVELS))
    return _blur(image, seeds, weights, SIZES, border, truncate)


def reblur_one_kernel(image: Tensor, seeds: Tensor, *, border: str = "replicate", truncate: bool = False) -> Tensor:
    """Return the image blurred by one 15x15 kernel per pixel: the variant without weight branch.

    Args:
        image: (N, 3, H, W), any range.
        seeds: (N, 8, H, W), any sign: a_0 ... a_7 of eq. (9).
        border: As in `reblur`.
        truncate: As in `reblur`.

    Returns:
        (N, 3, H, W), dtype as in `reblur`.

    Raises:
        ValueError: A shape does not fit, or the border is unknown.
    """
    _check(image, border, seeds=(seeds, LEVELS))
    weights = image.new_tensor([0.0, 1.0]).reshape(1, 2, 1, 1).expand(len(image), 2, *image.shape[2:])
    return _blur(image, seeds, weights, (LEVELS,), border, truncate)


def reblur_fixed_disks(image: Tensor, weights: Tensor, *, border: str = "replicate") -> Tensor:
    """Return the weighted sum of the image and its blurs by disks of radius 1 to 7 px: the variant without kernels.

    Args:
        image: (N, 3, H, W), any range.
        weights: (N, 8, H, W), after softmax: the weight of the image itself, then one per radius.
        border: As in `reblur`.

    Returns:
        (N, 3, H, W), dtype as in `reblur`.

    Raises:
        ValueError: A shape does not fit, or the border is unknown.
    """
    _check(image, border, weights=(weights, LEVELS))
    with torch.autocast(image.device.type, enabled=False):
        image, weights = _same_dtype(image, weights)
        padded = _pad(image, border)
        total = image * weights[:, :1]
        for radius in range(1, RADIUS + 1):
            kernel = torch.from_numpy(disk(float(radius))).to(image)
            kernel = (kernel / kernel.sum()).expand(3, 1, *kernel.shape)
            spare = RADIUS - radius
            cut = padded[..., spare : padded.shape[2] - spare, spare : padded.shape[3] - spare]
            total = total + F.conv2d(cut, kernel, groups=3) * weights[:, radius : radius + 1]
    return total


def blur_map(seeds: Tensor, weights: Tensor) -> Tensor:
    """Return the pseudo defocus map of eq. (13), (N, 35, H, W): |seeds| of level i times the weight of level i.

    Level 1 has no seeds and is left out. The result carries gradients; detach it to use it as a target.

    Args:
        seeds: (N, 35, H, W).
        weights: (N, 8, H, W), after softmax.
    """
    level = torch.tensor([size - 1 for size in SIZES for _ in range(size)], device=weights.device)
    return seeds.abs() * weights.index_select(1, level)


@torch.no_grad()
def effective_radius(seeds: Tensor, weights: Tensor, *, truncate: bool = False) -> Tensor:
    """Return the mean distance of a pixel's light in px: the sum over levels of weight times mean rho of the kernel.

    For a uniform disk of radius r it is about 2/3 r. Unlike `blur_map` it distinguishes a sharp pixel (0) from a wide
    kernel with small seeds. The result carries no gradients.

    Args:
        seeds: (N, 35, H, W).
        weights: (N, 8, H, W), after softmax.
        truncate: As in `reblur`.

    Returns:
        (N, 1, H, W), 0 (sharp) to about 7 px.
    """
    with torch.autocast(seeds.device.type, enabled=False):
        seeds, weights = _same_dtype(seeds, weights)
        radius = torch.zeros_like(weights[:, :1], memory_format=torch.contiguous_format)
        for n, rows in _strips(weights):
            for level, part in enumerate(seeds[n, :, rows].split_with_sizes(SIZES), 1):
                rings, values, outside, total = softmax_terms(part.abs().flatten(1), truncate)
                mean = rings.distances @ values + rings.outside_distance * outside
                radius[n, 0, rows] += weights[n, level, rows] * (mean / total).view_as(radius[n, 0, rows])
    return radius


def _check(image: Tensor, border: str, **maps: tuple[Tensor, int]) -> None:
    """Raise ValueError unless the image has three channels and every map has its channels and the image's size."""
    if border not in PADDING:
        raise ValueError(f"border is {border!r}, expected one of {', '.join(PADDING)}")
    if image.ndim != 4 or image.shape[1] != 3 or 0 in image.shape:
        raise ValueError(f"image is {tuple(image.shape)}, expected (N, 3, H, W)")
    for name, (tensor, channels) in maps.items():
        expected = (len(image), channels, *image.shape[2:])
        if tensor.shape != expected:
            raise ValueError(f"{name} is {tuple(tensor.shape)}, expected {expected}")


def _same_dtype(*tensors: Tensor) -> tuple[Tensor, ...]:
    dtype = torch.float64 if any(tensor.dtype == torch.float64 for tensor in tensors) else torch.float32
    return tuple(tensor.to(dtype) for tensor in tensors)


def _pad(image: Tensor, border: str) -> Tensor:
    return F.pad(image, (RADIUS,) * 4, mode=PADDING[border])


def _blur(image: Tensor, seeds: Tensor, weights: Tensor, sizes: tuple[int, ...], border: str, truncate: bool) -> Tensor:
    with torch.autocast(image.device.type, enabled=False):
        image, seeds, weights = _same_dtype(image, seeds, weights)
        padded = _pad(image, border)
        if image.device.type in DENSE and image.shape[2] * image.shape[3] <= PIXELS:
            return blur_dense(padded, seeds, weights, sizes, truncate)
        blurred: Tensor = _IsotropicBlur.apply(padded, seeds, weights, sizes, truncate)
    return blurred


def _strips(maps: Tensor) -> Iterator[tuple[int, slice]]:
    """Yield pairs (image index, rows) that cover an (N, C, H, W) tensor."""
    count, _, height, width = maps.shape
    step = max(1, STRIP_PIXELS.get(maps.device.type, STRIP_PIXELS_ELSEWHERE) // width)
    for n in range(count):
        for start in range(0, height, step):
            yield n, slice(start, min(start + step, height))


def _with_halo(rows: slice) -> slice:
    return slice(rows.start, rows.stop + 2 * RADIUS)


class _IsotropicBlur(torch.autograd.Function):
    """Blur by a kernel per level: (N, 3, H + 14, W + 14), (N, sum(sizes), H, W), (N, 1 + levels, H, W) to (N, 3, H, W).

    Let q_ik be the softmax mass of ring k at level i. The `shares` are sum_i w_i q_ik, plus w_1 at the centre; the
    output is the sum over rings of shares times the image's mean over the ring. Given the gradient G_k of the shares,
    the gradient of w_i is the mean of G under q_i, and that of the logit of ring k is w_i q_ik (G_k - that mean).
    """

    @staticmethod
    def forward(
        ctx: Any, padded: Tensor, seeds: Tensor, weights: Tensor, sizes: tuple[int, ...], truncate: bool
    ) -> Tensor:
        ctx.save_for_backward(padded, seeds, weights)
        ctx.sizes, ctx.truncate = sizes, truncate
        blurred = padded.new_zeros(*padded.shape[:2], *weights.shape[2:])
        for n, rows in _strips(weights):
            shares = shares_of_levels(seeds[n, :, rows], weights[n, :, rows], sizes, truncate)
            gather(padded[n, :, _with_halo(rows)], shares, blurred[n, :, rows])
        return blurred

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        padded, seeds, weights = ctx.saved_tensors
        to_image, to_maps = ctx.needs_input_grad[0], any(ctx.needs_input_grad[1:3])
        d_padded = padded.new_zeros(padded.shape) if to_image else None
        d_maps = (seeds.new_empty(seeds.shape), weights.new_empty(weights.shape)) if to_maps else None
        with torch.autocast(padded.device.type, enabled=False):
            for n, rows in _strips(weights):
                halo = _with_halo(rows)
                slopes = slopes_of_shares(padded[n, :, halo], gradient[n, :, rows]) if to_maps else None
                places = (d_maps[0][n, :, rows], d_maps[1][n, :, rows]) if d_maps else None
                shares = shares_of_levels(
                    seeds[n, :, rows], weights[n, :, rows], ctx.sizes, ctx.truncate, slopes, places
                )
                if d_padded is not None:
                    scatter(shares, gradient[n, :, rows], d_padded[n, :, halo])
        return d_padded, *(d_maps or (None, None)), None, None
