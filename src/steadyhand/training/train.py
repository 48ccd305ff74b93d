"""Training as a generator of typed step results: the caller decides when to look and when to stop.

Every random number is a function of (seed, step); a resumed run ends with the same weights as one
that was never interrupted, on the same device, in the same precision and on as many threads.
"""

import time
import warnings
from collections.abc import Callable, Generator
from contextlib import ExitStack, nullcontext
from dataclasses import fields, replace
from pathlib import Path

import torch
from torch import Tensor

from steadyhand.data import Episodes, policy_statistics
from steadyhand.errors import ConfigurationError, UsageError
from steadyhand.nets.architecture import offline
from steadyhand.nets.backbone import Backbone
from steadyhand.nets.encoder_choices import BackboneConfig
from steadyhand.policy.card import read_config
from steadyhand.policy.device import choose_device, choose_precision, fastest_threads, on_threads
from steadyhand.policy.policy import Policy, require_policy
from steadyhand.training.checkpoint import Run
from steadyhand.training.config import TrainConfig
from steadyhand.training.features import specification
from steadyhand.training.loader import shares
from steadyhand.training.room import check_batch, room_for_weights
from steadyhand.training.session import Session, StepResult
from steadyhand.training.trackers import RunLog
from steadyhand.training.trainer import Trainer
from steadyhand.values import checked

COMPUTES = ("device", "precision", "threads")
"""What the last bits of the weights depend on, beside the config and the data."""


@checked
def build_policy(config: TrainConfig, episodes: Episodes) -> Policy:
    """An untrained policy for these episodes; its weights are a function of `config.seed`.

    Raises `ConfigurationError` for features that were not recorded or parts that do not fit.
    """
    return _built(config, episodes, fetch=True)


def rebuild_policy(run: Run, config: TrainConfig, episodes: Episodes) -> Policy:
    """The policy that `run` goes on with, its weights still to be restored.

    What it is made of is in its newest checkpoint. Nothing is fetched: a run's own file may not
    name a place on the network.
    """
    step = run.resume_step()
    parts = config.policy if step is None else read_config(run.folder(step))
    return _built(replace(config, policy=parts), episodes, fetch=False)


def _built(config: TrainConfig, episodes: Episodes, *, fetch: bool) -> Policy:
    _check_kinds(config, episodes)
    training, _ = shares(config, episodes)
    spec = specification(config, training)
    network = getattr(config.policy.encoder, "network", None)
    backbone = network if isinstance(network, BackboneConfig) else None
    online = nullcontext() if fetch or backbone is None else offline()
    with online:
        with torch.random.fork_rng(devices=[]), room_for_weights():
            torch.manual_seed(config.seed)
            parts = replace(config.policy, encoder=config.policy.encoder.settled())
            policy = parts.build(spec, policy_statistics(training, spec))
        if backbone and config.teacher is None and (fetch or not backbone.architecture):
            for module in policy.encoder.modules():
                if isinstance(module, Backbone):
                    module.load_pretrained(backbone.source)
    return policy


def plan(policy: Policy, episodes: Episodes, config: TrainConfig) -> TrainConfig:
    """The config with device, precision and, on the CPU, threads settled and, for `minutes`, a
    number of steps fixed.

    Measures the speed on a copy for a few seconds; `policy` is left as it was. What comes out is
    settled: planning it again changes nothing.
    """
    check_batch(policy, config)
    device = choose_device(config.device)
    threads = config.threads
    if threads is None and device.type == "cpu" and torch.get_num_threads() == 1:
        threads = 1
    config = replace(
        config,
        device=str(device),
        precision=choose_precision(config.precision, device),
        threads=threads,
    )
    unsettled = threads is None and device.type == "cpu"
    if config.minutes is None and not unsettled:
        return config
    trainer = Trainer(policy, episodes, replace(config, steps=1000))
    if unsettled:
        config = replace(config, threads=fastest_threads(trainer.step))
    if config.minutes is None:
        return config
    with on_threads(config.threads):
        trainer.step(0)
        done, begun = 0, time.perf_counter()
        while done < 10 or time.perf_counter() - begun < min(5.0, 3 * config.minutes):
            done += 1
            float(trainer.step(done))
        pace = (time.perf_counter() - begun) / done
    # A twentieth is kept for the validation loss and the checkpoints.
    return replace(config, steps=max(1, int(0.95 * 60 * config.minutes / pace)), minutes=None)


