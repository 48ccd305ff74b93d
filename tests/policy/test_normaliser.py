"""Numbers far from zero, motion that is small, and dimensions that rest: nothing gets lost.

Each case is told in the robot's own numbers: what is learned and what comes out is compared there.
"""

import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from steadyhand.data import (
    Episodes,
    inspect_episodes,
    make_windows,
    policy_statistics,
    statistics_of,
)
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.errors import CheckpointError, ConfigurationError, DataError
from steadyhand.evaluation.held_out import HeldOut
from steadyhand.export.graph import example_inputs, export_policy
from steadyhand.policy.normaliser import Normaliser
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.policy.storage import load_policy, save_policy
from steadyhand.policy.windows import PolicyWindows
from steadyhand.runtime import ChunkRequest
from steadyhand.runtime.card import read_card, read_statistics
from steadyhand.spec import Chunking, Feature, PolicySpec
from steadyhand.training.train import build_policy, train

FAR = {
    "UTM metres": (4_649_776.22, 30.0),
    "encoder counts": (2.0**30, 4000.0),
    "seconds since 1970": (1.7e9, 20.0),
}
SMALL = {"micrometres": (0.0, 2e-6), "a tenth of a milliradian": (0.31, 5e-5)}
BEYOND = {"more than float32 holds": (0.0, 1e60), "less than float32 holds": (0.0, 1e-44)}


def moving(offset: float, size: float, kind: type = np.float64) -> Episodes:
    """Three episodes in which a state of two numbers wanders about, and is told where to next."""
    random = np.random.default_rng(0)
    paths = [np.cumsum(random.normal(size=(41, 2)), 0) / 6 for _ in range(3)]
    state = np.concatenate([path[:-1] for path in paths]) * size + offset
    action = np.concatenate([path[1:] for path in paths]) * size + offset
    arrays = {"state": state.astype(kind), "action": action.astype(kind)}
    return Episodes(arrays, np.array([40, 80, 120]))


def policy_of(config, episodes: Episodes, *, relative: bool, normalisation: str = "min_max"):
    parts = replace(config.policy, normalisation=normalisation)
    config = replace(
        config,
        observations=("state",),
        action_relative_to="state" if relative else None,
        validation_share=0.0,
        policy=parts,
    )
    return build_policy(config, episodes)


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("normalisation", ["min_max", "mean_std", "quantile"])
@pytest.mark.parametrize("where", [*FAR, *SMALL, *BEYOND])
def test_what_is_trained_on_is_what_was_recorded(config, where, normalisation, relative) -> None:
    """Wherever the numbers lie, the network is shown the same motion as around zero."""
    offset, size = (FAR | SMALL | BEYOND)[where]
    shown = []
    for episodes in (moving(0.0, 1.0), moving(offset, size)):
        policy = policy_of(config, episodes, relative=relative, normalisation=normalisation)
        windows, steps = PolicyWindows(policy, episodes), np.arange(120)
        state, action = windows.observation(steps)["state"], windows.actions(steps)
        assert action.dtype == state.dtype == torch.float32
        shown.append((state, action))
    for plain, far in zip(*shown, strict=True):
        assert float(plain.std()) > 0.3
        np.testing.assert_allclose(far, plain, atol=2e-3 if "radian" in where else 1e-4)


@pytest.mark.parametrize("where", FAR)
def test_actions_far_from_what_they_are_relative_to(config, where) -> None:
    """A position on the map that is told, beside one from where the robot was switched on."""
    offset, size = FAR[where]
    near = moving(0.0, size)
    away = replace(near, arrays={**near.arrays, "action": near.read("action") + offset})
    shown = []
    for episodes in (near, away):
        policy = policy_of(config, episodes, relative=True)
        shown.append(PolicyWindows(policy, episodes).actions(np.arange(120)))
    assert float(shown[0].std()) > 0.3
    np.testing.assert_allclose(shown[1], shown[0], atol=1e-4)


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("where", FAR)
def test_what_the_robot_is_told_is_as_exact_as_what_was_recorded(config, where, relative) -> None:
    """The same policy around zero and far away: predictor, offline judging, export agree."""
    offset, size = FAR[where]
    near, far = moving(0.0, size), moving(offset, size)
    answers = []
    for episodes in (near, far):
        policy = policy_of(config, episodes, relative=relative).eval()
        state = episodes.read("state")[40:42]
        request = ChunkRequest(observation={"state": state}, seed=3)
        chunk = TorchPredictor(policy, batch=4).predict([request])[0]
        noise = torch.zeros((1, *policy.spec.chunk_shape))
        inputs = {"state": torch.from_numpy(state[None])}
        if episodes is near:
            inputs = {"state": inputs["state"].float()}
        exported = export_policy(policy).module()(inputs, noise)
        assert torch.equal(exported, policy(inputs, noise))
        held = HeldOut(policy, episodes)
        offline = held.predict(np.array([41]), 1)[0, 0]
        answers.append((chunk, exported[0].detach().numpy(), offline))
    for plain, away in zip(*answers, strict=True):
        assert plain.dtype == np.float32
        assert away.dtype == np.float64
        exact = plain.astype(np.float64) + offset
        np.testing.assert_allclose(away, exact, rtol=0, atol=2e-4 * size)
    kinds = [tensor.dtype for tensor in example_inputs(policy, 2)[0].values()]
    assert kinds == [torch.float64]


