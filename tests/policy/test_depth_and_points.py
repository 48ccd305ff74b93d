"""What has pixels of metres and what has points: seen as recorded, on a robot and in training."""

import time
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch

from steadyhand.data import Episodes, open_episodes, policy_statistics
from steadyhand.data.pictures.resize import nearest as nearest_in_stores
from steadyhand.data.recording import Recorder
from steadyhand.errors import CheckpointError, ConfigurationError, DataError, NotFiniteError
from steadyhand.evaluation.held_out import HeldOut
from steadyhand.evaluation.perturbed import deviations
from steadyhand.nets.choices import MLPConfig
from steadyhand.nets.encoder import ImageEncoder, StateEncoder
from steadyhand.nets.encoder_choices import ImageEncoderConfig, PointNetConfig, ResNetConfig
from steadyhand.nets.points import PointNet
from steadyhand.nets.resampling import middles, nearest
from steadyhand.nets.vlm import VisionLanguageModel
from steadyhand.nets.vlm_encoder import VLMEncoder
from steadyhand.policy.config import PolicyConfig
from steadyhand.policy.normaliser import Normaliser
from steadyhand.policy.policy import Policy
from steadyhand.policy.predictor import TorchPredictor
from steadyhand.policy.storage import load_policy, save_policy
from steadyhand.policy.windows import PolicyWindows
from steadyhand.runtime import ChunkRequest
from steadyhand.runtime.conversation import read_request, request_message
from steadyhand.runtime.history import History
from steadyhand.runtime.statistics import Statistics
from steadyhand.runtime.wire import pack, unpack
from steadyhand.serving.limits import largest_message
from steadyhand.serving.served import nothing_seen
from steadyhand.spec import Chunking, Feature, PolicySpec
from steadyhand.training.checkpoint import Run
from steadyhand.training.config import TrainConfig
from steadyhand.training.train import build_policy, rebuild_policy, train

ENCODER = ImageEncoderConfig(
    network=ResNetConfig(width=4, blocks=(1, 1)),
    cloud=PointNetConfig(points=8, widths=(8, 16)),
    keypoints=4,
    features=6,
)
CONFIG = TrainConfig(
    observations=("state", "depth", "cloud"),
    image_size=(16,),
    chunking=Chunking(obs_steps=2, horizon=4, execute=2),
    policy=PolicyConfig(encoder=ENCODER, denoiser=MLPConfig(width=16, blocks=1)),
    validation_share=0.25,
    steps=3,
    batch_size=4,
)
NEAR, FAR = 0.4, 1.5
"""Metres: nearly all of the depth that was recorded lies between."""


def recorded(*, points: int = 20, holes: bool = True) -> Episodes:
    """Four episodes of 10 steps: 24 by 20 pixels of depth, with holes, and a cloud."""
    random = np.random.default_rng(0)
    depth = random.uniform(0.4, 1.48, (40, 24, 20, 1)).astype(np.float32)
    depth[random.random(depth.shape) < 0.1 * holes] = 0
    cloud = random.uniform(-1, 1, (40, points, 3)) * [1, 2, 0.5] + [0, 0, 3]
    arrays = {
        "state": random.normal(size=(40, 2)).astype(np.float32),
        "depth": depth,
        "cloud": cloud.astype(np.float32),
        "action": random.normal(size=(40, 2)).astype(np.float32),
    }
    kinds = {"depth": "depth", "cloud": "points"}
    return Episodes(arrays, np.array([10, 20, 30, 40]), kinds=kinds)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return build_policy(CONFIG, recorded()).eval()


def moment(episodes: Episodes, step: int) -> dict[str, np.ndarray]:
    rows = [step - 1, step]
    return {key: episodes.arrays[key][rows] for key in ("state", "depth", "cloud")}


