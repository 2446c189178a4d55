"""Isotropic kernels as one value per ring, and sums of an image over the rings of a 15x15 square, with adjoints.

An isotropic kernel has one value for all offsets (x, y) of the same distance. Offsets that are related by mirroring or
by exchanging x and y form a ring, named (d, e) with 0 <= d <= e <= 7, of 1, 4 or 8 taps. The 225 taps of the square
form 36 rings. The rings inside radius R <= 7 come first in the order of `RINGS`; each such disk of rings lies inside
the square of half side R. Radius 5 alone has two rings, (0, 5) and (3, 4).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

RADIUS = 7
RINGS = sorted(((d, e) for e in range(RADIUS + 1) for d in range(e + 1)), key=lambda ring: math.hypot(*ring))
COUNTS = [1 if e == 0 else 4 if d in (0, e) else 8 for d, e in RINGS]
DISTANCES = [math.hypot(*ring) for ring in RINGS]


class Disk(NamedTuple):
    """Rings of the (2 size - 1)^2 square inside and outside the radius size - 1, with their interpolation weights.

    Attributes:
        lower: (K,) int64, floor of the distance of each ring inside; K rings, the first K of `RINGS`.
        upper: (K,) int64, ceiling of the distance.
        fraction: (K, 1), the distance minus `lower`.
        log_counts: (K, 1), natural logarithm of the number of taps of each ring.
        distances: (K,), distance of each ring in px.
        matrix: (size, K), the interpolation as a matrix: seeds on K rings = seeds @ matrix.
        outside: Indices into `RINGS` of the rings in the square but beyond the radius.
        outside_count: Number of taps of the rings outside.
        outside_distance: Mean distance of these taps in px.
    """

    lower: Tensor
    upper: Tensor
    fraction: Tensor
    log_counts: Tensor
    distances: Tensor
    matrix: Tensor
    outside: tuple[int, ...]
    outside_count: int
    outside_distance: float


@lru_cache(maxsize=64)
def disk_of_rings(size: int, dtype: torch.dtype, device: torch.device) -> Disk:
    """Return the rings of the kernel with `size` seeds, 2 to 8, in `dtype` on `device`."""
    square = [k for k, (_, e) in enumerate(RINGS) if e <= size - 1]
    inside = [k for k in square if DISTANCES[k] <= size - 1]
    outside = tuple(k for k in square if DISTANCES[k] > size - 1)
    outside_count = sum(COUNTS[k] for k in outside)
    with torch.inference_mode(False):  # the tables are cached and must also be usable outside inference mode
        counts = torch.tensor([COUNTS[k] for k in inside], dtype=torch.float64)
        distances = torch.tensor([DISTANCES[k] for k in inside], dtype=torch.float64)
        lower, upper = distances.floor(), distances.ceil()
        fraction = distances - lower
        steps = torch.arange(size, dtype=torch.float64)[:, None]
        matrix = (1 - (distances - steps).abs()).clamp_min(0)
        return Disk(
            lower=lower.to(device, torch.int64),
            upper=upper.to(device, torch.int64),
            fraction=fraction[:, None].to(device, dtype),
            log_counts=counts.log()[:, None].to(device, dtype),
            distances=distances.to(device, dtype),
            matrix=matrix.to(device, dtype),
            outside=outside,
            outside_count=outside_count,
            outside_distance=sum(COUNTS[k] * DISTANCES[k] for k in outside) / outside_count,
        )


def fold(padded: Tensor) -> list[Tensor]:
    """Return, for d from 1 to 7, the sum of the pixels d columns to the left and right, and for d = 0 the pixels.

    Args:
        padded: (C, H + 14, W + 14).

    Returns:
        Eight tensors of (C, H + 14, W).
    """
    width = padded.shape[2] - 2 * RADIUS
    columns = [padded.narrow(2, shift, width) for shift in range(2 * RADIUS + 1)]
    pairs = [columns[RADIUS - d] + columns[RADIUS + d] for d in range(1, RADIUS + 1)]
    return [columns[RADIUS].contiguous(), *pairs]


def unfold(folded: list[Tensor], padded: Tensor) -> None:
    """Add the adjoint of `fold` to `padded`: eight tensors of (C, H + 14, W) into (C, H + 14, W + 14)."""
    width = padded.shape[2] - 2 * RADIUS
    padded.narrow(2, RADIUS, width).add_(folded[0])
    for d in range(1, RADIUS + 1):
        padded.narrow(2, RADIUS - d, width).add_(folded[d])
        padded.narrow(2, RADIUS + d, width).add_(folded[d])


def parts(folded: list[Tensor], ring: int) -> Iterator[Tensor]:
    """Yield one to four views, (C, H, W), of the result of `fold` whose sum is the image's sum over a ring."""
    d, e = RINGS[ring]
    for column, row in dict.fromkeys(((d, e), (e, d))):
        height = folded[column].shape[1] - 2 * RADIUS
        for start in dict.fromkeys((RADIUS - row, RADIUS + row)):
            yield folded[column].narrow(1, start, height)


def ring_sum(folded: list[Tensor], ring: int, out: Tensor) -> Tensor:
    """Return the sum of the image over a ring around each pixel, (C, H, W), written into `out`.

    Args:
        folded: Result of `fold`.
        ring: Index into `RINGS`.
        out: (C, H, W).
    """
    first, *others = parts(folded, ring)
    if not others:
        return out.copy_(first)
    torch.add(first, others[0], out=out)
    for other in others[1:]:
        out.add_(other)
    return out


