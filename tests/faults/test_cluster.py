"""Work on a Dask cluster: the same bytes as one process, also if a worker is killed; refusals in one line."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from faults.known_jobs import Job, one_line

SPREAD = ["prepare", "ingest", "evaluate", "anchor", "analyse"]


class Cluster:
    """A scheduler on the loopback interface and its workers, each a process."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address, self.folder = f"tcp://127.0.0.1:{port}", folder
        self.workers: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")

    def add_worker(self, threads: int = 1) -> subprocess.Popen[bytes]:
        words = ("--nthreads", str(threads), "--no-nanny", "--no-dashboard", "--memory-limit", "0")
        worker = self._start("worker", self.address, *words, "--local-directory", str(self.folder))
        self.workers.append(worker)
        return worker

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:]]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with (self.folder / "log.txt").open("ab") as log:
            return subprocess.Popen(program, stdout=log, stderr=log, cwd="/", env=environment)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    (tmp_path / "cluster").mkdir()
    started = Cluster(tmp_path / "cluster")
    yield started
    started.stop()


@pytest.mark.parametrize("name", SPREAD)
def test_a_cluster_that_loses_a_worker_gives_the_bytes_of_one_process(
    name: str,
    jobs: Mapping[str, Job],
    undisturbed: Callable[[str], Mapping[str, str]],
    tmp_path: Path,
    cluster: Cluster,
) -> None:
    job, out = jobs[name], tmp_path / "out"
    first, _ = cluster.add_worker(), cluster.add_worker()
    process = job.start(out, "--scheduler", cluster.address)
    job.wait_for_work(out, process)
    first.kill()
    first.wait()
    stdout, stderr = process.communicate(timeout=180)
    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr, stderr
    assert job.output(out) == undisturbed(name), stdout


def test_relative_paths_mean_the_same_on_the_workers(
    inputs: Path, jobs: Mapping[str, Job], tmp_path: Path, cluster: Cluster
) -> None:
    cluster.add_worker()
    (tmp_path / "data").symlink_to(inputs / "data")
    words = ["analyse", "--data", "data", "--out", "m.csv", "--scheduler", cluster.address]
    command = [sys.executable, "-m", "sdd_bench.cli", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "m.csv").read_bytes() == _analysed(jobs["analyse"], tmp_path / "whole")


def _analysed(job: Job, out: Path) -> bytes:
    job.finish(out, "--jobs", 1)
    return (out / "m.csv").read_bytes()


def test_ctrl_c_leaves_the_cluster_fit_for_the_next_run(
    jobs: Mapping[str, Job], undisturbed: Callable[[str], Mapping[str, str]], tmp_path: Path, cluster: Cluster
) -> None:
    job, out = jobs["analyse"], tmp_path / "out"
    cluster.add_worker()
    process = job.start(out, "--scheduler", cluster.address)
    job.wait_for_work(out, process)
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr, stderr
    assert job.finish(out, "--scheduler", cluster.address) == undisturbed("analyse")


def test_a_worker_with_several_threads_is_refused(jobs: Mapping[str, Job], tmp_path: Path, cluster: Cluster) -> None:
    cluster.add_worker(threads=2)
    done = jobs["analyse"].run(tmp_path / "out", "--scheduler", cluster.address)
    assert done.returncode == 1
    assert "has 2 threads, expected 1; start it with --nthreads 1" in done.stderr
    one_line(done.stderr)


NOBODY = "tcp://127.0.0.1:9"


@pytest.mark.parametrize(
    ("address", "words"),
    [(NOBODY, r"no Dask scheduler answers there \(.*\)"), ("here", "expected tcp://HOST:PORT or tls://HOST:PORT")],
)
def test_no_scheduler_is_one_line(jobs: Mapping[str, Job], tmp_path: Path, address: str, words: str) -> None:
    done = jobs["analyse"].run(tmp_path / "out", "--scheduler", address)
    assert done.returncode == 1
    assert re.search(f"--scheduler {address}: {words}", one_line(done.stderr))


def test_jobs_and_scheduler_are_not_given_together(jobs: Mapping[str, Job], tmp_path: Path) -> None:
    done = jobs["analyse"].run(tmp_path / "out", "--jobs", 2, "--scheduler", "tcp://127.0.0.1:9")
    assert done.returncode == 1
    assert one_line(done.stderr) == "Error: --jobs 2 and --scheduler tcp://127.0.0.1:9: give only one of them"


def test_a_scheduler_that_dies_is_one_line_and_the_same_command_goes_on(
    jobs: Mapping[str, Job], undisturbed: Callable[[str], Mapping[str, str]], tmp_path: Path, cluster: Cluster
) -> None:
    job, out = jobs["analyse"], tmp_path / "out"
    cluster.add_worker()
    process = job.start(out, "--scheduler", cluster.address)
    job.wait_for_work(out, process)
    cluster.scheduler.kill()
    stderr = process.communicate(timeout=120)[1]
    assert process.returncode == 1, stderr
    assert stderr.strip() == one_line(stderr)
    assert f"{cluster.address}: the Dask scheduler has gone" in stderr
    assert "give the same command, which resumes from what is finished" in stderr
    assert any(path.stat().st_size for path in out.glob(".*journal"))
    assert job.finish(out, "--jobs", 1) == undisturbed("analyse")


FOLDERS = """
import os, sys
from pathlib import Path
from sdd_bench.jobs.items import Item, map_items
print(map_items(os.path.abspath, [Item(n, n) for n in "abc"], jobs=sys.argv[1], label="x"))
from distributed import Client
with Client(sys.argv[1], set_as_default=False) as client:
    print(set(client.run(os.getcwd).values()))
"""


def test_a_worker_is_left_in_its_own_folder(tmp_path: Path, cluster: Cluster) -> None:
    cluster.add_worker()
    command = [sys.executable, "-c", FOLDERS, cluster.address]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=180)
    assert done.stdout.splitlines() == [str([str(tmp_path / name) for name in "abc"]), "{'/'}"]
