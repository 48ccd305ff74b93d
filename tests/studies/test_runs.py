"""The run engine: each run once, the rest after any interruption, and no run at another's cost."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from in_process import Here

from steadyhand.data import write_episodes
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.errors import CheckpointError, ConfigurationError, UsageError
from steadyhand.evaluation.acting import Acting
from steadyhand.evaluation.latency import Latency
from steadyhand.nets.choices import MLPConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.policy.storage import load_policy
from steadyhand.recipes.methods import METHODS
from steadyhand.studies import folder, plan, runs, worker
from steadyhand.studies import trial as trials
from steadyhand.studies.asked import Asked
from steadyhand.studies.executor import LocalProcesses
from steadyhand.studies.folder import Progress, RunFolder
from steadyhand.studies.grid import Method, declare
from steadyhand.studies.plan import PlannedRun, Trial, fingerprint
from steadyhand.studies.runs import do_runs, of_other_versions, unfinished
from steadyhand.studies.worker import Signs, Stopped, work
from steadyhand.tasks import record_episodes
from steadyhand.training.checkpoint import Run
from steadyhand.training.config import TrainConfig
from steadyhand.training.teacher import student_config
from steadyhand.training.train import build_policy, train

EPISODES = record_episodes("fork", 8)
TRIAL = Trial(sampler=SamplerConfig(solver="euler", steps=2), episodes=3)


@pytest.fixture
def data(tmp_path) -> Path:
    path = tmp_path / "fork.npz"
    write_episodes(path, EPISODES)
    return path


def planned(data: Path | None, method: str = "flow", **changes) -> PlannedRun:
    config = TrainConfig(
        task="fork",
        data=data,
        policy=PolicyConfig(denoiser=MLPConfig(width=8, blocks=1), process=METHODS[method]),
        steps=12,
        batch_size=8,
        checkpoint_every=4,
        precision="float32",
        device="cpu",
    )
    trial = replace(TRIAL, sampler=config.policy.settled().sampler)
    return plan.planned(method, replace(config, **changes), [trial])


class AfterFive(Signs):
    """Somebody asks after five steps."""

    steps = 0

    def tell(self, share: float, doing: str) -> None:
        self.steps += 1
        self.asked = self.steps >= 5


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_policy(folder / "run").state_dict()


def test_a_run_is_done_once_and_again_only_where_something_differs(data, tmp_path) -> None:
    out, flow = tmp_path / "out", planned(data)
    told: list[Progress] = []
    first = do_runs([flow], out, watch=lambda left: told.extend(left.values()))
    assert told[0] == Progress(0.0, "beginning"), "how far it is can be watched"
    result = first[0].trials[flow.trials[0].key]
    assert result["seeds"] == [100000, 100001, 100002]
    assert set(result["scores"]) >= {"success", "collision"}
    assert first[0].steps == 12
    assert first[0].minutes > 0
    stamp = (first[0].folder / "trained.json").stat().st_mtime_ns
    assert unfinished([flow], out) == {}
    again = do_runs([flow], out)
    assert again == first
    assert (first[0].folder / "trained.json").stat().st_mtime_ns == stamp
    # Another trial of the same policy trains nothing.
    more = replace(flow, trials=(*flow.trials, replace(TRIAL, episodes=2)))
    both = do_runs([more], out)[0]
    assert len(both.trials) == 2
    assert (first[0].folder / "trained.json").stat().st_mtime_ns == stamp
    other = do_runs([replace(flow, config=replace(flow.config, seed=1))], out)[0]
    assert other.folder != first[0].folder
    # Where the data lies is nothing; what is in it is all.
    moved = tmp_path / "moved.npz"
    moved.write_bytes(data.read_bytes())
    assert flow.key == planned(moved).key
    assert fingerprint(EPISODES) != fingerprint(EPISODES.subset([0, 1, 2, 3, 4, 5, 6]))
    numbers = dict(EPISODES.arrays)
    numbers["action"] = EPISODES.read("action") + 1e-3
    assert fingerprint(EPISODES) != fingerprint(replace(EPISODES, arrays=numbers))


def test_it_is_what_training_by_hand_gives(data, tmp_path) -> None:
    run = planned(data)
    found = do_runs([run], tmp_path / "out")[0]
    policy = build_policy(run.config, EPISODES)
    for _ in train(policy, EPISODES, run.config):
        pass
    for name, value in weights(found.folder).items():
        assert torch.equal(value, policy.state_dict()[name]), name


def test_a_run_that_is_stopped_goes_on_to_the_same_weights(data, tmp_path) -> None:
    whole = do_runs([planned(data)], tmp_path / "whole")[0]
    folder = RunFolder(tmp_path / "stopped")
    folder.path.mkdir()
    (folder.path / "plan.json").write_text((whole.folder / "plan.json").read_text())

    with pytest.raises(Stopped):
        work(folder, AfterFive(folder, None))
    assert folder.read("trained.json") is None
    spent = folder.read("spent.json")
    work(folder, Signs(folder, None))
    assert folder.read("trained.json")["minutes"] * 60 > spent
    for name, value in weights(whole.folder).items():
        assert torch.equal(value, weights(folder.path)[name]), name


def test_a_run_of_some_minutes_that_is_stopped_keeps_its_number_of_steps(data, tmp_path) -> None:
    folder = RunFolder(tmp_path / "stopped")
    folder.declare(planned(data, minutes=0.005))
    with pytest.raises(Stopped):
        work(folder, AfterFive(folder, None))
    steps = Run(folder.policy).read_config().steps
    work(folder, Signs(folder, None))
    assert folder.read("trained.json")["steps"] == steps


def test_a_teacher_is_trained_before_its_student(data, tmp_path) -> None:
    teacher = planned(data)
    config = replace(teacher.config, policy=student_config(teacher.config.policy))
    tried = replace(TRIAL, sampler=config.policy.sampler)
    taught = replace(teacher, trials=())
    student = plan.planned("student", config, [tried], distilled_from=taught)
    out = tmp_path / "out"
    assert len(unfinished([student], out)) == 2
    # The same run, asked for on its own, is the teacher: it is trained once, and tried, too.
    found, taught = do_runs([student, teacher], out)
    assert found.minutes > taught.minutes
    assert json.loads((found.folder / "plan.json").read_text())["config"]["teacher"] == str(
        (taught.folder / "run").resolve()
    )
    assert len(list(out.glob("*/trained.json"))) == 2


def test_one_that_fails_costs_no_other(data, tmp_path) -> None:
    bad = planned(data, observations=("nothing",))
    student = replace(planned(data, seed=3), name="student", distilled_from=bad)
    out = tmp_path / "out"
    with pytest.raises(CheckpointError, match=r"2 of 3 runs failed: flow-.*There is no"):
        do_runs([bad, student, planned(data, seed=2)], out)
    assert [path.parent.name.rpartition("-")[0] for path in out.glob("*/trained.json")] == ["flow"]


def test_two_engines_do_not_work_in_one_folder(data, tmp_path) -> None:
    out = tmp_path / "out"
    refused: list[Exception] = []

    def watch(shares) -> None:
        if not refused:
            with pytest.raises(UsageError, match="Another process works in") as found:
                do_runs([planned(data)], out)
            refused.append(found.value)

    do_runs([planned(data)], out, watch=watch)
    assert refused


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "killed"])
def test_no_run_outlives_the_engine(data, tmp_path, number) -> None:
    """However the engine ends, its runs save what they have and end."""
    script = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_runs as t
run = t.planned(Path({str(data)!r}), steps=1_000_000)
t.do_runs([run], Path({str(tmp_path / "out")!r}))
"""
    engine = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
    begun: list[Path] = []
    until = time.monotonic() + 120
    while not begun and time.monotonic() < until:
        there = (path.parent for path in (tmp_path / "out").glob("*/progress.json"))
        begun = [path for path in there if RunFolder(path).share > 0]
        time.sleep(0.1)
    assert begun, "it began"
    folder = begun[0]
    engine.send_signal(number)
    engine.wait(90)
    # A worker holds its lock as long as it lives.
    with (folder / ".worker").open("w") as lock:
        until = time.monotonic() + 60
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                assert time.monotonic() < until, "it ends soon"
                time.sleep(0.1)
    saved = sorted(int(path.parent.name) for path in folder.glob("run/*/*/train_state.safetensors"))
    assert saved, "what was done is saved"
    assert json.loads((folder / "spent.json").read_text()) > 0