def test_the_range_is_that_of_the_data_unless_one_is_named(policy: Policy) -> None:
    assert policy.spec.depths[0].range == (NEAR, FAR)
    encoder = replace(ENCODER, depth_range=(0.2, 0.9))
    named = replace(CONFIG, policy=replace(CONFIG.policy, encoder=encoder))
    assert build_policy(named, recorded()).spec.depths[0].range == (0.2, 0.9)
    for wrong in ((1.0,), (1.0, 0.5), (-1.0, 2.0)):
        with pytest.raises(ConfigurationError, match=r"as 0\.2 1\.5"):
            replace(ENCODER, depth_range=wrong)
    flat = recorded()
    flat.arrays["depth"][:] = 0.3
    assert build_policy(CONFIG, flat).spec.depths[0].range == (0.0, 0.3)
    nothing = recorded()
    nothing.arrays["depth"][:] = 0
    with pytest.raises(DataError, match="nothing was measured"):
        build_policy(CONFIG, nothing)


@pytest.mark.parametrize("bounds", [(0.0, 2.0), (0.5, 1.5)])
def test_depth_maps_its_range_and_holes_are_near(
    policy: Policy, bounds: tuple[float, float]
) -> None:
    feature = replace(policy.spec.depths[0], range=bounds)
    spec = replace(policy.spec, observations=(policy.spec.observations[0], feature))
    statistics = policy.normaliser.statistics
    normaliser = CONFIG.policy.build(spec, statistics).normaliser
    near, far = bounds
    seen = [near, far, (near + far) / 2, far + 9, 0.0, -3.0, np.nan, np.inf, -np.inf]
    found = normaliser("depth", torch.tensor(seen))
    torch.testing.assert_close(found, torch.tensor([-1, 1, 0, 1, -1, -1, -1, -1, -1.0]))


def test_the_nearest_pixel_is_the_one_that_the_stores_keep() -> None:
    for source, target in ((480, 96), (24, 16), (20, 13), (7, 7), (5, 12)):
        by_the_middle = np.floor((np.arange(target) + 0.5) * source / target).astype(int)
        np.testing.assert_array_equal(middles(source, target), by_the_middle)
        np.testing.assert_array_equal(middles(source, target), nearest_in_stores(source, target))
    picture = torch.arange(24.0).view(1, 1, 4, 6, 1)
    assert nearest(picture, (2, 3))[0, 0, :, :, 0].tolist() == [[7, 9, 11], [19, 21, 23]]


def test_training_sees_what_a_robot_sees(policy: Policy) -> None:
    episodes = recorded()
    episodes.arrays["cloud"][13, 4] = np.nan
    windows = PolicyWindows(policy, episodes)
    steps = np.array([13, 27])
    learned = windows.observation(steps, ahead=steps)
    seen = [moment(episodes, step) for step in steps]
    raw = {key: torch.from_numpy(np.stack([one[key] for one in seen])) for key in seen[0]}
    acting = policy.normalise(raw)
    assert learned.keys() == acting.keys() == {"state", "depth", "cloud"}
    for name, values in acting.items():
        torch.testing.assert_close(learned[name], values, equal_nan=True)
    assert learned["depth"].shape == (2, 2, 19, 16, 1)
    assert float(learned["depth"].max()) <= 1
    assert float(learned["depth"].min()) == -1


def test_points_are_normalised_by_column(policy: Policy) -> None:
    episodes = recorded()
    figures = policy.normaliser.statistics["cloud"]
    training = episodes.arrays["cloud"].reshape(-1, 3)
    assert figures.minimum.shape == (3,)
    assert (figures.minimum >= training.min(0)).all()
    assert (figures.maximum <= training.max(0)).all()
    seen = policy.normaliser("cloud", torch.from_numpy(episodes.arrays["cloud"][:5]))
    assert seen.shape == (5, 20, 3)
    assert float(seen.abs().amax()) < 1.1
    assert float(seen.amax((0, 1)).min()) > 0.9  # each column by itself
    cloud = torch.from_numpy(episodes.arrays["cloud"][:5].copy())
    cloud[:, 3], cloud[:, 5, 1] = 0, np.nan
    gone = policy.normaliser("cloud", cloud)
    assert bool(gone[:, [3, 5]].isnan().all())
    torch.testing.assert_close(gone[:, 6:], seen[:, 6:])
    filled = np.concatenate([episodes.arrays["cloud"], np.zeros((40, 9, 3), np.float32)], 1)
    other = replace(episodes, arrays={**episodes.arrays, "cloud": filled})
    found = build_policy(CONFIG, other).normaliser.statistics["cloud"]
    np.testing.assert_array_equal(found.maximum, figures.maximum)
    np.testing.assert_array_equal(found.low, figures.low)


