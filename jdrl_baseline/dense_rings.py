"""Isotropic reblurring in few large operations for a GPU, for all levels and images at once; equivalent to `rings`.

`rings` processes a strip of one image, a level and a ring at a time, which suits the caches of a CPU and costs a GPU
about 900 kernel launches per image. Here the levels are rows of one matrix, ring sums are one product with a constant
matrix, and autograd differentiates; only the inputs are kept for the backward pass, which recomputes the rest.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from jdrl_baseline.rings import COUNTS, RADIUS, RINGS, disk_of_rings

SIDE = 2 * RADIUS + 1
PIXELS = 1 << 19
"""Number of pixels processed at a time: two images of 512x512. The largest tensors have 192 numbers per pixel."""


class Tables(NamedTuple):
    """Kernels of several levels as matrices, with K rings of all levels together, L levels and S seeds.

    Attributes:
        lower: (K,) int64, seed at the floor of each ring's distance.
        upper: (K,) int64, seed at the ceiling of each ring's distance.
        fraction: (K, 1) fractional part of each ring's distance.
        log_counts: (K, 1) logarithm of the number of taps in each ring.
        level: (K,) int64, level of each ring.
        seed_level: (S,) int64, level of each seed.
        members: (L, 8) int64, seeds of each level, padded with the first one.
        sums: (L, K), 1 where a ring belongs to a level.
        inside: (36, K), 1 where a ring of a level is a ring of the square.
        outside: (36, L), share of a level's corners in each ring.
        outside_count: (L, 1), number of corner taps; 0 for truncated kernels.
        means: (36, 64), from folded rows and columns to the mean over a ring.
    """

    lower: Tensor
    upper: Tensor
    fraction: Tensor
    log_counts: Tensor
    level: Tensor
    seed_level: Tensor
    members: Tensor
    sums: Tensor
    inside: Tensor
    outside: Tensor
    outside_count: Tensor
    means: Tensor


@lru_cache(maxsize=16)
def tables(sizes: tuple[int, ...], truncate: bool, dtype: torch.dtype, device: torch.device) -> Tables:
    """Return the tables of levels with the given numbers of seeds."""
    disks = [disk_of_rings(size, dtype, device) for size in sizes]
    starts = [sum(sizes[:level]) for level in range(len(sizes))]
    with torch.inference_mode(False):  # the tables are used after the caller's mode ends
        counts = [len(disk.lower) for disk in disks]
        level = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(counts))
        rings = torch.cat([torch.arange(count) for count in counts])
        sums = torch.zeros(len(sizes), len(level), dtype=dtype)
        sums[level, torch.arange(len(level))] = 1
        inside = torch.zeros(len(RINGS), len(level), dtype=dtype)
        inside[rings, torch.arange(len(level))] = 1
        outside = torch.zeros(len(RINGS), len(sizes), dtype=dtype)
        for number, disk in enumerate(disks):
            for ring in disk.outside:
                outside[ring, number] = COUNTS[ring] / disk.outside_count
        means = torch.zeros(len(RINGS), RADIUS + 1, RADIUS + 1, dtype=dtype)
        for number, (d, e) in enumerate(RINGS):
            for column, row in {(d, e), (e, d)}:
                # `folded` counts the pixel itself twice where a distance is 0
                means[number, column, row] = (0.5 if column == 0 else 1) * (0.5 if row == 0 else 1) / COUNTS[number]
        members = [
            [start + min(i, size - 1) for i in range(RADIUS + 1)] for start, size in zip(starts, sizes, strict=True)
        ]
        taps = [[0 if truncate else disk.outside_count] for disk in disks]
        return Tables(
            lower=torch.cat([disk.lower + start for disk, start in zip(disks, starts, strict=True)]),
            upper=torch.cat([disk.upper + start for disk, start in zip(disks, starts, strict=True)]),
            fraction=torch.cat([disk.fraction for disk in disks]),
            log_counts=torch.cat([disk.log_counts for disk in disks]),
            level=level.to(device),
            seed_level=torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes)).to(device),
            members=torch.tensor(members).to(device),
            sums=sums.to(device),
            inside=inside.to(device),
            outside=outside.to(device),
            outside_count=torch.tensor(taps, dtype=dtype).to(device),
            means=means.flatten(1).to(device),
        )


def blur_dense(padded: Tensor, seeds: Tensor, weights: Tensor, sizes: tuple[int, ...], truncate: bool) -> Tensor:
    """Return images blurred by the weighted kernels of all levels, differentiable in all three tensors.

    Args:
        padded: (N, 3, H + 14, W + 14) images.
        seeds: (N, sum(sizes), H, W) seeds.
        weights: (N, 1 + len(sizes), H, W) weights.
        sizes: Number of seeds of each level.
        truncate: Whether kernels are truncated at their radius, as in `reblur.reblur`.
    """
    at_a_time = max(1, PIXELS // (weights.shape[2] * weights.shape[3]))
    parts = [
        checkpoint(_blur, *part, sizes, truncate, use_reentrant=False, preserve_rng_state=False)
        for part in zip(padded.split(at_a_time), seeds.split(at_a_time), weights.split(at_a_time), strict=True)
    ]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _blur(padded: Tensor, seeds: Tensor, weights: Tensor, sizes: tuple[int, ...], truncate: bool) -> Tensor:
    table = tables(sizes, truncate, padded.dtype, padded.device)
    shares = ring_shares(table, seeds.flatten(2), weights.flatten(2))
    means = ring_means(table, padded)
    return (means * shares[:, None]).sum(dim=2).view(*padded.shape[:2], *weights.shape[2:])


def ring_shares(table: Tables, seeds: Tensor, weights: Tensor) -> Tensor:
    """Return the weight of each ring over all levels, (N, 36, P).

    Args:
        table: Table of the levels.
        seeds: (N, S, P) seeds.
        weights: (N, 1 + L, P) weights.
    """
    lengths = seeds.abs()
    largest = lengths[:, table.members.flatten()].view(len(seeds), *table.members.shape, -1).amax(dim=2)
    below = lengths - largest[:, table.seed_level]  # subtracted before interpolation, because seeds may be huge
    values = (torch.lerp(below[:, table.lower], below[:, table.upper], table.fraction) + table.log_counts).exp()
    corners = (-largest).exp() * table.outside_count
    scale = weights[:, 1:] / (table.sums @ values + corners)
    shares = table.inside @ (values * scale[:, table.level]) + table.outside @ (corners * scale)
    return torch.cat([shares[:, :1] + weights[:, :1], shares[:, 1:]], dim=1)


def ring_means(table: Tables, padded: Tensor) -> Tensor:
    """Return the mean of the images over each ring around each pixel, (N, 3, 36, P)."""
    columns = padded.unfold(3, SIDE, 1)
    columns = columns[..., : RADIUS + 1].flip(-1) + columns[..., RADIUS:]  # (N, 3, H + 14, W, 8)
    rows = columns.unfold(2, SIDE, 1)
    rows = rows[..., : RADIUS + 1].flip(-1) + rows[..., RADIUS:]  # (N, 3, H, W, 8, 8)
    return table.means @ rows.flatten(4).flatten(2, 3).transpose(2, 3)
