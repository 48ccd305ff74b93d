"""The torch engine: a policy on its device, in the precision asked for, compiled where asked.

What is around it, noise, padding and batches, is the same for every engine and needs no torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from steadyhand.diffusion.loss import sent
from steadyhand.diffusion.shapes import Overlap
from steadyhand.errors import ConfigurationError, unknown
from steadyhand.nets.task_choices import TaskEncoding
from steadyhand.nets.text import MINILM
from steadyhand.nets.vlm_choices import VLMEncoderConfig
from steadyhand.policy.continuing import continuing
from steadyhand.policy.device import compiling
from steadyhand.policy.policy import Policy, require_policy
from steadyhand.runtime.continuation import Continuation, Continued, Guided, check_committed
from steadyhand.runtime.engine import EnginePredictor
from steadyhand.spec import PolicySpec
from steadyhand.task_table import Embed
from steadyhand.values import named, shown

Precision = Literal["float32", "bfloat16"]
EVALUATION_BATCH = 64
"""Every network answers each row of so many alike; of 50, the last rows have other last bits."""
PICTURE_BATCH = 8
"""Of so many, too. Pictures make every row heavy, also those that only fill up a batch: one request
takes 6 times as long in a batch of 64, and fifty take a sixth longer in batches of 8."""

SMALLER = (4, 8, 16, 32)
"""Sizes tried for fewer requests. On the processors it was tried on, 16 and 32 give the bits of 64
with every network, and take 0.4 and 0.6 of its time; 4 and 8 do with most."""


def evaluation_batch(spec: PolicySpec) -> int:
    """How many chunks of a policy are always computed together where it is evaluated."""
    return PICTURE_BATCH if spec.pictures or spec.points else EVALUATION_BATCH


MOST_WAYS = 8
"""Ways to continue a chunk that are kept at a time; more are asked for by nobody who means well."""


class TorchEngine:
    """A policy as an engine: arrays to the policy's device and back.

    Chunks that are guided are not compiled: their gradient is taken while they are sampled.
    """

    def __init__(self, policy: Policy, precision: Precision, *, compiled: bool) -> None:
        if precision not in get_args(Precision):
            raise ConfigurationError(unknown("precision", precision, get_args(Precision)))
        self.policy = policy.eval()
        self.spec, self.noise_rows = policy.spec, policy.noise_rows
        observed = self.spec.observations
        self.exact = {f.key for f in observed if policy.normaliser.far(f.name)}
        referred = [policy.exact(feature) for _, feature in self.spec.references]
        wide = any([policy.normaliser.far(self.spec.network_action.name), *referred])
        self._told = np.float64 if wide else np.float32
        self._device, self._compiled = policy.device, compiled
        self._half = precision == "bfloat16"
        self._answer: Any = torch.compile(self.policy) if compiled else self.policy
        self._ways: dict[Continuation, Any] = {}

    def __call__(
        self,
        observation: Mapping[str, NDArray[Any]],
        noise: NDArray[np.float32],
        step_noise: NDArray[np.float32] | None,
        continued: Continued | None = None,
    ) -> NDArray[np.floating]:
        answer, guided = self._answer, False
        if continued is not None:
            answer, guided = self._way(continued.how), isinstance(continued.how, Guided)
            check_committed(self.spec.chunking.prefix, continued.how, continued.weights)
        with torch.no_grad() if guided else torch.inference_mode():
            seen = {key: sent(values, self._device) for key, values in observation.items()}
            given: list[Any] = [
                None if part is None else sent(part, self._device) for part in (noise, step_noise)
            ]
            if continued is not None:
                rows = sent(continued.rows.astype(self._told), self._device)
                given.append(Overlap(rows, sent(continued.weights, self._device)))
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._half), compiling():
                return answer(seen, *given).cpu().numpy()

    def continues(self, how: Continuation) -> None:
        """Raise `ConfigurationError` where chunks cannot go on from the last one so."""
        self._way(how)

    def _way(self, how: Continuation) -> Any:
        if how not in self._ways:
            made = continuing(self.policy, how)
            if len(self._ways) == MOST_WAYS:
                self._ways.clear()
            eager = isinstance(how, Guided) or not self._compiled
            self._ways[how] = made if eager else torch.compile(made)
        return self._ways[how]


@named
class TorchPredictor(EnginePredictor):
    """Answers requests with a policy. The noise of a chunk depends on its request alone.

    `batch` is 1 on a robot, larger where many environments are stepped together; `smaller` are
    sizes for fewer of them, taken where they give the same bits in float32. `precision` is
    "float32", or "bfloat16" for the products of matrices where a device is faster with it;
    `compile` hands the policy to `torch.compile`, which takes its time at the first chunk. `embed`
    makes the vectors of tasks in words that the policy was not trained on (`embed_of`).
    """

    def __init__(
        self,
        policy: Policy,
        *,
        batch: int = 1,
        smaller: Sequence[int] = (),
        precision: Precision = "float32",
        compile: bool = False,
        embed: Embed | None = None,
    ) -> None:
        require_policy("A predictor", policy)
        self.policy = policy
        engine = TorchEngine(policy, precision, compiled=compile)
        alike = () if precision == "bfloat16" else smaller  # its rounding hides what differs
        super().__init__(engine, batch=batch, smaller=alike, embed=embed or embed_of(policy))


def embed_of(policy: Policy, source: str | None = None) -> Embed | None:
    """What makes the vector of a task that the policy was not trained on, where words tell it one.

    That is the text model that comes with the extra `text`, or `source`, which somebody named: a
    policy's own file may not name a place on the network. None where vectors were learned.

    What a sentence embedding tells is which of its tasks the policy knows best: new words become
    the vector of the nearest one, since from a few tasks a network learns those vectors and not
    what lies between them.
    """
    encoder = getattr(policy.config, "encoder", None)
    if isinstance(encoder, VLMEncoderConfig):
        named = source is not None
        return replace(encoder, source=source).task_vectors if named else _asked(encoder.source)
    known: TaskEncoding | None = getattr(encoder, "tasks", None)
    if policy.spec.tasks is None or known is None or known.source is None:
        return None
    used = source or known.source
    if source is None and known.source != MINILM:
        return _asked(known.source)
    table, encoding = policy.spec.tasks, TaskEncoding(source=used)
    return lambda texts: table.nearest(encoding.vectors(texts))


def _asked(source: str) -> Embed:
    """What asks for the model to be named by whoever runs the policy."""
    return partial(_unnamed, source)


def _unnamed(source: str, texts: Sequence[str]) -> NDArray[np.float32]:
    raise ConfigurationError(
        f"The policy was not trained on the task '{texts[0]}', and what its words mean is made by "
        f"the text model {shown(source)}. Name it yourself: --text-model {source} (in Python, "
        "TorchPredictor(policy, embed=embed_of(policy, source)))."
    )
