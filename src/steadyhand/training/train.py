"""Training from Python: an untrained policy for demonstrations, and the steps that train it."""

from collections.abc import Generator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch

from steadyhand.data import Episodes
from steadyhand.nets.architecture import offline
from steadyhand.nets.encoder import ImageEncoder
from steadyhand.nets.vlm_encoder import VLMEncoder
from steadyhand.policy.card import read_config
from steadyhand.policy.config import pretrained_part
from steadyhand.policy.policy import Policy
from steadyhand.runtime.card import read_spec
from steadyhand.training.checkpoint import Run
from steadyhand.training.config import TrainConfig
from steadyhand.training.material import Material
from steadyhand.training.room import COPIES, FROZEN_COPIES, room_for_weights
from steadyhand.training.session import Score, Step, session
from steadyhand.values import checked


@checked
def build_policy(config: TrainConfig, episodes: Episodes | Material) -> Policy:
    """An untrained policy for these episodes; its weights are a function of `config.seed`.

    Raises `ConfigurationError` for features that were not recorded or parts that do not fit.
    """
    return _built(config, episodes, fetch=True)


def resumed_material(run: Run, config: TrainConfig, episodes: Episodes | Material) -> Material:
    """What `run` goes on with: told its tasks as it was, by what its newest checkpoint holds.

    As for `rebuild_policy` nothing is fetched.
    """
    step = run.resume_step()
    known = None if step is None else read_spec(run.folder(step)).tasks
    told = getattr(config.policy.encoder, "tasks", None)
    named = pretrained_part(config.policy) is not None or getattr(told, "source", None)
    with offline() if named else nullcontext():
        return Material.of(config, episodes, known)


def rebuild_policy(run: Run, config: TrainConfig, episodes: Episodes | Material) -> Policy:
    """The policy that `run` goes on with, its weights still to be restored.

    What it is made of is in its newest checkpoint. Nothing is fetched: a run's own file may not
    name a place on the network.
    """
    step = run.resume_step()
    parts = config.policy if step is None else read_config(run.folder(step))
    material = resumed_material(run, config, episodes)
    return _built(replace(config, policy=parts), material, fetch=False)


def _built(config: TrainConfig, episodes: Episodes | Material, *, fetch: bool) -> Policy:
    material = Material.of(config, episodes)
    pretrained = pretrained_part(config.policy)
    with nullcontext() if fetch or pretrained is None else offline():
        copies = COPIES if pretrained is None else FROZEN_COPIES
        with torch.random.fork_rng(devices=[]), room_for_weights(copies):
            torch.manual_seed(config.seed)
            parts = replace(config.policy, encoder=config.policy.encoder.settled())
            each = parts.normalise_tasks == "each"
            figures = material.statistics_of_tasks if each else material.statistics
            policy = parts.build(material.spec, figures)
        if pretrained and config.teacher is None and (fetch or not pretrained.architecture):
            cast(ImageEncoder | VLMEncoder, policy.encoder).load_pretrained()
    return policy


@checked
def train(
    policy: Policy,
    episodes: Episodes | Material,
    config: TrainConfig,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    score: Score | None = None,
) -> Generator[Step]:
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
    folder = None if out is None else Path(out)
    # The warning is for the line that called `train`, past `checked`.
    return session(
        policy, episodes, config, out=folder, resume=resume, score=score, stacklevel=3
    ).steps()