def test_a_policy_that_is_moved_keeps_its_numbers(config) -> None:
    policy = policy_of(config, moving(*FAR["UTM metres"]), relative=False)
    before = dict(policy.normaliser.named_buffers())
    for moved in (policy.to(torch.bfloat16), policy.half()):
        for name, buffer in moved.normaliser.named_buffers():
            assert torch.equal(buffer, before[name])
            assert buffer.dtype == torch.float64


def test_whole_numbers_far_from_zero_are_read_as_they_are(config) -> None:
    counts = moving(2.0**30, 4000.0, np.int64)
    policy = policy_of(config, counts, relative=False).eval()
    steps = torch.from_numpy(counts.read("state")[40:42])[None]
    one, other = (policy.normalise({"state": seen})["state"] for seen in (steps, steps + 1))
    assert bool((other > one).all()), "float32 knows every 64th count there"
    chunk = TorchPredictor(policy).predict([ChunkRequest(observation={"state": steps[0].numpy()})])
    assert chunk.dtype == np.float64


def test_rounding_is_no_motion_and_motion_is_none_of_rounding() -> None:
    """Eight steps of the recorded kind of number, not a tenth of a millimetre of anything."""

    def constant(values: list[float], kind: type) -> bool:
        return bool(statistics_of(np.array(values, kind)[:, None]).constant[0])

    assert constant([1.0, 1.0 + 4e-7], np.float32)
    assert constant([1.0, 1.0 + 1e-15], np.float64)
    assert constant([float(np.float32(0.3)), float(np.nextafter(np.float32(0.3), 1))], np.float64)
    assert constant([7, 7], np.int64)
    assert not constant([1.0, 1.0 + 2e-6], np.float32)
    assert not constant([0.0, 1e-9], np.float32)
    assert not constant([1.0, 1.0 + 1e-7 / 3], np.float64)
    assert not constant([2**30, 2**30 + 1], np.int64)


def test_a_relative_dimension_is_as_exact_as_both_of_its_parts() -> None:
    """A gripper that rests far away: what is left after the subtraction is rounding."""
    random = np.random.default_rng(0)
    place = np.float32(512) + random.integers(0, 3, (120, 1)).astype(np.float32) * np.float32(2e-4)
    data = Episodes({"state": place, "action": np.roll(place, 1)}, np.array([120]))

    chunking = Chunking(obs_steps=1, horizon=4, execute=2)
    spec = PolicySpec.select(
        data.shapes, observations=["state"], action_relative_to="state", chunking=chunking
    )
    assert policy_statistics(data, spec)["action"].constant.all()


def resting(share: float, count: int = 4000) -> np.ndarray:
    """A number that trembles, and moves by one in a share of all steps."""
    random = np.random.default_rng(0)
    values = 1e-3 * random.normal(size=count)
    moves = random.choice(count, round(share * count), replace=False)
    values[moves] += random.choice([-1.0, 1.0], len(moves))
    return values[:, None]


@pytest.mark.parametrize(("normalisation", "bound"), [("quantile", 3.0), ("mean_std", 10.0)])
@pytest.mark.parametrize("share", [0.0002, 0.0006, 0.005, 0.01, 0.1])
def test_what_a_normaliser_makes_is_bounded(normalisation, bound, share) -> None:
    """However seldom a dimension moves; and what is no accident is not cut."""
    values = resting(share)
    feature = Feature(name="action", shape=(1,))
    made = Normaliser([feature], {"action": statistics_of(values)}, normalisation)
    normal = made("action", torch.from_numpy(values))
    assert float(normal.abs().max()) <= bound
    assert made.reach("action") == float(normal.abs().max())
    back = made.inverse("action", normal).numpy()
    if share >= 0.005:
        assert np.abs(back - values).max() < 0.01, "these moves are meant"
    elif normalisation == "quantile":
        assert float(normal.std()) > 0.2, "accidents do not squeeze the rest"


