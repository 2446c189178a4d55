"""Rows in little memory are the rows that were put in; pairs keep their files as text."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from sdd_bench.datasets.manifest import Pair, csv_parts, csv_text, json_parts, json_text
from sdd_bench.errors import UserError
from sdd_bench.io.files import write_parts
from sdd_bench.jobs import packed
from sdd_bench.jobs.packed import Packed, Reordered


def test_rows_come_back_in_their_order_from_any_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "BLOCK", 4)
    rows = [{"name": str(i), "value": i / 7, "none": None, "deep": {"list": [i, "ä\n"]}} for i in range(42)]
    kept = Packed(rows)
    assert list(kept) == rows
    assert [kept[i] for i in range(-42, 42)] == rows + rows
    assert kept[5:30:7] == rows[5:30:7]
    assert (len(kept), len(kept._blocks), bool(Packed())) == (42, 10, False)
    assert kept == Packed(rows)
    assert kept != Packed(rows[:-1])
    assert tuple(rows) == kept
    assert kept != 1
    places = [(i * 5) % 42 for i in range(42)]
    assert list(Reordered(kept, places)) == [rows[place] for place in places]
    assert Reordered(kept, places)[-2:] == [rows[place] for place in places[-2:]]
    for index in (42, -43):
        with pytest.raises(IndexError):
            kept[index]


def test_what_is_read_is_a_copy_and_infinity_is_kept() -> None:
    kept = Packed([{"psnr_db": math.inf}] * 300)
    kept[0]["psnr_db"] = 0
    assert (kept[0]["psnr_db"], kept[299]["psnr_db"]) == (math.inf, math.inf)


def test_a_row_takes_a_fraction_of_what_a_dict_does() -> None:
    row = {
        "name": "000001",
        "rows": {"direct/1": {"psnr_db": 23.125, "ssim": 0.7}},
        "blur_sha256": "0123456789abcdef" * 4,
    }
    kept = Packed({**row, "name": f"{i:06d}"} for i in range(4096))
    assert sum(map(len, kept._blocks)) < 100 * len(kept)


def test_pieces_of_a_file_are_its_text(tmp_path: Path) -> None:
    for rows in ([], [{}], [{"name": "ä\n", "list": [1, {"a": None}]}, {"b": 0}, "0"]):
        content = {"schema": 10, "note": "0"}
        assert "".join(json_parts(content, "images", rows)) == json_text({**content, "images": rows})
    lines = [("a,b", 1), ('"', None)]
    assert "".join(csv_parts(("x", "y"), lines)) == csv_text(("x", "y"), lines)

    def failing() -> Iterator[str]:
        yield "first"
        raise UserError("second")

    with pytest.raises(UserError, match="second"):
        write_parts(tmp_path / "a.txt", failing())
    assert list(tmp_path.iterdir()) == []
    write_parts(tmp_path / "a.txt", ("ä", "\n"))
    assert (tmp_path / "a.txt").read_bytes() == "ä\n".encode()


def test_a_pair_shows_paths_and_keeps_text() -> None:
    pair = Pair("a", "test", Path("x/blur/a.png"), Path("x/gt/a.png"))
    assert (pair.blur, pair.defocus_map) == (Path("x/blur/a.png"), None)
    assert {type(value) for value in vars(pair).values()} == {str, type(None)}
    third = replace(pair, defocus_map=Path("m.png"), place="indoor")
    assert pickle.loads(pickle.dumps(third)) == third != pair
    assert hash(third) == hash(replace(third))
    assert third.with_text(split="train", scene="s") == replace(third, split="train", scene="s")
    assert (third.split, third.scene) == ("test", "")
    assert asdict(third)["sharp"] == Path("x/gt/a.png")
    assert "PosixPath" in repr(third) or "WindowsPath" in repr(third)
    with pytest.raises(AttributeError):
        pair.blur = Path("b")  # type: ignore[misc]
    with pytest.raises(TypeError):
        Pair("a", "test")  # type: ignore[call-arg]
    assert json.dumps(vars(third))
