"""Temporal ensembling (Zhao et al. 2023): a chunk every tick, all predictions for now averaged."""

import numpy as np

from steadyhand.actions.blending import averaged
from steadyhand.actions.transform import ActionTransform
from steadyhand.runtime.controllers.asking import every_tick
from steadyhand.runtime.controllers.controller import Controller
from steadyhand.runtime.plan import Actions, Plan
from steadyhand.spec import PolicySpec
from steadyhand.values import named, taken

ALONE = 1000.0
"""A decay at which the oldest counts and no other, or, below 0, the newest."""


@named
class Ensemble(Controller):
    """Asks in every tick and gives the mean of all that was predicted for it.

    The i-th oldest prediction weighs exp(-`decay` · i), as in the paper: above 0 the oldest counts
    most, below it the newest. Chunks are used to their last row, whatever `execute` is. Rotations
    are averaged as rotations, where `spec.action_parts` says that there are any.
    """

    def __init__(
        self,
        spec: PolicySpec,
        *,
        execute: int | None = None,
        seed: int = 0,
        decay: float = 0.01,
    ) -> None:
        decay = min(max(taken("decay", decay, float), -ALONE), ALONE)
        join = Averaging(spec.transform, decay)
        plan = Plan(spec, execute=execute, seed=seed, join=join, overrun=True, every=True)
        super().__init__(spec, plan, every_tick)


class Averaging:
    """Joins chunks to the mean of all that still have rows."""

    def __init__(self, transform: ActionTransform, decay: float) -> None:
        self._transform, self._decay = transform, decay
        self._live: list[Actions] = []
        """Each from now on. The fewer rows one has left, the longer ago it was asked for."""

    def __call__(self, old: Actions, new: Actions) -> Actions:
        passed = max(map(len, self._live), default=0) - len(old)
        live = [*(rows[passed:] for rows in self._live), new]
        self._live = sorted((rows for rows in live if len(rows)), key=len)
        if not self._live:
            return new
        most = len(self._live[-1])
        every = np.zeros((len(self._live), most, new.shape[1]))
        there = np.zeros((len(self._live), most), np.bool_)
        for rows, place, known in zip(self._live, every, there, strict=True):
            place[: len(rows)], known[: len(rows)] = rows, True
            place[len(rows) :] = rows[-1:]  # weighs nothing
        number = np.cumsum(there, 0) - 1  # 0 is the oldest that has an action for that tick
        # Counted from the one that weighs most, so that no weight is infinite.
        after = number if self._decay > 0 else number - number[-1]
        weights = np.where(there, np.exp(-self._decay * np.where(there, after, 0)), 0)
        mean = averaged(self._transform, every, weights)
        return mean.astype(np.result_type(*self._live))
