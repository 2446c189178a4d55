"""Fields of a dataclass that are a Path to whoever reads them and are kept as text, in a fifth of the memory."""

from __future__ import annotations

from pathlib import Path


class PathText:
    """A Path. Each reading makes a new one, so that a loop reads it once."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> Path:
        if instance is None:
            raise AttributeError(self._name)  # no default
        return Path(instance.__dict__[self._name])

    def __set__(self, instance: object, value: Path) -> None:
        instance.__dict__[self._name] = str(value)


class OptionalPathText:
    """As `PathText`, or None, which is the default."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> Path | None:
        text = None if instance is None else instance.__dict__[self._name]
        return None if text is None else Path(text)

    def __set__(self, instance: object, value: Path | None) -> None:
        instance.__dict__[self._name] = None if value is None else str(value)
