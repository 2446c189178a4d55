"""Names of files and methods in any encoding, in any locale."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from known_outputs import DIRECT

C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0"}


def shell(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Output of a command to a terminal that shows UTF-8."""
    command = [sys.executable, "-m", "sdd_bench.cli", *(w if isinstance(w, bytes) else str(w) for w in words)]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:backslashreplace", **environment}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("environment", [{}, C_LOCALE], ids=["utf-8", "C"])
def test_a_folder_in_another_encoding_needs_a_name_before_any_work(work: Path, environment: dict[str, str]) -> None:
    latin = os.fsencode(work) + b"/s\xe9sultat"
    shutil.copytree(os.fsencode(work / "one"), latin)
    (work / "data" / "gt" / "a.png").write_bytes(b"no image")
    words = ("evaluate", "--pred", latin, "--data", "data", *DIRECT)
    done = shell(*words, **environment)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert r"'s\udce9sultat' is not valid UTF-8" in line
    assert "give the name in the tables with --method" in line
    assert not (work / "results").exists()


@pytest.mark.long
@pytest.mark.parametrize("environment", [{}, C_LOCALE], ids=["utf-8", "C"])
def test_names_beyond_ascii_work_in_every_locale(work: Path, environment: dict[str, str]) -> None:
    latin = os.fsencode(work) + b"/s\xe9sultat"
    shutil.copytree(os.fsencode(work / "one"), latin)
    shutil.copytree(work / "one", work / "résultat")
    named = ("--method", "Méthode")
    for more in (("--pred", latin, *named), ("--pred", latin, *named), ("--pred", "résultat")):
        done = shell("evaluate", *more, "--data", "data", *DIRECT, **environment)
        assert done.returncode == 0, done.stderr
    found = {name: json.loads((work / "results" / f"{name}.pairs-test.direct-1.json").read_text(encoding="utf-8"))
             for name in ("Méthode", "résultat")}  # fmt: skip
    assert {name: results["method"]["name"] for name, results in found.items()} == {name: name for name in found}
    files = map(os.fsencode, sorted((work / "results").glob("[!.]*.json")))
    page = ("--html", os.fsencode(work) + b"/p\xe2ge.html", "--data", "data", "--images", "größe")
    done = shell("leaderboard", *files,
                 "--out", b"t\xe2ble.csv", "--baseline", "Méthode", *page, "--pred", b"M\xc3\xa9thode=" + latin,
                 **environment)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Méthode" in Path(os.fsdecode(b"t\xe2ble.csv")).read_text(encoding="utf-8")