def test_a_worker_without_its_parent_stops(tmp_path) -> None:
    assert not Signs(RunFolder(tmp_path), os.getppid()).stop
    assert Signs(RunFolder(tmp_path), os.getppid() + 1).stop


def test_what_was_damaged_is_done_again(data, tmp_path) -> None:
    """A power cut may leave files empty; what they said is then found out anew."""
    out, run = tmp_path / "out", planned(data)
    first = do_runs([run], out)[0]
    for name in ("trained.json", f"{run.trials[0].key}.json"):
        (first.folder / name).write_text("")
        again = do_runs([run], out)[0]
        assert again.trials == first.trials
        assert again.minutes > 0, "and the time that was spent is known"


def test_the_same_thing_has_the_same_key(data) -> None:
    run, trial = planned(data), Trial(sampler=SamplerConfig(clip=1))  # type: ignore[arg-type]
    assert trial.key == Trial(sampler=SamplerConfig(clip=1.0)).key
    minutes = [replace(run, config=replace(run.config, minutes=m)) for m in (2, 2.0, 3.0)]
    keys = [one.key for one in minutes]
    assert keys[0] == keys[1] != keys[2]
    assert replace(run, config=replace(run.config, threads=1)).key == run.key
    assert replace(run, config=replace(run.config, threads=2)).key != run.key
    other = replace(run, config=replace(run.config, precision="bfloat16"))
    assert other.key != run.key
    usual = replace(run, config=replace(run.config, device="auto"))
    assert (usual.key == run.key) == (not torch.cuda.is_available())


