"""A run's folder: one process at a time, the best that is kept, logs, what it was computed on."""

import gc
import json
import warnings
from collections.abc import Generator
from dataclasses import replace

import pytest
import torch

from steadyhand.data import open_episodes, write_episodes
from steadyhand.errors import ConfigurationError, UsageError
from steadyhand.policy import device
from steadyhand.runtime.card import read_provenance
from steadyhand.training.checkpoint import KEEP, Run
from steadyhand.training.train import build_policy, train
from steadyhand.training.trainer import Trainer


def go(config, episodes, out, *, until=None, **options) -> Run:
    """Train in `out`, as far as a step or to the end."""
    steps = train(build_policy(config, episodes), episodes, config, out=out, **options)
    for result in steps:
        if result.step == until:
            break
    steps.close()
    return Run(out)


@pytest.fixture
def losses(monkeypatch):
    """Sets the validation losses that will be found, one a checkpoint."""

    def put(*values) -> None:
        each = iter(values)
        monkeypatch.setattr(Trainer, "validation_loss", lambda trainer: next(each))

    return put


def best(run: Run) -> int:
    found = run.resolve("best")
    assert found is not None
    return int(found.name)


def test_the_second_of_two_that_start_changes_nothing(config, episodes, tmp_path) -> None:
    run = Run(tmp_path / "r")
    held = run.lock()  # as far as the first one has come
    with pytest.raises(UsageError, match="Another process is training in"):
        go(config, episodes, run.path)
    assert [path.name for path in run.path.iterdir()] == [".lock"]
    held.close()
    assert go(config, episodes, run.path).steps_saved()


def test_a_run_that_was_made_meanwhile_is_not_resumed_as_another(
    config, episodes, tmp_path, monkeypatch
) -> None:
    made = Run.lock

    def first_somebody_else(run: Run):
        Run.create(run, replace(config, seed=9))
        return made(run)

    monkeypatch.setattr(Run, "lock", first_somebody_else)
    with pytest.raises(UsageError, match="begun with another seed"):
        go(config, episodes, tmp_path / "r", resume=True)


def test_the_best_is_found_on_the_disk(config, episodes, tmp_path, losses) -> None:
    losses(0.5, 0.0, 0.7, 0.6)
    run = go(config, episodes, tmp_path / "r", until=35)
    assert best(run) == 20, "0 is a figure, too"
    (run.path / "best").unlink()
    assert best(go(config, episodes, run.path, resume=True)) == 20
    assert read_provenance(run.folder(20)).details["validation_loss"] == 0.0


def test_what_is_no_number_is_not_the_best(config, episodes, tmp_path, losses) -> None:
    losses(float("nan"), float("-inf"), 0.7, 0.6)
    assert best(go(config, episodes, tmp_path / "r")) == 40


def test_a_kill_before_the_links_is_mended(config, episodes, tmp_path, losses) -> None:
    losses(0.9, 0.5, 0.7, 0.6)
    run = go(config, episodes, tmp_path / "r")
    for name in ("last", "best"):
        run.link(name, run.folder(10))
    go(config, episodes, run.path, resume=True)
    assert (best(run), (run.path / "last").resolve().name) == (20, "00000040")


