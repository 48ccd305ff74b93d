"""A policy that goes on from its last chunk as one graph, real-time chunking among the ways.

Guidance takes a gradient through the network in every step. It is written out, so that an engine
which knows of no gradients computes it.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from steadyhand.diffusion import guidance
from steadyhand.diffusion.sampler import Context
from steadyhand.diffusion.shapes import Overlap
from steadyhand.errors import ConfigurationError
from steadyhand.export.gradient import tensors, written_out
from steadyhand.export.graph import Flat, example_inputs, flat_program
from steadyhand.policy.continuing import continuing
from steadyhand.policy.policy import Policy
from steadyhand.runtime.continuation import Continuation, Guided

Program = torch.export.ExportedProgram
BATCHES = (1, 17)
"""Numbers of chunks that are tried: a convolution is computed otherwise from 16 on."""
SAME = 1e-3
"""Of the largest number: so far apart nothing is by rounding."""


def continuing_graph(policy: Policy, how: Continuation) -> tuple[Program, int | None]:
    """(program, batch): `policy` that goes on as `how`, called as `Flat` is, and for how many
    chunks at once; None for any number.

    Raises `ConfigurationError` where it cannot go on so, or its gradient cannot be written out.
    """
    flat = Flat(continuing(policy, how), continues=True)
    if not isinstance(how, Guided):
        return flat_program(flat), None
    try:
        if _agrees(program := _guided(policy, how, None), flat):
            return program, None
    except Exception:
        pass  # there is more than one reason, and one chunk may still do
    try:
        return _guided(policy, how, 1), 1
    except Exception as error:
        network = type(policy.sampler.denoiser).__name__
        raise ConfigurationError(
            f"Guidance takes a gradient through the network, and that of {network} cannot be "
            f"written out for an export: {_reason(error)}. Inpainted() and WarmStart() take none; "
            "nor does Prefixed(), for a policy trained with --chunking.prefix."
        ) from error


def _guided(policy: Policy, how: Guided, batch: int | None) -> Program:
    going = continuing(policy, how)
    flat = Flat(going, continues=True)
    flat.policy.sampler = _Written(going, batch)
    return flat_program(flat, batch=batch)


def _agrees(program: Program, flat: Flat) -> bool:
    """Whether any number of chunks can be asked of it: a network may look at how many there are."""
    for batch in BATCHES:
        given = flat.example(batch)
        with torch.no_grad():
            wanted, found = flat(*given), program.module()(*given)
        if not float((found - wanted).abs().max()) <= SAME * float(wanted.abs().max()):
            return False
    return True


class _Written(nn.Module):
    """`Guided` whose gradients are graphs, one a step; called like a sampler that continues."""

    def __init__(self, policy: Policy, batch: int | None) -> None:
        super().__init__()
        self.pull = _Pull(policy.sampler)
        given = _example(policy, self.pull, batch or 1)
        free = None
        if batch is None:  # a length that no other axis has, so that it is told from them
            free = 2 + max(tensor.shape[0] for tensor in given if tensor.ndim)
            given = _example(policy, self.pull, free)
        graphs = [written_out(self.pull, step, given, free) for step in range(self.steps)]
        self.graphs: Any = nn.ModuleList(graphs)

    @property
    def steps(self) -> int:
        """Steps of a chunk: draws of step noise, where there are any."""
        return self.pull.guided.steps

    @property
    def stochastic(self) -> bool:
        """Whether `step_noise` is needed."""
        return self.pull.guided.stochastic

    def loss(self, *given: Any) -> Tensor:
        """What the sampler itself learns by."""
        return self.pull.guided.loss(*given)

    def forward(
        self,
        noise: Tensor,
        condition: Tensor,
        step_noise: Tensor | None,
        previous: Overlap,
        mask: Tensor | None = None,
    ) -> Tensor:
        guided, held = self.pull.guided, tensors(self.pull).values()

        def predict(step: int, x: Tensor, context: Context) -> tuple[Tensor, Tensor | None]:
            given = (x, *previous, *_tensors(context))
            x0, pull, *eps = self.graphs[step](*held, *given)
            return guided.led(step, x0, eps[0] if eps else None, pull)

        return guided.sampler.path(noise, condition, step_noise, mask, predict=predict)[-1]


class _Pull(nn.Module):
    """What a guided sampler asks its network in one step, of tensors alone."""

    def __init__(self, guided: guidance.Guided) -> None:
        super().__init__()
        self.guided = guided
        self.context: Context | None = None
        """One like those it is called with: which of its parts are tensors."""

    def forward(
        self, step: int, x: Tensor, rows: Tensor, weights: Tensor, *given: Tensor
    ) -> list[Tensor]:
        parts, shape = pytree.tree_flatten(self.context)
        tensor = iter(given)
        parts = [next(tensor) if isinstance(part, Tensor) else part for part in parts]
        context: Context = pytree.tree_unflatten(parts, shape)
        x0, eps, pull = self.guided.pulled(step, x, context, Overlap(rows, weights))
        return [x0, pull] if eps is None else [x0, pull, eps]


def _example(policy: Policy, pull: _Pull, batch: int) -> list[Tensor]:
    """Inputs of `pull` for so many chunks, and the parts of their context."""
    seen, noise, *_ = example_inputs(policy, 1)
    flat = Flat(policy, continues=True)
    with torch.no_grad():
        encoded = flat.policy.condition(flat.policy.normalise(seen))
        condition, *mask = (part.expand(batch, *part.shape[1:]) for part in encoded)
        pull.context = pull.guided.sampler.prepare(condition, mask[0] if mask else None)
    shape = (batch, *noise.shape[1:])
    # Each a tensor of its own: what goes in twice would be taken for one input.
    chunks = noise.new_zeros(shape), noise.new_zeros(shape), noise.new_zeros(shape[:2])
    return [*chunks, *_tensors(pull.context)]


def _tensors(context: Context) -> list[Tensor]:
    return [part for part in pytree.tree_leaves(context) if isinstance(part, Tensor)]


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
