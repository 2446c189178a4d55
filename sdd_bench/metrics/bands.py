"""Convolutional backbone applied band by band, with the same result as on the whole frame.

The frame is processed from top to bottom. Every layer keeps the rows that its next window still needs (the halo of its
receptive field) and outputs all rows whose windows are complete. Strides therefore stay aligned for any bands, every
output row is computed once from the same rows as in the whole frame, and padding is added only at the frame's own
edges. A layer keeps fewer rows than its window is high.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

Operation = Callable[[Tensor], Tensor]
Apply = Callable[[Tensor | None, bool], Tensor | None]


class Layer:
    """One layer that keeps its halo from band to band.

    Args:
        operation: Function applied to complete windows, (N, C, h, W) -> (N, C', h', W'), without vertical padding.
        height: Height of its window, in rows.
        stride: Vertical stride of its windows.
        padding: Number of zero rows above and below the frame.
        whole_windows: Whether a last window that extends below the frame is left out.
    """

    def __init__(self, operation: Operation, height: int, stride: int, padding: int, whole_windows: bool = True):
        self._operation, self._height, self._stride = operation, height, stride
        self._padding, self._whole = padding, whole_windows
        self._kept: Tensor | None = None

    def __call__(self, band: Tensor | None, last: bool) -> Tensor | None:
        """Return the output rows that a band completes, None if there are none yet.

        Args:
            band: Next rows of the input, None if there are none.
            last: Whether the frame ends after this band.
        """
        rows = self._with_kept(band, last)
        if rows is None:
            return None
        left_over = rows.shape[2] - self._height
        steps = left_over // self._stride if self._whole or not last else -(-left_over // self._stride)
        if steps < 0:
            self._kept = rows
            return None
        complete = rows if last else rows[:, :, : steps * self._stride + self._height]
        self._kept = rows[:, :, (steps + 1) * self._stride :].clone()  # a view would keep the whole band in memory
        return self._operation(complete)

    def _with_kept(self, band: Tensor | None, last: bool) -> Tensor | None:
        parts = [part for part in (self._kept, band) if part is not None and part.shape[2]]
        if not parts:
            return None
        if self._padding:
            zeros = torch.zeros_like(parts[0][:, :, :1]).expand(-1, -1, self._padding, -1)
            parts = [zeros] * (self._kept is None) + parts + [zeros] * last
        return torch.cat(parts, dim=2) if len(parts) > 1 else parts[0]


class Backbone:
    """Stages of a network, with the rows that its layers keep, for one frame.

    Args:
        stages: Sequences of convolutions, rectifiers, poolings and Fire modules.

    Raises:
        ValueError: A module is of another kind, is dilated, or has another kind of padding.
    """

    def __init__(self, stages: Sequence[nn.Module]):
        self._stages = [[layer_of(module) for module in stage.children()] for stage in stages]

    def __call__(self, band: Tensor | None, last: bool) -> list[Tensor | None]:
        """Return the rows that a band completes in each stage, None if there are none yet.

        Args:
            band: Next rows of the frame, (1, C, h, W).
            last: Whether the frame ends after this band.
        """
        outputs = []
        for layers in self._stages:
            for layer in layers:
                band = layer(band, last)
            outputs.append(band)
        return outputs


def layer_of(module: nn.Module) -> Apply:
    """Return the banded version of a module.

    Raises:
        ValueError: As in `Backbone`.
    """
    if isinstance(module, nn.ReLU):
        return Layer(lambda rows: F.relu(rows, inplace=True), 1, 1, 0)
    if isinstance(module, nn.Conv2d) and _is_plain(module.dilation) and not isinstance(module.padding, str):
        return Layer(_without_rows(module), module.kernel_size[0], module.stride[0], int(module.padding[0]))
    if isinstance(module, nn.MaxPool2d) and _is_plain(module.dilation) and module.padding == 0:
        height, stride = _vertical(module.kernel_size), _vertical(module.stride)
        return Layer(module, height, stride, 0, whole_windows=not module.ceil_mode)
    if isinstance(module, L2Pool):
        return Layer(module.pooled, module.side, module.stride, module.padding)
    if type(module).__name__ == "Fire":
        return _Fire(module)
    raise ValueError(f"{type(module).__name__} cannot be applied in bands: {module}")


def _without_rows(module: nn.Conv2d) -> Operation:
    """Return a convolution that adds its padding only on the left and right."""
    across = int(module.padding[1])
    return lambda rows: F.conv2d(rows, module.weight, module.bias, module.stride, (0, across), 1, module.groups)


class L2Pool(nn.Module):
    """Pooling of DISTS: root mean square under a 3x3 Hann window, every second pixel.

    Reference:
        Ding, Ma, Wang, Simoncelli: Image quality assessment: unifying structure and texture similarity, IEEE TPAMI
        44(5), 2022, section 3.
    """

    side, stride, padding = 3, 2, 1

    def pooled(self, rows: Tensor) -> Tensor:
        """Return the pooled rows, padded only on the left and right."""
        hann = rows.new_tensor([0.25, 0.5, 0.25])
        window = (hann[:, None] * hann).expand(rows.shape[1], 1, self.side, self.side)
        mean = F.conv2d(rows.square(), window, stride=self.stride, padding=(0, self.padding), groups=rows.shape[1])
        return mean.add_(1e-12).sqrt_()

    def forward(self, frame: Tensor) -> Tensor:
        """Return the pooling of a whole frame."""
        return self.pooled(F.pad(frame, (0, 0, self.padding, self.padding)))


class _Fire:
    """Fire module of SqueezeNet: a 1x1 convolution, then parallel 1x1 and 3x3 ones of its output; see `Layer`.

    The zeros around the 3x3 convolution are squeezed rows, so the squeezed rows are kept from band to band.
    """

    def __init__(self, module: Any):
        self._squeeze, self._narrow, self._wide = module.squeeze, module.expand1x1, _without_rows(module.expand3x3)
        self._layer = Layer(self._expanded, 3, 1, 1)

    def __call__(self, band: Tensor | None, last: bool) -> Tensor | None:
        return self._layer(None if band is None else F.relu(self._squeeze(band), inplace=True), last)

    def _expanded(self, squeezed: Tensor) -> Tensor:
        return F.relu(torch.cat([self._narrow(squeezed[:, :, 1:-1]), self._wide(squeezed)], dim=1), inplace=True)


def _vertical(size: int | tuple[int, ...]) -> int:
    return size if isinstance(size, int) else size[0]


def _is_plain(dilation: int | tuple[int, ...]) -> bool:
    return dilation == 1 or dilation == (1, 1)