def test_a_score_that_comes_or_goes_is_not_mixed_with_the_loss(
    config, episodes, tmp_path, losses
) -> None:
    losses(0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    config = replace(config, steps=60)
    run = go(config, episodes, tmp_path / "r", until=15)
    marks = iter([-5.0, -7.0])
    go(config, episodes, run.path, until=35, resume=True, score=lambda policy: next(marks))
    assert best(run) == 20, "the higher score, however low the loss of another"
    go(config, episodes, run.path, resume=True)
    assert best(run) == 10, "the lowest loss, now that nothing is scored any more"


def test_the_best_by_each_figure_is_kept(config, episodes, tmp_path, losses) -> None:
    losses(*[0.1 * number for number in range(1, 16)])
    config = replace(config, steps=75, checkpoint_every=5)
    marks = iter([1.0, 2.0])
    run = go(config, episodes, tmp_path / "r", until=10, score=lambda policy: next(marks))
    go(config, episodes, run.path, resume=True)
    assert run.steps_saved() == [5, 10, *range(75 - 5 * (KEEP - 1), 76, 5)]


def test_runs_from_python_have_their_logs(config, episodes, tmp_path) -> None:
    config = replace(config, steps=120, checkpoint_every=30)
    run = go(config, episodes, tmp_path / "r", until=70)
    resumed = go(config, episodes, run.path, resume=True)
    lines = [json.loads(line) for line in resumed.log.read_text().splitlines()]
    assert [line["step"] for line in lines] == [30, 50, 60, 90, 100, 120]
    wanted = {"loss", "learning_rate", "samples_per_second", "waiting_for_data", "validation_loss"}
    assert wanted <= lines[-1].keys()
    assert len(list(run.path.glob("events.out.tfevents*"))) == 2
    go(config, episodes, run.path, resume=True)
    assert len(list(run.path.glob("events.out.tfevents*"))) == 2, "a finished run writes nothing"


def test_training_that_nobody_looks_at_is_told(config, episodes) -> None:
    policy = build_policy(config, episodes)
    with pytest.warns(UserWarning, match=r"Nothing was trained.*for step in train\(policy"):
        del [train(policy, episodes, config)][0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        steps = train(policy, episodes, config)
        assert isinstance(steps, Generator)
        assert next(steps).step == 1
        assert steps.send(None).step == 2
        with pytest.raises(ZeroDivisionError):
            steps.throw(ZeroDivisionError)
        train(policy, episodes, config).close()
        gc.collect()


def test_threads_are_part_of_a_run(config, episodes, tmp_path) -> None:
    config, seen = replace(config, threads=2, steps=2, checkpoint_every=1), []

    def score(policy) -> float:
        seen.append(torch.get_num_threads())
        return 1.0

    run = go(config, episodes, tmp_path / "r", until=1, score=score)
    assert torch.get_num_threads() == 1, "what others compute on is left as it was"
    assert json.loads((run.path / "config.json").read_text())["threads"] == 2
    unnamed = replace(config, threads=None)
    go(unnamed, episodes, run.path, resume=True, score=score)
    assert seen == [2, 2], "a resumed run keeps its own"


def test_resuming_on_other_threads_or_in_another_precision_warns(
    config, episodes, tmp_path
) -> None:
    run = go(replace(config, threads=1), episodes, tmp_path / "r", until=12)
    other = replace(config, threads=2, precision="bfloat16")
    with pytest.warns(
        UserWarning, match="precision bfloat16 instead of float32, threads 2 instead"
    ) as told:
        go(other, episodes, run.path, resume=True, until=14)
    assert told[0].filename == __file__, "it names the line that called train"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        go(config, episodes, run.path, resume=True)


@pytest.mark.parametrize("threads", [0, -1, 10**9])
def test_threads_that_cannot_be(config, threads) -> None:
    with pytest.raises(ConfigurationError, match=r"at (least 1|most 1024)"):
        replace(config, threads=threads)


@pytest.mark.parametrize(
    ("one", "many", "chosen"), [(0.02, 0.001, 1), (0.4, 0.2, 2), (0.4, 0.3, 1), (0.4, 4.0, 1)]
)
def test_more_threads_only_where_they_are_worth_it(monkeypatch, one, many, chosen) -> None:
    now, on = [0.0], [2]
    monkeypatch.setattr(device.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(device.torch, "get_num_threads", lambda: on[0])
    monkeypatch.setattr(device.torch, "set_num_threads", lambda count: on.__setitem__(0, count))

    def step(number: int) -> torch.Tensor:
        now[0] += (one if on[0] == 1 else many) * (3 if number in (0, 3) else 1)
        return torch.zeros(())

    assert device.fastest_threads(step) == chosen
    assert on == [2]


@pytest.mark.parametrize("name", ["a\x1b[31m.npz", "a\u3000b.npz", "a\nb.npz"])
def test_a_run_goes_on_whatever_its_data_is_called(config, episodes, tmp_path, name) -> None:
    """A wide space, as names in Japanese have, is no character that is printed either."""
    write_episodes(tmp_path / name, episodes)
    found = open_episodes(tmp_path / name)
    go(config, found, tmp_path / "r", until=1)
    run = go(Run(tmp_path / "r").read_config(), found, tmp_path / "r", resume=True)
    assert run.read_config().data == tmp_path / name
