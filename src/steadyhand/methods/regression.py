"""Behaviour cloning: a process of one step that begins at zeros instead of noise."""

from dataclasses import dataclass

import numpy as np

from steadyhand.diffusion.process import Array
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.values import checked


@checked
@dataclass(frozen=True, kw_only=True)
class Regression:
    """Behaviour cloning as the degenerate one-step process: input zeros, target x0.

    The same networks, training and evaluation serve it; its sampler takes exactly one step.
    """

    sampling = SamplerConfig(solver="ddim", steps=1)
    train_steps = 1
    start = 0.0
    end = -1.0

    def path(self, t: Array) -> tuple[Array, Array]:
        clean = (np.asarray(t) < 0).astype(np.float64)
        return clean, np.zeros_like(clean)

    def target(self, t: Array) -> tuple[Array, Array]:
        return np.ones_like(t), np.zeros_like(t)

    def embedded(self, t: Array) -> Array:
        return np.zeros_like(t)

    def draw(self, uniform: Array) -> Array:
        return np.zeros_like(uniform)

    def weight(self, t: Array) -> Array:
        return np.ones_like(t)