def test_the_figures_of_large_clouds_are_of_steps_all_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("steadyhand.data.statistics"), "MOST_NUMBERS", 5 * 60)
    episodes = recorded()
    episodes.arrays["cloud"][:, :, 0] = np.arange(40)[:, None]
    spec = PolicySpec.select(episodes.shapes, observations=("cloud",), kinds=episodes.kinds)
    found = policy_statistics(episodes, spec)["cloud"]
    assert (found.minimum[0], found.maximum[0]) == (0, 39)
    episodes.arrays["cloud"][:] = np.nan
    with pytest.raises(DataError, match="no point that was measured"):
        policy_statistics(episodes, spec)


def test_a_cloud_is_the_same_in_any_order_and_only_its_points_count() -> None:
    torch.manual_seed(0)
    net = PointNet(3, 5, widths=(8, 16), points=64).eval()
    cloud = torch.randn(2, 1, 40, 3) + 3  # far from where nothing would be
    found = net(cloud)
    torch.testing.assert_close(net(cloud[:, :, torch.randperm(40)]), found)
    twice = torch.cat([cloud, cloud[:, :, :7]], dim=2)  # as a mean would not be
    torch.testing.assert_close(net(twice), found)
    missing = torch.cat([cloud, torch.full((2, 1, 7, 3), np.nan)], dim=2)
    missing[:, :, 44:, 1] = np.inf
    assert bool(torch.isfinite(net(missing)).all())
    torch.testing.assert_close(net(missing), found)
    none = net(torch.full((1, 1, 7, 3), np.nan))
    assert bool(torch.isfinite(none).all())


def test_of_many_points_evenly_spaced_ones_are_seen() -> None:
    net = PointNet(3, 5, widths=(8, 16), points=10)
    cloud = torch.randn(3, 2, 25, 3)
    net.eval()
    torch.testing.assert_close(net(cloud), net(cloud[:, :, middles(25, 10)]))
    net.train()
    torch.manual_seed(1)
    drawn = net._sampled(torch.arange(25.0).view(1, 1, 25, 1).expand(3, 2, 25, 1))[..., 0]
    assert bool((drawn[:, 0] == drawn[:, 1]).all())  # the same at both steps of a window
    assert not bool((drawn[0] == drawn[1]).all())  # and others in each window
    parts = torch.arange(10) * 2.5
    assert bool(((drawn >= parts.floor()) & (drawn < parts + 2.5)).all())
    torch.manual_seed(1)
    again = net(cloud)
    torch.manual_seed(1)
    torch.testing.assert_close(net(cloud), again)


def test_depth_is_a_camera_and_never_jittered() -> None:
    kinds = {"depth": "depth"}
    recorded_shapes = {"action": (2,), "state": (3,), "depth": (16, 16, 1), "rgb": (16, 16, 3)}
    spec = PolicySpec.select(recorded_shapes, observations=("depth", "rgb"), kinds=kinds)
    encoder = replace(ENCODER, jitter=0.9, crop=1.0).build(spec).train()
    assert encoder.condition_shape == (2, 12)
    seen = {f.name: torch.rand(3, 2, *f.shape) for f in spec.observations}
    found = [encoder(seen) for _ in range(2)]
    torch.testing.assert_close(found[0][..., :6], found[1][..., :6])
    assert not bool((found[0][..., 6:] == found[1][..., 6:]).all())


@pytest.mark.parametrize("name", ["depth", "cloud"])
def test_an_encoder_of_states_says_which_other_one_there_is(name: str) -> None:
    episodes = recorded()
    spec = PolicySpec.select(episodes.shapes, observations=(name,), kinds=episodes.kinds)
    with pytest.raises(ConfigurationError, match=f"'{name}'.*ImageEncoderConfig"):
        StateEncoder(spec)
    with pytest.raises(ConfigurationError, match=r"range, so it cannot|no statistics"):
        CONFIG.policy.build(spec, {})


@pytest.mark.parametrize("name", ["depth", "cloud"])
def test_a_vision_language_model_says_that_it_sees_colour_alone(name: str) -> None:
    episodes = recorded()
    spec = PolicySpec.select(episodes.shapes, observations=(name,), kinds=episodes.kinds)
    with pytest.raises(ConfigurationError, match=f"Leave '{name}' out"):
        VLMEncoder(spec, object.__new__(VisionLanguageModel), 8)


