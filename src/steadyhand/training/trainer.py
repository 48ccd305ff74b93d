"""The live weights, their average and the optimiser of one run: one step, saving and restoring."""

import copy
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from steadyhand.data import Episodes
from steadyhand.data.frames import with_frames
from steadyhand.diffusion.sampler import Sampler
from steadyhand.errors import CheckpointError, ConfigurationError
from steadyhand.methods.consistency import consistency_loss
from steadyhand.policy.device import choose_device, choose_precision, compute_repeatably
from steadyhand.policy.normaliser import Normaliser
from steadyhand.policy.policy import Policy
from steadyhand.policy.storage import load_weights
from steadyhand.runtime.card import Provenance, read_card, read_statistics
from steadyhand.training.checkpoint import Run
from steadyhand.training.config import TrainConfig
from steadyhand.training.ema import WeightAverage
from steadyhand.training.loader import Batch, WindowLoader, batch_windows, shares, split
from steadyhand.training.teacher import teacher_of
from steadyhand.values import shown

VALIDATION_WINDOWS = 2048


class Trainer:
    """The live weights, their average and the optimiser of one run."""

    def __init__(self, policy: Policy, episodes: Episodes, config: TrainConfig) -> None:
        self.config = config
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
        stored = with_frames(episodes, policy.spec.images)
        training, held_out = shares(config, stored)
        trained_on, held_out_places = split(config, episodes)
        self.held_out = tuple(episodes.number(int(place)) for place in held_out_places)
        key = policy.spec.action.key
        self.trained_on = episodes.subset(trained_on).fingerprints(key)
        self.data = self._loader(training)
        self.validation = self._loader(held_out) if held_out else None
        self.done = 0
        self.source = str(episodes.path) if episodes.path else None

    def _learn_from(self, run: Path) -> Sampler:
        """Begin where the policy in `run` ended; its sampler, which is from now on the teacher."""
        teacher = teacher_of(run, self.policy).to(self.device)
        load_weights(self.policy, teacher.state_dict(), run)
        # What is seen stays as the teacher saw it.
        self.policy.encoder.requires_grad_(False)
        return cast(Sampler, teacher.sampler.requires_grad_(False))

    def _loader(self, episodes: Episodes) -> WindowLoader:
        masked = self.config.mask_padding
        return WindowLoader(self.policy, episodes, mask_padding=masked, device=self.device)

    def step(self, number: int) -> Tensor:
        """Optimiser step `number`, counting from 0; its loss, still on the device."""
        config = self.config
        self.policy.train()
        windows = batch_windows(len(self.data), config.batch_size, config.seed, number)
        batch = self.data.batch(windows)
        ahead = batch_windows(len(self.data), config.batch_size, config.seed, number + 1)
        self.data.prepare(ahead)
        loss = self._loss(self.policy, batch, (config.seed, number), noises=config.noises)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.policy.parameters(), config.clip_norm)
        for group in self.optimiser.param_groups:
            group["lr"] = config.learning_rate_at(number)
        self.optimiser.step()
        self.average.update(self.policy, config.ema_decay_at(number))
        return loss.detach()

    def _loss(
        self, policy: Policy, batch: Batch, key: tuple[int, int], *, noises: int = 1
    ) -> Tensor:
        """The loss over `noises` noises of each window, what was seen encoded once for all."""
        draw = np.random.default_rng([*key, 0x71AE])
        # Stratified over the batch: the same distribution, with less variance from batch to batch.
        count = len(batch.action) * noises
        uniform = (draw.permutation(count) + draw.random(count)) / count
        self.generator.manual_seed(int(draw.integers(2**63)))
        # Dropout and random crops draw from the global generators.
        torch.manual_seed(int(draw.integers(2**63)))
        shape = (count, *batch.action.shape[1:])
        eps = torch.randn(shape, generator=self.generator, device=self.device)
        sampler = policy.sampler
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            seen = (batch.action, batch.weight, *policy.condition(batch.observation))
            action, weight, condition, *mask = (
                part if part is None or noises == 1 else part.repeat(noises, *[1] * (part.ndim - 1))
                for part in seen
            )
            loss = sampler.loss
            if self.teacher is not None:
                loss = partial(consistency_loss, cast(Sampler, sampler), teacher=self.teacher)
            return loss(action, eps, uniform, condition, weight, *mask)  # type: ignore[operator]

    @property
    def finite(self) -> bool:
        """Whether every averaged weight is a number."""
        return all(bool(torch.isfinite(p).all()) for p in self.average.module.parameters())

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
        """Write a checkpoint with the figures that it is judged by."""
        if run is None:
            return None
        figures = {
            "validation_loss": validation,
            "score": None if score is None else _number(score(self.average.module)),
        }
        known = {k: v for k, v in figures.items() if v is not None and math.isfinite(v)}
        provenance = Provenance(
            task=self.config.task,
            data=self.source,
            validation_episodes=self.held_out,
            seed=self.config.seed,
            step=step,
            details={"trained_on": self.trained_on, **known},
        )
        return run.save(step, self.average.module, provenance, self._state(step))

    def _state(self, step: int) -> dict[str, Tensor]:
        """What resuming needs beside the averaged weights."""
        state = {f"live.{name}": value for name, value in self.policy.state_dict().items()}
        for name, parameter in self.policy.named_parameters():
            for key, value in self.optimiser.state[parameter].items():
                state[f"{key}.{name}"] = torch.as_tensor(value)
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
        self._check_data(where)
        load_weights(self.average.module, weights, where)
        load_weights(self.policy, live, where)
        for name, parameter in self.policy.named_parameters():
            kept = {key: state.get(f"{key}.{name}") for key in self._optimiser_state()}
            for key, value in kept.items():
                fits = torch.Size() if key == "step" else parameter.shape
                if value is not None and (value.shape != fits or not value.is_floating_point()):
                    raise CheckpointError(
                        f"What {where} keeps for resuming does not fit: '{key}.{name}' has shape "
                        f"{tuple(value.shape)}. Use another checkpoint."
                    )
            self.optimiser.state[parameter] = {
                key: value.to(self._optimiser_state()[key])
                for key, value in kept.items()
                if value is not None
            }
        run.tidy(self.done)

    def _check_data(self, where: Path) -> None:
        """Raise `CheckpointError` where the demonstrations are not those of the checkpoint."""
        trained_on = read_statistics(where, read_card(where))
        ours = self.policy.normaliser
        for name, found in ours.statistics.items():
            if name not in trained_on or not found.agrees(trained_on[name]):
                raise CheckpointError(
                    f"The numbers of '{name}' in {self.source} are not those that {where} was "
                    "trained on. Resume with the same data, or start a new run."
                )
        before = Normaliser(self.policy.spec.features, trained_on, ours.normalisation)
        if not ours.equals(before):
            raise CheckpointError(
                f"{where} was trained by an older version, which normalised some of its numbers "
                "otherwise: it can be evaluated, and not resumed. Start a new run with another "
                "--out."
            )


def _number(score: object) -> float:
    try:
        return float(score)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"score(policy) gave {shown(score)}; it returns a number, as "
            "evaluate(policy, task).success.mean."
        ) from None


def _optimiser(
    policy: nn.Module, config: TrainConfig, device: torch.device
) -> torch.optim.Optimizer:
    """AdamW, without weight decay on biases, norms, other vectors and embeddings."""
    embeddings = {module.weight for module in policy.modules() if isinstance(module, nn.Embedding)}
    matrices = [p for p in policy.parameters() if p.ndim >= 2 and p not in embeddings]
    vectors = [p for p in policy.parameters() if p.ndim < 2 or p in embeddings]
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
