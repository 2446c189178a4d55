"""Seeded mutations of files: of bytes, of text, and of the values in JSON, TOML and CSV."""

from __future__ import annotations

import csv
import io
import json
import random
import tomllib
from collections.abc import Callable, Sequence
from typing import Any

Mutation = Callable[[bytes, random.Random], bytes]

EXTREMES = (
    b"9" * 400, b"-" + b"9" * 5000, b"1e999", b"-1e999", b"NaN", b"Infinity", b"-Infinity", b"inf", b"nan", b"-0",
    b"\x00", b"\x1b[2J", b"\x07\x08\x7f", "\x85\u2028\u202e".encode(), b"\xff\xfe", b"\xed\xa0\x80", b"\xef\xbb\xbf",
    b"\r\n", b"\r", b"\n\n\n", b"\\ud800", b"\\u0000", b"\\u001b[31m", b'"', b"'", b'""', b",", b";" * 50, b"," * 3000,
    b"=cmd|' /C calc'!A0", b"<script>alert(1)</script>", b"../../../etc/passwd", b"/etc/passwd", b"C:\\x", b"%s%n",
    b"a" * 200_000, b"[" * 3000, b"{" * 3000, b'{"a":' * 3000, b"]" * 100, b"#", b"true", b"null", b"{}", b"[]",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**64), 10**400, 1e308, -1e308, 0.5, 1e-320, "", "x", "inf", "nan",
    "NaN", "-inf", " ", "\x00", "\x1b[31mred", "line\nline", "\u202egnp", "é" * 50, "=1+1", "<b>&", "../x",
    "/etc/passwd", "a" * 5000, [], {}, [[]], [None], ["x"], {"x": 1}, {"": {}}, [1] * 2000,
)  # fmt: skip


def flip(data: bytes, rng: random.Random) -> bytes:
    """Flip one to sixteen bits."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite(data: bytes, rng: random.Random) -> bytes:
    """Overwrite a few bytes, most often near the start, where headers are."""
    changed = bytearray(data)
    reach = min(len(changed), rng.choice((64, 512, len(changed))))
    for _ in range(rng.choice((1, 2, 4))):
        place = rng.randrange(reach)
        word = rng.choice((b"\x00", b"\xff", b"\x00" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", rng.randbytes(4)))
        changed[place : place + len(word)] = word
    return bytes(changed)


def truncate(data: bytes, rng: random.Random) -> bytes:
    """Cut off the end."""
    return data[: rng.randrange(len(data))]


def empty(data: bytes, rng: random.Random) -> bytes:  # noqa: ARG001
    """Return no bytes."""
    return b""


def append(data: bytes, rng: random.Random) -> bytes:
    """Append bytes."""
    return data + rng.choice((b"\x00" * 1000, rng.randbytes(100), data))


def _span(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.choice((1, 4, 20, 200, 2000)))


def remove(data: bytes, rng: random.Random) -> bytes:
    """Remove a range of bytes."""
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def repeat(data: bytes, rng: random.Random) -> bytes:
    """Repeat a range of bytes several times."""
    start, end = _span(data, rng)
    return data[:start] + data[start:end] * rng.choice((2, 3, 50)) + data[end:]


def move(data: bytes, rng: random.Random) -> bytes:
    """Move a range of bytes to another position."""
    start, end = _span(data, rng)
    rest = data[:start] + data[end:]
    place = rng.randrange(len(rest) + 1)
    return rest[:place] + data[start:end] + rest[place:]


def insert(data: bytes, rng: random.Random) -> bytes:
    """Insert an extreme value."""
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(EXTREMES) + data[place:]


def lines(data: bytes, rng: random.Random) -> bytes:
    """Drop, double, swap or join lines, or change line ends."""
    parts = data.split(b"\n")
    i, j = rng.randrange(len(parts)), rng.randrange(len(parts))
    match rng.randrange(6):
        case 0:
            del parts[i]
        case 1:
            parts.insert(i, parts[j])
        case 2:
            parts[i], parts[j] = parts[j], parts[i]
        case 3:
            return b"\r\n".join(parts)
        case 4:
            return b"\xef\xbb\xbf" + data
        case _:
            parts[i : i + 2] = [b" ".join(parts[i : i + 2])]
    return b"\n".join(parts)


def token(data: bytes, rng: random.Random) -> bytes:
    """Replace a word, number or cell by an extreme value."""
    text = data.decode("utf-8", "surrogateescape")
    ends = [i for i, c in enumerate(text) if c in '",:=\n[]{} '] or [0]
    i = rng.randrange(len(ends))
    start, end = ends[i] + 1, ends[i + 1] if i + 1 < len(ends) else len(text)
    return (text[:start].encode("utf-8", "surrogateescape") + rng.choice(EXTREMES)) + text[end:].encode(
        "utf-8", "surrogateescape"
    )


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every container in a value with each of its keys."""
    found: list[tuple[Any, Any]] = []
    keys: Sequence[Any] = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        found.append((value, key))
        if isinstance(value[key], dict | list):
            found += _places(value[key])
    return found


