"""From a configuration to a session: demonstrations, pictures, policy, and what is checked first.

The command line, the demo, distillation and the run engine all begin here.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from steadyhand.data import Episodes, inspect_episodes, write_episodes
from steadyhand.data.pictures.frames import with_stores
from steadyhand.data.stages import Stage, Tell, unseen, untold
from steadyhand.errors import ConfigurationError, MissingExtraError
from steadyhand.feature import told_apart
from steadyhand.policy.device import choose_device
from steadyhand.policy.policy import Policy
from steadyhand.policy.precomputed import precomputes
from steadyhand.policy.windows import PolicyWindows
from steadyhand.runtime.folders import find_policy
from steadyhand.runtime.predictor import Observation
from steadyhand.spec import LAST_ACTION, TASK, PolicySpec
from steadyhand.task_table import TaskTable
from steadyhand.tasks import Task, make_task
from steadyhand.tasks.many import instruction_of, parts_of
from steadyhand.training.checkpoint import Run
from steadyhand.training.config import TrainConfig
from steadyhand.training.demonstrations import demonstrations
from steadyhand.training.material import Material
from steadyhand.training.planning import plan
from steadyhand.training.room import check_batch
from steadyhand.training.session import Event, Session, session
from steadyhand.training.trackers import summary_writer
from steadyhand.training.train import build_policy, rebuild_policy, resumed_material

TOLD = (
    "sampled",
    "outliers",
    "rounding",
    "echo",
    "rate",
    "jump",
    "late",
    "tasks",
    "black",
    "frozen",
    "video",
    "idle",
    "failed",
    "duplicate",
    "shared-video",
)
"""Kinds of problems that are worth a look before hours of training."""


def begin(
    config: TrainConfig,
    out: Path,
    *,
    resume: bool = False,
    stage: Stage = unseen,
    tell: Tell = untold,
) -> Session[Event]:
    """The session of a run in `out`; `resume` goes on with the one that is there.

    What can be refused is refused before anything is recorded or decoded, which `stage` watches.
    `tell` is given what a user should know of the data. Raises all that any part of it does.
    """
    run = Run(out)
    build = partial(rebuild_policy, run) if resume else build_policy
    summary_writer()
    choose_device(config.device)
    config = _with_teacher(config)
    if not resume:
        run.require_free()
    task = make_task(config.task) if config.task else None

    def check(config: TrainConfig, few: Episodes) -> None:
        policy = build(config, few)
        check_batch(policy, config)
        if task is not None:
            check_task(task, policy.spec, tell)

    config, episodes = demonstrations(config, out, check, stage, tell)
    for line in episodes.said:
        tell(line)
    divide = partial(resumed_material, run) if resume else Material.of
    material = divide(config, episodes)
    if material.said:
        tell(material.said)
    skip = config.skip_broken_episodes
    sound = with_stores(episodes, material.spec.pictures, skip_broken=skip, stage=stage, tell=tell)
    if len(sound) < len(episodes):
        material = divide(config, sound)
    policy = build(config, material)
    if not resume:  # whose weights are still to be restored
        _look_once(policy, material, config, stage)
    if tell is not untold:
        _tell_problems(sound, policy, tell)
    if task is not None:
        config = replace(config, task=task.name)
        if episodes.format != "memory":
            check_task(task, policy.spec, tell)
    if config.minutes is not None and not run.exists:  # one that goes on keeps its steps
        with stage("measuring the speed for a few seconds", 0):
            config = plan(policy, material, config)
    begun = session(policy, material, config, out=out, resume=resume, stacklevel=2)
    if episodes.format == "memory":
        try:
            write_episodes(cast(Path, config.data), episodes)
        except BaseException:
            begun.close()
            raise
    return begun


def _with_teacher(config: TrainConfig) -> TrainConfig:
    """With the whole path of the run that is distilled, which has to be there."""
    if config.teacher is None:
        return config
    find_policy(config.teacher)
    return replace(config, teacher=config.teacher.resolve())


def _new_words(task: Task, seen: Observation, table: TaskTable) -> list[str]:
    """What is to be done in the task, or in each of several, where no demonstration is told so."""
    if np.asarray(seen[TASK]).dtype.kind != "U":
        return []  # told by its vector
    parts = parts_of(task)
    words = [str(seen[TASK])] if len(parts) == 1 else [instruction_of(part) for part in parts]
    return [f"'{text}'" for text in words if text not in table.texts]


def _look_once(policy: Policy, material: Material, config: TrainConfig, stage: Stage) -> None:
    """What a frozen part of the encoder makes of every step is worked out before training."""
    if not precomputes(policy.encoder):
        return
    policy.to(choose_device(config.device))
    parts = [part for part in (material.training, material.held_out) if part is not None]
    with stage("looking at every frame once", sum(part.steps for part in parts)) as advance:
        for part in parts:
            PolicyWindows(policy, part, precompute=True).precompute(advance)


def _tell_problems(episodes: Episodes, policy: Policy, tell: Tell) -> None:
    """Say what `inspect` would find in what is trained on, and how far depth is told apart."""
    for feature in policy.spec.depths:
        tell(f"{feature.name}: {told_apart(feature)}.")
    normalisation = policy.normaliser.normalisation
    for problem in inspect_episodes(episodes, spec=policy.spec, normalisation=normalisation):
        if problem.kind in TOLD:
            tell(f"Problem: {problem.message}")


def check_task(task: Task, spec: PolicySpec, tell: Tell = untold) -> None:
    """Compare what the task shows with what the policy is to see.

    Raises `ConfigurationError` where they do not fit; what is shown and not seen is only told.
    """
    try:
        seen = task.make().reset(task.first_seed)
    except MissingExtraError:
        return  # trained here, evaluated elsewhere
    try:
        spec.check_observation(seen)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"The data does not fit the task {task.name}, in which the policy is to be evaluated. "
            f"{error} Name the data's own task with --task, or none with the recipe 'state'."
        ) from None
    if spec.tasks is not None and (strange := _new_words(task, seen, spec.tasks)):
        tell(
            f"{task.name} is told in words that the data does not have: {', '.join(strange)}. A "
            "policy that learns a vector for each task will not know them; one that knows what "
            "words mean takes them for the nearest."
        )
    hidden = sorted(
        seen.keys() - {LAST_ACTION, TASK, *(feature.key for feature in spec.observations)}
    )
    if hidden:
        tell(
            f"{task.name} also shows {', '.join(hidden)}, which this policy does not see. "
            "--observations names what it sees."
        )
