"""The conditional 1-D U-Net of the Diffusion Policy paper (Chi et al. 2023)."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from steadyhand.errors import ConfigurationError
from steadyhand.nets.embedding import TimeEmbedding
from steadyhand.nets.shapes import Answer, Chunk, Condition, Time, Times


class UNet1d(nn.Module):
    """`(x (B, H, A), t (B,), condition (B, N, D)) → (B, H, out_features)`, convolving over time.

    The time embedding and the flattened condition drive every block through a scale and a bias
    (FiLM, scale first, no +1). Each width after the first halves the time axis, so the horizon
    must be a multiple of 2^(len(widths) - 1); nothing more is needed.
    """

    def __init__(
        self,
        *,
        horizon: int,
        action_size: int,
        condition_shape: tuple[int, int],
        widths: Sequence[int] = (256, 512, 1024),
        kernel: int = 5,
        groups: int = 8,
        step_width: int = 256,
        out_features: int | None = None,
    ) -> None:
        super().__init__()
        _check(horizon, widths, kernel, groups, step_width)
        self.time = TimeEmbedding(step_width)
        drive = step_width + condition_shape[0] * condition_shape[1]

        def block(inside: int, outside: int) -> _ResidualBlock:
            return _ResidualBlock(inside, outside, drive, kernel, groups)

        pairs = list(zip([action_size, *widths[:-1]], widths, strict=True))
        last = len(pairs) - 1
        self.down = nn.ModuleList(
            nn.ModuleList([block(a, b), block(b, b), _halve(b) if i < last else nn.Identity()])
            for i, (a, b) in enumerate(pairs)
        )
        self.middle = nn.ModuleList([block(widths[-1], widths[-1]) for _ in range(2)])
        self.up = nn.ModuleList(
            nn.ModuleList([block(2 * b, a), block(a, a), nn.ConvTranspose1d(a, a, 4, 2, 1)])
            for a, b in reversed(pairs[1:])
        )
        self.leave = nn.Sequential(
            _ConvBlock(widths[0], widths[0], kernel, groups),
            nn.Conv1d(widths[0], out_features or action_size, 1),
        )

    def forward(self, x: Chunk, t: Time, condition: Condition) -> Answer:
        return self.denoise(x, *self.prepare(t, condition))

    def prepare(
        self, t: Times, condition: Condition
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """What the time adds to the scale and bias of each block, and what the condition does."""
        time, seen = F.mish(self.time(t)), F.mish(condition.flatten(1))
        split = time.shape[-1]
        films: list[Any] = [m.film[1] for m in self.modules() if isinstance(m, _ResidualBlock)]
        timed = tuple(F.linear(time, film.weight[:, :split]) for film in films)
        return timed, tuple(F.linear(seen, f.weight[:, split:], f.bias) for f in films)

    def denoise(self, x: Chunk, timed: tuple[Tensor, ...], fixed: tuple[Tensor, ...]) -> Answer:
        """The answer to `x`, of what `prepare` gave."""
        drives = (time + seen for time, seen in zip(timed, fixed, strict=True))
        h = x.transpose(1, 2)
        skips: list[Tensor] = []
        for level in self.down:
            first, second, shrink = level.children()
            h = second(first(h, next(drives)), next(drives))
            skips.append(h)
            h = shrink(h)
        for block in self.middle:
            h = block(h, next(drives))
        for level in self.up:
            first, second, grow = level.children()
            h = torch.cat([h, skips.pop()], dim=1)
            h = grow(second(first(h, next(drives)), next(drives)))
        return self.leave(h).transpose(1, 2)


class _ConvBlock(nn.Sequential):
    """Convolution over time, group norm, Mish."""

    def __init__(self, inside: int, outside: int, kernel: int, groups: int) -> None:
        super().__init__(
            nn.Conv1d(inside, outside, kernel, padding=kernel // 2),
            nn.GroupNorm(groups, outside),
            nn.Mish(),
        )


class _ResidualBlock(nn.Module):
    def __init__(self, inside: int, outside: int, drive: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.first = _ConvBlock(inside, outside, kernel, groups)
        self.second = _ConvBlock(outside, outside, kernel, groups)
        # Its linear layer is a sum over the time and the condition: `prepare` asks for each.
        self.film = nn.Sequential(nn.Mish(), nn.Linear(drive, 2 * outside))
        self.skip = nn.Conv1d(inside, outside, 1) if inside != outside else nn.Identity()

    def forward(self, h: Tensor, drive: Tensor) -> Tensor:
        scale, bias = drive.unsqueeze(-1).chunk(2, dim=1)
        return self.second(scale * self.first(h) + bias) + self.skip(h)


def _halve(width: int) -> nn.Module:
    return nn.Conv1d(width, width, 3, stride=2, padding=1)


def _check(horizon: int, widths: Sequence[int], kernel: int, groups: int, step_width: int) -> None:
    if not widths or min(widths) < 1 or groups < 1 or step_width < 4:
        raise ConfigurationError(
            f"A U-Net needs positive widths and groups and a step width of at least 4, not "
            f"{tuple(widths)}, {groups} and {step_width}."
        )
    multiple = 2 ** (len(widths) - 1)
    if horizon % multiple:
        low = horizon // multiple * multiple
        near = f"{low} or {low + multiple}" if low else f"{multiple}"
        raise ConfigurationError(
            f"A U-Net of {len(widths)} widths halves time {len(widths) - 1} times, so its horizon "
            f"is a multiple of {multiple}; {horizon} is not. Use {near}, or fewer widths."
        )
    if kernel % 2 == 0:
        raise ConfigurationError(f"kernel is {kernel}; it must be odd to keep the length.")
    uneven = [width for width in widths if width % groups]
    if uneven:
        raise ConfigurationError(
            f"Width {uneven[0]} cannot be split into {groups} groups; use a multiple of {groups}."
        )
