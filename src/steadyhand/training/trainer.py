"""The live weights, their average and the optimiser of one run: one step, saving and restoring."""

import copy
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from steadyhand.data import Episodes
from steadyhand.errors import ConfigurationError
from steadyhand.policy.device import (
    choose_device,
    choose_precision,
    compiling,
    compute_repeatably,
)
from steadyhand.policy.policy import Policy
from steadyhand.policy.weights import load_weights
from steadyhand.policy.windows import PolicyWindows, Steps
from steadyhand.runtime.card import Provenance
from steadyhand.training.checkpoint import Run
from steadyhand.training.config import TrainConfig
from steadyhand.training.ema import WeightAverage
from steadyhand.training.material import Material
from steadyhand.training.resuming import check_data, optimiser_state
from steadyhand.training.teacher import teacher_of

VALIDATION_WINDOWS = 2048
Orders = dict[int, dict[int, NDArray[np.int64]]]
"""Kind of windows → epoch → the order of its windows."""


class Trainer:
    """The live weights, their average and the optimiser of one run."""

    def __init__(self, policy: Policy, episodes: Episodes | Material, config: TrainConfig) -> None:
        self.config, self.done = config, 0
        self.material = material = Material.of(config, episodes)
        self.device = choose_device(config.device)
        compute_repeatably(self.device)
        self.bfloat16 = choose_precision(config.precision, self.device) == "bfloat16"
        if not any(parameter.requires_grad for parameter in policy.parameters()):
            raise ConfigurationError(
                "This policy has nothing to train: no part of it has parameters. Networks are kept "
                "as attributes of an nn.Module."
            )
        self.policy = copy.deepcopy(policy).to(self.device)
        self.teacher = None if config.teacher is None else self._learn_from(config.teacher)
        self.average = WeightAverage(self.policy)
        self.optimiser = _optimiser(self.policy, config, self.device)
        self.generator = torch.Generator(self.device)
        self.windows = PolicyWindows(self.policy, material.training, precompute=True)
        self.kinds, self._orders = _by_task(self.windows), Orders()
        self.validation = None
        if material.held_out is not None:
            self.validation = PolicyWindows(self.policy, material.held_out, precompute=True)
        if config.compile:
            # In place, so that names in checkpoints stay; the average is asked too rarely for it.
            self.policy.encoder.compile()
            getattr(self.policy.sampler, "denoiser", self.policy.sampler).compile()

    def _learn_from(self, run: Path) -> nn.Module:
        """Begin where the policy in `run` ended; its sampler, which is from now on the teacher."""
        teacher = teacher_of(run, self.policy).to(self.device)
        load_weights(self.policy, teacher.state_dict(), run)
        # What is seen stays as the teacher saw it.
        self.policy.encoder.requires_grad_(False)
        return teacher.sampler.requires_grad_(False)

    def step(self, number: int) -> Tensor:
        """Optimiser step `number`, counting from 0; its loss, still on the device."""
        config = self.config
        steps, ahead = (
            batch_windows(self.kinds, config.batch_size, config.seed, n, self._orders)
            for n in (number, number + 1)
        )
        self.policy.train()
        key = (config.seed, number)
        self.optimiser.zero_grad(set_to_none=True)
        with compiling():
            loss = self._loss(
                self.policy, self.windows, steps, key, noises=config.noises, ahead=ahead
            )
            loss.backward()
        self._clip()
        for group in self.optimiser.param_groups:
            group["lr"] = config.learning_rate_at(number)
        self.optimiser.step()
        self.average.update(self.policy, config.ema_decay_at(number))
        return loss.detach()

    def _clip(self) -> None:
        """Bound the norm of the gradient, where the optimiser can as it reads it."""
        parameters = [p for p in self.policy.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm([cast(Tensor, p.grad) for p in parameters])
        if self.optimiser.defaults["fused"]:
            scale = (norm / self.config.clip_norm).clamp(min=1)
            self.optimiser.grad_scale = scale  # pyright: ignore[reportAttributeAccessIssue]
        else:
            nn.utils.clip_grads_with_norm_(parameters, self.config.clip_norm, norm)

    def _loss(
        self,
        policy: Policy,
        windows: PolicyWindows,
        steps: Steps,
        key: tuple[int, int],
        *,
        noises: int = 1,
        ahead: Steps | None = None,
    ) -> Tensor:
        """The loss over `noises` noises of each window, what was seen encoded once for all."""
        observation, action = windows.observation(steps, ahead), windows.actions(steps)
        weight = windows.weight(steps) if self.config.mask_padding else None
        draw = np.random.default_rng([*key, 0x71AE])
        # Stratified over the batch: the same distribution, with less variance from batch to batch.
        count = len(action) * noises
        uniform = (draw.permutation(count) + draw.random(count)) / count
        self.generator.manual_seed(int(draw.integers(2**63)))
        # Dropout and random crops draw from the global generators.
        torch.manual_seed(int(draw.integers(2**63)))
        shape = (count, *action.shape[1:])
        eps = torch.randn(shape, generator=self.generator, device=self.device)
        loss = policy.sampler.loss
        if self.teacher is not None:
            loss = partial(policy.sampler.objective, policy.sampler, teacher=self.teacher)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            action, weight, condition, *mask = (
                part if part is None or noises == 1 else part.repeat(noises, *[1] * (part.ndim - 1))
                for part in (action, weight, *policy.condition(observation))
            )
            return loss(action, eps, uniform, condition, weight, *mask)

    @property
    def finite(self) -> bool:
        """Whether every averaged weight is a number."""
        return all(bool(torch.isfinite(p).all()) for p in self.average.module.parameters())

    @torch.no_grad()
    def validation_loss(self) -> float | None:
        """Loss of the averaged weights on the held-out windows, always with the same noise."""
        if self.validation is None:
            return None
        count, size = len(self.validation), self.config.batch_size
        spread = np.linspace(0, count - 1, min(VALIDATION_WINDOWS, count))
        chosen = np.unique(spread.astype(np.int64))
        total = 0.0
        for number, start in enumerate(range(0, len(chosen), size)):
            part, key = chosen[start : start + size], (self.config.seed, 2**40 + number)
            total += float(self._loss(self.average.module, self.validation, part, key)) * len(part)
        return total / len(chosen)

    def save(self, run: Run, step: int, figures: dict[str, float]) -> Path:
        """Write a checkpoint with the figures that it is judged by, as far as they are finite."""
        known = {name: value for name, value in figures.items() if math.isfinite(value)}
        provenance = Provenance(
            task=self.config.task,
            data=self.material.source,
            select=self.config.select,
            validation_episodes=self.material.held_out_numbers,
            seed=self.config.seed,
            step=step,
            details={"trained_on": self.material.trained_on, **known},
        )
        return run.save(step, self.average.module, provenance, self._state())

    def _state(self) -> dict[str, Tensor]:
        """What resuming needs beside the averaged weights, among which the frozen ones are."""
        frozen = self._frozen
        live = {n: value for n, value in self.policy.state_dict().items() if n not in frozen}
        state = {f"live.{name}": value for name, value in live.items()}
        for name, parameter in self.policy.named_parameters():
            for key, value in self.optimiser.state[parameter].items():
                state[f"{key}.{name}"] = torch.as_tensor(value)
        return state

    @property
    def _frozen(self) -> set[str]:
        """The names of weights that are never trained."""
        return {name for name, w in self.policy.named_parameters() if not w.requires_grad}

    def restore(self, run: Run) -> None:
        """Continue from the newest whole checkpoint; from the start where there is none."""
        found = run.resumable()
        if found is None:
            return
        self.done, weights, state = found
        where = run.folder(self.done)
        live = {name: weights[name] for name in self._frozen & weights.keys()}
        live |= {k.removeprefix("live."): v for k, v in state.items() if k.startswith("live.")}
        check_data(self.policy, where, self.material.source)
        load_weights(self.average.module, weights, where)
        load_weights(self.policy, live, where)
        kept = optimiser_state(self.policy, self.optimiser, state, where)
        for parameter, held in kept.items():
            self.optimiser.state[parameter] = held
        run.tidy(self.done)


def _by_task(windows: PolicyWindows) -> list[NDArray[np.int64]]:
    """The windows of each task that a policy is told, or else all windows as of one."""
    if windows.tasks is None:
        return [np.arange(len(windows))]
    return [np.flatnonzero(windows.tasks == task) for task in np.unique(windows.tasks)]


def batch_windows(
    kinds: Sequence[NDArray[np.int64]],
    batch_size: int,
    seed: int,
    step: int,
    orders: Orders | None = None,
) -> NDArray[np.int64]:
    """The windows of one step, of each kind as many, give or take one.

    Of each kind an epoch visits every window once, in its own order. `orders` keeps those that are
    asked for again, at most two of a kind.
    """
    orders = {} if orders is None else orders
    places = np.arange(step * batch_size, (step + 1) * batch_size)
    turns, owners = places // len(kinds), places % len(kinds)
    result = np.empty(batch_size, dtype=np.int64)
    for kind, windows in enumerate(kinds):
        epochs = turns // len(windows)
        for epoch in np.unique(epochs[owners == kind]).tolist():
            inside = (epochs == epoch) & (owners == kind)
            held = orders.setdefault(kind, {})
            if epoch not in held:
                for old in sorted(held)[:-1]:
                    del held[old]
                held[epoch] = _epoch_order(len(windows), seed, epoch, kind)
            result[inside] = windows[held[epoch][turns[inside] % len(windows)]]
    return result


def _epoch_order(count: int, seed: int, epoch: int, kind: int) -> NDArray[np.int64]:
    key = [seed, epoch, 0xBA7C4, *([kind] if kind else [])]
    return np.random.default_rng(key).permutation(count)


def _optimiser(
    policy: nn.Module, config: TrainConfig, device: torch.device
) -> torch.optim.Optimizer:
    """AdamW, without weight decay on biases, norms, other vectors and embeddings."""
    embeddings = {module.weight for module in policy.modules() if isinstance(module, nn.Embedding)}
    matrices = [p for p in policy.parameters() if p.ndim >= 2 and p not in embeddings]
    vectors = [p for p in policy.parameters() if p.ndim < 2 or p in embeddings]
    return torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": config.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        betas=config.betas,
        fused=device.type in ("cpu", "cuda"),
    )