def test_runs_that_differ_in_their_data_alone_are_different_runs(data, tmp_path) -> None:
    """Also where they differ by less than float32 can tell; but not where only the path differs."""
    paths = [data]
    for number, change in enumerate((0.0, 1e-9, 2e-9)):
        arrays = {key: EPISODES.read(key).astype(np.float64) for key in EPISODES.arrays}
        arrays["action"] = arrays["action"] + change
        paths.append(tmp_path / f"{number}.npz")
        write_episodes(paths[-1], replace(EPISODES, arrays=arrays))
    assert len(unfinished([planned(path) for path in paths], tmp_path / "out")) == 3
    with pytest.raises(ConfigurationError, match="names its data"):
        planned(None)


def test_another_version_does_its_runs_anew(data, tmp_path, monkeypatch) -> None:
    out, run = tmp_path / "out", planned(data)
    before = run.key
    RunFolder(out / before).declare(run)
    assert of_other_versions(out) == 0
    for module in (plan, folder, runs):
        monkeypatch.setattr(module, "library_version", lambda: "99.0")
    assert of_other_versions(out) == 1
    assert planned(data).key != before


def test_a_run_is_tried_on_its_own_device(data, tmp_path, monkeypatch) -> None:
    config, asked = planned(data).config, []
    for _ in train(build_policy(config, EPISODES), EPISODES, config, out=tmp_path / "run"):
        pass

    def load(*given, device: object, **options):
        asked.append(device)
        return load_policy(*given, **options)

    monkeypatch.setattr(trials, "load_policy", load)
    monkeypatch.setattr(trials, "choose_device", torch.device)
    evaluate, tasks = trials.evaluate, []

    def tell(policy, task, **options):
        tasks.append(task)
        return evaluate(policy, task, **options)

    monkeypatch.setattr(trials, "evaluate", tell)
    there = replace(config, device="cuda:7")
    trials.tried(tmp_path / "run", there, TRIAL)
    elsewhere = replace(TRIAL, device="mps", task="fork:gap=0.3")
    trials.tried(tmp_path / "run", there, elsewhere)
    assert asked == [torch.device("cuda", 7), torch.device("mps")]
    assert tasks == ["fork", "fork:gap=0.3"]


def test_a_trial_names_what_it_is_tried_in(data, tmp_path) -> None:
    """Another task, delay or controller is another trial, of the same policy."""
    run = planned(data)
    narrow = replace(run.trials[0], task="fork:gap=0.1")
    others = [
        replace(narrow, task=None),
        replace(narrow, device="cpu"),
        replace(narrow, acting=Acting(controller="blend")),
        replace(narrow, acting=Acting(latency=Latency(seconds=0.2))),
    ]
    assert len({trial.key for trial in (narrow, *others)}) == 5
    found = do_runs([replace(run, trials=(narrow, *run.trials))], tmp_path)[0].trials
    with pytest.raises(ConfigurationError, match="names its task"):
        replace(run, config=replace(run.config, task=None))
    wide = found[run.trials[0].key]
    assert found[narrow.key]["seeds"] == wide["seeds"]


def test_other_data_than_was_declared_is_refused(data, tmp_path) -> None:
    """Also where it was changed after the run was declared, and before it began."""
    run = planned(data)
    data.unlink()
    write_episodes(data, EPISODES.subset([0, 1, 2, 3, 4, 5, 6]))
    with pytest.raises(CheckpointError, match="other demonstrations than when this run was decl"):
        do_runs([run], tmp_path / "out")
    assert planned(data).key != run.key
    assert do_runs([planned(data)], tmp_path / "out")


