"""Training: it learns, it is a function of (seed, step), and nothing is lost when it is stopped."""

import copy
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from steadyhand.data import Episodes, open_episodes, write_episodes
from steadyhand.errors import CheckpointError, ConfigurationError, DeviceError, UsageError
from steadyhand.policy.storage import load_policy
from steadyhand.policy.weights import read_tensors
from steadyhand.policy.windows import PolicyWindows
from steadyhand.runtime.card import read_provenance
from steadyhand.runtime.folders import find_policy
from steadyhand.training.checkpoint import Run
from steadyhand.training.config import TrainConfig
from steadyhand.training.ema import WeightAverage
from steadyhand.training.material import Material
from steadyhand.training.planning import plan
from steadyhand.training.trackers import JsonLines
from steadyhand.training.train import build_policy, train
from steadyhand.training.trainer import Trainer, batch_windows


def weights(folder) -> dict[str, torch.Tensor]:
    return {
        **read_tensors(folder / "policy.safetensors"),
        **read_tensors(folder / "train_state.safetensors"),
    }


def same(a, b) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def run_through(config, episodes, out=None, **options):
    policy = build_policy(config, episodes)
    return policy, list(train(policy, episodes, config, out=out, **options))


def test_it_learns(config, episodes) -> None:
    config = replace(config, steps=300, learning_rate=3e-3)
    policy, results = run_through(config, episodes)
    losses = [result.loss for result in results]
    assert np.mean(losses[-50:]) < 0.7 * np.mean(losses[:20])
    assert results[-1].step == results[-1].steps == 300
    # The state says where the action goes: the policy must have found out.
    window = {
        key: torch.from_numpy(np.stack([episodes.read(key, 10, 12), episodes.read(key, 60, 62)]))
        for key in ("keypoint", "state")
    }
    chunk = policy(window, torch.zeros(2, 8, 2)).detach()
    wanted = torch.from_numpy(
        np.stack([episodes.read("action", 11, 12), episodes.read("action", 61, 62)])
    )
    spread = float(torch.from_numpy(episodes.read("action")).std())
    assert float((chunk[:, :1] - wanted).abs().mean()) < 0.5 * spread


def test_the_same_seed_gives_the_same_weights(config, episodes, tmp_path) -> None:
    run_through(config, episodes, tmp_path / "a")
    torch.manual_seed(77)
    run_through(config, episodes, tmp_path / "b")
    assert same(weights(tmp_path / "a" / "last"), weights(tmp_path / "b" / "last"))
    run_through(replace(config, seed=1), episodes, tmp_path / "c")
    assert not same(weights(tmp_path / "a" / "last"), weights(tmp_path / "c" / "last"))


def test_stopped_and_resumed_is_uninterrupted(config, episodes, tmp_path) -> None:
    policy, _ = run_through(config, episodes, tmp_path / "whole")
    started = build_policy(config, episodes)
    steps = train(started, episodes, config, out=tmp_path / "parts")
    for result in steps:
        if result.step == 17:
            break
    steps.close()
    assert Run(tmp_path / "parts").steps_saved() == [10, 17], "closing saves"
    resumed = build_policy(config, episodes)
    results = list(train(resumed, episodes, config, out=tmp_path / "parts", resume=True))
    assert results[0].step == 18
    assert same(weights(tmp_path / "whole" / "last"), weights(tmp_path / "parts" / "last"))
    assert same(policy.state_dict(), resumed.state_dict())


def test_the_average_resumes_where_it_was(config, episodes, tmp_path) -> None:
    """A lost counter would let the decay start at 0 and the live weights overwrite the average."""
    config = replace(config, ema_decay=0.999, steps=30)
    steps = train(build_policy(config, episodes), episodes, config, out=tmp_path / "r")
    for result in steps:
        if result.step == 20:
            break
    steps.close()
    before = read_tensors(tmp_path / "r" / "last" / "policy.safetensors")
    resumed = train(
        build_policy(config, episodes), episodes, config, out=tmp_path / "r", resume=True
    )
    assert next(resumed).step == 21
    resumed.close()
    after = weights(tmp_path / "r" / "last")
    decay = config.ema_decay_at(20)
    name = "sampler.denoiser.enter.weight"
    wanted = decay * before[name] + (1 - decay) * after[f"live.{name}"]
    assert torch.allclose(after[name], wanted, atol=1e-7)
    assert not torch.allclose(after[name], after[f"live.{name}"], atol=1e-5)