def test_clouds_of_several_tasks_are_normalised_each_by_its_own(policy: Policy) -> None:
    one = policy.normaliser.statistics["cloud"]
    both = {k: np.stack([v, 2 * v]) for k, v in vars(one).items()}
    feature = policy.spec.points[0]
    each = Normaliser([feature], {"cloud": Statistics(**both)}, tasks=2)
    cloud = torch.rand(2, 3, 20, 3)
    found = each("cloud", torch.stack([cloud[0], 2 * cloud[0]]), torch.tensor([0, 1]))
    torch.testing.assert_close(found[0], policy.normaliser("cloud", cloud[0]))
    torch.testing.assert_close(found[1], found[0])


def test_millimetres_in_memory_are_what_metres_are() -> None:
    metres, counted = recorded(), recorded()
    whole = np.rint(1000 * metres.arrays["depth"][..., 0]).astype(np.uint16)
    arrays = {**counted.arrays, "depth": whole}
    counted = replace(counted, arrays=arrays, kinds={"cloud": "points"})
    for one in (metres, counted):
        policy = build_policy(CONFIG, one)
        assert policy.spec.depths[0].range == (NEAR, FAR)
        assert policy.spec.depths[0].recorded_shape == (24, 20, 1)


def test_what_was_not_measured_is_no_mistake_and_nothing_at_all_is(policy: Policy) -> None:
    episodes = recorded()
    seen = {key: values[-1] for key, values in moment(episodes, 5).items()}
    history = History(policy.spec)
    holes = {**seen, "depth": np.full_like(seen["depth"], np.nan)}
    history.see(holes)
    half = seen["cloud"].copy()
    half[:10] = np.nan
    history.see({**seen, "cloud": half})
    with pytest.raises(NotFiniteError, match="cloud"):
        history.see({**seen, "cloud": np.full_like(half, np.nan)})
    with pytest.raises(ConfigurationError, match="millimetres"):
        history.see({**seen, "depth": (1000 * seen["depth"]).astype(np.uint16)})
    request = ChunkRequest(observation=history.stacked())
    assert np.isfinite(TorchPredictor(policy).predict([request])).all()


def test_it_trains_is_stored_and_goes_on(policy: Policy, tmp_path) -> None:
    episodes = recorded()
    before = {name: value.clone() for name, value in policy.state_dict().items()}
    trained = build_policy(CONFIG, episodes)
    losses = [float(step.loss) for step in train(trained, episodes, CONFIG)]
    assert len(losses) == 3
    assert np.isfinite(losses).all()
    moved = {n for n, value in trained.state_dict().items() if not torch.equal(value, before[n])}
    assert {name.split(".")[1] for name in moved if name.startswith("encoder.")} == {
        "networks",
        "points",
    }
    save_policy(tmp_path / "policy", trained)
    found = load_policy(tmp_path / "policy")
    assert found.spec == trained.spec
    request = ChunkRequest(observation=moment(episodes, 5))
    answers = [TorchPredictor(one).predict([request]) for one in (trained.eval(), found)]
    np.testing.assert_array_equal(*answers)


def test_a_run_goes_on_with_the_same_points_as_without_a_break(tmp_path) -> None:
    """Of 20 points 8 are drawn for each window, anew in every step."""
    episodes, config = recorded(), replace(CONFIG, steps=4)
    whole = build_policy(config, episodes)
    list(train(whole, episodes, config))
    begun = build_policy(config, episodes)
    session = train(begun, episodes, config, out=tmp_path / "run")
    for _ in zip(range(2), session, strict=False):
        pass
    session.close()
    later = rebuild_policy(Run(tmp_path / "run"), config, episodes)
    list(train(later, episodes, config, out=tmp_path / "run", resume=True))
    for name, weights in whole.state_dict().items():
        assert torch.equal(later.state_dict()[name], weights), name


def test_a_strangers_card_with_another_range_or_none_is_refused(policy: Policy, tmp_path) -> None:
    save_policy(tmp_path / "policy", policy)
    card = tmp_path / "policy" / "policy.json"
    text = card.read_text()
    said = text.replace(" ", "").replace("\n", "")
    right = f'"range":[{NEAR},{FAR}]'
    assert right in said
    for wrong in ('"range":null', '"range":[2.0,1.0]', '"range":[0.0,1e99]'):
        card.write_text(said.replace(right, wrong))
        with pytest.raises(CheckpointError):
            load_policy(tmp_path / "policy")