@checked
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

    Nothing is trained until the generator is iterated over: for step in train(…).

    With `out`, checkpoints and logs (`log.jsonl`, TensorBoard) go there, the last also when the
    generator is closed early; `resume` continues from the newest. The best checkpoint has the
    lowest validation loss, or the highest `score(policy)` where that is given. Whenever the
    generator ends, `policy` holds the averaged weights. Torch's global generator is seeded anew in
    every step, for dropout.

    The same config and data give the same weights, also when resumed, on the same device, in the
    same precision and on the same number of threads: these are stored in the run's `config.json`,
    and a run that is resumed with others warns.

    Raises `UsageError` where `out` is in use, also by another process, `CheckpointError` where the
    data is not what a run to resume was trained on, and, while training, `ConfigurationError` where
    the loss is no longer finite.
    """
    _check_kinds(config, episodes)
    require_policy("Training", policy)
    if resume and out is None:
        raise UsageError("resume=True continues a run on disk; name it with out=.")
    if config.data is None and episodes.path is not None:
        config = replace(config, data=episodes.path.resolve())
    run = None if out is None else Run(out)
    if run is not None and resume and run.exists:
        config = _as_begun(config, run)
    elif run is not None:
        run.require_free()
    config = plan(policy, episodes, config)
    trainer = Trainer(policy, episodes, config)
    lock = None if run is None else run.lock()
    try:
        if run is not None and resume and run.exists:
            _as_begun(config, run)  # it may have been made meanwhile
            trainer.restore(run)
            _warn_of_change(config, run)
        elif run is not None:
            run.create(config)
    except BaseException:
        if lock is not None:
            lock.close()
        raise
    return Session(_steps(policy, trainer, run, score, lock))


def _as_begun(config: TrainConfig, run: Run) -> TrainConfig:
    """The config with the steps and threads that `run` settled on.

    Raises `UsageError` where anything else differs.
    """
    begun = run.read_config()
    if config.minutes is not None:
        config = replace(config, steps=begun.steps, minutes=None)
    if config.threads is None:
        config = replace(config, threads=begun.threads)
    # Where the data is and what computes may change.
    free = {"data", "teacher", *COMPUTES}
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


def _warn_of_change(config: TrainConfig, run: Run) -> None:
    begun = run.read_config()
    changed = [
        f"{name} {now} instead of {before}"
        for name in COMPUTES
        if (now := getattr(config, name)) != (before := getattr(begun, name))
        and before not in (None, "auto")
    ]
    if changed:
        warnings.warn(
            f"{run.path} goes on with {', '.join(changed)}: its weights will not be the same to "
            "the last bit as without the interruption.",
            stacklevel=4,  # past `checked`, where the user called `train`
        )


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
    lock: ExitStack | None,
) -> Generator[StepResult]:
    config = trainer.config
    step = saved = trainer.done
    log = None
    try:
        if run is not None and step < config.steps:
            log = RunLog(run, config, step)
        for step in range(trainer.done + 1, config.steps + 1):
            with on_threads(config.threads):
                loss = trainer.step(step - 1)
                validation = checkpoint = None
                due = step % config.checkpoint_every == 0 or step == config.steps
                if due:
                    _require_finite(loss, step, config)
                    validation = trainer.validation_loss()
                rate, waited = config.learning_rate_at(step - 1), trainer.data.waited
                result = StepResult(step, config.steps, rate, loss, validation, waited=waited)
                if log is not None:
                    log(result, due=due)
                if due:
                    checkpoint = trainer.save(run, step, validation, score)
                    saved = step
            yield replace(result, checkpoint=checkpoint)
    except GeneratorExit:
        # A run that has diverged keeps its last good checkpoint.
        if step > saved and trainer.finite:
            trainer.save(run, step, None, None)
        raise
    finally:
        policy.load_state_dict(trainer.average.module.state_dict())
        policy.to(trainer.device).eval()
        if log is not None:
            log.close()
        if lock is not None:
            lock.close()


def _require_finite(loss: Tensor, step: int, config: TrainConfig) -> None:
    if not bool(torch.isfinite(loss)):
        exact = ", or with --precision float32" if config.precision != "float32" else ""
        raise ConfigurationError(
            f"The loss is {float(loss)} at step {step}. Start again with another --out and a lower "
            f"--learning-rate (now {config.learning_rate:g}){exact}."
        )
