"""Optical flow by ptlflow: model names, weights, and the flow between two images.

No other file imports ptlflow.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sdd_bench.errors import UserError
from sdd_bench.io.files import file_sha256

if TYPE_CHECKING:
    import torch


def ptlflow_models() -> list[str]:
    """Return the names of all models of ptlflow; the import takes seconds."""
    with _silence():
        import ptlflow

        return list(ptlflow.get_model_names())


def cached_checkpoints(model: str) -> dict[str, Path | None]:
    """Return a model's named checkpoints, each with its file in torch's cache, or None if it is not cached."""
    with _silence():
        import ptlflow
        from torch import hub

        reference = ptlflow.get_model_reference(model)
    folder = Path(hub.get_dir()) / "checkpoints"
    known = getattr(reference, "pretrained_checkpoints", None) or {}
    files = {name: folder / url.rsplit("/", 1)[-1] for name, url in known.items()}
    return {name: file if file.is_file() else None for name, file in files.items()}


def load_flow_model(name: str, checkpoint: str, device: str) -> tuple[torch.nn.Module, dict[str, str]]:
    """Return a frozen model of ptlflow with its weights, and its identity in a protocol.

    Args:
        name: Name of the model.
        checkpoint: Local file, or a name that ptlflow knows; if empty, the model's `things`, else its first.
        device: Device on which it runs.

    Raises:
        UserError: Unknown model, or weights that cannot be loaded or do not fit.
    """
    with _silence():
        import ptlflow
        import torch

        names = ptlflow.get_model_names()
    if name not in names:
        near = [n for n in names if n.replace("_", "")[:4] == name.replace("_", "")[:4]]
        raise UserError(f"flow model {name!r} is unknown to ptlflow; similar names: {', '.join(near[:8]) or 'none'}")
    file = _checkpoint_file(name, checkpoint)
    with _silence():
        model = ptlflow.get_model(name)
        try:
            state = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # unpickling can raise any exception
            raise UserError(f"{file}: not a PyTorch checkpoint ({type(error).__name__})") from None
        for key, value in _extra_parameters(state).items():
            model.add_extra_param(key, value)
        weights = state.get("state_dict", state) if isinstance(state, dict) else {}
        try:
            model.load_state_dict({str(k).removeprefix("module."): v for k, v in weights.items()}, strict=True)
        except (RuntimeError, AttributeError, TypeError):
            raise UserError(f"{file}: not weights of the flow model {name}") from None
        model = model.to(device).eval().requires_grad_(False)
    # The file name is left out: the same weights are the same protocol, whatever their name.
    return model, {"estimator": "ptlflow", "model": name, "weights_sha256": file_sha256(file)}


def flow_of_batch(model: torch.nn.Module, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return the flow from first to second by a model of ptlflow, (N, 2, H, W) in pixels, without gradient.

    Args:
        model: Model from `load_flow_model`.
        first: (N, 3, H, W) RGB in [0, 1], on the model's device.
        second: The same shape.
    """
    import torch

    # Models of ptlflow expect BGR, as OpenCV reads it, and convert it themselves if their weights need RGB.
    with torch.no_grad(), _silence():
        flow: torch.Tensor = model({"images": torch.stack([first.flip(1), second.flip(1)], dim=1)})["flows"][:, 0]
    return flow


def _checkpoint_file(name: str, checkpoint: str) -> Path:
    """Return the local file of a checkpoint given as a path or a name; a named one is downloaded if not cached."""
    if checkpoint and Path(checkpoint).is_file():
        return Path(checkpoint)
    known = cached_checkpoints(name)
    if not known and not checkpoint:
        raise UserError(f"flow model {name}: ptlflow has no weights for it; give a file: ptlflow:{name}=FILE")
    chosen = checkpoint or ("things" if "things" in known else next(iter(known)))
    if chosen not in known:
        raise UserError(
            f"flow model {name}: no file and no checkpoint named {chosen!r}; known names: {', '.join(known) or 'none'}"
        )
    cached = known[chosen]
    return cached if cached is not None else _download(name, chosen)


def _download(name: str, checkpoint: str) -> Path:
    with _silence():
        import ptlflow
        from torch import hub

        url = ptlflow.get_model_reference(name).pretrained_checkpoints[checkpoint]
        target = Path(hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            hub.download_url_to_file(url, str(target), progress=False)
        except (OSError, RuntimeError):
            raise UserError(
                f"flow model {name}: the weights '{checkpoint}' are not on this machine and cannot be downloaded; "
                f"put {target.name} into {target.parent}, give them as ptlflow:{name}=FILE, or use --flow dis"
            ) from None
    return target


def _extra_parameters(state: Any) -> dict[str, object]:
    if not isinstance(state, dict) or not isinstance(state.get("hyper_parameters"), dict):
        return {}
    return dict(state["hyper_parameters"].get("extra_params") or {})


def model_flow(
    model: torch.nn.Module, name: str, a: NDArray[np.floating], b: NDArray[np.floating], device: str
) -> NDArray[np.float32]:
    """Return flow_a_to_b of a model from `load_flow_model`; arguments and result as in `flow.dis_flow`.

    Raises:
        UserError: The device has too little memory.
    """
    import torch

    try:
        first, second = (torch.from_numpy(i.astype(np.float32)).permute(2, 0, 1)[None].to(device) for i in (a, b))
        flow = flow_of_batch(model, first, second)[0]
    except (torch.OutOfMemoryError, RuntimeError) as error:
        if "memory" not in str(error):
            raise
        raise UserError(
            f"flow model {name}: {a.shape[1]}x{a.shape[0]} needs more memory than {device} has; "
            "use fewer --jobs, another model, or --flow dis"
        ) from None
    return np.ascontiguousarray(flow.permute(1, 2, 0).float().cpu().numpy())


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep ptlflow and its imports from writing to the terminal."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            from loguru import logger

            logger.disable("ptlflow")
            yield
    finally:
        logging.disable(level)
