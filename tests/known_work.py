"""Tasks for worker processes, which import this file; it therefore imports little."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from sdd_bench.errors import UserError


def double(number: int) -> dict[str, Any]:
    return {"value": 2 * number}


def refuse_odd(number: int) -> dict[str, Any]:
    if number % 2:
        raise UserError(f"{number}: odd, expected even")
    return {"value": number}


def die_at_three(number: int) -> dict[str, Any]:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"value": number}


def fill_memory(number: int) -> dict[str, Any]:
    import resource

    import numpy as np

    if number == 1:
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, hard))
        try:
            np.ones((1 << 35,))
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    return {"value": number}


def lose_file(number: int) -> dict[str, Any]:
    return {"value": Path(f"/nowhere/{number}").read_text()} if number == 2 else {"value": number}


def lose_track(number: int) -> dict[str, Any]:
    if number == 1:
        os.close(1_000_000)
    return {"value": number}


def nothing_of_even(number: int) -> int | None:
    return number if number % 2 else None


def wait_a_little(number: int) -> dict[str, Any]:
    time.sleep(0.01)
    return {"value": number}
