"""Training as a generator of typed step results: the caller decides when to look and when to stop.

Every random number is a function of (seed, step); a resumed run ends with the same weights as one
that was never interrupted.
"""

import copy
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from steadyhand.data import Episodes, policy_statistics, split_episodes
from steadyhand.errors import CheckpointError, ConfigurationError
from steadyhand.policy.device import choose_device, choose_precision
from steadyhand.policy.policy import Policy
from steadyhand.policy.storage import Provenance, load_weights
from steadyhand.spec import PolicySpec
from steadyhand.tasks import prepare_episodes
from steadyhand.training.checkpoint import Run
from steadyhand.training.config import TrainConfig
from steadyhand.training.ema import WeightAverage
from steadyhand.training.loader import Batch, WindowLoader, batch_windows

VALIDATION_WINDOWS = 2048


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

    @property
    def loss(self) -> float:
        """The denoising loss of this batch; reading it waits for the device."""
        return float(self.loss_tensor)


def build_policy(config: TrainConfig, episodes: Episodes) -> Policy:
    """An untrained policy for these episodes; its weights are a function of `config.seed`.

    Raises `ConfigurationError` for features that were not recorded or parts that do not fit.
    """
    spec = PolicySpec.select(
        episodes.shapes,
        observations=config.observations,
        action=config.action,
        chunking=config.chunking,
        rate_hz=episodes.rate_hz,
        action_relative_to=config.action_relative_to,
    )
    training, _ = shares(config, episodes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return config.policy.build(spec, policy_statistics(training, spec))


def shares(config: TrainConfig, episodes: Episodes) -> tuple[Episodes, Episodes | None]:
    """(training, held out) episodes, each prepared as the config asks; none may be held out.

    They are split before they are prepared, so that no episode's reflection is trained on while
    the episode itself is held out.
    """
    training, held_out = (
        prepare_episodes(episodes.subset(part), config.prepare, task=config.task)
        if len(part)
        else None
        for part in _split(config, episodes)
    )
    assert training is not None, "a split always trains on at least one episode"
    return training, held_out


def _split(config: TrainConfig, episodes: Episodes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    share, seed = config.validation_share, config.seed
    return split_episodes(len(episodes), validation_share=share, seed=seed)


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
    trainer = _Trainer(policy, episodes, replace(config, steps=1000))
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

    With `out`, checkpoints go there, also when the generator is closed early; `resume` continues
    from the newest. The best checkpoint has the lowest validation loss, or the highest
    `score(policy)` where that is given. Whenever the generator ends, `policy` holds the averaged
    weights. Raises `ConfigurationError` where the loss is no longer finite.
    """
    config = plan(policy, episodes, config)
    trainer = _Trainer(policy, episodes, config)
    run = Run(out) if out is not None else None
    if run is not None:
        if resume:
            trainer.restore(run)
        elif not run.exists:
            run.create(config)
    step = saved = trainer.done
    try:
        for step in range(trainer.done + 1, config.steps + 1):
            loss = trainer.step(step - 1)
            validation = checkpoint = None
            if step % config.checkpoint_every == 0 or step == config.steps:
                if not bool(torch.isfinite(loss)):
                    raise ConfigurationError(
                        f"The loss is {float(loss)} at step {step}. Lower --learning-rate "
                        f"(now {config.learning_rate:g}) or train with --precision float32."
                    )
                validation = trainer.validation_loss()
                checkpoint = trainer.save(run, step, validation, score)
                saved = step
            rate = config.learning_rate_at(step - 1)
            yield StepResult(step, config.steps, rate, loss, validation, checkpoint)
    except GeneratorExit:
        if step > saved:
            trainer.save(run, step, None, None)
        raise
    finally:
        policy.load_state_dict(trainer.average.module.state_dict())
        policy.to(trainer.device).eval()


class _Trainer:
    """The live weights, their average and the optimiser of one run."""

    def __init__(self, policy: Policy, episodes: Episodes, config: TrainConfig) -> None:
        self.config = config
        self.device = choose_device(config.device)
        self.bfloat16 = choose_precision(config.precision, self.device) == "bfloat16"
        self.policy = copy.deepcopy(policy).to(self.device)
        self.average = WeightAverage(self.policy)
        self.optimiser = _optimiser(self.policy, config, self.device)
        self.generator = torch.Generator(self.device)
        training, held_out = shares(config, episodes)
        self.held_out = tuple(int(number) for number in _split(config, episodes)[1])
        self.data = self._loader(training)
        self.validation = self._loader(held_out) if held_out else None
        self.best = float("inf")
        self.done = 0
        self.source = str(episodes.path) if episodes.path else None

    def _loader(self, episodes: Episodes) -> WindowLoader:
        masked = self.config.mask_padding
        return WindowLoader(self.policy, episodes, mask_padding=masked, device=self.device)

    def step(self, number: int) -> Tensor:
        """Optimiser step `number`, counting from 0; its loss, still on the device."""
        config = self.config
        self.policy.train()
        windows = batch_windows(len(self.data), config.batch_size, config.seed, number)
        loss = self._loss(self.policy, self.data.batch(windows), (config.seed, number))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.policy.parameters(), config.clip_norm)
        for group in self.optimiser.param_groups:
            group["lr"] = config.learning_rate_at(number)
        self.optimiser.step()
        self.average.update(self.policy, config.ema_decay_at(number))
        return loss.detach()

    def _loss(self, policy: Policy, batch: Batch, key: tuple[int, int]) -> Tensor:
        draw = np.random.default_rng([*key, 0x71AE])
        # Stratified over the batch: the same distribution, with less variance from batch to batch.
        count = len(batch.action)
        uniform = (draw.permutation(count) + draw.random(count)) / count
        self.generator.manual_seed(int(draw.integers(2**63)))
        # Dropout and random crops draw from the global generators.
        torch.manual_seed(int(draw.integers(2**63)))
        eps = torch.randn(batch.action.shape, generator=self.generator, device=self.device)
        sampler = policy.sampler
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            condition = policy.condition(batch.observation)
            return sampler.loss(  # type: ignore[operator]
                batch.action, eps, uniform, condition[0], batch.weight, *condition[1:]
            )

    @torch.no_grad()
    def validation_loss(self) -> float | None:
        """Loss of the averaged weights on the held-out windows, always with the same noise."""
        if self.validation is None:
            return None
        total = windows = 0.0
        batches = self.validation.in_order(self.config.batch_size, VALIDATION_WINDOWS)
        for number, batch in batches:
            loss = self._loss(self.average.module, batch, (self.config.seed, 2**40 + number))
            total += float(loss) * len(batch.action)
            windows += len(batch.action)
        return total / windows

    def save(
        self,
        run: Run | None,
        step: int,
        validation: float | None,
        score: Callable[[Policy], float] | None,
    ) -> Path | None:
        """Write a checkpoint, and the link to the best where this is it."""
        if run is None:
            return None
        figure = validation if score is None else -score(self.average.module)
        better = figure is not None and figure < self.best
        if figure is not None and better:
            self.best = figure
        provenance = Provenance(
            task=self.config.task,
            data=self.source,
            validation_episodes=self.held_out,
            seed=self.config.seed,
            step=step,
            details={} if validation is None else {"validation_loss": validation},
        )
        folder = run.save(step, self.average.module, provenance, self._state(step))
        if better:
            run.link("best", folder)
        return folder

    def _state(self, step: int) -> dict[str, Tensor]:
        """What resuming needs beside the averaged weights."""
        state = {f"live.{name}": value for name, value in self.policy.state_dict().items()}
        for name, parameter in self.policy.named_parameters():
            for key, value in self.optimiser.state[parameter].items():
                state[f"{key}.{name}"] = torch.as_tensor(value)
        state["best"] = torch.tensor(self.best, dtype=torch.float64)
        return state

    def _optimiser_state(self) -> dict[str, torch.device]:
        """What AdamW keeps of each parameter, and where: its count is on the device if fused."""
        fused = self.optimiser.defaults["fused"]
        count = self.device if fused else torch.device("cpu")
        return {"step": count, "exp_avg": self.device, "exp_avg_sq": self.device}

    def restore(self, run: Run) -> None:
        """Continue from the newest whole checkpoint; from the start where there is none."""
        found = run.resumable()
        if found is None:
            return
        self.done, weights, state = found
        where = run.folder(self.done)
        live = {k.removeprefix("live."): v for k, v in state.items() if k.startswith("live.")}
        load_weights(self.average.module, weights, where)
        load_weights(self.policy, live, where)
        try:
            for name, parameter in self.policy.named_parameters():
                self.optimiser.state[parameter] = {
                    key: state[f"{key}.{name}"].to(place)
                    for key, place in self._optimiser_state().items()
                    if f"{key}.{name}" in state
                }
            self.best = float(state["best"])
        except KeyError as error:
            raise CheckpointError(f"{where} lacks {error}; it cannot be resumed.") from None


def _optimiser(
    policy: nn.Module, config: TrainConfig, device: torch.device
) -> torch.optim.Optimizer:
    """AdamW, without weight decay on biases, norms and other vectors."""
    matrices = [p for p in policy.parameters() if p.ndim >= 2]
    vectors = [p for p in policy.parameters() if p.ndim < 2]
    fused = device.type in ("cpu", "cuda")
    return torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": config.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        betas=config.betas,
        fused=fused,
    )
