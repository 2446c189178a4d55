"""Conversion of names between the file system, the command line and Unicode.

Unicode represents an accented letter by one character or by two, and file systems keep either form; both are the same
name. If the locale cannot decode a name (`LC_ALL=C`, or bytes that are not UTF-8), Python represents it with lone
surrogates, which UTF-8 cannot encode.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from sdd_bench.errors import UserError


def one_form(name: str) -> str:
    """Return a name in Unicode's composed form, NFC; macOS and its zip files often use the decomposed form, NFD.

    >>> len("e\u0301te\u0301"), len(one_form("e\u0301te\u0301"))
    (5, 3)
    """
    return unicodedata.normalize("NFC", name)


def stem_of(path: Path) -> str:
    """Return a file's name without its suffix, in `one_form`, by which files of several folders are matched."""
    return one_form(path.stem)


def unicode_name(name: str, what: str) -> str:
    """Return a name that a results file can store: bytes of UTF-8 are decoded, whatever the locale.

    Args:
        name: Name as Python returns it.
        what: Kind of the name and advice, for the message.

    Raises:
        UserError: The bytes are not UTF-8.

    >>> unicode_name("Méthode", "--method")
    'Méthode'
    """
    if not any("\ud800" <= c <= "\udfff" for c in name):
        return name
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        raise UserError(f"{name!r} is not valid UTF-8 and cannot stand in a results file; {what}") from None


def file_name(name: str) -> str:
    """Return a Unicode name in the form that Python needs in this locale to use its UTF-8 bytes as the file name.

    >>> file_name("Méthode.json")
    'Méthode.json'
    """
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return os.fsdecode(name.encode("utf-8"))
    return name