def add_ring(values: Tensor, ring: int, folded: list[Tensor]) -> None:
    """Add the adjoint of `ring_sum` to `folded`: each value, (C, H, W), is added to every tap of its ring."""
    for part in parts(folded, ring):
        part.add_(values)


def softmax_terms(seeds: Tensor, truncate: bool) -> tuple[Disk, Tensor, Tensor, Tensor]:
    """Return a kernel's rings and the unnormalised softmax weights of its rings; `total` is their sum.

    Args:
        seeds: (i, P), nonnegative; overwritten.
        truncate: As in `reblur`.

    Returns:
        The rings; the weight of each of the K rings inside the radius, (K, P); the weight of all taps outside it, (P,);
        the sum.
    """
    rings = disk_of_rings(len(seeds), seeds.dtype, seeds.device)
    largest = seeds.amax(0)
    seeds -= largest
    values = torch.lerp(seeds.index_select(0, rings.lower), seeds.index_select(0, rings.upper), rings.fraction)
    values.add_(rings.log_counts).exp_()
    total = values.sum(0)
    outside = torch.zeros_like(total) if truncate else largest.neg_().exp_().mul_(rings.outside_count)
    return rings, values, outside, total.add_(outside)


def add_shares(shares: Tensor, rings: Disk, values: Tensor, outside: Tensor, scale: Tensor) -> None:
    """Add to the shares, (36, P), a level's terms times its scale, (P,): its weight over the sum of the terms."""
    shares[: len(values)].addcmul_(values, scale)
    rest = outside * scale
    for k in rings.outside:
        shares[k].add_(rest, alpha=COUNTS[k] / rings.outside_count)


def level_gradient(
    slopes: Tensor, rings: Disk, values: Tensor, outside: Tensor, total: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the gradients of a level's |seeds|, (i, P), over its scale, and of its weight, (P,), from the slopes."""
    products = values * slopes[: len(values)]
    mean = products.sum(0)
    for k in rings.outside:
        mean.addcmul_(outside, slopes[k], value=COUNTS[k] / rings.outside_count)
    mean /= total
    products.addcmul_(values, mean, value=-1)
    return rings.matrix @ products, mean


def shares_of_levels(
    seeds: Tensor,
    weights: Tensor,
    sizes: tuple[int, ...],
    truncate: bool,
    slopes: Tensor | None = None,
    gradients: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Return the weight of each ring summed over all levels, (36, H W), and write the gradients if requested.

    Args:
        seeds: (sum(sizes), H, W).
        weights: (1 + len(sizes), H, W); the first is that of the image itself, at the centre.
        sizes: Number of seeds of each level.
        truncate: As in `reblur`.
        slopes: (36, H W), the gradient of the result.
        gradients: Tensors to which the gradients of seeds and weights are written, of their shapes; required with
            slopes.
    """
    weight, start = weights.flatten(1), 0
    shares = weight.new_zeros(len(RINGS), weight.shape[1])
    shares[0] = weight[0]
    if slopes is not None and gradients is not None:
        gradients[1][0] = slopes[0].view(weights.shape[1:])
    for level, size in enumerate(sizes, 1):
        part = seeds[start : start + size]
        rings, values, outside, total = softmax_terms(part.abs().flatten(1), truncate)
        scale = weight[level] / total
        add_shares(shares, rings, values, outside, scale)
        if slopes is not None and gradients is not None:
            d_size, mean = level_gradient(slopes, rings, values, outside, total)
            torch.mul(d_size.mul_(scale).view(part.shape), part.sign(), out=gradients[0][start : start + size])
            gradients[1][level] = mean.view(weights.shape[1:])
        start += size
    return shares


def gather(padded: Tensor, shares: Tensor, blurred: Tensor) -> None:
    """Add to `blurred`, (3, H, W), the sum over rings of shares, (36, H W), times the ring's mean of `padded`."""
    folded, work = fold(padded), padded.new_empty(blurred.shape)
    for k, count in enumerate(COUNTS):
        blurred.addcmul_(ring_sum(folded, k, work), shares[k].view(blurred.shape[1:]), value=1 / count)


def slopes_of_shares(padded: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient of the shares, (36, H W), from that of the blurred image, (3, H, W)."""
    folded, work = fold(padded), gradient.new_empty(gradient.shape)
    slopes = gradient.new_empty(len(RINGS), *gradient.shape[1:])
    by_count = {count: gradient / count for count in set(COUNTS)}
    for k, count in enumerate(COUNTS):
        torch.sum(ring_sum(folded, k, work).mul_(by_count[count]), 0, out=slopes[k])
    return slopes.flatten(1)


def scatter(shares: Tensor, gradient: Tensor, d_padded: Tensor) -> None:
    """Add to `d_padded`, (3, H + 14, W + 14), the adjoint of `gather` in `padded` for a gradient of (3, H, W)."""
    height, width = gradient.shape[1:]
    folded = [gradient.new_zeros(3, height + 2 * RADIUS, width) for _ in range(RADIUS + 1)]
    work = gradient.new_empty(gradient.shape)
    by_count = {count: gradient / count for count in set(COUNTS)}
    for k, count in enumerate(COUNTS):
        torch.mul(by_count[count], shares[k].view(height, width), out=work)
        add_ring(work, k, folded)
    unfold(folded, d_padded)