def test_an_executor_is_given_what_is_declared_and_told_to_stop(data, tmp_path) -> None:
    """Whoever can start, see and stop a worker in a folder does for the engine."""
    told: list[str] = []

    class Here:
        """Does one run at a time, in this process."""

        def room_for(self, run: PlannedRun) -> bool:
            return True

        def submit(self, run: PlannedRun, folder: RunFolder):
            told.append(f"submit {run.name}")
            work(folder, Signs(folder, None))
            return self

        def ended(self) -> bool | None:
            return True

        def cancel(self) -> None:
            told.append("cancel")

        def wait(self) -> None:
            told.append("wait")

    teacher = planned(data)
    found = do_runs([replace(teacher, name="b", distilled_from=None)], tmp_path, executor=Here())
    assert told == ["submit b"]
    assert found[0].steps == 12

    class Slow(Here):
        def ended(self) -> bool | None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        do_runs([teacher], tmp_path, executor=Slow())
    assert told[1:] == ["submit flow", "cancel", "wait"]


def test_as_many_runs_at_once_as_there_are_cores_for(data, tmp_path, monkeypatch) -> None:
    class Running:
        def ended(self) -> bool | None:
            return None

    monkeypatch.setattr("steadyhand.studies.executor.cores", lambda: 4)
    monkeypatch.setattr("steadyhand.studies.executor._Process", lambda *_: Running())
    one, three = planned(data), planned(data, threads=3)
    executor = LocalProcesses()
    for run, more in ((three, one), (one, None)):
        assert executor.room_for(run)
        executor.submit(run, RunFolder(tmp_path))
        assert more is None or executor.room_for(more)
    assert not executor.room_for(one)
    assert LocalProcesses().room_for(planned(data, threads=9)), "one run can always be done"
    both = LocalProcesses(workers=2)
    both.submit(three, RunFolder(tmp_path))
    assert both.room_for(three)
    both.submit(three, RunFolder(tmp_path))
    assert not both.room_for(one)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"seed_start": -1}, "seed_start is -1; seeds are"),
        ({"seed_start": 10**400}, "seed_start is a number of some 400 digits; seeds are"),
        ({"seed_start": 2**63 - 1, "episodes": 2}, "The last seed is 9223372036854775808"),
        ({"episodes": 10**12}, "episodes is 1000000000000; it must be at most"),
        ({"episodes": 0}, "episodes is 0; it must be at least 1"),
    ],
)
def test_episodes_that_cannot_be_are_refused_before_anything_is_trained(asked, said) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        declare(Asked(task="fork", steps=1, **asked), [Method("flow")])


def test_workers_share_out_what_a_run_is_to_be_tried_in(data, tmp_path, monkeypatch) -> None:
    run = planned(data)
    run = replace(run, trials=tuple(replace(TRIAL, episodes=n) for n in (3, 4, 5)))
    monkeypatch.setattr(runs, "POLL_SECONDS", 0.01)
    submitted: list[RunFolder] = []

    class Slow(LocalProcesses):
        """The first worker trains; while it is at a trial, another may come."""

        def submit(self, run: PlannedRun, folder: RunFolder):
            submitted.append(folder)
            return super().submit(run, folder)

    together = do_runs([run], tmp_path / "two", executor=Slow(workers=2))
    assert len(submitted) == 2, "one more where there is room, and no more"
    whole = do_runs([run], tmp_path / "one", executor=LocalProcesses(workers=1))
    assert together[0].trials == whole[0].trials
    # Of two at once, each trial is done by one of them.
    folder, tried = RunFolder(whole[0].folder), list[str]()
    for trial in run.trials:
        (folder.path / trial.file).unlink()
    real = worker.tried

    def counted(*given):
        tried.append(given[2].key)
        return real(*given)

    monkeypatch.setattr(worker, "tried", counted)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: work(folder, Signs(folder, None)), range(2)))
    assert sorted(tried) == sorted(trial.key for trial in run.trials)
    assert do_runs([run], tmp_path / "one")[0].trials == whole[0].trials
    assert not list(folder.path.glob(f".{run.trials[0].key}"))


@pytest.mark.parametrize(
    ("file", "content"),
    [("key", b"[]"), ("key", b'{"seeds": [1]}'), ("drawn", b"\x93NUMPY"), ("trained", b'{"a": 1}')],
)
def test_what_is_damaged_in_whatever_way_is_done_again(data, tmp_path, file, content) -> None:
    run = planned(data)
    run = replace(run, trials=(replace(TRIAL, samples=2),))
    [first] = do_runs([run], tmp_path, executor=Here())
    names = {"key": run.trials[0].file, "drawn": run.trials[0].drawn, "trained": "trained.json"}
    path = first.folder / names[file]
    whole = path.read_bytes()
    path.write_bytes(content)
    assert unfinished([run], tmp_path).keys() == {run.key}
    [again] = do_runs([run], tmp_path, executor=Here())
    assert again.trials == first.trials
    assert file == "trained" or path.read_bytes() == whole