def change_structure(value: Any, rng: random.Random) -> Any:
    """Drop a key, change a value or its type, swap two values, add a key, or wrap a value, one to three times."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = _places(value) if isinstance(value, dict | list) else []
        if not places:
            return rng.choice(VALUES)
        box, key = rng.choice(places)
        match rng.randrange(6):
            case 0:
                del box[key]
            case 1 | 2:
                box[key] = rng.choice(VALUES)
            case 3:
                other, name = rng.choice(places)
                present = key in box if isinstance(box, dict) else key < len(box)
                if present and (name in other if isinstance(other, dict) else name < len(other)):
                    box[key], other[name] = json.loads(json.dumps([other[name], box[key]]))
            case 4:
                if isinstance(box, dict):
                    box[rng.choice(("", "x", "name", "schema", "\x1b", "a" * 3000))] = rng.choice(VALUES)
                else:
                    box.append(rng.choice(VALUES))
            case _:
                nested: Any = box[key]
                for _ in range(rng.choice((1, 3, 400))):
                    nested = [nested]
                box[key] = nested
    return value


def json_structure(data: bytes, rng: random.Random) -> bytes:
    """Change the values of JSON; sometimes write duplicate keys, or numbers that JSON does not allow."""
    try:
        text = json.dumps(change_structure(json.loads(data), rng))
    except (ValueError, RecursionError):
        return flip(data, rng)
    if rng.random() < 0.1:
        key = text.find('": ')
        start = text.rfind('"', 0, key)
        text = text[:start] + text[start : key + 3] + rng.choice(("1, ", "null, ", '"x", ')) + text[start:]
    return text.encode("utf-8", "surrogatepass")


def json_line(data: bytes, rng: random.Random) -> bytes:
    """Change the values of one line of JSON."""
    parts = data.split(b"\n")
    full = [i for i, part in enumerate(parts) if part]
    parts[rng.choice(full)] = json_structure(parts[full[0]], rng)
    return b"\n".join(parts)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(k))} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if value is None:
        return '"null"'
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f") if isinstance(value, str) else str(value)


def toml_structure(data: bytes, rng: random.Random) -> bytes:
    """Change the values of TOML."""
    try:
        content = change_structure(tomllib.loads(data.decode()), rng)
        return "\n".join(f"{json.dumps(str(k))} = {_toml(v)}" for k, v in content.items()).encode()
    except (ValueError, AttributeError, RecursionError):
        return flip(data, rng)


def csv_structure(data: bytes, rng: random.Random) -> bytes:
    """Change cells, columns or rows of a table."""
    rows = list(csv.reader(io.StringIO(data.decode())))
    for _ in range(rng.choice((1, 1, 2, 3))):
        row = rng.choice([r for r in rows if r] or [[""]])
        i, j = rng.randrange(len(row)), rng.randrange(len(row))
        match rng.randrange(7):
            case 0:
                row[i] = str(rng.choice(VALUES))
            case 1:
                row[i], row[j] = row[j], row[i]
            case 2:
                del row[i]
            case 3:
                row.insert(i, str(rng.choice(VALUES)))
            case 4:
                for each in rows:
                    if i < len(each):
                        del each[i]
                rows = [each for each in rows if each] or [[""]]
            case 5:
                rows.append(list(row))
            case _:
                rows *= rng.choice((2, 30))
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode("utf-8", "surrogatepass")


BYTES: tuple[Mutation, ...] = (flip, flip, overwrite, overwrite, truncate, remove, repeat, move, insert, append, empty)
TEXT: tuple[Mutation, ...] = (insert, token, token, lines, truncate, remove, repeat, flip, empty)
JSON: tuple[Mutation, ...] = (*TEXT, *[json_structure] * 14)
JSON_LINES: tuple[Mutation, ...] = (*TEXT, *[json_line] * 14)
TOML: tuple[Mutation, ...] = (*TEXT, *[toml_structure] * 9)
CSV: tuple[Mutation, ...] = (*TEXT, *[csv_structure] * 9)


def mutate(data: bytes, mutations: Sequence[Mutation], rng: random.Random) -> tuple[bytes, str]:
    """Return changed data and the mutation; a mutation without effect is followed by another."""
    for _ in range(20):
        chosen = rng.choice(mutations)
        try:
            changed = chosen(data, rng)
        except (ValueError, IndexError, UnicodeError):
            continue
        if changed != data:
            return changed, chosen.__name__
    return data[:-1], "truncate"
