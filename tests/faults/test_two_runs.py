"""Two runs in one folder: the second refuses and names the first; a lock whose holder died does not block."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from faults.known_jobs import Job, one_line
from sdd_bench.errors import UserError
from sdd_bench.io.files import write_text
from sdd_bench.io.serialise import json_text
from sdd_bench.jobs.lock import HOLDER, run_lock
from sdd_bench.jobs.run_folder import WORK_FOLDER, RunFolder


@contextmanager
def held_up(job: Job, out: Path) -> Iterator[int]:
    """Pause a job in the middle of its work; let it finish afterwards."""
    process = job.start(out)
    try:
        job.wait_for_work(out, process)
        os.killpg(process.pid, signal.SIGSTOP)
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGCONT)
        stderr = process.communicate(timeout=300)[1]
    assert process.returncode == 0, stderr


@pytest.mark.parametrize("name", ["prepare", "ingest", "evaluate", "anchor", "train-baseline", "analyse", "synthesise"])
def test_the_second_run_refuses_and_names_the_first(
    name: str, jobs: Mapping[str, Job], undisturbed: Callable[[str], Mapping[str, str]], tmp_path: Path
) -> None:
    job, out = jobs[name], tmp_path / "out"
    with held_up(job, out) as pid:
        done = job.run(out)
        assert done.returncode == 1, done.stdout + done.stderr
        said = one_line(done.stderr)
        assert re.search(rf"another run is at work here, process {pid} on \S+ since \S+: .*{name}", said), said
    assert job.output(out) == undisturbed(name)


def test_evaluate_waits_for_anchors_that_another_run_makes(
    jobs: Mapping[str, Job], undisturbed: Callable[[str], Mapping[str, str]], tmp_path: Path
) -> None:
    anchoring, evaluating = jobs["anchor"], jobs["evaluate"]
    out = tmp_path / "out"
    with held_up(anchoring, out / "anchors"):
        waiting = evaluating.start(out)
        assert waiting.stderr is not None
        said = waiting.stderr.readline()
        assert "waiting for another run in" in said, said
        assert waiting.poll() is None
    assert waiting.wait(timeout=300) == 0
    mine = {name: digest for name, digest in evaluating.output(out).items() if not name.startswith("anchors")}
    wanted = undisturbed("evaluate")
    assert mine == {name: digest for name, digest in wanted.items() if not name.startswith("anchors")}


def test_a_dead_holder_holds_nobody_up(jobs: Mapping[str, Job], tmp_path: Path) -> None:
    job, out = jobs["prepare"], tmp_path / "out"
    process = job.start(out)
    job.wait_for_work(out, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert (out / ".run" / "lock").is_file()
    assert (out / ".run" / f"lock{HOLDER}").is_file()
    job.finish(out)
    assert not (out / ".run").exists()


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught, run_lock(path, path.parent):
        pass
    return caught.value.message


def test_a_lock_of_this_process_is_seen_and_gone_afterwards(tmp_path: Path) -> None:
    with run_lock(tmp_path / "a" / "lock", tmp_path):
        assert f"another run is at work here, process {os.getpid()} on" in refusal(tmp_path / "a" / "lock")
        (tmp_path / "a" / f"lock{HOLDER}").write_text("[torn")
        assert "which has not said which process it is" in refusal(tmp_path / "a" / "lock")
    assert not list((tmp_path / "a").iterdir())
    with run_lock(tmp_path / "a" / "lock", tmp_path):
        pass


def test_a_waiting_run_goes_on_when_the_other_has_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    got, release = threading.Event(), threading.Event()

    def hold() -> None:
        with run_lock(tmp_path / "lock", tmp_path):
            got.set()
            release.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    assert got.wait(60)
    threading.Timer(0.3, release.set).start()
    with run_lock(tmp_path / "lock", tmp_path, wait=True):
        assert release.is_set()
    holder.join()
    assert "waiting for another run in" in capsys.readouterr().err


TURNS = """
import os, sys
from pathlib import Path
from sdd_bench.errors import UserError
from sdd_bench.jobs.lock import run_lock
from sdd_bench.jobs.run_folder import claimed
root, turns = Path(sys.argv[1]), int(sys.argv[2])
mark = root.with_name("mark")
taken = twice = 0
while taken < turns:
    try:
        with claimed(root) if sys.argv[3] == "folder" else run_lock(root / ".lock", root):
            taken += 1
            try:
                os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                twice += 1
            mark.unlink(missing_ok=True)
    except UserError as error:
        assert "another run is at work here" in error.message, error.message
print(taken, twice)
"""


@pytest.mark.parametrize("what", ["folder", "lock"])
def test_two_processes_that_take_turns_never_hold_the_lock_both(tmp_path: Path, what: str) -> None:
    command = [sys.executable, "-c", TURNS, str(tmp_path / "out"), "400", what]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=300) for process in both]
    assert said == [("400 0\n", "")] * 2
    assert list(tmp_path.rglob("*")) == ([] if what == "folder" else [tmp_path / "out"])


def test_a_lock_whose_folder_was_removed_takes_none_of_another_run(tmp_path: Path) -> None:
    path = tmp_path / "work" / "lock"
    with contextlib.ExitStack() as other:
        with run_lock(path, tmp_path):
            shutil.rmtree(path.parent)
            other.enter_context(run_lock(path, tmp_path))
        assert f"process {os.getpid()} on" in refusal(path)
    assert list(path.parent.iterdir()) == []


def test_a_folder_that_is_claimed_keeps_no_trace_of_a_finished_or_empty_run(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = RunFolder(out, out / "done.json", {"seed": 1})
    with run.claimed():
        run.end()
    assert not out.exists()
    with run.claimed():
        write_text(out / "done.json", json_text({"request": {"seed": 1}}))
        run.end()
    assert [path.name for path in out.iterdir()] == ["done.json"]
    (out / WORK_FOLDER).mkdir()
    (out / WORK_FOLDER / "lock").touch()  # left by a run that was killed at its very end
    again = RunFolder(out, out / "done.json", {"seed": 1})
    assert again.is_finished
    again.end()
    assert [path.name for path in out.iterdir()] == ["done.json"]


def test_a_request_with_a_name_in_another_encoding_is_known_again(tmp_path: Path) -> None:
    request = {"source": os.fsdecode(b"s\xe9sultat")}
    run = RunFolder(tmp_path / "out", tmp_path / "out" / "done.json", request)
    with run.claimed():
        pass
    with RunFolder(tmp_path / "out", tmp_path / "out" / "done.json", request).claimed():
        write_text(tmp_path / "out" / "done.json", json_text({"request": request}))
    assert RunFolder(tmp_path / "out", tmp_path / "out" / "done.json", request).is_finished
