"""Offline judging: errors that are known are found, the baselines are what they say they are."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from steadyhand.data import Episodes
from steadyhand.errors import DataError
from steadyhand.evaluation.held_out import HeldOut, divide
from steadyhand.evaluation.offline import judge
from steadyhand.reports.judgement import offline_page
from steadyhand.runtime.card import Provenance
from steadyhand.spec import LAST_ACTION
from steadyhand.training.train import build_policy, train


@pytest.fixture
def moving() -> Episodes:
    """Three episodes in which every action is 0.5 more than the one before, in two units."""
    ends = np.array([20, 45, 65])
    step = np.concatenate([np.arange(20), np.arange(25), np.arange(20)]).astype(np.float32)
    action = 0.5 * np.stack([step, 100 * step], 1)
    arrays = {"state": action + 3, "action": action}
    names = {"action": ("slow", "fast")}
    return Episodes(arrays, ends, rate_hz=10.0, names=names)


@pytest.fixture
def constant(config, moving):
    """A policy that answers with the same chunk whatever it sees."""
    config = replace(config, observations=("state",), chunking=replace(config.chunking, horizon=4))
    policy = build_policy(config, moving)

    def decode(condition, noise, *rest, **more):
        return torch.full((len(noise), 4, 2), 7.0) + noise * 0

    policy.decode = decode
    return policy


def test_errors_are_those_of_arithmetic(constant, moving) -> None:
    held_out = moving.subset([1])
    found = judge(constant, held_out, numbers=[1], training=moving.subset([0]), samples=3)
    assert found.windows == 24  # all but the first, before which there was no action
    now = np.arange(1, 25)
    rows = [now + i for i in range(4)]
    inside = [row < 25 for row in rows]
    slow = np.mean([np.abs(7 - 0.5 * r[i]).mean() for r, i in zip(rows, inside, strict=True)])
    assert found.parts["policy"][:, 0].mean() == pytest.approx(slow, rel=1e-5)
    # Holding is behind by one more step each row, 0.5 and 50 units.
    np.testing.assert_allclose(found.parts["hold"][:, 0], [0.5, 1.0, 1.5, 2.0], rtol=1e-5)
    np.testing.assert_allclose(found.parts["hold"][:, 1], [50, 100, 150, 200], rtol=1e-5)
    assert found.names == ("slow", "fast")
    assert found.spread == 0
    assert found.best.mean == pytest.approx(found.error.mean)
    assert found.as_json()["per_dimension"][0]["hold"] == pytest.approx(1.25)
    assert found.differences["hold"].mean == pytest.approx(found.error.mean - found.hold.mean)


def test_an_error_is_never_below_nothing(constant, moving) -> None:
    """Two episodes, of which one goes ten times as fast, are no sure mean; nor do they undo one."""
    arrays = {key: array.copy() for key, array in moving.arrays.items()}
    arrays["action"][:20] *= 10
    found = judge(constant, replace(moving, arrays=arrays).subset([0, 1]), numbers=[0, 1])
    assert found.hold.low == 0 < found.hold.mean < found.hold.high
    assert found.differences["hold"].low < 0, "differences go either way"


def test_the_nearest_moment_is_the_right_one(constant, moving) -> None:
    """Where the same was seen in training, its chunk is repeated: no error, while it lasts."""
    found = judge(constant, moving.subset([0]), numbers=[0], training=moving.subset([1]))
    assert found.nearest is not None
    assert found.nearest.mean == pytest.approx(0, abs=1e-5)


def test_the_best_of_many_samples(constant, moving) -> None:
    def decode(condition, noise, *rest, **more):
        return torch.full((len(noise), 4, 2), 7.0) + 5 * noise

    constant.decode = decode
    one = judge(constant, moving.subset([1]), numbers=[1], samples=1)
    many = judge(constant, moving.subset([1]), numbers=[1], samples=16)
    assert one.best.mean == pytest.approx(one.error.mean)
    assert many.best.mean < many.error.mean
    assert many.spread == pytest.approx(5, rel=0.1)
    assert one.nearest is None
    again = judge(constant, moving.subset([1]), numbers=[1], samples=16)
    assert again.as_json() == many.as_json()


def test_episodes_trained_on_are_left_out_wherever_they_are(config, moving, tmp_path) -> None:
    config = replace(config, observations=("state", LAST_ACTION), steps=10)
    policy = build_policy(config, moving)
    for _ in train(policy, moving, config, out=tmp_path / "run"):
        pass
    from steadyhand.runtime.card import read_provenance

    origin = read_provenance(tmp_path / "run" / "last")
    fresh, known = divide(moving, origin, policy.spec)
    assert tuple(fresh) == origin.validation_episodes
    assert sorted(fresh + known) == [0, 1, 2]
    turned = moving.subset([2, 1, 0])
    assert divide(turned, origin, policy.spec)[0] == [2 - fresh[0]]
    wider = {key: np.asarray(a[:], dtype=np.float64) for key, a in moving.arrays.items()}
    assert divide(Episodes(wider, moving.ends), origin, policy.spec)[0] == fresh
    assert divide(moving.subset(known), origin, policy.spec) == ([], [0, 1])
    with pytest.raises(DataError, match=r"needs 'state' of shape \(2,\), and it has none"):
        divide(Episodes({"action": moving.arrays["action"]}, moving.ends), origin, policy.spec)
    found = judge(policy, moving.subset(fresh), numbers=fresh, training=moving.subset(known))
    page = offline_page(found, policy, moving, fresh, title="a < b")
    assert page.count("stroke: var(--left)") > 10
    assert "a &lt; b" in page
    assert "slow" in page


def test_older_policies_know_their_held_out_episodes(constant, moving) -> None:
    origin = Provenance(validation_episodes=(2,))
    assert divide(moving, origin, constant.spec) == ([2], [0, 1])
    drawn = np.random.default_rng(0).normal(size=moving.arrays["action"].shape)
    fine = Episodes({**moving.arrays, "action": drawn}, moving.ends)
    rounded = fine.fingerprints("action", rounded=True)[:2]
    assert not set(rounded) & set(fine.fingerprints("action"))
    origin = Provenance(details={"trained_on": rounded})
    assert divide(fine, origin, constant.spec) == ([2], [0, 1])


def test_predictions_are_those_of_the_policy(policy, episodes) -> None:
    """What is predicted offline is what the policy answers to the same observations and noise."""
    from steadyhand.runtime.predictor import chunk_noise

    data = HeldOut(policy.eval(), episodes)
    [[chunk]] = data.predict(np.array([5]), 1)
    seen = {
        key: torch.from_numpy(episodes.read(key)[[4, 5]])[None] for key in ("state", "keypoint")
    }
    noise = torch.from_numpy(chunk_noise(5, 0, (1, *policy.spec.chunk_shape)))
    with torch.inference_mode():
        expected = policy(seen, noise)[0]
    np.testing.assert_allclose(chunk, expected, rtol=1e-5, atol=1e-5)
