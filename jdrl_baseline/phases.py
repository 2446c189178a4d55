"""Phases of training, each a function from a batch to its losses."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from jdrl_baseline.batch import Batch
from jdrl_baseline.calibration import calibration_mask
from jdrl_baseline.config import Config
from jdrl_baseline.flow import Flow
from jdrl_baseline.free_kernel import reblur_free_kernel
from jdrl_baseline.losses import Losses, blur_map_loss, charbonnier, combined, reblurring_loss
from jdrl_baseline.networks.deblurring import Deblurred
from jdrl_baseline.networks.reblurring import Predicted
from jdrl_baseline.reblur import blur_map, effective_radius, reblur, reblur_fixed_disks, reblur_one_kernel
from jdrl_baseline.warping import inside, warp


class Seen(NamedTuple):
    """Intermediate images of a step, for figures; detached, None if the phase does not compute them."""

    restored: Tensor
    truth: Tensor
    mask: Tensor | None
    flow: Tensor | None
    reblurred: Tensor | None
    predicted: Predicted | None

    def radius(self, *, truncate: bool) -> Tensor | None:
        """Return the effective radius of R's kernels, (N, 1, H, W), in pixels; None unless R has both branches."""
        if self.predicted is None or self.predicted.seeds is None or self.predicted.weights is None:
            return None
        return effective_radius(self.predicted.seeds, self.predicted.weights, truncate=truncate)


def warm_up(
    batch: Batch, deblurring: nn.Module, reblurring: nn.Module | None, flow: Flow, config: Config
) -> tuple[Losses, Seen]:
    """Return the losses of the first epochs; flow is from the blur image, as predictions are poor (section 4.1).

    By default the only loss compares the prediction with the sharp image warped to the blur image, and the mask only
    requires the corresponding point of a pixel to lie inside the crop. With `warmup_terms = "all"` there are all losses
    of `joint`. With `"aligned+reblur"` R learns as well: it blurs the warped sharp image to match the blur image.
    """
    if config.warmup_terms == "all":
        return _all_terms(batch, batch.blur, deblurring(batch.blur), reblurring, flow, config)
    restored = deblurring(batch.blur).image
    truth, found, mask = batch.sharp, None, None
    if config.deform and batch.truth is not None:
        truth, mask = batch.truth, batch.inside if config.inside else None
    elif config.deform:
        found = flow(batch.blur, batch.sharp)
        mask = inside(found) if config.inside else None
        truth = warp(batch.sharp, found, release_grid=config.release_grid)
    reblurred = predicted = term = None
    if config.warmup_terms == "aligned+reblur" and reblurring is not None:
        predicted = reblurring(truth, batch.blur)
        reblurred = reblur_as(truth, predicted, config)
        term = charbonnier(reblurred, batch.blur, mask, over=config.mask_mean)
    losses = combined(_pixel_loss(restored, truth, mask, config), None, term, None, config.alpha, config.beta)
    return losses, Seen(restored.detach(), truth, mask, found, _detached(reblurred), _detached_maps(predicted))


def joint(
    batch: Batch, deblurring: nn.Module, reblurring: nn.Module | None, flow: Flow, config: Config
) -> tuple[Losses, Seen]:
    """Return the losses of eq. (2), or of eq. (1) if F has no blur map.

    Flow and masks carry no gradient. Gradients reach F through the prediction and through sampling it in the cycle
    term; the reblurring loss trains F and R.
    """
    output: Deblurred = deblurring(batch.blur)
    return _all_terms(batch, output.image, output, reblurring, flow, config)


