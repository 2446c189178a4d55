"""VGG19 features for a perceptual loss, from weights that the user supplies."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from sdd_bench.errors import UserError

WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256)
"""Numbers of channels of the convolutions up to conv3_3; 0 stands for a max-pooling."""


def load_vgg_features(path: Path) -> nn.Sequential:
    """Return VGG19 up to conv3_3, before its ReLU, frozen; (N, 3, H, W) to (N, 256, H / 4, W / 4).

    Args:
        path: State dict of torchvision's VGG19, of the whole network or of its features alone.

    Raises:
        UserError: The file is not such a state dict.
    """
    layers: list[nn.Module] = []
    channels = 3
    for width in WIDTHS:
        if width == 0:
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
        channels = width
    features = nn.Sequential(*layers[:-1])
    try:
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        prefix = "features." if "features.0.weight" in state else ""
        features.load_state_dict({name: state[f"{prefix}{name}"] for name in features.state_dict()})
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}); vgg_weights names VGG19's file") from None
    except Exception as error:  # unpickling can raise any exception
        raise UserError(
            f"{path}: not the weights of torchvision's VGG19 ({type(error).__name__}); leave vgg_weights out to train "
            "without the perceptual term"
        ) from None
    return features.requires_grad_(False).eval()
