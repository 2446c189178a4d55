"""Names with special meaning to a terminal, a spreadsheet or a page: in results, meta, sessions, pairs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from known_results import content_of, image_digests

from capture.session import read_session
from leaderboard.csv_files import leaderboard_csv, pairwise_csv
from leaderboard.entry import read_entry
from leaderboard.meta import read_meta
from leaderboard.table import build_board
from sdd_bench.cli import root
from sdd_bench.errors import UserError
from sdd_bench.evaluation.protocol import build_protocol
from sdd_bench.evaluation.results import Method, Results, protocol_block, read_results
from sdd_bench.io.images import list_images, write_png
from sdd_bench.io.serialise import read_csv
from sdd_bench.io.text import control_in

CONTROLS = ["\x00", "\x07", "\x1b[31m", "\x7f", "\x9b2J", "\u2028", "\u202e", "\u2066"]
ODD = ['=cmd|"/C calc"!A0', "+1", "-1+1", "@SUM(A1)", '"quoted", twice', "<script>alert(1)</script>",
       "../../etc/passwd", "a'b", "'><img src=x onerror=alert(1)>", "{{ 7*7 }}", "%s%n", "日本", "e\u0301"]  # fmt: skip


def results(folder: Path, method: str, images: tuple[str, str] = ("a", "b"), psnr_db: float = 30.0) -> Path:
    rows = tuple(
        {"name": n, "psnr_db": psnr_db, "ssim": 0.9, "mae": 0.02, "lpips": None, **image_digests(n)} for n in images
    )
    dataset = {"name": "sdd", "split": "test", "sha256": content_of(rows), "n_images": 2}
    written = Results(Method(method), dataset, protocol_block(build_protocol("direct/1", None)), rows)
    path = folder / f"{len(list(folder.glob('*.json')))}.json"
    written.save(path)
    return path


@pytest.mark.parametrize("control", CONTROLS)
def test_control_characters_in_results_are_refused(tmp_path: Path, control: str) -> None:
    for path in (results(tmp_path, f"a{control}b"), results(tmp_path, "a", (f"a{control}b", "c"))):
        with pytest.raises(UserError, match=rf"control character U\+{ord(control[0]):04X}, expected text") as caught:
            read_results(path)
        assert control_in(caught.value.message) is None
        assert "\n" not in caught.value.message


@pytest.mark.parametrize("name", ODD)
def test_odd_names_in_results_harm_no_table_and_no_page(tmp_path: Path, name: str) -> None:
    paths = [results(tmp_path, name, (name, "b")), results(tmp_path, "other", (name, "b"), 25.0)]
    out = tmp_path / "board.csv"
    words = ["leaderboard", *map(str, paths), "--out", str(out), "--html", str(tmp_path / "page.html")]
    done = CliRunner().invoke(root, words)
    assert done.exit_code == 0, done.output
    assert control_in(done.output) is None
    board = build_board([read_entry(path) for path in paths])
    for text in (out.read_text(), leaderboard_csv(board.rows), pairwise_csv(board.pairs)):
        for row in csv.reader(io.StringIO(text)):
            assert not [cell for cell in row if cell[:1] in ("=", "+", "@", "\t", "\r") or cell.startswith("-1+")]
    page = (tmp_path / "page.html").read_text()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".html") == ["page.html"]


@pytest.mark.parametrize("control", CONTROLS)
def test_control_characters_in_meta_are_refused(tmp_path: Path, control: str) -> None:
    path = tmp_path / "meta.toml"
    escaped = "".join(f"\\u{ord(c):04x}" for c in control)
    path.write_text(f'name = "a{escaped}b"\n')
    with pytest.raises(UserError, match=rf"control character U\+{ord(control[0]):04X}") as caught:
        read_meta(path)
    assert control_in(caught.value.message) is None
    path.write_text(f'name = "a{control}b"\n')
    with pytest.raises(UserError, match=rf"line 1: control character U\+{ord(control[0]):04X}"):
        read_meta(path)


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("kind", ["session.csv", "session.toml"])
def test_control_characters_in_a_session_are_refused(tmp_path: Path, kind: str, control: str) -> None:
    texts = {
        "session.csv": f"file,scene,role,notes\na.png,s,gt,a{control}b\n",
        "session.toml": f'[[shot]]\nfile = "a.png"\nscene = "s"\nrole = "gt"\nnotes = "a{control}b"\n',
    }
    (tmp_path / kind).write_text(texts[kind])
    with pytest.raises(UserError, match=rf"line \d: control character U\+{ord(control[0]):04X}, expected text"):
        read_session(tmp_path)


def test_odd_names_in_a_session_are_no_scenes_and_guarded_cells(tmp_path: Path) -> None:
    shots = [f"{role}.png,{json.dumps(name)},{role}" for name in ODD[:3] for role in ("gt", "blur")]
    (tmp_path / "session.csv").write_text("file,scene,role\n" + "\n".join(s.replace('\\"', '""') for s in shots) + "\n")
    with pytest.raises(UserError, match=r"expected letters, digits, '.', '-' and '_', it becomes a file name"):
        read_session(tmp_path)


def test_notes_of_a_session_are_guarded_in_tables_and_escaped_on_its_page(tmp_path: Path) -> None:
    card = tmp_path / "card"
    for seed, name in enumerate(("a", "b")):
        samples = np.random.default_rng(seed).integers(0, 256, (96, 128, 3), dtype=np.uint8)
        write_png(card / f"{name}.png", samples)
    notes = ['"=cmd|calc"', '"<script>alert(1)</script>"']
    rows = [f"{n}.png,s,{role},{note}" for n, role, note in zip("ab", ("blur", "gt"), notes, strict=True)]
    (card / "session.csv").write_text("file,scene,role,notes\n" + "\n".join(rows) + "\n")
    CliRunner().invoke(root, ["ingest", str(card), "--out", str(tmp_path / "raw"), "--jobs", "1"])
    rows_read = [row for table in ("pairs.csv", "refused.csv") for row in read_csv(tmp_path / "raw" / table, ("name",))]
    assert [row["notes"] for row in rows_read] == ["=cmd|calc"]
    texts = [(tmp_path / "raw" / table).read_text() for table in ("pairs.csv", "refused.csv")]
    assert sum(",'=cmd|calc" in text for text in texts) == 1
    assert "<script>alert" not in (tmp_path / "raw" / "session-report.html").read_text()


@pytest.mark.parametrize("control", CONTROLS)
def test_control_characters_in_tables_of_pairs_are_refused(tmp_path: Path, control: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(f"split,name\ntest,a{control}b\n")
    with pytest.raises(UserError, match=rf"line 2: control character U\+{ord(control[0]):04X}, expected text"):
        read_csv(path, ("name",))


@pytest.mark.parametrize("name", ["a\x1b[2Jb.png", "a\nb.png", "a\u2028b.png", "a\udcffb.png"])
def test_image_files_with_such_names_are_refused(tmp_path: Path, name: str) -> None:
    write_png(tmp_path / "x" / "plain.png", np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "x" / "plain.png").rename(tmp_path / "x" / name)
    with pytest.raises(UserError, match=r"expected plain text; rename it") as caught:
        list_images(tmp_path / "x")
    assert control_in(caught.value.message) is None
    assert "\n" not in caught.value.message
