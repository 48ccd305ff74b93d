"""Policies whose actions have parts: what is trained on, what comes out, on disk and in a loop."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from steadyhand.actions import ActionPart
from steadyhand.data import Episodes
from steadyhand.diffusion.flow import Flow
from steadyhand.errors import CheckpointError, ConfigurationError
from steadyhand.evaluation.offline import judge
from steadyhand.export.graph import example_inputs
from steadyhand.nets.choices import MLPConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.policy.policy import Policy
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.policy.storage import load_policy, save_policy
from steadyhand.policy.windows import PolicyWindows
from steadyhand.runtime import RecedingHorizon
from steadyhand.spec import Chunking, PolicySpec
from steadyhand.training.config import TrainConfig
from steadyhand.training.train import build_policy
from steadyhand.training.trainer import Trainer

PARTS = ("0:3=delta", "3:7=quaternion_xyzw,relative", "7=gripper")
ARM = TrainConfig(
    observations=("state", "last_action"),
    action_relative_to="last_action",
    action_parts=PARTS,
    chunking=Chunking(obs_steps=2, horizon=8, execute=4),
    policy=PolicyConfig(
        denoiser=MLPConfig(width=64, blocks=1),
        process=Flow(prediction="sample", weighting="velocity"),
    ),
    steps=80,
    batch_size=64,
    learning_rate=1e-3,
    precision="float32",
    device="cpu",
    threads=1,
    validation_share=0.2,
)


def arm(number: int = 12, steps: int = 40) -> Episodes:
    """A hand that reaches to one side while it turns about z, and closes half way."""
    random = np.random.default_rng(0)
    actions = []
    for _ in range(number):
        share = np.linspace(0, 1, steps)[:, None]
        place = random.normal(scale=0.02, size=3) + share * [0.2, random.choice([-0.1, 0.1]), 0]
        place = place + random.normal(scale=1e-3, size=(steps, 3)).cumsum(0)
        half = (random.uniform(0, 0.2) + 1.2 * share) / 2
        turn = np.concatenate([0 * half, 0 * half, np.sin(half), np.cos(half)], 1)
        actions.append(np.concatenate([place, turn, 0.08 * (share > 0.5)], 1))
    told = np.concatenate(actions).astype(np.float32)
    state = told + random.normal(scale=1e-3, size=told.shape).astype(np.float32)
    return Episodes(
        {"state": state, "action": told}, steps * np.arange(1, number + 1), rate_hz=10.0
    )


@pytest.fixture(scope="module")
def trained() -> Policy:
    """A policy of an arm, after a few steps."""
    torch.manual_seed(0)
    policy = build_policy(ARM, arm())
    trainer = Trainer(policy, arm(), ARM)
    for step in range(ARM.steps):
        trainer.step(step)
    return trainer.policy.eval()


@pytest.fixture(scope="module")
def untrained() -> Policy:
    """The same with random weights."""
    policy = build_policy(ARM, arm()).eval()
    for parameter in policy.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return policy


def test_what_is_trained_on_is_turned_back_into_what_was_recorded(trained) -> None:
    data = arm().with_last_action("action")
    windows = PolicyWindows(trained, data)
    steps = np.arange(data.steps)
    seen = windows.actions(steps)
    assert seen.shape == (data.steps, *trained.spec.noise_shape)
    assert trained.spec.noise_shape == (8, 10)
    assert trained.spec.chunk_shape == (8, 8)
    answers = trained.normaliser.inverse(trained.spec.network_action.name, seen)
    back = trained.spec.transform.to_robot(answers, windows.reference(steps))
    told = torch.from_numpy(data.read("action"))[windows.places.action(steps)]
    assert float((back - told).abs().max()) < 1e-5
    inside = seen[windows.counts(steps)]
    assert float(inside.abs().max()) < 1 + 1e-5, "the statistics are of what the network sees"
    assert set(inside[:, 9].unique().tolist()) == {-1.0, 1.0}


def test_a_turn_is_scaled_as_one(untrained) -> None:
    """About z alone, slowly: the numbers of the other axes stay near zero, with one scale for all,
    and those of this one are of size one."""
    data = arm().with_last_action("action")
    seen = PolicyWindows(untrained, data).actions(np.arange(data.steps))[..., 3:9]
    scale = untrained.normaliser.get_buffer("scale_2")[3:9]
    assert torch.allclose(scale, scale[0])
    assert float(scale[0]) > 2, "what turns little is scaled up"
    largest = seen.abs().amax((0, 1))
    assert (largest[[2, 5]] < 1e-4).all()
    assert float(largest.max()) == pytest.approx(1, abs=1e-4)


def test_what_comes_out_is_of_the_robot(trained) -> None:
    """From any noise: unit quaternions, two values of a gripper, places beside the last one."""
    inputs = example_inputs(trained, 32)
    with torch.no_grad():
        told = trained(*inputs)
    assert told.shape == (32, 8, 8)
    assert torch.allclose(told[..., 3:7].norm(dim=-1), torch.ones(32, 8), atol=1e-5)
    assert set(told[..., 7].unique().tolist()) <= {0.0, float(np.float32(0.08))}
    moved = told[..., :3] - inputs[0]["last_action"][:, -1:, :3]
    assert float(moved.abs().max()) < 0.2


def test_half_precision_leaves_rotations_what_they_are(untrained) -> None:
    seen, noise = example_inputs(untrained, 4)[:2]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        told = untrained(seen, noise)
    assert told.dtype == torch.float32
    assert float((told[..., 3:7].norm(dim=-1) - 1).abs().max()) < 1e-5


def test_in_a_loop_and_in_batches(trained) -> None:
    """The controller hands on what it told, which chunks begin from."""
    data = arm(1)
    controller = RecedingHorizon(trained.spec)
    predictor = TorchPredictor(trained, batch=2)
    state, told = data.read("state"), []
    for tick in range(20):
        observation = {"state": state[tick]}
        if tick == 0:
            observation["last_action"] = data.read("action")[0]
        request = controller.request(observation)
        if request is not None:
            controller.accept(predictor.predict([request])[0], request)
        told.append(controller.action())
    moved = np.abs(np.diff(np.stack(told)[:, :3], axis=0)).max()
    assert moved < 0.03, "no jump at the seam between two chunks"


def test_judged_offline(trained) -> None:
    held_out, library = arm(2).with_last_action("action"), arm(3)
    found = judge(trained, held_out, numbers=[0, 1], training=library, samples=2)
    assert found.error.mean < found.hold.mean
    # A recording that jumps between q and -q is of the same motion.
    action = held_out.arrays["action"] * [1, 1, 1, -1, -1, -1, -1, 1]
    action[::2] = held_out.arrays["action"][::2]
    flipped = replace(held_out, arrays={**held_out.arrays, "action": action})
    again = judge(trained, flipped, numbers=[0, 1], training=library, samples=2)
    for name, error in found.parts.items():
        np.testing.assert_allclose(again.parts[name], error, atol=1e-5)


def test_on_disk_and_back(trained, tmp_path) -> None:
    save_policy(tmp_path / "p", trained)
    loaded = load_policy(tmp_path / "p")
    assert loaded.spec == trained.spec
    inputs = example_inputs(trained, 3)
    with torch.no_grad():
        assert torch.equal(loaded(*inputs), trained(*inputs))


def card_of(policy: Policy, folder: Path) -> tuple[Path, dict]:
    save_policy(folder, policy)
    return folder / "policy.json", json.loads((folder / "policy.json").read_text())


def test_a_card_of_before_is_still_read(config, episodes, tmp_path) -> None:
    """It knows nothing of parts; the whole action is relative, as it was."""
    policy = build_policy(replace(config, action_relative_to="state[:2]"), episodes)
    path, card = card_of(policy, tmp_path / "p")
    del card["spec"]["action_parts"]
    path.write_text(json.dumps(card))
    loaded = load_policy(tmp_path / "p")
    assert loaded.spec == policy.spec
    (part,) = loaded.spec.transform.parts
    assert (part.form, part.kind, part.reference) == ("relative", "numbers", "state[:2]")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"kind": "os.system"}, "kind"),
        ({"stop": 9}, "there is no 0:9"),
        ({"stop": 10**18}, "there is no"),
        ({"reference": "../../etc/passwd"}, "no feature"),
        ({"reference": "state[0:2]"}, "cannot refer to 'state"),
        ({"form": "delta", "start": 2, "kind": "gripper"}, "a gripper|no delta ones"),
    ],
)
def test_a_strangers_parts_are_looked_at(trained, tmp_path, changed, said) -> None:
    path, card = card_of(trained, tmp_path / "p")
    card["spec"]["action_parts"][0].update(changed)
    path.write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match=said):
        load_policy(tmp_path / "p")


def spec(*parts: ActionPart, whole: str | None = None, seen=("state", "last_action")) -> PolicySpec:
    recorded = {"state": (8,), "pose": (7,), "last_action": (8,), "action": (8,)}
    return PolicySpec.select(
        recorded, observations=seen, action_relative_to=whole, action_parts=parts
    )


def test_what_is_not_said_is_as_it_would_be() -> None:
    place = ActionPart(start=0, stop=3, form="delta")
    found = spec(place, whole="last_action")
    assert [(p.columns, p.form, p.reference) for p in found.transform.parts] == [
        ("0:3", "delta", "last_action"),
        ("3:8", "relative", "last_action"),
    ]
    assert [(c.start, f.name) for c, f in found.references] == [
        (0, "last_action[0:3]"),
        (3, "last_action[3:8]"),
    ]
    turn = ActionPart(start=3, stop=7, kind="quaternion_xyzw")
    found = spec(turn)
    assert [p.form for p in found.transform.parts] == ["absolute"] * 3
    assert not found.references
    gripper = ActionPart(start=7, stop=8, kind="gripper", levels=(0, 1))
    assert [f.name for _, f in spec(gripper, whole="state").references] == ["state[0:7]"], (
        "a gripper is measured in other units than it is told"
    )
    last = spec(gripper, whole="last_action").references[-1]
    assert last[1].name == "last_action[7:8]"


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (ActionPart(start=0, stop=3, form="delta"), "nothing says to what.*0:3=delta:last_action"),
        (ActionPart(start=6, stop=9), "columns 0:8; there is no 6:9"),
        (ActionPart(start=0, stop=3, form="delta", reference="stat"), "Did you mean 'state'"),
        (ActionPart(start=0, stop=3, form="delta", reference="pose"), "no feature 'pose'"),
        (ActionPart(start=0, stop=3, form="delta", reference="state[0:2]"), r"'state\[0:3\]'"),
        (ActionPart(start=7, stop=8, kind="gripper"), "7=gripper:0..1"),
    ],
)
def test_what_cannot_be_turned_back_is_refused(part, said) -> None:
    with pytest.raises(ConfigurationError, match=said):
        spec(part)
    with pytest.raises(ConfigurationError, match="in two of its parts"):
        spec(*[ActionPart(start=0, stop=3), ActionPart(start=2, stop=4)])


def test_values_of_a_gripper_are_found_or_asked_for() -> None:
    policy = build_policy(ARM, arm())
    low, high = policy.spec.transform.parts[-1].levels or (None, None)
    assert (low, high) == (0.0, pytest.approx(0.08))
    data = arm()
    data.arrays["action"][:, 7] = np.linspace(0, 1, data.steps)  # type: ignore[index]
    with pytest.raises(
        ConfigurationError, match=r"has 400 values, and a gripper two\. .*7=gripper:0..1"
    ):
        build_policy(ARM, data)
    data.arrays["action"][:, 7] = 0  # type: ignore[index]
    with pytest.raises(ConfigurationError, match=r"has 1 value, and a gripper two.*gripper:0\.\.1"):
        build_policy(ARM, data)