def _all_terms(
    batch: Batch, matched: Tensor, output: Deblurred, reblurring: nn.Module | None, flow: Flow, config: Config
) -> tuple[Losses, Seen]:
    """Return all terms of eq. (2); the flow is between the sharp image and `matched`, aligned with the prediction."""
    restored = output.image
    truth, cycle, found, mask = batch.sharp, None, None, None
    if config.deform:
        found = flow(matched, batch.sharp)
        mask = _mask(found, config)
        truth = warp(batch.sharp, found, release_grid=config.release_grid)
        if config.cycle:
            back = flow(batch.sharp, matched)
            warped = warp(restored, back, release_grid=config.release_grid)
            cycle = _pixel_loss(warped, batch.sharp, _mask(back, config), config)
    aligned = _pixel_loss(restored, truth, mask, config)
    reblurred = predicted = reblurring_term = map_term = None
    if reblurring is not None and config.alpha > 0:
        taught = None
        if config.reblur_input == "truth":
            predicted, taught = _taught(truth.detach(), batch.blur, mask, reblurring, config)
        else:
            predicted = reblurring(restored, batch.blur)
        reblurred = reblur_as(restored, predicted, config)
        reblurring_term = reblurring_loss(reblurred, batch.blur)
        if taught is not None:
            reblurring_term = reblurring_term + taught
        if output.blur_map is not None and predicted.seeds is not None and predicted.weights is not None:
            map_term = blur_map_loss(output.blur_map, blur_map(predicted.seeds, predicted.weights))
    losses = combined(aligned, cycle, reblurring_term, map_term, config.alpha, config.beta)
    maps = _detached_maps(predicted)
    return losses, Seen(restored.detach(), truth.detach(), mask, found, _detached(reblurred), maps)


def reblurring_alone(
    batch: Batch, deblurring: nn.Module, reblurring: nn.Module | None, flow: Flow, config: Config
) -> tuple[Losses, Seen]:
    """Return R's reblurring loss while F is frozen: `reblur_start = "frozen"`, after the warm-up.

    R's input is F's prediction, or, with `reblur_input = "truth"`, the sharp image warped to it.
    """
    assert reblurring is not None  # guaranteed by the configuration, which requires alpha above 0
    with torch.no_grad():
        restored = deblurring(batch.blur).image
    truth, found, mask = batch.sharp, None, None
    if config.reblur_input == "truth":
        found = flow(restored, batch.sharp)
        mask = _mask(found, config)
        truth = warp(batch.sharp, found, release_grid=config.release_grid)
        predicted, term = _taught(truth, batch.blur, mask, reblurring, config)
        reblurred = reblur_as(truth, predicted, config)
    else:
        predicted = reblurring(restored, batch.blur)
        reblurred = reblur_as(restored, predicted, config)
        term = reblurring_loss(reblurred, batch.blur)
    zero = torch.zeros_like(term)
    losses = Losses(config.alpha * term, zero, zero, zero, term, zero)
    return losses, Seen(restored, truth, mask, found, _detached(reblurred), _detached_maps(predicted))


def _taught(
    truth: Tensor, blur: Tensor, mask: Tensor | None, reblurring: nn.Module, config: Config
) -> tuple[Predicted, Tensor]:
    """Return R's prediction, detached, and R's own loss if R learns by blurring the warped sharp image.

    The reblurring loss of F then trains F alone: R cannot lower it by accounting for blur that F has left.
    """
    predicted: Predicted = reblurring(truth, blur)
    own = charbonnier(reblur_as(truth, predicted, config), blur, mask, over=config.mask_mean)
    maps = _detached_maps(predicted)
    assert maps is not None
    return maps, own


def _detached_maps(predicted: Predicted | None) -> Predicted | None:
    return None if predicted is None else Predicted(_detached(predicted.seeds), _detached(predicted.weights))


def _detached(image: Tensor | None) -> Tensor | None:
    return None if image is None else image.detach()


def reblur_as(restored: Tensor, predicted: Predicted, config: Config) -> Tensor:
    """Return the reblurred prediction, eq. (11), with the branches that the variant has."""
    border = config.reblur_border
    if predicted.seeds is None:
        assert predicted.weights is not None
        return reblur_fixed_disks(restored, predicted.weights, border=border)
    if config.free_kernel:
        return reblur_free_kernel(restored, predicted.seeds, border=border)
    if predicted.weights is None:
        return reblur_one_kernel(restored, predicted.seeds, border=border, truncate=config.truncate)
    return reblur(restored, predicted.seeds, predicted.weights, border=border, truncate=config.truncate)


def _mask(flow: Tensor, config: Config) -> Tensor:
    """Return the calibration mask; with `config.inside` only for pixels whose corresponding point is in the crop."""
    mask = calibration_mask(flow, config.mask, config.mask_lambda, config.mask_floor_px)
    return mask * inside(flow) if config.inside else mask


def _pixel_loss(a: Tensor, b: Tensor, mask: Tensor | None, config: Config) -> Tensor:
    """Return the Charbonnier loss of eq. (7), or plain L1."""
    if config.pixel_loss == "l1":
        return (a - b).abs().mean() if mask is None else (mask * (a - b)).abs().mean()
    return charbonnier(a, b, mask, over=config.mask_mean)
