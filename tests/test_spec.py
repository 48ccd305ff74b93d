"""Time indices, features and specifications."""

import numpy as np
import pytest

from steadyhand.errors import ConfigurationError
from steadyhand.spec import Chunking, Feature, PolicySpec

RECORDED = {"state": (5,), "keypoint": (9, 2), "action": (2,), "img": (96, 96, 3)}


def test_offsets() -> None:
    chunking = Chunking(obs_steps=3, horizon=5, execute=2, past_rows=2)
    np.testing.assert_array_equal(chunking.observation_offsets, [-2, -1, 0])
    np.testing.assert_array_equal(chunking.action_offsets, [-2, -1, 0, 1, 2])
    assert chunking.executed_rows == slice(2, 4)
    assert chunking.max_execute == 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"execute": 17}, r"execute is 17, but a chunk has 16 rows"),
        ({"past_rows": 1, "execute": 16}, r"Choose execute in 1…15"),
        ({"obs_steps": 0}, r"obs_steps is 0"),
        ({"horizon": 0}, r"horizon is 0"),
        ({"past_rows": 16}, r"past_rows is 16; it must be in 0…15"),
    ],
)
def test_impossible_chunking(values, message) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Chunking(**values)


def test_columns() -> None:
    picked = Feature.select("state[1:4]", RECORDED)
    assert (picked.key, picked.columns, picked.shape) == ("state", slice(1, 4), (3,))
    assert Feature.select("state[:2]", RECORDED).shape == (2,)
    assert Feature.select("state[2:]", RECORDED).shape == (3,)
    assert Feature.select("img", RECORDED).kind == "image"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stat", r"Did you mean 'state'\?"),
        ("state[4:9]", r"picks no columns of 'state'"),
        ("state[3:3]", r"picks no columns"),
        ("keypoint[:1]", r"picked from flat features"),
        ("state[a]", r"does not name a feature"),
    ],
)
def test_wrong_features(name, message) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Feature.select(name, RECORDED)


def test_wrong_specs() -> None:
    with pytest.raises(ConfigurationError, match=r"flat actions.*reshape\(len"):
        PolicySpec.select(RECORDED, observations=["state"], action="keypoint")
    with pytest.raises(ConfigurationError, match="named twice"):
        PolicySpec.select(RECORDED, observations=["state", "state"])
    with pytest.raises(ConfigurationError, match="at least one observation"):
        PolicySpec.select(RECORDED, observations=[])


def test_observations_are_checked() -> None:
    spec = PolicySpec.select(RECORDED, observations=["keypoint", "state[:2]"])
    good = {"keypoint": np.zeros((9, 2)), "state": np.zeros(5)}
    spec.check_observation(good)
    spec.check_observation({key: value[None] for key, value in good.items()}, lead=1)
    with pytest.raises(ConfigurationError, match=r"needs 'state' in each observation"):
        spec.check_observation({"keypoint": good["keypoint"]})
    with pytest.raises(ConfigurationError, match=r"has shape \(8, 2\)"):
        spec.check_observation({**good, "keypoint": np.zeros((8, 2))})
    with pytest.raises(ConfigurationError, match=r"'state' has shape \(1,\)"):
        spec.check_observation({**good, "state": np.zeros(1)})


def test_actions_relative_to_what_is_not_seen_are_told_how_to_mend_it() -> None:
    with pytest.raises(ConfigurationError, match=r"--observations \(last_action, q\)"):
        PolicySpec(
            observations=(Feature(name="q", shape=(3,)),),
            action=Feature(name="action", shape=(2,)),
            action_relative_to="last_action",
            rate_hz=10.0,
            chunking=Chunking(),
        )
