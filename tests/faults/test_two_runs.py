"""Two runs in one place: the second refuses and names the first; a lock whose holder died holds nobody up."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from faults.known_jobs import Job, one_line
from sdd_bench.errors import UserError
from sdd_bench.jobs.lock import HOLDER, run_lock


@contextmanager
def held_up(job: Job, out: Path) -> Iterator[int]:
    """Hold a job up in the middle of its work; let it to its end afterwards."""
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
