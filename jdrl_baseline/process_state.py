"""Process-wide state that training changes, restored afterwards."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

import cv2
import torch
from torch.utils.data._utils import signal_handling


@contextlib.contextmanager
def process_state_kept() -> Iterator[None]:
    """Restore thread counts, library modes, signal handler and thread hook at the end of the block.

    The modes are PyTorch's deterministic algorithms and cuDNN's benchmark mode. Random generators are not restored:
    code that seeds torch's generators forks them.
    """
    threads = torch.get_num_threads(), cv2.getNumThreads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    hook = threading.excepthook
    watched, on_child = signal_handling._SIGCHLD_handler_set, signal.getsignal(signal.SIGCHLD)
    try:
        yield
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.backends.cudnn.benchmark = benchmark
        threading.excepthook = hook
        if signal_handling._SIGCHLD_handler_set and not watched:  # set by a DataLoader with workers
            signal.signal(signal.SIGCHLD, on_child)
            signal_handling._SIGCHLD_handler_set = False  # so that a DataLoader of the caller sets its own handler


def seed_torch(seed: int, device: torch.device | str = "cpu") -> None:
    """Seed torch's generators of the CPU and of one device; torch.manual_seed would seed every GPU."""
    torch.default_generator.manual_seed(seed)
    if torch.device(device).type == "cuda":
        torch.cuda.manual_seed(seed)
