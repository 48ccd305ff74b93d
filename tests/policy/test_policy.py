"""Normalisers, the policy on disk and the predictor."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from steadyhand.data import split_episodes, statistics, statistics_of
from steadyhand.diffusion import solvers
from steadyhand.diffusion.ddpm import DDPM
from steadyhand.diffusion.sampler import Sampler
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.errors import CheckpointError, ConfigurationError
from steadyhand.nets.choices import UNetConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.policy.device import choose_device, compute_repeatably
from steadyhand.policy.normaliser import Normaliser
from steadyhand.policy.policy import Policy
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.policy.storage import load_policy, save_policy
from steadyhand.runtime import ChunkRequest, chunk_noise
from steadyhand.runtime.card import Provenance, read_provenance
from steadyhand.runtime.codec import decode, encode
from steadyhand.runtime.statistics import Statistics
from steadyhand.spec import Chunking, Feature
from steadyhand.training.config import TrainConfig
from steadyhand.training.train import build_policy


def numbers(*columns: list[float]) -> Statistics:
    values = np.array(columns, dtype=np.float64).T
    return statistics_of(values)


def test_normalisers_map_and_carry_their_inverse() -> None:
    feature = Feature(name="action", shape=(2,))
    found = {"action": numbers([0.0, 4.0, 8.0], [-1.0, 0.0, 3.0])}
    values = torch.tensor([[0.0, -1.0], [8.0, 3.0], [9.0, 6.0]])
    ranged = Normaliser([feature], found)
    assert torch.allclose(ranged("action", values)[:2], torch.tensor([[-1.0, -1], [1, 1]]))
    scaled = Normaliser([feature], found, "mean_std")
    assert torch.allclose(scaled("action", torch.tensor([4.0, 2 / 3])), torch.zeros(2), atol=1e-6)
    most = Normaliser([feature], found, "quantile")
    low, high = np.quantile([0.0, 4.0, 8.0], [0.01, 0.99])
    assert torch.allclose(most("action", torch.tensor([low, 0.0]))[0], torch.tensor(-1.0))
    assert torch.allclose(most("action", torch.tensor([high, 0.0]))[0], torch.tensor(1.0))
    for normaliser in (ranged, scaled, most):
        back = normaliser.inverse("action", normaliser("action", values))
        assert torch.allclose(back, values, rtol=1e-5)
        assert not torch.allclose(normaliser("action", values), values)


@pytest.mark.parametrize("normalisation", ["min_max", "mean_std", "quantile"])
def test_constant_and_nearly_constant_dimensions_are_centred_not_blown_up(normalisation) -> None:
    feature = Feature(name="action", shape=(2,))
    found = {"action": numbers([5.0, 5.0], [2.0, 2.0 + 1e-15])}
    normaliser = Normaliser([feature], found, normalisation)
    seen = normaliser("action", torch.tensor([5.01, 2.01]))
    assert torch.allclose(seen, torch.tensor([0.01, 0.01]), atol=1e-4)
    assert torch.allclose(normaliser.inverse("action", seen), torch.tensor([5.01, 2.01]))


def test_a_missing_statistic_is_refused() -> None:
    feature = Feature(name="state[:2]", shape=(2,))
    with pytest.raises(ConfigurationError, match=r"no statistics for 'state\[:2\]'.*given: action"):
        Normaliser([feature], {"action": numbers([0.0, 1.0])})
    with pytest.raises(ConfigurationError, match="have shape"):
        Normaliser([feature], {"state[:2]": numbers([0.0, 1.0])})
    with pytest.raises(ConfigurationError, match="no normalised feature 'actio'"):
        Normaliser([], {})("actio", torch.zeros(1))


def inputs(policy: Policy, batch: int = 3):
    generator = torch.Generator().manual_seed(1)
    steps = policy.spec.chunking.obs_steps
    observation = {
        "keypoint": torch.randn((batch, steps, 2, 2), generator=generator),
        "state": torch.randn((batch, steps, 3), generator=generator),
    }
    return observation, torch.randn((batch, *policy.spec.chunk_shape), generator=generator)


def test_actions_come_out_in_robot_units(policy) -> None:
    """The untrained sampler answers within ±1; the policy's answers lie in the recorded range."""
    actions = policy(*inputs(policy)).detach()
    found = policy.normaliser.statistics["action"]
    assert actions.shape == (3, 8, 2)
    assert (actions.numpy() >= found.minimum - 1e-3).all()
    assert (actions.numpy() <= found.maximum + 1e-3).all()
    assert float(actions.abs().max()) > 2, "not left normalised"


