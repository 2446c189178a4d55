"""Leftovers of a command that fails or is killed, and resuming with the next one."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from known_outputs import call, content, evaluate, ok

from sdd_bench.errors import CannotWriteError, UserError
from sdd_bench.jobs.output_record import write_request
from sdd_bench.jobs.outputs import Output, check_outputs, written


def test_a_failure_leaves_no_trace(work: Path) -> None:
    (work / "one" / "b.png").write_bytes(b"no image")
    before = content(work)
    assert call(*evaluate("--out", "new/deep/x.json")).exit_code == 1
    assert call(*evaluate("--out", "new/deep/x.json", "--save-warped", "warped")).exit_code == 1
    assert content(work) == before
    assert not (work / "new").exists()


def test_after_a_failure_what_was_there_is_still_known(work: Path) -> None:
    ok(*evaluate("--out", "r.json"))
    image = (work / "one" / "b.png").read_bytes()
    (work / "one" / "b.png").write_bytes(b"no image")
    assert call(*evaluate("--out", "r.json")).exit_code == 1
    (work / "one" / "b.png").write_bytes(image)
    ok(*evaluate("--out", "r.json"))


def test_a_killed_run_goes_on_whatever_it_has_written(tmp_path: Path) -> None:
    output = Output({"of": "x"}, (tmp_path / "a.csv", tmp_path / "a.md"), (tmp_path / "plots",))
    (tmp_path / "plots").mkdir()
    (tmp_path / "a.md").write_text("old")
    (tmp_path / "plots" / "1.png").write_text("old")
    code = (
        "import os, sys; from pathlib import Path; from sdd_bench.jobs.outputs import Output, written\n"
        "folder = Path(sys.argv[1])\n"
        "output = Output({'of': 'x'}, (folder / 'a.csv', folder / 'a.md'), (folder / 'plots',))\n"
        "with written([output], overwrite=True):\n"
        "    for name in ('a.csv', 'plots/1.png', 'plots/2.png'): (folder / name).write_text('new')\n"
        "    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == 9
    with pytest.raises(UserError, match="written for another request: of"):
        check_outputs([Output({"of": "y"}, output.files)])
    with written([output]):
        for name in ("a.csv", "a.md", "plots/1.png", "plots/2.png"):
            (tmp_path / name).write_text("newer")
    check_outputs([output])
    (tmp_path / "plots" / "2.png").write_text("mine")
    with pytest.raises(UserError, match=r"2\.png: changed since it was written"):
        check_outputs([output])


def test_an_evaluation_killed_before_its_end_is_given_again(work: Path) -> None:
    """Kill the evaluation as a user does: while it scores, with the record of its planned output on the disk."""
    for number in range(40):
        for folder in ("data/gt", "data/blur", "one"):
            shutil.copy(work / folder / "a.png", work / folder / f"c{number}.png")
    command = [sys.executable, "-m", "sdd_bench.cli", *map(str, evaluate("--metrics", "ssim", "--out", "k.json"))]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    while not (work / ".k.json.written").exists() and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert json.loads((work / ".k.json.written").read_text())["files"] == {"k.csv": None, "k.json": None}
    ok(*evaluate("--metrics", "ssim", "--out", "k.json"))
    assert None not in json.loads((work / ".k.json.written").read_text())["files"].values()


@pytest.mark.parametrize("record", ["a.file/.r.json.written", "a.file/folder/.written"])
def test_a_record_that_cannot_be_written_is_told_by_the_name_of_its_output(tmp_path: Path, record: str) -> None:
    (tmp_path / "a.file").touch()
    output = {"a.file/.r.json.written": "a.file/r.json", "a.file/folder/.written": "a.file/folder"}[record]
    with pytest.raises(CannotWriteError) as refused:
        write_request(tmp_path / record, {}, {})
    assert refused.value.message.startswith(f"{tmp_path / output}: cannot be written (")
