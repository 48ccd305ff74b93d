"""A policy that sees by a vision-language model: what is kept of it, and the policy as a whole."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import tiny_vlm
from steadyhand.data import Episodes
from steadyhand.diffusion.flow import Flow
from steadyhand.errors import CheckpointError, DataError
from steadyhand.nets.choices import DiTConfig
from steadyhand.nets.vlm_choices import VLMEncoderConfig
from steadyhand.nets.vlm_encoder import PRECOMPUTED
from steadyhand.policy import precomputed
from steadyhand.policy.config import PolicyConfig
from steadyhand.policy.storage import load_policy, save_policy
from steadyhand.policy.windows import PolicyWindows
from steadyhand.spec import Chunking
from steadyhand.training.config import TrainConfig
from steadyhand.training.train import build_policy, train
from tiny_vlm import TEXTS

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("vlm")
    tiny_vlm.make("paligemma gemma", where)
    return where


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STEADYHAND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "precomputed"


@pytest.fixture(scope="module")
def filmed() -> Episodes:
    """By night one goes left and by day right; whether up or down is what the task says."""
    random = np.random.default_rng(0)
    frames, actions, tasks = [], [], []
    for episode in range(8):
        task, day = episode % 2, episode // 2 % 2
        for _ in range(10):
            frame = random.integers(0, 9, (16, 24, 3)).astype(np.uint8)
            frames.append(frame + np.uint8(200 * day))
            actions.append(2 * np.array([day, task]) - 1 + random.normal(0, 0.02, 2))
            tasks.append(task)
    arrays = {
        "img": np.stack(frames),
        "state": np.zeros((80, 3), np.float32),
        "action": np.array(actions, np.float32),
        "task_index": np.array(tasks),
    }
    return Episodes(arrays, np.arange(10, 90, 10), tasks=TEXTS[:2])


@pytest.fixture
def config(folder) -> TrainConfig:
    recipe = TrainConfig(
        observations=("img", "state", "task"),
        chunking=Chunking(obs_steps=2, horizon=4, execute=2),
        validation_share=0.25,
        steps=250,
        batch_size=16,
        learning_rate=3e-3,
        checkpoint_every=250,
    )
    encoder = VLMEncoderConfig(source=str(folder), width=32, prompt=12)
    denoiser = DiTConfig(width=32, layers=2, heads=2, positions=False)
    process = Flow(prediction="sample", weighting="velocity", time_sampling="beta")
    return replace(recipe, policy=PolicyConfig(encoder=encoder, denoiser=denoiser, process=process))


def kept(folder) -> list:
    return sorted(folder.glob("*/*.npy"))


def test_what_is_kept_is_what_is_seen(filmed, config, cache) -> None:
    """Training looks at kept hidden states, the policy at pictures: they agree."""
    policy = build_policy(config, filmed).eval()
    plain, once = (PolicyWindows(policy, filmed, precompute=known) for known in (False, True))
    steps = np.array([3, 15, 14, 79, 40])
    with torch.no_grad():
        seen, known = plain.observation(steps), once.observation(steps)
        assert PRECOMPUTED in known
        assert "img" in seen
        assert "img" not in known
        tokens, mask = policy.condition(seen)
        again, same = policy.condition(known)
    torch.testing.assert_close(again, tokens, atol=1e-5, rtol=1e-4)
    assert torch.equal(mask, same)
    assert not mask.all()
    assert len(kept(cache)) == 8


def test_a_frame_is_looked_at_once(filmed, config, cache, monkeypatch) -> None:
    """Over runs, splits and seeds; other pictures, words or weights are looked at again."""
    policy = build_policy(config, filmed)
    asked = []
    call = type(policy.encoder).precompute

    def counted(encoder, observation):
        asked.append(len(observation["img"]))
        return call(encoder, observation)

    def look(policy, episodes) -> int:
        asked.clear()
        PolicyWindows(policy, episodes, precompute=True).precompute()
        return sum(asked)

    monkeypatch.setattr(type(policy.encoder), "precompute", counted)
    for _ in train(policy, filmed, replace(config, steps=3, checkpoint_every=3)):
        pass
    assert sum(asked) == 80
    assert look(policy, filmed) == 0
    assert look(policy, filmed.subset([5, 1])) == 0
    other = np.array(filmed.arrays["img"])
    other[33] = 255 - other[33]
    changed = replace(filmed, arrays={**filmed.arrays, "img": other})
    assert look(policy, changed) == 10
    swapped = np.array(filmed.arrays["task_index"])
    swapped[:10] = 1 - swapped[:10]
    assert look(policy, replace(filmed, arrays={**filmed.arrays, "task_index": swapped})) == 10
    with torch.no_grad():
        next(policy.encoder.model.parameters()).add_(0.1)
    assert look(policy, filmed) == 80
    (last := kept(cache)[0]).unlink()
    assert look(policy, filmed) in (0, 10)
    assert last.parent.is_dir()


def test_what_nobody_asked_for_in_a_month_is_removed(filmed, config, cache, monkeypatch) -> None:
    import os

    policy = build_policy(config, filmed)
    for name, days in (("old", 31), ("new", 29)):
        (cache / name).mkdir(parents=True)
        then = (cache / name).stat().st_mtime - days * 86_400
        os.utime(cache / name, (then, then))
    PolicyWindows(policy, filmed, precompute=True).precompute()
    assert not (cache / "old").exists()
    assert (cache / "new").exists()
    monkeypatch.setattr(precomputed.shutil, "disk_usage", lambda path: type("", (), {"free": 9}))
    swapped = {**filmed.arrays, "task_index": 1 - np.array(filmed.arrays["task_index"])}
    windows = PolicyWindows(policy, replace(filmed, arrays=swapped), precompute=True)
    with pytest.raises(DataError, match=r"takes 0\.0 GB, and .* has 0\.0 GB free"):
        windows.precompute()


def test_trained_layers_are_looked_at_anew(filmed, config, cache) -> None:
    encoder = replace(config.policy.encoder, trained_layers=1)
    config = replace(config, policy=replace(config.policy, encoder=encoder), steps=3)
    policy = build_policy(config, filmed)
    before = {name: w.clone() for name, w in policy.encoder.model.named_parameters()}
    for _ in train(policy, filmed, replace(config, checkpoint_every=3)):
        pass
    after = dict(policy.encoder.model.named_parameters())
    changed = {name for name in before if not torch.equal(after[name], before[name])}
    assert changed
    assert all(".layers.2." in name or ".norm." in name for name in changed)
    assert not kept(cache)


def test_the_policy_learns_and_does_what_it_is_told(filmed, config, tmp_path) -> None:
    """The loss falls; what is done changes with the words and with the picture; saved, it loads."""
    config = replace(config, validation_share=0)
    policy = build_policy(config, filmed)
    losses = [float(step.loss) for step in train(policy, filmed, config)]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    policy.eval()
    noise = torch.randn(4, *policy.spec.noise_shape)
    assert policy.spec.tasks is not None
    vectors = torch.from_numpy(policy.spec.tasks.array)
    sides = torch.from_numpy(filmed.arrays["img"][[5, 25]])
    seen = {
        "img": sides[[0, 0, 1, 1]][:, None].expand(-1, 2, -1, -1, -1),
        "state": torch.zeros(4, 2, 3),
        "task": vectors[[0, 1, 0, 1]][:, None].expand(-1, 2, -1),
    }
    with torch.no_grad():
        went = policy(seen, noise)[:, 0]
        wanted = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
        torch.testing.assert_close(went, wanted, atol=0.4, rtol=0)
        save_policy(tmp_path / "policy", policy)
        torch.testing.assert_close(load_policy(tmp_path / "policy")(seen, noise)[:, 0], went)


def test_a_policy_without_its_model_is_whole(folder, filmed, config, tmp_path) -> None:
    """Nothing is fetched: neither the model's folder nor a network is needed."""
    policy = build_policy(config, filmed).eval()
    save_policy(tmp_path / "policy", policy)
    moved = folder.rename(folder.with_name("moved"))
    try:
        loaded = load_policy(tmp_path / "policy")
    finally:
        moved.rename(folder)
    for name, weights in policy.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weights), name
    card = (tmp_path / "policy" / "policy.json").read_text()
    start = card.index('"architecture": "') + len('"architecture": "')
    end = card.index('}"', start) + 1
    (tmp_path / "policy" / "policy.json").write_text(card[:start] + card[end:])
    with pytest.raises(CheckpointError, match="vision-language model has no architecture"):
        load_policy(tmp_path / "policy")
