"""Links between the pages of a site."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Link:
    """A link of the navigation, and whether it leads to the current page."""

    title: str
    address: str
    here: bool = False
