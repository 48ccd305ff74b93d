"""What a run is: one frozen value, made by a recipe, a flag a field, stored with the run.

No torch here, so that help costs nothing.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from steadyhand.actions import parse_parts
from steadyhand.data.selection import parse_selection
from steadyhand.policy.config import PolicyConfig
from steadyhand.sizes import SMALLEST_IMAGE, Count, Natural, Share, fitted
from steadyhand.spec import Chunking
from steadyhand.values import POSITIVE, at_least, at_most, checked


@checked
@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides how training goes.

    The same config and data give the same weights on the same device, in the same precision and on
    the same number of threads; a run stores what it settled on.
    """

    task: str | None = None
    """Task the policy is evaluated in; None where there is no simulator."""
    data: Path | None = None
    """Demonstrations: any file or folder that `steadyhand inspect` reads, or hf://user/name."""
    demonstrations: Count = 200
    """Episodes that the task's own expert records where no data is named."""
    prepare: tuple[str, ...] = ()
    """What the task does to the demonstrations first, in this order."""
    skip_broken_episodes: bool = False
    """Whether to leave out episodes that cannot be read, instead of stopping."""
    select: str = ""
    """Which of the episodes: 0:50, 1,4,7, success, mask=train, task="TEXT", length>=20; several are
    joined with +, and each narrows. All of them unless said."""
    observations: tuple[str, ...] = ("state",)
    """Recorded features the policy sees; columns of one are picked as 'state[:2]', all that begin
    alike as 'observation.*'. last_action is what the robot was told at the tick before."""
    image_size: tuple[int, ...] = ()
    """Images are resized: one number is the shorter side, two are height and width."""
    action: str = "action"
    """Recorded feature the policy predicts."""
    action_relative_to: str | None = None
    """Observation whose latest value chunks are predicted relative to; None for absolute."""
    action_parts: tuple[str, ...] = ()
    """What columns of the action mean, as 0:3=relative 3:7=quaternion_xyzw,relative 7=gripper:
    absolute, relative or delta; a rotation's kind; a gripper and its two values."""
    chunking: Chunking = field(default_factory=Chunking)
    policy: Annotated[PolicyConfig, tyro.conf.arg(name="")] = field(default_factory=PolicyConfig)
    teacher: Path | None = None
    """Run whose policy is distilled; for the process Consistency only."""
    validation_share: Share = 0.05
    """Share of the episodes held out for the validation loss."""
    seed: Natural = 0
    """Decides the split, the initial weights, the order of batches and the noise."""
    steps: Count = 20_000
    """Optimiser steps."""
    minutes: Annotated[float | None, POSITIVE] = None
    """Train for about so long instead: the speed is measured, a number of steps fixed."""
    batch_size: Count = 256
    """Windows in one step."""
    noises: Count = 1
    """Noises of each window in one step; what it shows is encoded once for all of them."""
    learning_rate: Annotated[float, POSITIVE] = 5e-4
    """Peak of the cosine schedule."""
    warmup_steps: Natural = 500
    """Steps of linear warm-up; at most a tenth of all steps."""
    weight_decay: Annotated[float, at_least(0)] = 1e-6
    """On matrices; none on biases and norms."""
    betas: tuple[Share, Share] = (0.95, 0.999)
    """AdamW's decay of the first and second moment."""
    clip_norm: Annotated[float, POSITIVE] = 1.0
    """Bound on the norm of the gradient."""
    ema_decay: Share = 0.9999
    """Highest decay of the average of the weights that is kept and evaluated."""
    ema_power: Annotated[float, at_least(0)] = 0.75
    """The decay at step n is 1 - (1 + n)^-power, as far as `ema_decay`."""
    mask_padding: bool = True
    """Whether actions after the end of an episode are left out of the loss."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of training; auto takes bfloat16 where the processor has it."""
    compile: bool = False
    """Whether torch.compile makes the networks faster first, which takes a minute or more."""
    checkpoint_every: Count = 1000
    """Steps between checkpoints; each also measures the validation loss."""
    device: str = "auto"
    """cpu, cuda, mps, or auto: the fastest there is."""
    threads: Annotated[Count | None, at_most(1024)] = None
    """Of the CPU. Unless named, all where that is measured to be much faster, else one."""

    def __post_init__(self) -> None:
        parse_parts(self.action_parts)  # refuses what has no meaning
        parse_selection(self.select)
        fitted((SMALLEST_IMAGE, SMALLEST_IMAGE), self.image_size)  # refuses what is no size

    def learning_rate_at(self, step: int) -> float:
        """Linear warm-up, then a cosine down to 0 at the last step; `step` counts from 0."""
        warmup = min(self.warmup_steps, self.steps // 10)
        if step < warmup:
            return self.learning_rate * (step + 1) / (warmup + 1)
        progress = (step - warmup) / max(self.steps - warmup, 1)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))

    def ema_decay_at(self, step: int) -> float:
        """The decay of the average after `step` steps: a function of the step alone."""
        return min(self.ema_decay, 1 - (1 + step) ** -self.ema_power)