def test_a_policy_is_pure(policy) -> None:
    torch.manual_seed(0)
    first = policy(*inputs(policy))
    torch.manual_seed(1)
    assert torch.equal(first, policy(*inputs(policy)))


def test_saved_and_loaded_is_the_same(policy, config, tmp_path) -> None:
    origin = Provenance(task="pusht", data="x.zarr", validation_episodes=(1, 4), seed=3, step=9)
    save_policy(tmp_path / "p", policy, origin)
    loaded = load_policy(tmp_path / "p")
    assert loaded.spec == policy.spec
    assert torch.equal(loaded(*inputs(policy)), policy(*inputs(policy)))
    assert read_provenance(tmp_path / "p") == origin
    assert {path.name for path in (tmp_path / "p").iterdir()} == {
        "policy.json",
        "policy.safetensors",
    }


def test_the_same_weights_under_another_sampler(policy, config, tmp_path) -> None:
    save_policy(tmp_path / "p", policy)
    other = load_policy(tmp_path / "p", sampler=SamplerConfig(solver="ddim", steps=7))
    assert other.sampler.steps == 7
    assert not torch.equal(other(*inputs(policy)), policy(*inputs(policy)))


def test_damaged_policies_are_explained(policy, config, tmp_path) -> None:
    folder = tmp_path / "p"
    save_policy(folder, policy)
    card = json.loads((folder / "policy.json").read_text())

    def rewrite(**changes) -> None:
        (folder / "policy.json").write_text(json.dumps({**card, **changes}))

    rewrite(version=99)
    with pytest.raises(CheckpointError, match="format version 99; this steadyhand"):
        load_policy(folder)
    rewrite(format="other")
    with pytest.raises(CheckpointError, match="not the card of a steadyhand policy"):
        load_policy(folder)
    denoiser = {"type": "MLPConfigg"}
    rewrite(config={**card["config"], "denoiser": denoiser})
    with pytest.raises(CheckpointError, match="Did you mean 'MLPConfig'"):
        load_policy(folder)
    rewrite(config={**card["config"], "denoiser": {"type": "MLPConfig", "widht": 3}})
    with pytest.raises(CheckpointError, match="Did you mean 'width'"):
        load_policy(folder)
    rewrite(config={**card["config"], "denoiser": {"type": "MLPConfig", "width": 32}})
    with pytest.raises(CheckpointError, match="do not fit the policy described beside them"):
        load_policy(folder)
    rewrite()
    whole = (folder / "policy.safetensors").read_bytes()
    (folder / "policy.safetensors").write_bytes(whole[:100])
    with pytest.raises(CheckpointError, match="is damaged"):
        load_policy(folder)
    (folder / "policy.safetensors").unlink()
    with pytest.raises(CheckpointError, match="is missing"):
        load_policy(folder)
    with pytest.raises(CheckpointError, match="holds no policy"):
        load_policy(tmp_path)


