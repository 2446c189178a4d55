"""The exceptions written for the person at the keyboard."""

from __future__ import annotations

from collections.abc import Sequence

import click

MAX_LISTED = 20


class UserError(click.ClickException):
    """A mistake in the input: printed as one line, exit code 1, no traceback.

    The message says what was found, what was expected, and where.
    """

    exit_code = 1

    def format_message(self) -> str:
        """Return the message with control characters written out: a file's name may hold what moves the cursor."""
        return "".join(c if c == "\n" or c.isprintable() else repr(c)[1:-1] for c in self.message)


class CannotWriteError(UserError):
    """A folder or disk that takes no more: nothing else can be written there either, so that a run stops at once."""


def fault_report(faults: Sequence[str], where: str) -> UserError:
    """Return one UserError that reports every fault, the first `MAX_LISTED` of them in words.

    Args:
        faults: One line a fault; must not be empty.
        where: What was being read, named once at the front.

    >>> print(fault_report(["a: no partner", "b: no partner"], "data/x").message)
    data/x: 2 faults
      a: no partner
      b: no partner
    """
    if len(faults) == 1:
        return UserError(f"{where}: {faults[0]}")
    lines = [f"{where}: {len(faults)} faults", *(f"  {fault}" for fault in faults[:MAX_LISTED])]
    if len(faults) > MAX_LISTED:
        lines.append(f"  ... and {len(faults) - MAX_LISTED} more")
    return UserError("\n".join(lines))
