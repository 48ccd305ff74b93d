"""Observation encoders: what the robot senses → the condition the denoiser is given."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from steadyhand.errors import ConfigurationError
from steadyhand.nets.backbone import Backbone
from steadyhand.nets.points import PointNet
from steadyhand.nets.shapes import Condition
from steadyhand.nets.task_choices import TaskEncoding
from steadyhand.nets.vision import SpatialSoftmax
from steadyhand.spec import TASK, PolicySpec

SMALLEST_MAP = 4
"""Places that the map of a picture needs at least."""


class StateEncoder(nn.Module):
    """Normalised states, each (B, T_o, …), flattened and joined → condition (B, T_o, D).

    It learns nothing but what stands for a task: low-dimensional state needs no more. Images,
    depth and points need another encoder.
    """

    def __init__(self, spec: PolicySpec, tasks: TaskEncoding | None = None) -> None:
        super().__init__()
        for feature in (*spec.pictures, *spec.points):
            raise ConfigurationError(
                f"StateEncoder cannot see the {feature.kind} '{feature.name}'. Leave it out of "
                "`observations`, or take another encoder, which the recipe lerobot has: "
                "encoder=ImageEncoderConfig()."
            )
        self.names: Sequence[str] = [f.name for f in spec.observations if f.kind == "state"]
        width = sum(f.size for f in spec.observations if f.kind == "state")
        self.tasks, more = _told(spec, tasks)
        self.condition_shape = (spec.chunking.obs_steps, width + more)

    def forward(self, observation: Mapping[str, Tensor]) -> Condition:
        parts = [_flat(observation[name]) for name in self.names]
        if self.tasks is not None:
            parts.append(self.tasks(observation[TASK]))
        return torch.cat(parts, dim=-1)


class ImageEncoder(nn.Module):
    """Cameras, clouds of points and states → condition (B, T_o, D): the features of each camera,
    of each cloud, then the states. Depth is a camera of one channel.

    `network` makes the network of one camera, (B, C, h, w) → (B, features, rows, columns), for a
    number of channels and a picture's size; with `shared` all cameras have the same. `cloud` makes
    that of one cloud, (B, T_o, N, columns) → (B, T_o, features), for both numbers. In training each
    window is cropped at a random place, the same for all its pictures of one camera, and otherwise
    in the centre; only colour is jittered, since depth has a meaning. Random numbers come from
    torch's global generator, as for dropout.
    """

    def __init__(
        self,
        spec: PolicySpec,
        network: Callable[[int, tuple[int, int]], nn.Module],
        *,
        keypoints: int,
        features: int,
        shared: bool,
        crop: float,
        jitter: float,
        cloud: Callable[[int, int], nn.Module] = PointNet,
        tasks: TaskEncoding | None = None,
    ) -> None:
        super().__init__()
        self.cameras: Sequence[str] = [feature.name for feature in spec.pictures]
        self.clouds: Sequence[str] = [feature.name for feature in spec.points]
        self.states: Sequence[str] = [f.name for f in spec.observations if f.kind == "state"]
        self.jitters = [jitter if f.kind == "image" else 0.0 for f in spec.pictures]
        self.crops = [(round(f.shape[0] * crop), round(f.shape[1] * crop)) for f in spec.pictures]
        kinds = {(f.shape[2], *c) for f, c in zip(spec.pictures, self.crops, strict=True)}
        if shared and len(kinds) > 1:
            raise ConfigurationError(
                "One network for all cameras needs pictures of one size, and they are "
                f"{', '.join(str(f.shape) for f in spec.pictures)}. Give --image-size two numbers, "
                "or each camera its own network."
            )
        count = min(len(self.cameras), 1) if shared else len(self.cameras)
        self.networks = nn.ModuleList()
        for feature, size in zip(spec.pictures[:count], self.crops, strict=False):
            trunk = network(feature.shape[2], size)
            _check_map(trunk, feature.shape[2], size)
            softmax = SpatialSoftmax(trunk.features, keypoints)  # type: ignore[arg-type]
            head = nn.Sequential(nn.Linear(softmax.features, features), nn.ReLU())
            self.networks.append(nn.Sequential(trunk, softmax, head))
        self.points = nn.ModuleList(cloud(f.shape[1], features) for f in spec.points)
        states = sum(f.size for f in spec.observations if f.kind == "state")
        self.tasks, more = _told(spec, tasks)
        width = features * (len(self.cameras) + len(self.clouds)) + states + more
        self.condition_shape = (spec.chunking.obs_steps, width)

    def forward(self, observation: Mapping[str, Tensor]) -> Condition:
        parts = [self._see(number, observation[name]) for number, name in enumerate(self.cameras)]
        parts += [net(observation[n]) for net, n in zip(self.points, self.clouds, strict=True)]
        parts += [_flat(observation[name]) for name in self.states]
        if self.tasks is not None:
            parts.append(self.tasks(observation[TASK]))
        return torch.cat(parts, dim=-1)

    def load_pretrained(self) -> None:
        """Fetch the weights of what was trained elsewhere; networks begun from scratch stay."""
        for trunk in (next(network.children()) for network in self.networks):
            if isinstance(trunk, Backbone):
                trunk.load_pretrained()

    def _see(self, number: int, pictures: Tensor) -> Tensor:
        """Pictures (B, T_o, h, w, C) of one camera in ±1 → features (B, T_o, F)."""
        pictures = self._crop(pictures, self.crops[number])
        if self.training and self.jitters[number]:
            pictures = _jittered(pictures, self.jitters[number])
        network = self.networks[min(number, len(self.networks) - 1)]
        flat = pictures.flatten(0, 1).permute(0, 3, 1, 2)
        return network(flat).unflatten(0, pictures.shape[:2])

    def _crop(self, pictures: Tensor, size: tuple[int, int]) -> Tensor:
        count, steps, height, width = pictures.shape[:4]
        spare = (height - size[0], width - size[1])
        if spare == (0, 0):
            return pictures
        if not self.training:
            top, left = spare[0] // 2, spare[1] // 2
            return pictures[:, :, top : top + size[0], left : left + size[1]]
        device = pictures.device
        top, left = (torch.randint(s + 1, (count, 1, 1, 1), device=device) for s in spare)
        return pictures[
            torch.arange(count, device=device).view(-1, 1, 1, 1),
            torch.arange(steps, device=device).view(1, -1, 1, 1),
            top + torch.arange(size[0], device=device).view(1, 1, -1, 1),
            left + torch.arange(size[1], device=device).view(1, 1, 1, -1),
        ]


def _told(spec: PolicySpec, tasks: TaskEncoding | None) -> tuple[nn.Module | None, int]:
    """(what stands for a task, how many numbers) where the policy is told which is to be done."""
    if spec.tasks is None:
        return None, 0
    tasks = tasks or TaskEncoding()
    return tasks.build(spec.tasks.numbers), tasks.width


@torch.no_grad()
def _check_map(trunk: nn.Module, channels: int, size: tuple[int, int]) -> None:
    """Raise `ConfigurationError` where so little is left of a picture that nothing has a place."""
    if hasattr(trunk, "map_size"):
        rows, columns = trunk.map_size(size)  # type: ignore[operator]
    else:  # a user's own
        rows, columns = trunk(torch.zeros(1, channels, *size)).shape[-2:]
    if rows * columns < SMALLEST_MAP:
        raise ConfigurationError(
            f"The network makes a map of {rows}×{columns} of pictures of {size[0]}×{size[1]}, in "
            "which nothing has a place. Choose a larger --image-size, or fewer levels: "
            "--encoder.network.blocks 2 2."
        )


def _jittered(pictures: Tensor, most: float) -> Tensor:
    """Each window brighter or darker, and with more contrast or less, by up to `most`."""
    shape = (2, len(pictures), 1, 1, 1, 1)
    shift, gain = (2 * torch.rand(shape, device=pictures.device) - 1) * most
    return (pictures * (1 + gain) + shift).clamp(-1, 1)


def _flat(values: Tensor) -> Tensor:
    """(B, T_o, …) → (B, T_o, numbers); a single number a step becomes one feature."""
    return values.unsqueeze(-1).flatten(2)