def test_only_policies_are_replaced(policy, tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("precious")
    with pytest.raises(CheckpointError, match="is not a policy, and is left as it is"):
        save_policy(tmp_path / "mine", policy)
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "precious"
    save_policy(tmp_path / "p", policy)
    with pytest.raises(CheckpointError, match="holds a policy already"):
        save_policy(tmp_path / "p", policy, Provenance(step=5))
    save_policy(tmp_path / "p", policy, Provenance(step=5), overwrite=True)
    assert read_provenance(tmp_path / "p").step == 5
    assert not list(tmp_path.glob(".*"))


def test_tied_weights_can_be_saved(policy, tmp_path) -> None:
    layers = policy.sampler.denoiser.condition
    layers.append(torch.nn.Linear(16, 16))
    layers[-1].weight = layers[2].weight
    save_policy(tmp_path / "p", policy)


@pytest.mark.parametrize("damage", [[], {"action": {"minimum": "x"}}, {"action": [1]}, None])
def test_damaged_statistics_are_explained(damage, policy, tmp_path) -> None:
    save_policy(tmp_path / "p", policy)
    card = json.loads((tmp_path / "p" / "policy.json").read_text())
    (tmp_path / "p" / "policy.json").write_text(json.dumps({**card, "statistics": damage}))
    with pytest.raises(CheckpointError, match="statistics are damaged"):
        load_policy(tmp_path / "p")


def test_a_card_cannot_name_code(tmp_path, policy, config) -> None:
    """What a stranger's file names is looked up among known classes and nothing else."""
    save_policy(tmp_path / "p", policy)
    card = json.loads((tmp_path / "p" / "policy.json").read_text())
    card["config"]["process"] = {"type": "os.system", "command": "true"}
    (tmp_path / "p" / "policy.json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match=r"no type 'os.system'"):
        load_policy(tmp_path / "p")


def test_a_users_own_parts_are_saved_and_given_again(episodes, policy, tmp_path) -> None:
    class Mine(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 2)

        def forward(self, x, t, condition):
            return self.layer(x)

    def parts(spec):
        from steadyhand.diffusion.sampler import Sampler
        from steadyhand.nets.encoder import StateEncoder

        return StateEncoder(spec), Sampler(Mine(), DDPM(prediction="sample"), steps=4)

    made = Policy(policy.spec, *parts(policy.spec), policy.normaliser)
    save_policy(tmp_path / "p", made)
    with pytest.raises(CheckpointError, match="its author's own parts"):
        load_policy(tmp_path / "p")
    loaded = load_policy(tmp_path / "p", parts=parts)
    assert torch.equal(loaded(*inputs(made)), made(*inputs(made)))


def test_configs_survive_json() -> None:
    config = TrainConfig(
        policy=PolicyConfig(denoiser=UNetConfig(widths=(8, 16)), process=DDPM(prediction="v")),
        chunking=Chunking(obs_steps=3),
        minutes=2.5,
    )
    assert decode(TrainConfig, json.loads(json.dumps(encode(config)))) == config


def requests(policy, count: int) -> list[ChunkRequest]:
    random = np.random.default_rng(0)
    return [
        ChunkRequest(
            observation={
                "keypoint": random.normal(size=(2, 2, 2)).astype(np.float32),
                "state": random.normal(size=(2, 3)).astype(np.float32),
            },
            seed=seed,
            number=seed % 3,
        )
        for seed in range(count)
    ]


def test_a_chunk_is_the_same_alone_and_among_others(policy) -> None:
    asked = requests(policy, 23)
    predictor = TorchPredictor(policy, batch=8)
    together = predictor.predict(asked)
    assert together.shape == (23, 8, 2)
    assert together.dtype == np.float32
    np.testing.assert_array_equal(together[::-1], predictor.predict(asked[::-1]))
    for number in (0, 11, 22):
        np.testing.assert_array_equal(together[number], predictor.predict([asked[number]])[0])
    assert predictor.predict([]).shape == (0, 8, 2)


def test_noise_differs_between_episodes_and_chunks(policy) -> None:
    base = requests(policy, 1)[0]
    predictor = TorchPredictor(policy, batch=4)
    varied = [base, replace(base, seed=1), replace(base, number=1)]
    a, b, c = predictor.predict(varied)
    assert not np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_a_policy_says_how_much_noise_a_chunk_takes(policy) -> None:
    rows = Policy(policy.spec, policy.encoder, policy.sampler, policy.normaliser).noise_rows
    assert rows == 1
    mixed = Sampler(policy.sampler.denoiser, DDPM(), solvers.ddpm, 5, clip=1.0)
    assert Policy(policy.spec, policy.encoder, mixed, policy.normaliser).noise_rows == 6

    class Own(torch.nn.Module):
        def loss(self): ...

    assert Policy(policy.spec, policy.encoder, Own(), policy.normaliser).noise_rows == 1


def test_stochastic_solvers_get_their_noise(config, episodes) -> None:
    sampler = SamplerConfig(solver="sde_dpmpp_2m", steps=5)
    made = build_policy(replace(config, policy=replace(config.policy, sampler=sampler)), episodes)
    asked = requests(made, 3)
    kept = []
    honest = made.sampler.forward
    made.sampler.forward = lambda *given: kept.append(given) or honest(*given)  # type: ignore[method-assign]
    chunk = TorchPredictor(made, batch=3).predict(asked)
    assert np.isfinite(chunk).all()
    noise, _, step_noise, *_ = kept[0]
    for number, request in enumerate(asked):
        drawn = chunk_noise(request.seed, request.number, (6, 8, 2))
        np.testing.assert_array_equal(noise[number].numpy(), drawn[0])
        np.testing.assert_array_equal(step_noise[number].numpy(), drawn[1:])


def test_the_device_asked_for_must_be_there() -> None:
    from steadyhand.errors import DeviceError

    assert choose_device("cpu").type == "cpu"
    with pytest.raises(DeviceError, match="no device 'gpu'"):
        choose_device("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match=r"'cuda' is not available.*Available: cpu"):
            choose_device("cuda")


def test_statistics_of_the_training_share_only(config, episodes) -> None:
    made = build_policy(config, episodes)
    training, _ = split_episodes(6, validation_share=0.2, seed=0)
    wanted = statistics(episodes.subset(training), made.spec.features)["action"].maximum
    np.testing.assert_array_equal(made.normaliser.statistics["action"].maximum, wanted)


def test_relative_actions_come_out_absolute(config, episodes) -> None:
    """The network learns where to go from here; what comes out is where to go."""
    relative = replace(config, action_relative_to="state[:2]")
    made = build_policy(relative, episodes)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    observation, noise = inputs(made)
    moved = {**observation, "state": observation["state"].clone()}
    moved["state"][:, :, 2] += 100  # not among the columns that are seen
    assert torch.equal(made(observation, noise), made(moved, noise))
    inner = made.normaliser.inverse(
        "action", made.sampler(noise, *made.condition(made.normalise(observation)))
    )
    here = observation["state"][:, -1:, :2]
    assert torch.allclose(made(observation, noise), inner + here)


def test_relative_statistics_are_those_of_chunks(config, episodes) -> None:
    made = build_policy(replace(config, action_relative_to="state[:2]"), episodes)
    found = made.normaliser.statistics["action"]
    # The made-up action is 10·state + 3 of a random walk: far from here by 9·state + 3 and more.
    now, later = episodes.read("state[:2]", 0, 1), episodes.read("action", 0, 8)
    assert ((later - now) <= found.maximum + 1e-4).all()
    absolute = build_policy(config, episodes).normaliser.statistics["action"]
    assert not np.allclose(found.maximum, absolute.maximum)
    with pytest.raises(ConfigurationError, match="cannot be relative to 'keypoint'"):
        build_policy(replace(config, action_relative_to="keypoint"), episodes)
    with pytest.raises(ConfigurationError, match="no observation 'state'"):
        build_policy(replace(config, action_relative_to="state"), episodes)


def test_on_cuda_the_same_twice() -> None:
    """What can be said of it where there is no such card: the switches, in one place."""
    backends = torch.backends
    before = backends.cuda.flash_sdp_enabled()
    compute_repeatably(torch.device("cpu"))
    assert backends.cuda.flash_sdp_enabled() == before, "the CPU needs none of it"
    try:
        compute_repeatably(torch.device("cuda"))
        assert backends.cudnn.deterministic
        assert not backends.cuda.matmul.allow_tf32
        assert not backends.cudnn.allow_tf32
        assert not backends.cuda.flash_sdp_enabled()
        assert not backends.cuda.mem_efficient_sdp_enabled()
        assert backends.cuda.math_sdp_enabled()
    finally:
        backends.cudnn.deterministic, backends.cudnn.allow_tf32 = False, True
        backends.cuda.enable_flash_sdp(True)
        backends.cuda.enable_mem_efficient_sdp(True)
        backends.cuda.enable_cudnn_sdp(True)