def test_a_range_is_not_left_by_what_was_recorded() -> None:
    values = resting(0.01)
    feature = Feature(name="action", shape=(1,))
    made = Normaliser([feature], {"action": statistics_of(values)})
    assert made.reach("action") == 1.0
    most = float(made("action", torch.from_numpy(values)).abs().max())
    assert most == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("normalisation", ["min_max", "mean_std", "quantile"])
def test_samples_may_go_where_the_demonstrations_went(config, normalisation) -> None:
    """The bound of sampling is that of the recorded actions, whatever they are normalised by."""
    episodes = moving(0.0, 1.0)
    assert SamplerConfig().clip == "recorded"
    policy = policy_of(config, episodes, relative=False, normalisation=normalisation)
    ends = torch.from_numpy(np.stack([f(episodes.read("action"), 0) for f in (np.min, np.max)]))
    reach = float(policy.normaliser("action", ends).abs().max())
    assert policy.sampler.clip == pytest.approx(reach)
    other = replace(policy.config, sampler=replace(policy.config.sampler, clip=0.5))
    made = other.build(policy.spec, policy.normaliser.statistics)
    assert made.sampler.clip == 0.5
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(ConfigurationError, match="clip is"):
            SamplerConfig(clip=wrong)


def test_policies_of_before_normalise_as_they_were_trained(config, tmp_path) -> None:
    """Cards without the newer figures: 1e-4 is their threshold, and nothing is cut."""
    parts = {"a": resting(0.01), "b": np.linspace(0, 5e-5, 4000)[:, None]}
    values = np.concatenate(list(parts.values()), 1)
    episodes = Episodes({"state": values, "action": values}, np.array([4000]))
    policy = policy_of(config, episodes, relative=False, normalisation="quantile")
    save_policy(tmp_path / "p", policy)
    assert load_policy(tmp_path / "p").normaliser.equals(policy.normaliser)
    card = json.loads((tmp_path / "p" / "policy.json").read_text())
    for found in card["statistics"].values():
        for name in ("rare_low", "rare_high", "rounding"):
            del found[name]
    (tmp_path / "p" / "policy.json").write_text(json.dumps(card))
    old = load_policy(tmp_path / "p").normaliser
    low, high = np.quantile(values[:, 0], [0.01, 0.99])
    found = old("action", torch.tensor([[high, 5e-5], [1.0, 0.0]]))
    assert found[0].tolist() == pytest.approx([1.0, 2.5e-5], abs=1e-6)
    assert found[1, 0] == pytest.approx((1.0 - (high + low) / 2) * 2 / (high - low), rel=1e-4)
    assert not old.equals(policy.normaliser)
    assert policy.normaliser.statistics["action"].agrees(
        read_statistics(tmp_path / "p", read_card(tmp_path / "p"))["action"]
    )


def test_a_run_of_before_whose_numbers_mean_something_else_is_not_resumed(config, tmp_path) -> None:
    values = resting(0.01)
    episodes = Episodes({"state": values, "action": values}, np.array([4000]))

    config = replace(
        config,
        observations=("state",),
        validation_share=0.0,
        steps=2,
        checkpoint_every=1,
        policy=replace(config.policy, normalisation="quantile"),
    )
    run = tmp_path / "run"
    steps = train(build_policy(config, episodes), episodes, config, out=run)
    next(steps)
    steps.close()
    path = run / "last" / "policy.json"
    card = json.loads(path.read_text())
    for found in card["statistics"].values():
        del found["rare_low"], found["rare_high"], found["rounding"]
    path.write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match="older version, which normalised"):
        train(build_policy(config, episodes), episodes, config, out=run, resume=True)


def test_statistics_of_chunks_are_those_of_all_their_rows() -> None:
    """Streamed, one dimension at a time, they are what the whole table of chunks gives."""

    data = moving(0.0, 1.0, np.float32)
    chunking = Chunking(obs_steps=2, horizon=6, execute=2, past_rows=1)
    spec = PolicySpec.select(
        data.shapes, observations=["state"], action_relative_to="state", chunking=chunking
    )
    windows, now = make_windows(data, chunking), np.arange(120)
    chunks = data.read("action")[windows.action(now)] - data.read("state")[now][:, None]
    whole = statistics_of(chunks[~windows.padded(now)])
    found = policy_statistics(data, spec)["action"]
    for name in ("minimum", "maximum", "low", "high", "rare_low", "rare_high"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))
    np.testing.assert_allclose(found.deviation, whole.deviation, rtol=1e-12)


