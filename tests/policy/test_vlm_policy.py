"""A policy that sees by a vision-language model: what is kept of it, and the policy as a whole."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import tiny_vlm
from steadyhand.data import Episodes, write_episodes
from steadyhand.diffusion.flow import Flow
from steadyhand.errors import CheckpointError, ConfigurationError, DataError
from steadyhand.nets.choices import DiTConfig
from steadyhand.nets.vlm_choices import VLMEncoderConfig
from steadyhand.nets.vlm_encoder import PRECOMPUTED
from steadyhand.policy import precomputed
from steadyhand.policy.config import PolicyConfig
from steadyhand.policy.predictor import TorchPredictor, embed_of
from steadyhand.policy.storage import load_policy, save_policy
from steadyhand.policy.windows import PolicyWindows
from steadyhand.runtime import ChunkRequest
from steadyhand.spec import Chunking
from steadyhand.training.begin import begin
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


def test_a_run_goes_on_without_the_folder_of_its_model(folder, filmed, config, tmp_path) -> None:
    """By what its own checkpoint holds, words included; the weights are those of one in one go."""
    keyed = {("observation.image" if k == "img" else k): v for k, v in filmed.arrays.items()}
    write_episodes(tmp_path / "set", replace(filmed, arrays=keyed), format="lerobot")
    config = replace(
        config,
        observations=("observation.image", "state", "task"),
        data=tmp_path / "set",
        steps=8,
        checkpoint_every=4,
    )
    whole = begin(config, tmp_path / "whole")
    for _ in whole.steps():
        pass
    cut = begin(config, tmp_path / "cut")
    for step in (steps := cut.steps()):
        if step.step == 5:
            break
    steps.close()
    state = load_file(tmp_path / "cut" / "last" / "train_state.safetensors")
    assert "live.encoder.project.1.weight" in state
    assert not [name for name in state if "encoder.model" in name], "it is there once"
    moved = folder.rename(folder.with_name("moved"))
    try:
        again = begin(config, tmp_path / "cut", resume=True)
        for _ in again.steps():
            pass
    finally:
        moved.rename(folder)
    one, other = (load_policy(tmp_path / name) for name in ("whole", "cut"))
    for name, weights in one.state_dict().items():
        assert torch.equal(other.state_dict()[name], weights), name


def test_new_words_are_understood_with_a_model_that_somebody_names(folder, filmed, config) -> None:
    policy = build_policy(config, filmed).eval()
    history = {key: np.stack([filmed.arrays[key][0]] * 2) for key in ("img", "state")}

    def ask(words: str, embed=None) -> np.ndarray:
        told = {**history, "task": np.array([words] * 2)}
        request = ChunkRequest(number=0, seed=0, observation=told)
        return TorchPredictor(policy, embed=embed).predict([request])

    known = ask(TEXTS[0])
    with pytest.raises(ConfigurationError, match=r"not trained on the task 'push.*--text-model"):
        ask("push the door")
    embed = embed_of(policy, str(folder))
    assert np.array_equal(ask(TEXTS[0], embed), known)
    assert ask("push the door", embed).shape == known.shape


@pytest.fixture(scope="module")
def saved(folder, filmed, tmp_path_factory):
    """A policy on disk; tests work on copies."""
    encoder = VLMEncoderConfig(source=str(folder), width=32, prompt=12)
    config = TrainConfig(
        observations=("img", "state", "task"),
        chunking=Chunking(obs_steps=2, horizon=4, execute=2),
        policy=PolicyConfig(encoder=encoder, denoiser=DiTConfig(width=32, layers=1, heads=2)),
    )
    where = tmp_path_factory.mktemp("saved") / "policy"
    save_policy(where, build_policy(config, filmed))
    return where


STRANGE = {
    "code": (("architecture", "auto_map"), {"AutoModel": "somebody/model--file.Class"}),
    "code of a part": (("architecture", "text_config", "auto_map"), {"AutoModel": "a--b.C"}),
    "a path": (("architecture", "text_config", "hidden_act"), "/etc/passwd"),
    "another kind": (("architecture", "model_type"), "qwen2_vl"),
    "another part": (("architecture", "vision_config", "model_type"), "timm_wrapper"),
    "huge": (("architecture", "text_config", "hidden_size"), 1 << 20),
    "many words": (("architecture", "text_config", "vocab_size"), 1 << 20),
    "deep": (("architecture", "text_config", "num_hidden_layers"), 100_000),
    "a large picture": (("architecture", "vision_config", "image_size"), 1 << 19),
    "no architecture": (("architecture",), "null"),
    "a wide condition": (("width",), 1 << 16),
    "a token of nobody's": (("before",), [10**6]),
    "many tokens": (("opening",), [1] * 100_000),
    "tokens in words": (("closing",), ["x"]),
    "layers that are not there": (("layers",), 2),
    "all layers trained": (("trained_layers",), 1_000),
    "a mean of nothing": (("mean",), [float("nan")] * 3),
    "a deviation of nothing": (("deviation",), [0.0] * 3),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_a_stranger_says_of_its_model_is_refused(name, saved, tmp_path, monkeypatch) -> None:
    def touched(*_) -> None:
        raise AssertionError("the network is touched")

    monkeypatch.setattr("socket.socket.connect", touched)
    monkeypatch.setattr("socket.getaddrinfo", touched)
    folder = shutil.copytree(saved, tmp_path / "policy")
    rewrite(folder, *STRANGE[name])
    with pytest.raises(CheckpointError):
        load_policy(folder)


def test_the_source_that_a_stranger_names_is_not_opened(saved, tmp_path) -> None:
    folder = shutil.copytree(saved, tmp_path / "policy")
    rewrite(folder, ("source",), "/proc/self/mem")
    policy = load_policy(folder)
    with pytest.raises(ConfigurationError, match=r"not trained on the task.*--text-model /proc"):
        embed_of(policy)(["new words"])  # type: ignore[misc]


def rewrite(folder: Path, place: tuple[str, ...], value: object) -> None:
    """Change what the card says of the encoder; what is inside of the architecture, too."""
    card = json.loads((folder / "policy.json").read_text())
    encoder = card["config"]["encoder"]
    if len(place) > 1:
        content = inside = json.loads(encoder[place[0]])
        for key in place[1:-1]:
            inside = inside[key]
        inside[place[-1]], place = value, place[:1]
        value = json.dumps(content)
    encoder[place[0]] = value
    (folder / "policy.json").write_text(json.dumps(card))
