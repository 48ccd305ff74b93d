"""What training yields: typed results of steps, from a generator that is missed if never used."""

import warnings
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class StepResult:
    """What one optimiser step did."""

    step: int
    """Steps done so far, this one included."""
    steps: int
    learning_rate: float
    loss_tensor: Tensor
    validation_loss: float | None = None
    """Of the averaged weights on the held-out episodes, where this step measured it."""
    checkpoint: Path | None = None
    """Where this step was saved, if it was."""
    waited: float = 0.0
    """Seconds so far in which training waited for pictures."""

    @property
    def loss(self) -> float:
        """The denoising loss of this batch; reading it waits for the device."""
        return float(self.loss_tensor)


class Session(Generator[StepResult, None, None]):
    """The generator that `train` returns. It warns where it goes without having trained a step."""

    def __init__(self, steps: Generator[StepResult]) -> None:
        self._steps, self._used = steps, False

    def send(self, value: None, /) -> StepResult:
        self._used = True
        return self._steps.send(value)

    def throw(self, typ: Any, val: Any = None, tb: TracebackType | None = None, /) -> StepResult:
        self._used = True
        error = typ() if val is None and isinstance(typ, type) else typ if val is None else val
        return self._steps.throw(error if tb is None else error.with_traceback(tb))

    def close(self) -> None:
        self._used = True
        self._steps.close()

    def __del__(self) -> None:
        if not self._used:
            warnings.warn(
                "Nothing was trained: train(…) trains while it is iterated over. Write: "
                "for step in train(policy, episodes, config): …",
                stacklevel=2,
            )
