"""The sampler: S network calls that turn noise into actions, and the loss that teaches them.

It is pure: no state, no random numbers drawn inside, no host synchronisation. The numbers of each
step are computed once, when it is built, and enter the graph as constants.
"""

import math
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from steadyhand.diffusion.loss import ask, mean_of_rows
from steadyhand.diffusion.process import Array, Process, invert, warn_if_signal_remains
from steadyhand.diffusion.solvers import Solver, ddim
from steadyhand.diffusion.spacing import Spacing, trailing
from steadyhand.errors import ConfigurationError
from steadyhand.values import named

LARGEST_GAIN = 100.0
"""Errors that become larger by more than this have to be bounded."""
Objective = Callable[..., Tensor]
"""`(sampler, x0, eps, uniform, condition, weight, mask) → loss`: what a sampler is taught by."""


@named
class Sampler(nn.Module):
    """Noise (B, H, A) and a condition (B, N, D) in, clean normalised actions (B, H, A) out.

    `clip` bounds x0 in every step: the size of the largest action, 1 where they are normalised to
    ±1; None leaves it free.
    `temperature` scales the noise that sampling starts from: below 1 the chunks are nearer to the
    likeliest ones and less diverse. `objective` replaces the denoising loss.
    Raises `ConfigurationError` for more steps than the process was trained on, and for a
    prediction that says nothing about the actions where sampling starts.
    """

    def __init__(
        self,
        denoiser: nn.Module,
        process: Process,
        solver: Solver = ddim,
        steps: int = 10,
        *,
        spacing: Spacing = trailing,
        clip: float | None = None,
        temperature: float = 1.0,
        objective: Objective | None = None,
    ) -> None:
        super().__init__()
        members = ("train_steps", "start", "end", "path", "target", "embedded", "draw", "weight")
        lacking = [name for name in members if not hasattr(process, name)]
        if lacking:
            raise ConfigurationError(
                f"{type(process).__name__} is no process: it has no {', '.join(lacking)}. "
                "`steadyhand.diffusion.process.Process` says what each of them is."
            )
        if not callable(solver):
            raise ConfigurationError(
                f"A solver is a function, not {solver!r}; SamplerConfig(solver=…) takes names, "
                "steadyhand.diffusion.solvers.SOLVERS has the functions."
            )
        self.denoiser = denoiser
        self.process = process
        self.clip = clip
        self.temperature = temperature
        self.objective = objective
        times = spacing(process, steps)
        self._inversion: Sequence[Sequence[float]] = invert(process, times).tolist()
        self._embedded: Sequence[float] = process.embedded(times).tolist()
        warn_if_signal_remains(process, float(times[0]))
        gain = abs(self._inversion[0][1])
        if clip is None and gain > LARGEST_GAIN:
            warnings.warn(
                f"Where sampling begins, an error of the network is {gain:.0f} times as large in "
                "the actions. Bound them with clip=, the size of the largest, or use prediction "
                "'sample' or 'v'.",
                stacklevel=2,
            )
        self._starts_at_zeros = float(process.path(times[:1])[1][0]) == 0.0
        if self._starts_at_zeros and temperature != 1:
            raise ConfigurationError(
                f"temperature is {temperature:g}, and {type(process).__name__} starts from zeros: "
                "there is no noise to scale. Leave it at 1."
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            table = np.asarray(solver(process, times))
        if table.shape != (len(times), 5):
            raise ConfigurationError(
                f"The solver's table has shape {table.shape}; {len(times)} steps need "
                f"({len(times)}, 5): x' = a·x + b·x0 + c·x0_previous + d·eps + e·z."
            )
        self._rows: Sequence[Sequence[float]] = table.tolist()
        for row, (*_, eps_x, _) in zip(self._rows, self._inversion, strict=True):
            if not math.isfinite(sum(row)) or (row[3] and not math.isfinite(eps_x)):
                raise ConfigurationError(
                    f"This solver has no finite step on {process}: 'noiseless' is for "
                    "processes that begin at zeros, 'ddim' for the others and Regression()."
                )

    @property
    def steps(self) -> int:
        """Network calls for one chunk."""
        return len(self._rows)

    @property
    def stochastic(self) -> bool:
        """Whether `step_noise` is needed."""
        return any(row[4] for row in self._rows)

    def forward(
        self,
        noise: Float[Tensor, "batch horizon action"],
        condition: Float[Tensor, "batch tokens features"],
        step_noise: Float[Tensor, "batch steps horizon action"] | None = None,
        previous: Float[Tensor, "batch rest action"] | None = None,
        mask: Bool[Tensor, "batch tokens"] | None = None,
    ) -> Float[Tensor, "batch horizon action"]:
        """Sample. `step_noise` is (B, S, H, A), needed by stochastic solvers only.

        `previous` belongs to methods that continue the last chunk; this one refuses it.
        """
        if previous is not None:
            raise ConfigurationError("This sampler does not continue a previous chunk.")
        if self.stochastic and step_noise is None:
            raise ConfigurationError(
                f"This solver adds noise in each step: pass step_noise, "
                f"{self.steps} draws of the shape of a chunk, (B, {self.steps}, H, A)."
            )
        if self._starts_at_zeros:
            x = torch.zeros_like(noise)
        else:
            x = noise if self.temperature == 1 else self.temperature * noise
        x0_previous: Tensor | None = None
        for step, (a, b, c, d, e) in enumerate(self._rows):
            t = noise.new_full((noise.shape[0],), self._embedded[step])
            out = ask(self.denoiser, x, t, condition, mask)
            x0_x, x0_out, eps_x, eps_out = self._inversion[step]
            x0 = _sum((x0_x, x), (x0_out, out))
            eps = _sum((eps_x, x), (eps_out, out)) if d else None
            if self.clip is not None:
                x0 = x0.clamp(-self.clip, self.clip)
            z = step_noise[:, step] if e and step_noise is not None else None
            x = _sum((a, x), (b, x0), (c, x0_previous), (d, eps), (e, z))
            x0_previous = x0
        return x

    def loss(
        self,
        x0: Float[Tensor, "batch horizon action"],
        eps: Float[Tensor, "batch horizon action"],
        uniform: Array,
        condition: Float[Tensor, "batch tokens features"],
        weight: Float[Tensor, "batch horizon"] | None = None,
        mask: Bool[Tensor, "batch tokens"] | None = None,
    ) -> Float[Tensor, ""]:
        """The denoising loss, one line for every process: `w(t)·‖out - (p·x0 + q·eps)‖²`, averaged.

        `x0` and `eps` are (B, H, A); `uniform` (B,) are numbers in [0, 1) on the host, of which
        the process makes times. `weight` (B, H) is 0 for rows that are padding; the mean is over
        what is left.
        """
        if self.objective is not None:
            return self.objective(self, x0, eps, uniform, condition, weight, mask)
        time = self.process.draw(uniform)
        process = self.process
        numbers = (*process.path(time), *process.target(time), process.embedded(time))
        table = np.stack([*numbers, process.weight(time)]).astype(np.float32)
        alpha, sigma, p, q, t, w = torch.as_tensor(table).to(x0.device, non_blocking=True)
        rows = (-1, 1, 1)
        x = alpha.view(rows) * x0 + sigma.view(rows) * eps
        target = p.view(rows) * x0 + q.view(rows) * eps
        error = (ask(self.denoiser, x, t, condition, mask).float() - target).square().mean(-1)
        error = w.view(-1, 1) * error
        return mean_of_rows(error, weight)


def _sum(*terms: tuple[float, Tensor | None]) -> Tensor:
    """The weighted sum of the terms whose weight is not 0."""
    total: Tensor | None = None
    for weight, value in terms:
        if weight and value is not None:
            part = value if weight == 1 else weight * value
            total = part if total is None else total + part
    assert total is not None, "a solver's row cannot be all zeros"
    return total