def test_the_average_takes_buffers_along() -> None:
    live = torch.nn.BatchNorm1d(3)
    average = WeightAverage(live)
    live(torch.randn(50, 3) + 4)
    average.update(live, 0.5)
    assert torch.allclose(average.module.running_mean, live.running_mean / 2)
    assert average.module.num_batches_tracked == 1


TRAIN_SCRIPT = """
import sys
import torch
from dataclasses import replace
torch.set_num_threads(1)
from steadyhand.data import open_episodes
from steadyhand.training.checkpoint import Run
from steadyhand.training.train import build_policy, train

run = Run(sys.argv[1])
config = run.read_config()
episodes = open_episodes(config.data)
print("ready", flush=True)
for result in train(build_policy(config, episodes), episodes, config, out=run.path, resume=True):
    print(result.step, flush=True)
"""


@pytest.mark.slow
def test_killed_at_ten_random_moments(config, episodes, tmp_path) -> None:
    """SIGKILL in steps and in the writing of checkpoints: the end is the same bit for bit."""
    data = tmp_path / "data.npz"
    write_episodes(data, episodes)
    config = replace(config, data=data, steps=400, checkpoint_every=4)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def start(run: Run) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", TRAIN_SCRIPT, str(run.path)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    whole, killed = Run(tmp_path / "whole"), Run(tmp_path / "killed")
    whole.create(config)
    killed.create(config)
    assert start(whole).wait() == 0

    moments, kills = random.Random(0), 0
    while kills < 10:
        process = start(killed)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        # At least one checkpoint further each time, then anywhere in the next few steps.
        for _ in range(moments.randint(5, 36)):
            process.stdout.readline()
        time.sleep(moments.uniform(0, 0.02))
        assert process.poll() is None, "it ended before it could be killed"
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        kills += 1
        find_policy(killed.path)
    assert start(killed).wait() == 0
    assert same(weights(whole.path / "last"), weights(killed.path / "last"))


def test_what_is_kept(config, episodes, tmp_path) -> None:
    config = replace(config, steps=65, checkpoint_every=5)
    run_through(config, episodes, tmp_path / "r")
    run = Run(tmp_path / "r")
    best = run.resolve("best")
    assert best is not None
    saved = run.steps_saved()
    assert set(range(20, 70, 5)) <= set(saved)
    assert set(saved) <= {*range(20, 70, 5), int(best.name)}, "the last ten, and the best"
    states = list(run.checkpoints.glob("*/train_state.safetensors"))
    assert [path.parent.name for path in states] == ["00000065"], "optimiser state of the last only"
    assert (run.path / "last").resolve().name == "00000065"
    losses = {step: read_provenance(run.folder(step)).details["validation_loss"] for step in saved}
    assert losses[int(best.name)] == min(losses.values())
    assert read_provenance(run.path / "last").validation_episodes


def test_best_by_a_score_handed_in(config, episodes, tmp_path) -> None:
    marks = iter([0.1, 0.9, 0.3, 0.2])
    run_through(config, episodes, tmp_path / "r", score=lambda policy: next(marks))
    best = Run(tmp_path / "r").resolve("best")
    assert best is not None
    assert best.name == "00000020"


def test_a_run_in_use_is_left_alone(config, episodes, tmp_path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "thesis.tex").write_text("precious")
    with pytest.raises(UsageError, match="already holds something"):
        run_through(config, episodes, tmp_path / "r")
    assert (tmp_path / "r" / "thesis.tex").read_text() == "precious"


def test_two_runs_are_never_mixed(config, episodes, tmp_path) -> None:
    run_through(config, episodes, tmp_path / "r")
    with pytest.raises(UsageError, match="already holds something"):
        train(build_policy(config, episodes), episodes, config, out=tmp_path / "r")
    with pytest.raises(UsageError, match="name it with out="):
        train(build_policy(config, episodes), episodes, config, resume=True)


def test_a_run_is_not_resumed_on_other_data(config, episodes, tmp_path) -> None:
    run_through(config, episodes, tmp_path / "r")
    arrays = {key: 3 * episodes.read(key) for key in episodes.arrays}
    other = Episodes(arrays, episodes.ends)
    with pytest.raises(CheckpointError, match=r"are not those that .* was trained on"):
        train(build_policy(config, other), other, config, out=tmp_path / "r", resume=True)


