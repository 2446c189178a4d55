"""Readers of arbitrary text: they return or raise UserError, and written values are read back unchanged."""

from __future__ import annotations

import csv
import json
import math
import string
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from capture.session import ROLES, Shot, read_session
from capture.session_writing import described, write_session
from jdrl_baseline.config import Config, build_config, load_config
from leaderboard.meta import KEYS, read_meta
from leaderboard.submission import read_submission
from sdd_bench.datasets.manifest import read_prepared
from sdd_bench.datasets.split import read_split_file
from sdd_bench.errors import UserError
from sdd_bench.evaluation.protocol import build_protocol
from sdd_bench.evaluation.results import Method, Results, protocol_block, read_results
from sdd_bench.io.images import write_png
from sdd_bench.io.serialise import csv_text, json_text, read_csv
from sdd_bench.io.text import control_in, is_control, read_json, read_toml
from sdd_bench.metrics.table import METRICS

quick = settings(
    derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow], database=None
)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([10**400, "inf", "\x1b[2J"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
contents = st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass"))
cells = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=12).filter(
    lambda text: control_in(text) is None
)


def only_user_errors(read: Callable[[], object]) -> None:
    """Call a reader and check that its errors are UserErrors with printable messages."""
    said = ""
    try:
        read()
    except UserError as error:
        said = error.message
    assert control_in(said) is None
    assert len(said) < 20_000


def in_folder(read: Callable[[Path], object], **files: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        for file, content in files.items():
            (Path(name) / file.replace("__", ".")).write_bytes(content)
        only_user_errors(lambda: read(Path(name)))


@quick
@given(contents)
@example(b"a,a\n1,2\n")
@example(b'"' + b"x" * 200_000)
@example(b"name,split\n" + b"\xef\xbb\xbf\r\n,\r")
def test_tables_and_split_lists(content: bytes) -> None:
    in_folder(lambda folder: read_csv(folder / "t.csv", ()), t__csv=content)
    in_folder(lambda folder: read_split_file(folder / "t.csv", ["a"]), t__csv=b"name,split\n" + content)


@quick
@given(contents, anything)
def test_prepared_datasets(table: bytes, manifest: Any) -> None:
    text = json.dumps(manifest).encode()
    in_folder(read_prepared, dataset__json=text, pairs__csv=table)
    good = {"schema": 1, "name": "x", "request": manifest, "pairs": manifest, "patches": manifest, "notes": []}
    in_folder(read_prepared, dataset__json=json.dumps(good).encode(), pairs__csv=table)
    head = b"split,name,scene,place,blur,sharp\n"
    in_folder(read_prepared, dataset__json=b'{"schema": 1, "name": "x"}', pairs__csv=head + table)


@quick
@given(
    contents, st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(("file", "scene", "role", "motor"), anything)))
)
def test_sessions(content: bytes, shots: list[dict[str, Any]]) -> None:
    for name in ("session__toml", "session__csv"):
        in_folder(read_session, **{name: content})
    in_folder(read_session, session__csv=b"file,scene,role,motor\n" + content)
    lines = [f"[[shot]]\n{key} = {json.dumps(value)}\n" for shot in shots for key, value in shot.items()]
    in_folder(read_session, session__toml="".join(lines).encode("utf-8", "surrogatepass"))


@quick
@given(contents, st.sampled_from(sorted(KEYS)), anything)
def test_meta(content: bytes, key: str, value: Any) -> None:
    in_folder(lambda folder: read_meta(folder / "m.toml"), m__toml=content)
    text = f'name = "x"\n{key} = {json.dumps(value)}\n'.encode("utf-8", "surrogatepass")
    in_folder(lambda folder: read_meta(folder / "m.toml"), m__toml=text)


@quick
@given(st.dictionaries(st.sampled_from([*Config.__dataclass_fields__, "x"]), anything), st.text(max_size=30), contents)
@example({"learning_rate": math.nan, "width": 10**400, "blocks": [[]] * 99, "dropout": 1}, "width=9", b"")
@example({"network": "restormer", "width": 7, "expansion": 1e-3, "heads": [1, 1, 1, 1]}, "blocks=[", b"")
def test_configurations(values: dict[str, Any], setting: str, content: bytes) -> None:
    only_user_errors(lambda: build_config(values, "test"))
    only_user_errors(lambda: load_config("smoke", [setting]))
    only_user_errors(lambda: load_config("smoke", [f"width={setting}"]))
    in_folder(lambda folder: load_config(str(folder / "p.toml")), p__toml=content)