def test_windows_cost_nothing_and_statistics_little() -> None:
    """A long set: no table of windows, and no more memory than a few times its numbers."""

    steps, size = 20_000, 32
    random = np.random.default_rng(0)
    numbers = random.normal(size=(steps, size)).astype(np.float32)
    data = Episodes({"state": numbers, "action": numbers[::-1].copy()}, np.array([steps]))
    spec = PolicySpec.select(data.shapes, observations=["state"], action_relative_to="state")
    tracemalloc.start()
    windows = make_windows(data, spec.chunking)
    windows.action(np.arange(256))
    assert tracemalloc.get_traced_memory()[1] < 200_000
    policy_statistics(data, spec)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 6 * numbers.nbytes, f"{most / numbers.nbytes:.1f} times the numbers of a feature"


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32, np.int8, np.bool_])
def test_chunks_of_counts_do_not_wrap_round(config, kind) -> None:
    """What lies below where the robot is now is a negative move, also of counts without a sign."""
    random = np.random.default_rng(0)
    if kind is np.bool_:
        state = random.random((120, 2)) > 0.5
    else:
        bounds = np.iinfo(kind)
        state = random.integers(bounds.min, bounds.max, (120, 2), dtype=kind, endpoint=True)
    data = Episodes({"state": state, "action": state[::-1].copy()}, np.array([40, 80, 120]))
    found = policy_of(config, data, relative=True).normaliser.statistics["action"]
    exact = {key: data.read(key).astype(np.float64) for key in data.arrays}
    expected = policy_of(config, replace(data, arrays=exact), relative=True)
    assert found.agrees(replace(expected.normaliser.statistics["action"], rounding=None))
    assert float(found.minimum.max()) < 0 < float(found.maximum.min())


def test_counts_that_float64_cannot_tell_apart_are_said() -> None:
    """Beyond 2^53 whole numbers are rounded where they are learned, as floating ones are."""
    steps = np.arange(120)[:, None] % 40
    data = Episodes({"near": steps, "far": steps + 2**61}, np.array([120]))
    near, far = (statistics_of(data.read(key)) for key in ("near", "far"))
    assert (near.constant.item(), far.constant.item()) == (False, True)
    assert not statistics_of(1000 * steps + 2**61).constant.item()
    said = [p.message for p in inspect_episodes(data) if p.kind == "rounding"]
    assert len(said) == 1
    assert said[0].startswith("'far' moves in columns 0 ")
    assert said[0].endswith("record it less an offset.")


@pytest.mark.parametrize("normalisation", ["min_max", "mean_std", "quantile"])
def test_rounding_is_never_a_large_number(config, normalisation) -> None:
    """Counts of a robot at rest near 2^30, recorded in float32: hundreds of counts are rounding."""
    resting = moving(2.0**30, 100.0, np.float32)
    normaliser = policy_of(config, resting, relative=False, normalisation=normalisation).normaliser
    assert normaliser.statistics["state"].constant.all()
    assert float(np.ptp(resting.read("state"))) > 100
    seen = torch.from_numpy(resting.read("state").astype(np.float64))
    assert float(normaliser("state", seen).abs().max()) <= 1 + 1e-6
    np.testing.assert_allclose(normaliser.inverse("state", normaliser("state", seen)), seen)


@pytest.mark.parametrize("size", [1e-44, 1e32, 1e60, 1e150, 1e160])
def test_what_can_be_trained_on_can_be_loaded(config, tmp_path, size) -> None:
    """The bound on a policy's statistics is that of the data: no run is saved in vain."""
    episodes = moving(0.0, 1.0)
    scale = size / max(float(np.abs(values).max()) for values in episodes.arrays.values())
    arrays = {key: np.asarray(values) * scale for key, values in episodes.arrays.items()}
    episodes = replace(episodes, arrays=arrays)
    if size > 1e150:
        with pytest.raises(DataError, match=r"numbers beyond 1e\+150.*another unit"):
            policy_of(config, episodes, relative=False)
        return
    policy = policy_of(config, episodes, relative=False)
    save_policy(tmp_path / "p", policy)
    assert load_policy(tmp_path / "p").normaliser.equals(policy.normaliser)
