"""Runs on a Ray cluster: the numbers of one machine, and nothing lost with a worker or a node."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from test_runs import EPISODES, planned

from steadyhand.data import write_episodes
from steadyhand.errors import CheckpointError, MissingExtraError, UsageError
from steadyhand.policy.storage import load_policy
from steadyhand.runtime.card import library_version
from steadyhand.studies import cluster, node
from steadyhand.studies.cluster import RayCluster
from steadyhand.studies.folder import RunFolder
from steadyhand.studies.node import Lost, work_here
from steadyhand.studies.plan import PlannedRun
from steadyhand.studies.runs import Outcome, do_runs
from steadyhand.studies.worker import Signs, work

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed; the extra 'ray' is it"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "fork.npz"
    write_episodes(path, EPISODES)
    return path


@pytest.fixture(scope="module")
def two_workers():
    with RayCluster("local", workers=2) as found:
        yield found


def same_as_here(found: Outcome, tmp_path: Path) -> None:
    """The same numbers and weights, to the last bit, as of a worker that nobody disturbed."""
    here = RunFolder(tmp_path / "here" / found.folder.name)
    here.declare(found.planned)
    work(here, Signs(here, None))
    for trial in found.planned.trials:
        assert found.trials[trial.key] == here.read(trial.file)
    there = load_policy(found.policy).state_dict()
    for name, value in load_policy(here.policy).state_dict().items():
        assert torch.equal(value, there[name]), name


# Before a cluster runs, which would be taken instead.
@needs_ray
@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere.invalid:6379", "127.0.0.1:x", "typo"])
def test_a_cluster_that_is_not_there_is_said_at_once(address) -> None:
    begun = time.monotonic()
    with pytest.raises(UsageError, match=f"No Ray cluster is reached at '{address}'"):
        RayCluster(address).__enter__()
    assert time.monotonic() - begun < 10


@needs_ray
def test_two_workers_find_what_one_machine_finds(data, tmp_path, two_workers) -> None:
    """One that fails is tried once, and costs no other."""
    runs = [planned(data), planned(data, seed=1)]
    bad = planned(data, observations=("nothing",))
    with pytest.raises(CheckpointError, match=r"1 of 3 runs failed: flow-.*There is no"):
        do_runs([*runs, bad], tmp_path / "out", executor=two_workers)
    assert RunFolder(tmp_path / "out" / bad.key).log.read_text().count("There is no") == 1
    for found in do_runs(runs, tmp_path / "out", executor=two_workers):
        same_as_here(found, tmp_path)


@needs_ray
def test_a_worker_that_is_killed_loses_nothing(data, tmp_path, two_workers, capfd) -> None:
    """Ray tries again where its worker was killed, and so where ours was; both go on from there."""
    runs = [planned(data, steps=300, checkpoint_every=20, seed=seed) for seed in (0, 1)]
    kills = {runs[0].key: [parent_of], runs[1].key: [itself]}

    def watch(left) -> None:
        for key, whom in kills.items():
            folder = tmp_path / "out" / key
            if whom and list(folder.glob("run/checkpoints/*/train_state.safetensors")):
                os.kill(whom.pop()(worker_in(folder)), signal.SIGKILL)

    found = do_runs(runs, tmp_path / "out", executor=two_workers, watch=watch)
    assert not any(kills.values()), "both were killed"
    for one in found:
        same_as_here(one, tmp_path)
        assert RunFolder(one.folder).log.read_text().count("Begun on node ") == 2
    assert not capfd.readouterr().out, "standard output is for what was asked for"


@needs_ray
def test_who_stops_waits_until_all_is_saved(data, tmp_path, two_workers) -> None:
    """After that the cluster is free for others."""
    runs, out = [planned(data, steps=1_000_000, seed=seed) for seed in (0, 1)], tmp_path / "out"

    def watch(left) -> None:
        if all(progress.share > 0 for progress in left.values()):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        do_runs(runs, out, executor=two_workers, watch=watch)
    for run in runs:
        assert not workers_in(out / run.key)
        assert list((out / run.key).glob("run/checkpoints/*/train_state.safetensors"))
    assert two_workers.room_for(runs[0])


def workers_in(folder: Path) -> list[int]:
    listed = subprocess.run(["ps", "-ewwo", "pid,args"], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if f"worker {folder} " in line]


def worker_in(folder: Path) -> int:
    [found] = workers_in(folder)
    return found


def itself(process: int) -> int:
    return process


def parent_of(process: int) -> int:
    asked = ["ps", "-o", "ppid=", "-p", str(process)]
    return int(subprocess.run(asked, capture_output=True, text=True).stdout)


def at_the_node(folder: Path, version: str = library_version()) -> tuple[bool, str]:
    return work_here(folder, threads=1, gpu=False, directory=folder, version=version)


def test_a_node_says_what_it_lacks(data, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(node, "SEEN_SECONDS", 0.0)
    name = socket.gethostname()
    well, said = at_the_node(tmp_path / "elsewhere")
    assert not well
    assert f"Node {name} sees no plan in {tmp_path}/elsewhere. Runs on a cluster need" in said
    RunFolder(tmp_path).declare(planned(data))
    well, said = at_the_node(tmp_path, version="0.0")
    assert not well
    assert f"has steadyhand {library_version()}, and this run was declared by 0.0" in said


@pytest.mark.parametrize(
    ("does", "lost"),
    [
        ("sys.exit(0)", None),
        ("sys.exit(2)", None),
        ("sys.exit(130)", "was asked to end"),
        ("os.kill(os.getpid(), 9)", "SIGKILL: the system does so where memory runs out"),
    ],
)
def test_what_is_lost_with_a_process_is_tried_again(
    does, lost, data, tmp_path, monkeypatch
) -> None:
    """And what failed is not."""
    RunFolder(tmp_path).declare(planned(data))
    seen = {}

    def start(*_, **options):
        seen.update(options)
        return subprocess.Popen([sys.executable, "-c", f"import os, sys; {does}"])

    monkeypatch.setattr(node, "start", start)
    if lost is None:
        assert at_the_node(tmp_path) == (does == "sys.exit(0)", "")
    else:
        with pytest.raises(Lost, match=lost):
            at_the_node(tmp_path)
    assert seen["environment"] == {"CUDA_VISIBLE_DEVICES": ""}, "who asked for no GPU sees none"
    assert seen["directory"] == tmp_path


class Told:
    """A Ray that does nothing and says what it is told; its answer is that all went well."""

    exceptions = SimpleNamespace(TaskCancelledError=KeyError, RayError=RuntimeError)

    def __init__(self, answer: object = (True, "")) -> None:
        self.options: dict[str, object] = {}
        self.answer = answer
        self.has = {"CPU": 8.0}

    def cluster_resources(self):
        return self.has

    def remote(self, function):
        def options(**given):
            self.options = given
            return SimpleNamespace(remote=lambda *_, **__: "reference")

        return SimpleNamespace(options=options)

    def wait(self, references, timeout):
        return references, []

    def get(self, reference):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def handed_over(ray: Told, run: PlannedRun, folder: Path):
    executor = RayCluster("local")
    executor._ray = ray
    RunFolder(folder).declare(run)
    return executor, executor.submit(run, RunFolder(folder))


def test_a_run_asks_for_what_it_computes_on(data, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(cluster, "choose_device", torch.device)
    ray, run = Told(), planned(data, threads=3)
    executor, _ = handed_over(ray, run, tmp_path)
    assert (ray.options["num_cpus"], ray.options["num_gpus"]) == (3, 0)
    assert executor.room_for(run)
    on_gpu = replace(run, trials=(replace(run.trials[0], device="cuda"),))
    handed_over(ray, on_gpu, tmp_path)
    assert ray.options["num_gpus"] == 1
    # Ray queues what is another run; one more worker for the same is for cores that have nothing.
    assert executor.room_for(planned(data, seed=5))
    ray.has["CPU"] = 5.0
    monkeypatch.setattr(cluster, "COUNTED_SECONDS", 0.0)
    assert not executor.room_for(run)
    assert executor.room_for(planned(data, seed=5))
    monkeypatch.setattr(cluster, "MOST", 1)
    assert not executor.room_for(planned(data, seed=5))


def test_what_a_node_wrote_elsewhere_is_not_called_done(data, tmp_path, monkeypatch) -> None:
    """What it wrote may take a moment to be seen; then the run has failed, and it is said why."""
    _, job = handed_over(Told(), planned(data), tmp_path)
    assert job.ended() is None
    monkeypatch.setattr(cluster.time, "monotonic", lambda: time.perf_counter() + 1e9)
    assert job.ended() is False
    assert "nothing of it is in" in RunFolder(tmp_path).last_words
    broken = Told(RuntimeError("a long story\n\nNo module named 'steadyhand'\n"))
    _, job = handed_over(broken, planned(data), tmp_path)
    assert job.ended() is False
    assert RunFolder(tmp_path).last_words.endswith("do this run: No module named 'steadyhand'")


def test_without_ray_it_is_said_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'steadyhand\[ray\]'"):
        RayCluster("local").__enter__()