@quick
@given(contents, anything, st.sampled_from(["method", "dataset", "protocol", "images", "summary", "flags", "weights"]))
def test_results_and_entries(content: bytes, value: Any, key: str) -> None:
    good: dict[str, Any] = {"schema": 1, "method": {"name": "x"}, "dataset": {"name": "", "sha256": "", "split": ""}}
    good |= {"protocol": {"sha256": ""}, "images": [dict.fromkeys(METRICS) | {"name": "a"}], "status": "measured"}
    good |= {name: {} for name in ("why_empty", "weights", "configuration", "environment", "summary")}
    good["missing"] = []
    for changed in (value, {**good, key: value}, {**good, "images": [*good["images"], value]}):
        text = json.dumps(changed).encode()
        in_folder(lambda folder: read_results(folder / "r.json"), r__json=text)
        in_folder(read_submission, entry__json=text)
    in_folder(lambda folder: read_results(folder / "r.json"), r__json=content)
    in_folder(read_submission, entry__json=content)


@quick
@given(anything, contents)
def test_json_and_toml(value: Any, content: bytes) -> None:
    in_folder(lambda folder: read_json(folder / "x.json"), x__json=json.dumps(value).encode())
    in_folder(lambda folder: read_json(folder / "x.json"), x__json=content)
    in_folder(lambda folder: read_toml(folder / "x.toml"), x__toml=content)


@quick
@given(st.lists(st.lists(cells, min_size=3, max_size=3), max_size=5))
def test_a_table_is_read_as_it_was_written(rows: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "t.csv"
        path.write_text(csv_text(("a", "b", "c"), rows), encoding="utf-8")
        assert [list(row.values()) for row in read_csv(path, ("a",))] == rows
        with path.open(encoding="utf-8", newline="") as file:
            assert not [c for row in csv.reader(file) for c in row if c[:1] in ("=", "+", "@") or c.startswith("-1+")]


@quick
@given(anything)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "x.json"
        try:
            path.write_text(json_text(value), encoding="utf-8")
        except ValueError:  # NaN, or half of a surrogate pair
            return
        try:
            found = read_json(path)
        except UserError as error:
            found, refusal = value, error.message
        else:
            refusal = "control character"
        assert found == value
        assert "control character" in refusal or "over 300 digits" in refusal


numbers = st.floats(0, 1) | st.none()
rows = st.fixed_dictionaries(
    {"psnr_db": st.floats(0, 60) | st.just(math.inf), "ssim": st.floats(-1, 1), "mae": numbers, "lpips": numbers}
)
lines = cells.filter(lambda text: text.strip() and not any(map(is_control, text)))


@quick
@given(lines, st.dictionaries(lines, rows, min_size=1, max_size=4), numbers)
def test_results_are_read_as_they_were_written(
    method: str, images: dict[str, dict[str, Any]], params_m: float | None
) -> None:
    scored = tuple({"name": name, **row} for name, row in images.items())
    dataset = {"name": "sdd", "split": "test", "sha256": "d" * 64, "n_images": len(scored)}
    block = protocol_block(build_protocol("direct/1", None))
    results = Results(Method(method, params_m=params_m), dataset, block, scored)
    with tempfile.TemporaryDirectory() as name:
        results.save(Path(name) / "r.json")
        assert read_results(Path(name) / "r.json") == results


scenes = st.lists(st.text(string.ascii_lowercase, min_size=1, max_size=4), min_size=1, max_size=3, unique=True)


@quick
@given(scenes, cells, st.none() | st.floats(-1e6, 1e6))
def test_a_session_is_read_as_it_was_written(names: list[str], notes: str, motor: float | None) -> None:
    shots = tuple(
        Shot(f"{scene}-{role}.png", scene, role, motor, camera="Known", notes=notes)
        for scene in names
        for role in ROLES
    )
    with tempfile.TemporaryDirectory() as name:
        for shot in shots:
            write_png(Path(name) / shot.file, np.zeros((4, 4, 3), np.uint8))
        write_session(Path(name), described(shots, {"camera": "Known"}))
        found = read_session(Path(name)).shots
    assert [Shot(**{**vars(shot), "line": 0}) for shot in found] == list(shots)
