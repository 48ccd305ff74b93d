"""Training as a generator of typed step results: the caller decides when to look and when to stop.

Every random number is a function of (seed, step); a resumed run ends with the same weights as one
that was never interrupted.
"""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import IO

import torch
from torch import Tensor

from steadyhand.data import Episodes, policy_statistics
from steadyhand.errors import ConfigurationError, UsageError
from steadyhand.nets.backbone import Backbone
from steadyhand.policy.device import choose_device, choose_precision
from steadyhand.policy.policy import Policy
from steadyhand.training.checkpoint import Run
from steadyhand.training.config import TrainConfig
from steadyhand.training.features import specification
from steadyhand.training.loader import shares
from steadyhand.training.trainer import Trainer


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


def build_policy(config: TrainConfig, episodes: Episodes) -> Policy:
    """An untrained policy for these episodes; its weights are a function of `config.seed`.

    Raises `ConfigurationError` for features that were not recorded or parts that do not fit.
    """
    _check_kinds(config, episodes)
    training, _ = shares(config, episodes)
    spec = specification(config, training)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        parts = replace(config.policy, encoder=config.policy.encoder.settled())
        policy = parts.build(spec, policy_statistics(training, spec))
    for module in policy.encoder.modules():
        if isinstance(module, Backbone) and config.teacher is None:
            module.load_pretrained(parts.encoder.network.source)  # type: ignore[union-attr]
    return policy


def plan(policy: Policy, episodes: Episodes, config: TrainConfig) -> TrainConfig:
    """The config with device and precision settled and, for `minutes`, a number of steps fixed.

    Measures the speed on a copy for a few seconds; `policy` is left as it was. What comes out is
    settled: planning it again changes nothing.
    """
    device = choose_device(config.device)
    config = replace(
        config, device=str(device), precision=choose_precision(config.precision, device)
    )
    if config.minutes is None:
        return config
    trainer = Trainer(policy, episodes, replace(config, steps=1000))
    trainer.step(0)
    done, begun = 0, time.perf_counter()
    while done < 10 or time.perf_counter() - begun < min(5.0, 3 * config.minutes):
        done += 1
        float(trainer.step(done))
    pace = (time.perf_counter() - begun) / done
    # A twentieth is kept for the validation loss and the checkpoints.
    return replace(config, steps=max(1, int(0.95 * 60 * config.minutes / pace)), minutes=None)


def train(
    policy: Policy,
    episodes: Episodes,
    config: TrainConfig,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    score: Callable[[Policy], float] | None = None,
) -> Generator[StepResult]:
    """Train `policy` on the training share of `episodes`, yielding after every step.

    Nothing is trained until the generator is iterated over.

    With `out`, checkpoints go there, also when the generator is closed early; `resume` continues
    from the newest. The best checkpoint has the lowest validation loss, or the highest
    `score(policy)` where that is given. Whenever the generator ends, `policy` holds the averaged
    weights. Torch's global generator is seeded anew in every step, for dropout.

    Raises `UsageError` where `out` is in use, also by another process, `CheckpointError` where the
    data is not what a run to resume was trained on, and, while training, `ConfigurationError` where
    the loss is no longer finite.
    """
    _check_kinds(config, episodes)
    if resume and out is None:
        raise UsageError("resume=True continues a run on disk; name it with out=.")
    if config.data is None and episodes.path is not None:
        config = replace(config, data=episodes.path.resolve())
    run = None if out is None else Run(out)
    if run is not None and resume and run.exists:
        config = _as_begun(config, run)
    config = plan(policy, episodes, config)
    trainer = Trainer(policy, episodes, config)
    lock = None
    if run is not None and resume and run.exists:
        lock = run.lock()
        trainer.restore(run)
    elif run is not None:
        run.create(config)
        lock = run.lock()
    return _steps(policy, trainer, run, score, lock)


def _as_begun(config: TrainConfig, run: Run) -> TrainConfig:
    """The config with the steps that `run` settled on; `UsageError` where anything else differs."""
    begun = run.read_config()
    if config.minutes is not None:
        config = replace(config, steps=begun.steps, minutes=None)
    # Where the data is and what computes may change.
    free = {"data", "teacher", "device", "precision"}
    changed = [
        field.name
        for field in fields(config)
        if field.name not in free and getattr(config, field.name) != getattr(begun, field.name)
    ]
    if changed:
        raise UsageError(
            f"{run.path} was begun with another {', '.join(changed)}, and a resumed run keeps its "
            "own. Pass the config it was begun with, or start a new run with another out."
        )
    return config


def _check_kinds(config: TrainConfig, episodes: Episodes) -> None:
    if not isinstance(config, TrainConfig) or not isinstance(episodes, Episodes):
        raise ConfigurationError(
            "The order is build_policy(config, episodes) and train(policy, episodes, config); here "
            f"episodes is a {type(episodes).__name__} and config a {type(config).__name__}."
        )


def _steps(
    policy: Policy,
    trainer: Trainer,
    run: Run | None,
    score: Callable[[Policy], float] | None,
    lock: IO[str] | None,
) -> Generator[StepResult]:
    config = trainer.config
    step = saved = trainer.done
    try:
        for step in range(trainer.done + 1, config.steps + 1):
            loss = trainer.step(step - 1)
            validation = checkpoint = None
            if step % config.checkpoint_every == 0 or step == config.steps:
                if not bool(torch.isfinite(loss)):
                    raise ConfigurationError(
                        f"The loss is {float(loss)} at step {step}. Start again with another --out "
                        f"and a lower --learning-rate (now {config.learning_rate:g}), or with "
                        "--precision float32."
                    )
                validation = trainer.validation_loss()
                checkpoint = trainer.save(run, step, validation, score)
                saved = step
            rate = config.learning_rate_at(step - 1)
            waited = trainer.data.waited
            yield StepResult(step, config.steps, rate, loss, validation, checkpoint, waited)
    except GeneratorExit:
        # A run that has diverged keeps its last good checkpoint.
        if step > saved and trainer.finite:
            trainer.save(run, step, None, None)
        raise
    finally:
        policy.load_state_dict(trainer.average.module.state_dict())
        policy.to(trainer.device).eval()
        if lock is not None:
            lock.close()
