"""The sampler: S network calls that turn noise into actions, and the loss that teaches them.

It is pure: no state, no random numbers drawn inside, no host synchronisation. The numbers of each
step are computed once, when it is built, and enter the graph as constants.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from steadyhand.diffusion.loss import (
    answered,
    ask,
    asked_in_parts,
    masks,
    mean_of_rows,
    refuse_previous,
    sent,
)
from steadyhand.diffusion.prefix import Prefix, flagged
from steadyhand.diffusion.process import (
    Array,
    Process,
    first_scale,
    require_process,
    warn_if_errors_grow,
    warn_if_signal_remains,
)
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.diffusion.shapes import Chunk, Condition, Loss, Mask, Noises, Rest, Rows
from steadyhand.diffusion.solvers import Solver, ddim, step_numbers
from steadyhand.diffusion.spacing import SPACINGS, Spacing, trailing
from steadyhand.errors import ConfigurationError
from steadyhand.values import named

Objective = Callable[..., Tensor]
"""`(sampler, x0, eps, uniform, condition, weight, mask) → loss`: what a sampler is taught by."""
Predict = Callable[[int, Tensor, "Context"], tuple[Tensor, Tensor | None]]
"""`(step, x, context) → (x0, eps)`: what is taken for the clean chunk and the noise in `x`."""
Given = tuple[Tensor, Tensor]
"""`(rows (B, H, A), clean (B, H))`: rows of a chunk, and which of them are given."""


class Context(NamedTuple):
    """What the steps of one chunk share; without `timed` the network prepares nothing."""

    condition: Tensor
    mask: Tensor | None
    timed: tuple[Tensor, ...] | None = None
    fixed: Any = None
    clean: Tensor | None = None
    """(B, H): which rows are given, if any."""


@named
class Sampler(nn.Module):
    """Noise (B, H, A) and a condition (B, N, D) in, clean normalised actions (B, H, A) out.

    `clip` bounds x0 in every step: the size of the largest action, 1 where they are normalised to
    ±1; None leaves it free. `temperature` scales the noise that sampling starts from: below 1 the
    chunks are nearer to the likeliest ones and less diverse. `objective` replaces the denoising
    loss. With `prefix` rows may be given: the denoiser sees a number more a row, and tokens more.
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
        prefix: Prefix | None = None,
    ) -> None:
        super().__init__()
        require_process(process)
        if not callable(solver):
            raise ConfigurationError(
                f"A solver is a function, not {solver!r}; SamplerConfig(solver=…) takes names, "
                "steadyhand.diffusion.solvers.SOLVERS has the functions."
            )
        self.denoiser = denoiser
        self._in_parts = asked_in_parts(denoiser)
        self.process = process
        self.clip = clip
        self.temperature = temperature
        self.objective = objective
        self.prefix = prefix
        times = spacing(process, steps)
        table, inversion = step_numbers(process, solver, times)
        self._rows: Sequence[Sequence[float]] = table.tolist()
        self._inversion: Sequence[Sequence[float]] = inversion.tolist()
        self.levels: Sequence[tuple[float, float]] = list(
            zip(*map(np.ndarray.tolist, process.path(times)), strict=True)
        )
        """(alpha, sigma) before each step."""
        self._embedded: Sequence[float] = process.embedded(times).tolist()
        self._scale = first_scale(process, times, temperature)
        warn_if_signal_remains(process, float(times[0]))
        if clip is None:
            warn_if_errors_grow(abs(self._inversion[0][1]))

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
        noise: Chunk,
        condition: Condition,
        step_noise: Noises = None,
        previous: Rest = None,
        mask: Mask = None,
    ) -> Chunk:
        """Sample. `step_noise` is (B, S, H, A), needed by stochastic solvers only.

        `previous` belongs to methods that continue the last chunk; this one refuses it.
        """
        refuse_previous(previous)
        return self.path(noise, condition, step_noise, mask)[-1]

    def path(
        self,
        noise: Chunk,
        condition: Condition,
        step_noise: Noises = None,
        mask: Mask = None,
        *,
        first: int = 0,
        predict: Predict | None = None,
        given: Given | None = None,
    ) -> list[Chunk]:
        """Every chunk on the way: before each step, and after the last one.

        From `first` on, 0…S - 1, where `noise` is then a chunk as `noised` makes it. `predict` is
        asked in place of the sampler's own, which it may ask; what is `given` the network is told.
        """
        if not 0 <= first < self.steps:
            raise ConfigurationError(f"first is {first}; the steps are 0…{self.steps - 1}.")
        if self.stochastic and step_noise is None:
            raise ConfigurationError(
                f"This solver adds noise in each step: pass step_noise, "
                f"{self.steps} draws of the shape of a chunk, (B, {self.steps}, H, A)."
            )
        context = self.prepare(condition, mask, given)
        passed = [noise if first else self._begun(noise)]
        x0_previous: Tensor | None = None
        for step in range(first, self.steps):
            x0, eps = (predict or self.predict)(step, passed[-1], context)
            adds = self._rows[step][4] != 0
            z = step_noise[:, step] if step_noise is not None and adds else None
            passed.append(self.advance(step, passed[-1], x0, eps, x0_previous, z))
            x0_previous = x0
        return passed

    def prepare(
        self, condition: Tensor, mask: Tensor | None = None, given: Given | None = None
    ) -> Context:
        """What all steps of a chunk share: once, whatever of the network knows no chunk."""
        denoiser: Any = self.denoiser
        rows, clean = given or (None, None)
        if self.prefix is not None:
            condition, mask = self.prefix(condition, mask, rows, clean)
        if not (self._in_parts and hasattr(denoiser, "prepare")):  # it may have been replaced
            return Context(condition, mask, clean=clean)
        kind = torch.promote_types(condition.dtype, torch.float32)
        times = [condition.new_full((1,), t, dtype=kind) for t in self._embedded]
        asked = (torch.stack(times), condition, *masks(denoiser, mask))
        timed, fixed = denoiser.prepare(*asked)
        return Context(condition, mask, timed, fixed, clean)

    def predict(self, step: int, x: Tensor, context: Context) -> tuple[Tensor, Tensor | None]:
        """(x0, eps) as the network sees them in `x` at that step; eps where the solver needs it."""
        x0, eps = self.denoised(step, x, context)
        return self.bounded(x0), eps

    def denoised(self, step: int, x: Tensor, context: Context) -> tuple[Tensor, Tensor | None]:
        """The same before x0 is bounded."""
        denoiser: Any = self.denoiser
        seen = x if self.prefix is None else flagged(x, context.clean)
        if context.timed is None:
            t = x.new_full((x.shape[0],), self._embedded[step])
            out = ask(denoiser, seen, t, context.condition, context.mask, features=x.shape[2])
        else:
            timed = tuple(part[step] for part in context.timed)
            out = answered(denoiser.denoise(seen, timed, context.fixed), x)
        x0_x, x0_out, eps_x, eps_out = self._inversion[step]
        x0 = _sum((x0_x, x), (x0_out, out))
        return x0, _sum((eps_x, x), (eps_out, out)) if self._rows[step][3] else None

    def bounded(self, x0: Tensor) -> Tensor:
        """Within what actions may be."""
        return x0 if self.clip is None else x0.clamp(-self.clip, self.clip)

    def advance(
        self,
        step: int,
        x: Tensor,
        x0: Tensor,
        eps: Tensor | None,
        x0_previous: Tensor | None = None,
        z: Tensor | None = None,
    ) -> Tensor:
        """The chunk after that step, by the solver's row; `z` is its fresh noise."""
        a, b, c, d, e = self._rows[step]
        # Begun in the middle, a step has no x0 before it: it is then of first order.
        before = x0 if x0_previous is None else x0_previous
        return _sum((a, x), (b, x0), (c, before), (d, eps), (e, z))

    def noised(self, x0: Tensor, noise: Tensor, step: int) -> Tensor:
        """`x0` as noisy as chunks are before that step: where `path` may begin."""
        alpha, sigma = self.levels[step]
        return alpha * x0 + sigma * noise

    def _begun(self, noise: Tensor) -> Tensor:
        if self._scale == 1:
            return noise
        return self._scale * noise if self._scale else torch.zeros_like(noise)

    def loss(
        self,
        x0: Chunk,
        eps: Chunk,
        uniform: Array,
        condition: Condition,
        weight: Rows = None,
        mask: Mask = None,
    ) -> Loss:
        """The denoising loss, one line for every process: `w(t)·‖out - (p·x0 + q·eps)‖²`, averaged.

        `x0` and `eps` are (B, H, A); `uniform` (B,) are numbers in [0, 1) on the host, of which
        the process makes times. `weight` (B, H) is 0 for rows that are padding; the mean is over
        what is left; rows of a `prefix` are given clean and do not count.
        """
        if self.objective is not None:
            return self.objective(self, x0, eps, uniform, condition, weight, mask)
        process, rows = self.process, (-1, 1, 1)
        time = process.draw(uniform)
        numbers = (*process.path(time), *process.target(time), process.embedded(time))
        table = np.stack([*numbers, process.weight(time)]).astype(np.float32)
        alpha, sigma, p, q, t, w = sent(table, x0.device)
        x = alpha.view(rows) * x0 + sigma.view(rows) * eps
        target = p.view(rows) * x0 + q.view(rows) * eps
        if self.prefix is not None:
            clean = sent(self.prefix.drawn(uniform, x0.shape[1]), x0.device)
            x = flagged(torch.where(clean[:, :, None], x0, x), clean)
            condition, mask = self.prefix(condition, mask, x0, clean)
            weight = (~clean).to(x0.dtype) * (1 if weight is None else weight)
        out = ask(self.denoiser, x, t, condition, mask, features=x0.shape[2])
        error = (out.float() - target).square().mean(-1)
        return mean_of_rows(w[:, None] * error, weight)


def configured(
    denoiser: nn.Module,
    process: Process,
    sampling: SamplerConfig,
    clip: float | None,
    objective: Objective | None = None,
    prefix: Prefix | None = None,
) -> Sampler:
    """The sampler that drives `denoiser` down `process` as `sampling`, all settled, says."""
    assert sampling.steps is not None
    return Sampler(
        denoiser,
        process,
        sampling.solve,
        sampling.steps,
        spacing=SPACINGS[sampling.spacing],
        clip=clip,
        temperature=sampling.temperature,
        objective=objective,
        prefix=prefix,
    )


def _sum(*terms: tuple[float, Tensor | None]) -> Tensor:
    """The weighted sum of the terms whose weight is not 0."""
    total: Tensor | None = None
    for weight, value in terms:
        if weight and value is not None:
            part = value if weight == 1 else weight * value
            total = part if total is None else total + part
    assert total is not None, "a solver's row cannot be all zeros"
    return total
