"""Conversion of names between the file system, the command line and Unicode.

Unicode writes a letter with an accent as one character or as two, and file systems keep either: both are one name.
Where the locale cannot decode a name (`LC_ALL=C`, or bytes that are not UTF-8), Python gives it with lone surrogates,
and no UTF-8 file can hold those.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from sdd_bench.errors import UserError


def one_form(name: str) -> str:
    """Return a name in Unicode's composed form, NFC; macOS and its zip files have many in the decomposed one, NFD.

    >>> len("e\u0301te\u0301"), len(one_form("e\u0301te\u0301"))
    (5, 3)
    """
    return unicodedata.normalize("NFC", name)


def stem_of(path: Path) -> str:
    """Return a file's name without its suffix in `one_form`: what files of several folders are matched by."""
    return one_form(path.stem)


def unicode_name(name: str, what: str) -> str:
    """Return a name that a results file can hold: bytes of UTF-8 are decoded, whatever the locale.

    Args:
        name: As Python hands it out.
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
    """Return a Unicode name as Python must be told it in this locale, so that the file's name is its UTF-8 bytes.

    >>> file_name("Méthode.json")
    'Méthode.json'
    """
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return os.fsdecode(name.encode("utf-8"))
    return name