def test_a_feature_of_depth_names_itself() -> None:
    assert isinstance(
        ENCODER.build(
            PolicySpec.select(
                {"action": (2,), "cloud": (9, 4)},
                observations=("cloud",),
                kinds={"cloud": "points"},
            )
        ),
        ImageEncoder,
    )
    with pytest.raises(ConfigurationError, match="no cloud of points"):
        Feature(name="cloud", shape=(9, 2), kind="points")


def test_a_blurred_past_has_the_size_of_what_was_measured(policy: Policy) -> None:
    found = deviations(policy.spec, policy.normaliser.statistics)
    np.testing.assert_allclose(found["depth"], (FAR - NEAR) / 4)
    assert found["depth"].shape == (24, 20, 1)
    assert found["cloud"].shape == (20, 3)
    np.testing.assert_allclose(found["cloud"][7], policy.normaliser.statistics["cloud"].deviation)


def test_the_nearest_moment_is_the_one_that_looks_alike(policy: Policy) -> None:
    """Each of depth and points counts, the points in any order."""
    episodes = recorded(holes=False)
    steps = np.arange(1, 40)
    known = HeldOut(policy, episodes).features(steps)
    random = np.random.default_rng(1)
    for key in ("depth", "cloud"):
        other = recorded(holes=False)
        noise = 0.05 * random.standard_normal(other.arrays[key].shape)
        other.arrays[key][:] = (other.arrays[key] + noise).astype(np.float32)
        if key == "cloud":
            other.arrays[key][:] = recorded().arrays[key][:, random.permutation(20)]
        seen = HeldOut(policy, other).features(steps)
        nearest_one = ((seen[:, None] - known) ** 2).sum(-1).argmin(1)
        np.testing.assert_array_equal(nearest_one, np.arange(39))


def test_a_server_takes_what_it_sees(policy: Policy) -> None:
    request = nothing_seen(policy.spec)
    assert np.isfinite(TorchPredictor(policy).predict([request])).all()
    seen = moment(recorded(), 5)
    seen["depth"][0, 3:5] = np.nan
    given = replace(request, observation=seen)
    message = pack(request_message(1, given, []))
    assert len(message) < largest_message(policy.spec)
    found = read_request(unpack(message), policy.spec)
    for key, values in seen.items():
        np.testing.assert_array_equal(found.observation[key], values)
    seen["cloud"][0] = np.nan
    with pytest.raises(NotFiniteError, match="cloud"):
        read_request(unpack(pack(request_message(2, given, []))), policy.spec)


class Seeing:
    """A robot with a depth camera and a scanner."""

    def __init__(self) -> None:
        self.tick = 0

    def observe(self) -> dict[str, np.ndarray]:
        self.tick += 1
        return {key: values[self.tick % 40] for key, values in recorded().arrays.items()}

    def act(self, action: np.ndarray) -> None: ...


def test_what_a_loop_saw_is_recorded_as_what_it_is(policy: Policy, tmp_path) -> None:
    robot = Seeing()
    robot.observe = lambda: {k: v for k, v in Seeing.observe(robot).items() if k != "action"}
    with Recorder(robot, tmp_path / "seen.npz", rate_hz=10, kinds=policy.spec.kinds) as recorder:
        for _ in range(12):
            recorder.act(recorder.observe()["state"])
        recorder.observe()
        while recorder._disk.steps < 8:  # written by a thread
            time.sleep(0.01)
        found = open_episodes(recorder.folder)
        assert found.kinds == {"depth": "depth", "cloud": "points"}
        assert found.shapes["depth"] == (24, 20, 1)
        header = recorder.folder / "recording.json"
        text = header.read_text()
        header.write_text(text.replace('"points"', '"soup"'))
        with pytest.raises(DataError, match="kinds"):
            open_episodes(recorder.folder)
        header.write_text(text)
        seen = found.arrays["depth"][:8]
        np.testing.assert_array_equal(seen, recorded().arrays["depth"][1:9])
