"""What looks at pictures: finds where things are, crops as it should, trains and freezes."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from conftest import DEMONSTRATIONS
from steadyhand.data import Episodes, open_episodes
from steadyhand.data.pictures.resize import resize_frames
from steadyhand.errors import ConfigurationError
from steadyhand.nets.encoder_choices import BackboneConfig, ImageEncoderConfig, ResNetConfig
from steadyhand.nets.vision import ResidualBlock, ResNet, SpatialSoftmax
from steadyhand.policy.card import read_config
from steadyhand.policy.policy import resized
from steadyhand.policy.storage import load_policy, save_policy
from steadyhand.spec import Feature, PolicySpec
from steadyhand.training.train import build_policy, train

TINY = ImageEncoderConfig(network=ResNetConfig(width=8, blocks=(1, 1)), keypoints=4, features=6)


def spec_of(**shapes: tuple[int, ...]) -> PolicySpec:
    recorded = {"action": (2,), "state": (3,), **shapes}
    return PolicySpec.select(recorded, observations=("state", *shapes))


def pictures(spec: PolicySpec, count: int = 2) -> dict[str, torch.Tensor]:
    steps = spec.chunking.obs_steps
    return {f.name: torch.rand(count, steps, *f.shape) * 2 - 1 for f in spec.observations}


def test_resnet_18_has_the_papers_size_and_group_norms() -> None:
    network = ResNet(3)
    # torchvision's ResNet-18 without its last layer has 11,176,512.
    assert sum(p.numel() for p in network.parameters()) == 11_176_512
    norms = [m for m in network.modules() if isinstance(m, torch.nn.GroupNorm)]
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())
    assert {m.num_channels // m.num_groups for m in norms} == {16}
    assert network(torch.zeros(2, 3, 84, 84)).shape == (2, 512, 3, 3)


def test_a_block_stands_beside_its_shortcut() -> None:
    x = torch.randn(2, 16, 8, 8)
    block = ResidualBlock(16, 16, 1)
    with torch.no_grad():
        block.layers[-1].weight.zero_()
    torch.testing.assert_close(block(x), x.relu())
    wider = ResidualBlock(16, 32, 2)
    with torch.no_grad():
        wider.layers[-1].weight.zero_()
    torch.testing.assert_close(wider(x), wider.shortcut(x).relu())


def test_spatial_softmax_finds_where_a_bright_spot_is() -> None:
    softmax = SpatialSoftmax(1, 1)
    torch.nn.init.constant_(softmax.maps.weight, 50.0)
    for row, column in ((0, 0), (3, 8), (6, 4)):
        image = torch.zeros(1, 1, 7, 9)
        image[0, 0, row, column] = 1
        x, y = softmax(image)[0].tolist()
        assert (x, y) == pytest.approx((column / 4 - 1, row / 3 - 1), abs=1e-4)


def test_cameras_of_different_shapes_are_joined_with_the_state() -> None:
    spec = spec_of(front=(32, 48, 3), wrist=(24, 24, 1))
    encoder = TINY.build(spec)
    assert encoder.condition_shape == (2, 6 + 6 + 3)
    seen = pictures(spec)
    condition = encoder(seen)
    assert condition.shape == (2, 2, 15)
    torch.testing.assert_close(condition[..., 12:], seen["state"])
    assert len(encoder.networks) == 2


def test_one_network_for_all_cameras() -> None:
    alike = spec_of(left=(24, 24, 3), right=(24, 24, 3))
    encoder = replace(TINY, shared=True).build(alike).eval()
    assert len(encoder.networks) == 1
    seen = pictures(alike)
    seen["right"] = seen["left"]
    condition = encoder(seen)
    torch.testing.assert_close(condition[..., :6], condition[..., 6:12])
    with pytest.raises(ConfigurationError, match="pictures of one size"):
        replace(TINY, shared=True).build(spec_of(front=(32, 48, 3), wrist=(24, 24, 3)))


def test_crops_are_random_in_training_and_central_after() -> None:
    """The crop of a picture that holds its own coordinates says where it was taken."""
    spec = spec_of(front=(32, 48, 3))
    encoder = replace(TINY, crop=0.75).build(spec)
    where = torch.stack(torch.meshgrid(torch.arange(32.0), torch.arange(48.0), indexing="ij"), -1)
    image = torch.cat([where, where[..., :1]], -1).expand(200, 2, 32, 48, 3)

    def corners() -> torch.Tensor:
        cut = encoder._crop(image, encoder.crops[0])
        assert cut.shape == (200, 2, 24, 36, 3)
        assert torch.equal(cut[:, 0], cut[:, 1])  # both moments of a window alike
        assert torch.equal(
            cut[:, :, -1, -1, :2] - cut[:, :, 0, 0, :2],
            torch.full((200, 2, 2), 0) + torch.tensor([23.0, 35.0]),
        )
        return cut[:, 0, 0, 0, :2]

    encoder.eval()
    assert corners().unique(dim=0).tolist() == [[4, 6]]
    encoder.train()
    torch.manual_seed(0)
    found = corners()
    assert set(found[:, 0].tolist()) == set(range(9))
    assert set(found[:, 1].tolist()) == set(range(13))
    torch.manual_seed(0)
    assert torch.equal(corners(), found)


def test_a_map_of_one_place_is_refused() -> None:
    """After five halvings nothing is left of 28 pixels, and a softmax over it is always 1."""
    whole = replace(TINY, network=ResNetConfig(width=8))
    with pytest.raises(ConfigurationError, match="a map of 1×1 of pictures of 28×28"):
        whole.build(spec_of(front=(32, 32, 3)))
    assert whole.build(spec_of(front=(64, 64, 3))).condition_shape == (2, 9)


def test_jitter_is_for_training_only() -> None:
    spec = spec_of(front=(24, 24, 3))
    encoder = replace(TINY, jitter=0.5, crop=1.0).build(spec)
    seen = pictures(spec)
    encoder.eval()
    assert torch.equal(encoder(seen), encoder(seen))
    encoder.train()
    assert not torch.equal(encoder(seen), encoder(seen))


def test_jitter_brightens_and_darkens_and_changes_contrast_both_ways() -> None:
    encoder = replace(TINY, jitter=0.4, crop=1.0).build(spec_of(front=(24, 24, 3)))
    seen = []
    encoder.networks[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    striped = torch.full((1000, 2, 24, 24, 3), 0.1)
    striped[:, :, ::2] = -0.1
    with torch.no_grad():
        encoder.train()({"front": striped, "state": torch.zeros(1000, 2, 3)})
        encoder({"front": striped.sign(), "state": torch.zeros(1000, 2, 3)})
    assert float(seen[1].abs().max()) == 1, "black and white stay what they are at most"
    found = seen[0].unflatten(0, (1000, 2))
    assert torch.equal(found[:, 0], found[:, 1]), "the pictures of a window alike"
    brightness = found[:, 0].mean((1, 2, 3))
    contrast = found[:, 0, 0, 1, 0] - found[:, 0, 0, 0, 0]
    for change, size in ((brightness, 0.4), (contrast / 0.2 - 1, 0.4)):
        assert -size <= float(change.min()) < -0.98 * size
        assert 0.98 * size < float(change.max()) <= size + 1e-6
        assert abs(float(change.mean())) < 0.03
    assert abs(float(torch.corrcoef(torch.stack([brightness, contrast]))[0, 1])) < 0.1


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(24,), (31, 57), (90, 60), (16, 200)])
def test_the_policy_resizes_as_the_store_does(size, channels) -> None:
    """Smaller, larger, and one of each, of noise, than which no picture is harder."""
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 48, 64, channels), dtype=np.uint8)
    feature = Feature.select("img", {"img": frames.shape[2:]}, size)
    assert feature.recorded_shape == frames.shape[2:]
    pictures, resize = torch.from_numpy(frames), partial(resized, size=feature.shape[:2])
    stored = resize_frames(frames, (feature.shape[0], feature.shape[1]))
    assert resize(pictures.to("meta")).shape == stored.shape
    floating = torch.nn.functional.interpolate(  # as on any device but a CPU
        pictures.flatten(0, 1).movedim(-1, 1).float(),
        stored.shape[2:4],
        mode="bilinear",
        antialias=True,
    )
    elsewhere = floating.round().movedim(1, -1).reshape(stored.shape).numpy()
    for found in (resize(pictures).numpy(), elsewhere):
        assert found.dtype == np.float32
        difference = np.abs(found - stored)
        assert difference.max() <= 1
        assert difference.mean() < 0.25
    assert torch.equal(resize(pictures[1:, 2:]), resize(pictures)[1:, 2:]), "alone or among others"


def test_real_pictures_are_resized_as_the_store_does() -> None:
    if not (path := DEMONSTRATIONS / "g1_bottle_v21").exists():
        pytest.skip(f"the demonstrations are not at {path}")
    episodes = open_episodes(path)
    camera = "observation.images.cam_high"
    frames = episodes.arrays[camera][np.linspace(0, episodes.steps - 1, 8).astype(int)]
    feature = Feature.select(camera, episodes.shapes, (96,))
    found = resized(torch.from_numpy(frames)[:, None], feature.shape[:2]).numpy()[:, 0]
    difference = np.abs(found - resize_frames(frames, (feature.shape[0], feature.shape[1])))
    assert difference.max() <= 1
    assert difference.mean() < 0.01


@pytest.fixture
def filmed() -> Episodes:
    """Four episodes of a bright square that moves; the action is where it goes next."""
    random = np.random.default_rng(0)
    frames, places, ends = [], [], []
    for _ in range(4):
        path = np.clip(np.cumsum(random.normal(0, 2, (20, 2)), 0) + 12, 0, 20).astype(int)
        for row, column in path:
            frame = np.zeros((24, 24, 3), np.uint8)
            frame[row : row + 4, column : column + 4] = 255
            frames.append(frame)
        places.append(path)
        ends.append(20 * (len(ends) + 1))
    place = np.concatenate(places).astype(np.float32)
    return Episodes(
        {"img": np.stack(frames), "action": place, "state": place * 0 + 1}, np.array(ends)
    )


@pytest.fixture
def seeing(config):
    return replace(
        config,
        observations=("img",),
        policy=replace(config.policy, encoder=replace(TINY, crop=1.0)),
        validation_share=0.25,
    )


def test_black_is_minus_one_and_white_is_one(filmed, seeing) -> None:
    policy = build_policy(seeing, filmed)
    name = policy.spec.images[0].name
    shades = torch.tensor([0, 51, 255], dtype=torch.uint8)
    seen = policy.normaliser(name, shades.view(3, 1, 1, 1, 1).expand(3, 2, 8, 8, 3))
    wanted = torch.tensor([-1, -0.6, 1.0]).view(3, 1, 1, 1, 1).expand_as(seen)
    torch.testing.assert_close(seen, wanted, atol=1e-6, rtol=0)


def test_a_policy_learns_to_see_where_a_square_is(filmed, seeing) -> None:
    config = replace(seeing, steps=400, learning_rate=3e-3, checkpoint_every=400)
    policy = build_policy(config, filmed)
    losses = [step.loss for step in train(policy, filmed, config)]
    assert np.mean(losses[-20:]) < 0.7 * np.mean(losses[:20])


def test_training_with_pictures_resumes_to_the_same_weights(filmed, seeing, tmp_path) -> None:
    whole = build_policy(seeing, filmed)
    for _ in train(whole, filmed, seeing):
        pass
    cut = build_policy(seeing, filmed)
    steps = train(cut, filmed, seeing, out=tmp_path / "run")
    for step in steps:
        if step.step == 23:
            break
    steps.close()
    again = build_policy(seeing, filmed)
    for _ in train(again, filmed, seeing, out=tmp_path / "run", resume=True):
        pass
    for name, weights in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], weights), name


def test_an_image_policy_is_saved_and_loaded(filmed, seeing, tmp_path) -> None:
    config = replace(seeing, image_size=(16,))
    policy = build_policy(config, filmed).eval()
    save_policy(tmp_path / "policy", policy)
    loaded = load_policy(tmp_path / "policy")
    seen = {"img": torch.from_numpy(filmed.arrays["img"][None, :2])}
    noise = torch.randn(1, *policy.spec.chunk_shape)
    assert loaded.spec == policy.spec
    assert torch.equal(loaded(seen, noise), policy(seen, noise))
    with pytest.raises(ConfigurationError, match="holds float64; images are taken as cameras"):
        policy.spec.check_observation({"img": np.zeros((24, 24, 3))})


BACKBONES = {
    "dinov2": {"image_size": 28, "patch_size": 14, "num_hidden_layers": 1},
    "siglip_vision_model": {"image_size": 28, "patch_size": 14, "num_hidden_layers": 1},
    "vit": {"image_size": 28, "patch_size": 14, "num_hidden_layers": 1},
    "convnextv2": {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2},
}
WIDTHS = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}


@pytest.fixture(scope="module", params=BACKBONES)
def backbone(request, tmp_path_factory):
    """A tiny model of each family, in a folder as the hub would give it."""
    transformers = pytest.importorskip("transformers")
    settings = BACKBONES[request.param]
    more = {} if "hidden_sizes" in settings else WIDTHS
    config = transformers.AutoConfig.for_model(request.param, **settings, **more)
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp(request.param)
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4]})
    )
    return folder


@pytest.fixture
def squares() -> Episodes:
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (40, 56, 56, 3), dtype=np.uint8)
    action = random.normal(size=(40, 2)).astype(np.float32)
    return Episodes({"img": frames, "action": action}, np.array([20, 40]))


@pytest.mark.parametrize("frozen", [True, False])
def test_backbones_of_transformers(backbone, frozen, squares, seeing, tmp_path) -> None:
    network = BackboneConfig(source=str(backbone), frozen=frozen)
    encoder = ImageEncoderConfig(network=network, keypoints=4, features=6, crop=0.5)
    parts = replace(seeing.policy, encoder=encoder)
    config = replace(seeing, policy=parts, steps=3, checkpoint_every=3)
    policy = build_policy(config, squares)
    trunk = policy.encoder.networks[0][0]
    import transformers

    expected = transformers.AutoModel.from_pretrained(backbone)
    for name, weights in expected.state_dict().items():
        assert torch.equal(trunk.network.state_dict()[name], weights), name
    assert policy.config.encoder.network.mean == (0.4, 0.5, 0.6)
    before = {name: weights.clone() for name, weights in trunk.network.state_dict().items()}
    for _ in train(policy, squares, config):
        pass
    trunk = policy.encoder.networks[0][0]
    changed = [n for n, w in trunk.network.state_dict().items() if not torch.equal(w, before[n])]
    assert bool(changed) is not frozen
    assert not trunk.network.training
    save_policy(tmp_path / "policy", policy)
    moved = backbone.rename(backbone.with_name("moved"))
    try:
        loaded = load_policy(tmp_path / "policy")  # needs nothing but its own file
    finally:
        moved.rename(backbone)
    seen = {"img": torch.from_numpy(squares.arrays["img"][None, :2])}
    noise = torch.randn(1, *policy.spec.chunk_shape)
    torch.testing.assert_close(loaded(seen, noise), policy(seen, noise))


def test_a_backbone_sees_one_channel_three_times(backbone) -> None:
    config = BackboneConfig(source=str(backbone)).settled()
    depth = torch.rand(2, 1, 28, 28) * 2 - 1
    torch.manual_seed(0)
    found = config.build(1, (28, 28)).eval()(depth)
    torch.manual_seed(0)
    torch.testing.assert_close(found, config.build(3, (28, 28)).eval()(depth.repeat(1, 3, 1, 1)))
    with pytest.raises(ConfigurationError, match="a camera has 4"):
        config.build(4, (28, 28))


def test_a_stored_policy_never_fetches_a_backbone(backbone, squares, seeing, tmp_path) -> None:
    from steadyhand.errors import SteadyhandError

    network = BackboneConfig(source=str(backbone))
    parts = replace(seeing.policy, encoder=ImageEncoderConfig(network=network, crop=0.5))
    policy = build_policy(replace(seeing, policy=parts), squares)
    save_policy(tmp_path / "policy", policy)
    card = json.loads((tmp_path / "policy" / "policy.json").read_text())
    card["config"]["encoder"]["network"]["architecture"] = ""
    (tmp_path / "policy" / "policy.json").write_text(json.dumps(card))
    # Nor does whoever builds something of what it says, as distilling does.
    for read in (load_policy, read_config):
        with pytest.raises(SteadyhandError, match="never fetches one"):
            read(tmp_path / "policy")


def test_backbones_that_are_not_there(squares, seeing) -> None:
    pytest.importorskip("transformers")
    network = BackboneConfig(source="/nowhere/at/all")
    parts = replace(seeing.policy, encoder=ImageEncoderConfig(network=network))
    with pytest.raises(ConfigurationError, match="no vision backbone '/nowhere/at/all'"):
        build_policy(replace(seeing, policy=parts), squares)


def test_a_picture_that_patches_do_not_fill(backbone, squares, seeing) -> None:
    if "convnext" in str(backbone):
        pytest.skip("a convolutional network takes any size")
    network = BackboneConfig(source=str(backbone))
    parts = replace(seeing.policy, encoder=ImageEncoderConfig(network=network, crop=0.8))
    with pytest.raises(ConfigurationError, match="patches of 14×14, and pictures are 45×45"):
        build_policy(replace(seeing, policy=parts), squares)


@pytest.mark.parametrize("size", [(7, 7), (32, 33), (96, 65), (37, 128)])
@pytest.mark.parametrize("blocks", [(1,), (1, 1, 1), (1, 2, 1, 1)])
def test_the_size_of_a_map_is_known_without_looking(size, blocks) -> None:
    network = ResNetConfig(width=4, blocks=blocks).build(3, size)
    assert network.map_size(size) == tuple(network(torch.zeros(1, 3, *size)).shape[-2:])


def test_a_resumed_run_needs_no_backbone_from_elsewhere(
    backbone, squares, seeing, tmp_path
) -> None:
    """Its checkpoint holds all of it; without one, nothing is fetched for what its file names."""
    from steadyhand.training.checkpoint import Run
    from steadyhand.training.train import rebuild_policy

    network = BackboneConfig(source=str(backbone))
    parts = replace(seeing.policy, encoder=ImageEncoderConfig(network=network, crop=0.5))
    config = replace(seeing, policy=parts, steps=2, checkpoint_every=2)
    for _ in train(build_policy(config, squares), squares, config, out=tmp_path / "r"):
        pass
    moved = backbone.rename(backbone.with_name("moved"))
    try:
        made = rebuild_policy(Run(tmp_path / "r"), config, squares)
    finally:
        moved.rename(backbone)
    assert made.encoder.networks[0][0].features == 16
    away = replace(network, source="somebody/model")
    parts = replace(parts, encoder=replace(parts.encoder, network=away))
    with pytest.raises(ConfigurationError, match="no vision backbone 'somebody/model'"):
        rebuild_policy(Run(tmp_path / "new"), replace(config, policy=parts), squares)
