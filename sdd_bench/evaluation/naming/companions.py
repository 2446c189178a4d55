"""Files that methods write beside a prediction (input, ground truth, maps), recognised by a word in the name."""

from __future__ import annotations

import re
from collections.abc import Container

COMPANIONS = frozenset((
    "gt", "wgt", "g", "groundtruth", "truth", "target", "trg", "hq", "sharp", "clean", "ref", "reference",
    "i", "in", "inp", "input", "blur", "blurred", "blurry", "lq", "source", "src",
    "defest", "defocus", "dmap", "depth", "map", "mask", "weight", "kernel", "error", "err", "diff", "residual",
))  # fmt: skip
"""Words in a file name that mark a file beside a prediction, such as its input or a map."""

OUTPUTS = frozenset((
    "p", "pred", "predicted", "prediction", "out", "output", "res", "result", "restored", "restoration", "recover",
    "recovered", "deblur", "deblurred", "sr", "est", "estimate", "final",
))  # fmt: skip
"""Words in a file name that mark a prediction."""

ATTACHED = 4
"""Least number of letters of a word that needs no separator before it, as in `0001defest`."""

_SEPARATORS = "_. -"


def word_of(affix: str) -> str:
    """Return the word of an affix, in lower case and without the separators around it.

    >>> word_of("_GT"), word_of("input-")
    ('gt', 'input')
    """
    return affix.strip(_SEPARATORS).lower()


def words_in(affix: str) -> list[str]:
    """Return the words of an affix, in lower case.

    >>> words_in("_test_Net-x")
    ['test', 'net', 'x']
    """
    return [part.lower() for part in re.split(rf"[{_SEPARATORS}]", affix) if part]


def is_companion(prefix: str, suffix: str) -> bool:
    """Return whether the prefix and suffix around a name mark a file that is not a prediction.

    >>> is_companion("", "_gt"), is_companion("", "defest"), is_companion("", "g"), is_companion("", "_NAFNet_gt")
    (True, True, False, True)
    """
    first, last = re.split(rf"[{_SEPARATORS}]", prefix), re.split(rf"[{_SEPARATORS}]", suffix)
    if any(len(parts) > 1 and parts[end].lower() in COMPANIONS for parts, end in ((first, 0), (last, -1))):
        return True
    attached = (affix for affix in (prefix, suffix) if len(affix) >= ATTACHED)
    return any(word_of(affix) in COMPANIONS for affix in attached)


def is_output(prefix: str, suffix: str) -> bool:
    """Return whether the prefix and suffix around a name mark a prediction.

    >>> is_output("", "_output"), is_output("", "deblur"), is_output("", "p"), is_output("", "")
    (True, True, False, False)
    """
    apart = [affix for affix in (prefix, suffix) if affix and (affix[0] in _SEPARATORS or affix[-1] in _SEPARATORS)]
    attached = [affix for affix in (prefix, suffix) if len(affix) >= ATTACHED]
    return any(word_of(affix) in OUTPUTS for affix in (*apart, *attached))


def companion_of(stem: str, known: Container[str]) -> str | None:
    """Return the pattern of companion files, with `*` for the name, if a file is one of them; else None.

    Args:
        stem: File name without its suffix.
        known: Names that a companion may belong to.

    >>> companion_of("0001_gt", {"0001"}), companion_of("input-7", {"7"}), companion_of("0001_gt", {"0002"})
    ('*_gt', 'input-*', None)
    """
    for word in COMPANIONS:
        size = len(word)
        if stem.lower().endswith(word):
            for base in (stem[:-size], stem[: -size - 1]):
                if base in known and is_companion("", stem[len(base) :]):
                    return f"*{stem[len(base) :]}"
        if stem.lower().startswith(word):
            for base in (stem[size:], stem[size + 1 :]):
                if base in known and is_companion(stem[: len(stem) - len(base)], ""):
                    return f"{stem[: len(stem) - len(base)]}*"
    return None
