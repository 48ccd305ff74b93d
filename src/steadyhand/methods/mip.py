"""The minimal iterative policy: a process of two steps that begins at zeros instead of noise."""

from dataclasses import dataclass

import numpy as np

from steadyhand.diffusion.process import Array, prediction_target
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.sizes import Size
from steadyhand.values import checked


@checked
@dataclass(frozen=True, kw_only=True)
class MIP:
    """The minimal iterative policy (Pan et al. 2025, arXiv 2512.01809): regression, corrected once.

    A network learns both to answer from nothing and to clean an action that has a little noise on
    it; acting, its first answer is given to it again as such an action. No randomness is left, and
    with it none of the several ways to act; what is kept of diffusion is the second look.

    It follows the paper's loss, in which both calls count the same (the authors' code counts
    errors of the second 81 times), and the code's path: the noise is added to the whole action,
    `x_t = x0 + noise·eps`, and the first answer comes back as it is.
    """

    sampling = SamplerConfig(solver="noiseless", steps=2)
    train_steps = 2
    start = 1.0
    end = -1.0

    noise: Size = 0.1
    """Deviation of the noise that the second call learns to remove (1 - t* in the paper)."""
    correction_weight: Size = 1.0
    """What errors of the second call count, beside those of the first."""

    def path(self, t: Array) -> tuple[Array, Array]:
        alpha = (np.asarray(t) < 1).astype(np.float64)
        return alpha, np.where(np.asarray(t) == 0, self.noise, 0.0)

    def target(self, t: Array) -> tuple[Array, Array]:
        return prediction_target("sample", *self.path(t))

    def embedded(self, t: Array) -> Array:
        # As the times of flow: 100 is nothing known yet.
        return np.where(np.asarray(t) == 1, 100.0, 100 * self.noise)

    def draw(self, uniform: Array) -> Array:
        return np.floor(2 * np.asarray(uniform))

    def weight(self, t: Array) -> Array:
        return np.where(np.asarray(t) == 0, self.correction_weight, 1.0)
