"""A run as a session: a generator of typed events that a screen, a notebook or an engine consumes.

Nothing in it prints, and it needs no main thread. Closing it saves what is there. Every random
number is a function of (seed, step), so that a resumed run ends with the same weights as one that
was never interrupted, on the same device, in the same precision and on as many threads.
"""

import warnings
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType, UnionType
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from steadyhand.data import Episodes
from steadyhand.errors import ConfigurationError, UsageError
from steadyhand.policy.device import on_threads
from steadyhand.policy.policy import Policy, require_policy
from steadyhand.training.checkpoint import Run
from steadyhand.training.config import TrainConfig
from steadyhand.training.material import Material
from steadyhand.training.planning import plan
from steadyhand.training.resuming import as_begun, warn_of_change
from steadyhand.training.trackers import RunLog
from steadyhand.training.trainer import Trainer
from steadyhand.values import shown

Score = Callable[[Policy], float]


@dataclass(frozen=True)
class Plan:
    """What is going to be done; always the first event."""

    config: TrainConfig
    """Its device, precision, threads and number of steps settled."""
    start: int
    """Steps that were done before."""
    parameters: int
    material: Material


@dataclass(frozen=True)
class Validation:
    """The loss of the averaged weights on the held-out episodes."""

    step: int
    loss: float


@dataclass(frozen=True)
class Evaluation:
    """What `score` said of the averaged weights."""

    step: int
    score: float


@dataclass(frozen=True)
class Checkpoint:
    """The averaged weights and all that resuming needs are on the disk."""

    step: int
    folder: Path


@dataclass(frozen=True)
class Step:
    """What one optimiser step did; the last event of each."""

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

    def figures(self) -> dict[str, float]:
        """What is logged of it."""
        found = {"loss": self.loss, "learning_rate": self.learning_rate, "waited": self.waited}
        if self.validation_loss is not None:
            found["validation_loss"] = self.validation_loss
        return found


@dataclass(frozen=True)
class End:
    """All steps are done, now or before."""

    step: int


Event = Plan | Validation | Evaluation | Checkpoint | Step | End
E = TypeVar("E")


class Session(Generator[E, None, None]):
    """The events of a run, or those of one kind. It warns where it goes unused."""

    def __init__(self, events: Generator[Event], kind: type[E] | UnionType = Event) -> None:
        self._events, self._kind, self._used = events, kind, False

    def steps(self) -> "Session[Step]":
        """The same session, of which only the steps are told."""
        self._used = True
        return Session(self._events, Step)

    def send(self, value: None, /) -> E:
        self._used = True
        return self._next(self._events.send(value))

    def throw(self, typ: Any, val: Any = None, tb: TracebackType | None = None, /) -> E:
        self._used = True
        error = typ() if val is None and isinstance(typ, type) else typ if val is None else val
        return self._next(self._events.throw(error if tb is None else error.with_traceback(tb)))

    def _next(self, event: Event) -> E:
        while not isinstance(event, self._kind):
            event = self._events.send(None)
        return cast(E, event)

    def close(self) -> None:
        self._used = True
        self._events.close()

    def __del__(self) -> None:
        if not self._used:
            warnings.warn(
                "Nothing was trained: train(…) trains while it is iterated over. Write: "
                "for step in train(policy, episodes, config): …",
                stacklevel=2,
            )


def session(
    policy: Policy,
    episodes: Episodes | Material,
    config: TrainConfig,
    *,
    out: Path | None = None,
    resume: bool = False,
    score: Score | None = None,
    stacklevel: int = 1,
) -> Session[Event]:
    """The session that `train` describes; what can be refused is refused here, before any event."""
    require_policy("Training", policy)
    if resume and out is None:
        raise UsageError("resume=True continues a run on disk; name it with out=.")
    material = Material.of(config, episodes)
    if config.data is None and material.episodes.path is not None:
        config = replace(config, data=material.episodes.path.resolve())
    run = None if out is None else Run(out)
    if run is not None and resume and run.exists:
        config = as_begun(config, run)
    elif run is not None:
        run.require_free()
    config = plan(policy, material, config)
    trainer = Trainer(policy, material, config)
    with ExitStack() as held:
        if run is not None:
            held.enter_context(run.lock())
            if resume and run.exists:
                as_begun(config, run)  # it may have been made meanwhile
                trainer.restore(run)
                warn_of_change(config, run, stacklevel=stacklevel + 1)
            else:
                run.create(config)
        return Session(_events(policy, trainer, run, score, held.pop_all()))


def _events(
    policy: Policy, trainer: Trainer, run: Run | None, score: Score | None, held: ExitStack
) -> Generator[Event]:
    config, begun = trainer.config, trainer.done
    step = saved = begun
    with held:
        try:
            log = None
            if run is not None and begun < config.steps:
                log = RunLog(run, config.batch_size, begun)
                held.callback(log.close)
            parameters = sum(p.numel() for p in policy.parameters())
            yield Plan(config, begun, parameters, trainer.material)
            for step in range(begun + 1, config.steps + 1):
                with on_threads(config.threads):
                    loss = trainer.step(step - 1)
                    due = step % config.checkpoint_every == 0 or step == config.steps
                    figures: dict[str, float] = {}
                    if due:
                        figures = _figures(trainer, loss, step, score if run else None)
                    rate, waited = config.learning_rate_at(step - 1), trainer.windows.waited
                    validation = figures.get("validation_loss")
                    done = Step(step, config.steps, rate, loss, validation, waited=waited)
                    if log is not None:
                        log(step, done.figures, due=due)
                    if due and run is not None:
                        done = replace(done, checkpoint=trainer.save(run, step, figures))
                        saved = step
                if validation is not None:
                    yield Validation(step, validation)
                if "score" in figures:
                    yield Evaluation(step, figures["score"])
                if done.checkpoint is not None:
                    yield Checkpoint(step, done.checkpoint)
                yield done
            yield End(config.steps)
        except GeneratorExit:
            # A run that has diverged keeps its last good checkpoint.
            if run is not None and step > saved and trainer.finite:
                trainer.save(run, step, {})
            raise
        finally:
            policy.load_state_dict(trainer.average.module.state_dict())
            policy.to(trainer.device).eval()


def _figures(trainer: Trainer, loss: Tensor, step: int, score: Score | None) -> dict[str, float]:
    """What the averaged weights of this step are judged by.

    Raises `ConfigurationError` where the loss is no longer finite.
    """
    config = trainer.config
    if not bool(torch.isfinite(loss)):
        exact = ", or with --precision float32" if config.precision != "float32" else ""
        raise ConfigurationError(
            f"The loss is {float(loss)} at step {step}. Start again with another --out and a lower "
            f"--learning-rate (now {config.learning_rate:g}){exact}."
        )
    validation = trainer.validation_loss()
    figures = {} if validation is None else {"validation_loss": validation}
    if score is None:
        return figures
    given: Any = score(trainer.average.module)
    try:
        return {**figures, "score": float(given)}
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"score(policy) gave {shown(given)}; it returns a number, as "
            "evaluate(policy, task).success.mean."
        ) from None