def test_a_failed_start_leaves_the_folder_free(config, episodes, tmp_path) -> None:
    policy = build_policy(config, episodes)
    with pytest.raises(DeviceError):
        train(policy, episodes, replace(config, device="cuda:99"), out=tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_stopping_a_diverged_run_keeps_the_last_good_checkpoint(config, episodes, tmp_path) -> None:
    steps = train(
        build_policy(config, episodes),
        episodes,
        replace(config, learning_rate=1e30, warmup_steps=0, clip_norm=1e30),
        out=tmp_path / "r",
    )
    for result in steps:
        if result.step == 9:
            assert not np.isfinite(result.loss)
            break
    steps.close()
    assert Run(tmp_path / "r").steps_saved() == []


def test_a_link_to_the_best_that_a_kill_prevented_is_mended(config, episodes, tmp_path) -> None:
    run_through(config, episodes, tmp_path / "r")
    run = Run(tmp_path / "r")
    assert run.resolve("best") == run.folder(40), "this run gets better to its end"
    run.link("best", run.folder(10))
    list(train(build_policy(config, episodes), episodes, config, out=run.path, resume=True))
    assert run.resolve("best") == run.folder(40)


def test_a_full_disk_loses_nothing(config, episodes, tmp_path, monkeypatch) -> None:
    from steadyhand.policy import storage

    policy = build_policy(config, episodes)
    steps = train(policy, episodes, config, out=tmp_path / "r")
    for result in steps:
        if result.step == 10:
            break

    def full(tensors, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "save_file", full)
    with pytest.raises(CheckpointError, match=r"No space left on device.*Free some space"):
        list(steps)
    monkeypatch.undo()
    assert Run(tmp_path / "r").steps_saved() == [10]
    assert not list((tmp_path / "r").rglob("*.partial"))
    load_policy(find_policy(tmp_path / "r"))


def test_a_loss_that_is_no_number_stops_the_run(config, episodes, tmp_path) -> None:
    with pytest.raises(ConfigurationError, match=r"The loss is nan.*a lower --learning-rate"):
        run_through(replace(config, learning_rate=1e30), episodes, tmp_path / "r")


def test_every_epoch_visits_each_window_once() -> None:
    visited = np.concatenate(
        [batch_windows([np.arange(10)], 4, seed=3, step=step) for step in range(5)]
    )
    for epoch in (visited[:10], visited[10:]):
        assert sorted(epoch.tolist()) == list(range(10))
    assert visited[:10].tolist() != visited[10:].tolist()
    np.testing.assert_array_equal(visited[8:12], batch_windows([np.arange(10)], 4, seed=3, step=2))
    large = batch_windows([np.arange(3)], 8, seed=0, step=0)
    assert sorted(large[:3].tolist()) == [0, 1, 2], "also where a batch is larger than an epoch"


def test_padded_actions_do_not_count(config, episodes) -> None:
    policy = build_policy(config, episodes)
    windows, steps = PolicyWindows(policy, episodes), np.array([29, 0])
    weight, actions = windows.weight(steps), windows.actions(steps)
    assert weight.tolist() == [[1, 0, 0, 0, 0, 0, 0, 0], [1] * 8]
    sampler, condition = policy.sampler, policy.condition(windows.observation(steps))[0]
    eps, uniform = torch.randn(2, 8, 2), np.array([0.5, 0.5])
    changed = actions.clone()
    changed[0, 1:] += 5
    # The input changes with the actions, so hold the network's answer still.
    policy.sampler.denoiser.leave.weight.data.zero_()
    policy.sampler.denoiser.leave.bias.data.zero_()
    before = sampler.loss(actions, eps, uniform, condition, weight)
    after = sampler.loss(changed, eps, uniform, condition, weight)
    assert torch.allclose(before, after)
    assert not torch.allclose(before, sampler.loss(changed, eps, uniform, condition))


def test_padding_counts_where_it_is_asked_for(config, episodes) -> None:
    policy = build_policy(config, episodes)
    losses = []
    for masked in (True, False):
        asked = replace(config, mask_padding=masked, batch_size=155)
        losses.append(float(Trainer(policy, episodes, asked).step(0)))
    assert losses[0] != losses[1]


def test_a_reflection_is_held_out_with_its_episode(pusht_path) -> None:
    config = TrainConfig(
        task="pusht",
        prepare=("mirror",),
        observations=("state",),
        validation_share=0.1,
    )
    material = Material.of(config, open_episodes(pusht_path))
    training, held_out = material.training, material.held_out
    assert held_out is not None
    assert (len(training), len(held_out)) == (2 * 185, 2 * 21)
    starts = {tuple(row) for row in held_out.read("state")[held_out.starts].round(2).tolist()}
    assert not starts & {
        tuple(r) for r in training.read("state")[training.starts].round(2).tolist()
    }


def test_gathered_batches_are_normalised_raw_windows(config, episodes) -> None:
    policy = build_policy(config, episodes)
    windows, steps = PolicyWindows(policy, episodes), np.array([40])
    back = policy.normaliser.inverse("action", windows.actions(steps))[0]
    np.testing.assert_allclose(back.numpy(), episodes.read("action", 40, 48), rtol=1e-5)
    raw = {key: torch.from_numpy(episodes.read(key, 39, 41))[None] for key in ("keypoint", "state")}
    observation = windows.observation(steps)
    for name, values in policy.normalise(raw).items():
        assert torch.equal(values, observation[name])


def test_gathered_chunks_are_relative_to_now(config, episodes) -> None:
    policy = build_policy(replace(config, action_relative_to="state[:2]"), episodes)
    windows = PolicyWindows(policy, episodes)
    chunk = policy.normaliser.inverse("action", windows.actions(np.array([40])))[0]
    wanted = episodes.read("action", 40, 48) - episodes.read("state[:2]", 40, 41)
    np.testing.assert_allclose(chunk.numpy(), wanted, rtol=1e-4, atol=1e-4)


def test_minutes_become_a_fixed_number_of_steps(config, episodes, monkeypatch) -> None:
    from steadyhand.training import planning as module

    policy = build_policy(config, episodes)
    before = {key: value.clone() for key, value in policy.state_dict().items()}
    now = [0.0]
    step = module.Trainer.step

    def slow(trainer, number):
        now[0] += 0.01
        return step(trainer, number)

    monkeypatch.setattr(module.Trainer, "step", slow)
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    planned = plan(policy, episodes, replace(config, minutes=2))
    assert planned.steps == pytest.approx(0.95 * 120 / 0.01, rel=1e-6)
    assert plan(policy, episodes, planned) == planned, "a resumed run does not measure again"
    assert same(before, policy.state_dict()), "measuring leaves no trace"
    assert planned.precision == "float32"
    assert planned.device == "cpu"


def test_schedules() -> None:
    config = TrainConfig(steps=1000, warmup_steps=100, learning_rate=1.0)
    rates = [config.learning_rate_at(step) for step in range(1000)]
    assert rates[0] < 0.02
    assert np.argmax(rates) == 100
    assert rates[-1] < 1e-5
    assert (np.diff(rates[100:]) <= 0).all()
    decays = [config.ema_decay_at(step) for step in (0, 10, 1000, 10**9)]
    assert decays == sorted(decays)
    assert decays[0] == 0
    assert decays[-1] == 0.9999


def test_resumed_logs_have_each_step_once(tmp_path) -> None:
    log = JsonLines(tmp_path / "log.jsonl")
    for step in (50, 100, 150):
        log.log(step, {"loss": 1.0})
    log.close()
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('xx}\n{"a": 1}\n{"step": 200, "lo')
    again = JsonLines(tmp_path / "log.jsonl", resume_step=100)
    again.log(150, {"loss": 2.0})
    again.close()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(line["step"], line["loss"]) for line in lines] == [(50, 1), (100, 1), (150, 2)]


def test_find_policy(config, episodes, tmp_path) -> None:
    run_through(config, episodes, tmp_path / "r")
    run = tmp_path / "r"
    assert find_policy(run) == run / "last"
    assert find_policy(run / "best") == run / "best"
    assert find_policy(run / "checkpoints" / "00000010").name == "00000010"
    with pytest.raises(CheckpointError, match="no run or checkpoint at"):
        find_policy(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="neither a run nor a policy"):
        find_policy(tmp_path)
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(CheckpointError, match="no checkpoint yet"):
        find_policy(run)


def test_only_one_process_trains_in_a_run(policy, episodes, config, tmp_path) -> None:
    first = train(copy.deepcopy(policy), episodes, config, out=tmp_path / "run")
    next(first)
    with pytest.raises(UsageError, match="Another process is training in"):
        train(copy.deepcopy(policy), episodes, config, out=tmp_path / "run", resume=True)
    first.close()
    assert list(train(policy, episodes, config, out=tmp_path / "run", resume=True))[-1].step == 40
