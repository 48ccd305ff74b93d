"""The policy that another is distilled from: found, checked and ready to be asked."""

from dataclasses import replace
from pathlib import Path

from steadyhand.diffusion.ddpm import DDPM
from steadyhand.diffusion.flow import Flow
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.errors import ConfigurationError
from steadyhand.methods.choices import Consistency, plain
from steadyhand.policy.config import PolicyConfig
from steadyhand.policy.policy import Policy
from steadyhand.policy.storage import load_policy
from steadyhand.runtime.folders import find_policy
from steadyhand.training.config import TrainConfig


def student_config(teacher: PolicyConfig) -> PolicyConfig:
    """What a policy is made of that is distilled from `teacher`: one call, all else the same.

    Raises `ConfigurationError` for a teacher that has no path to noise to be distilled.
    """
    process = teacher.process
    if not isinstance(process, DDPM | Flow):
        raise ConfigurationError(
            f"A {type(process).__name__} policy has no path to noise that could be shortened. "
            "Distil one that was trained with --method flow or ddpm."
        )
    sampler = SamplerConfig(clip=teacher.sampler.clip)
    return replace(teacher, process=Consistency(path_of=plain(process)), sampler=sampler)


def student_training(teacher: TrainConfig, policy: PolicyConfig) -> TrainConfig:
    """How `policy`, a student, is trained where its teacher was trained as `teacher` says.

    It begins with the teacher's weights, and a fifth of the learning rate keeps what they know.
    """
    return replace(teacher, policy=policy, learning_rate=teacher.learning_rate / 5)


def teacher_of(run: Path, student: Policy) -> Policy:
    """The policy in `run`, that `student` can learn from.

    Raises `CheckpointError` where there is none, and `ConfigurationError` where the two do not fit:
    they see and answer the same, with the same networks, and learned from the same numbers.
    """
    teacher = load_policy(find_policy(run))
    if student.config is None or teacher.config is None:
        raise ConfigurationError("Only policies made of this library's parts are distilled.")
    wanted = student_config(teacher.config)
    process = student.config.process
    if not isinstance(process, Consistency):
        raise ConfigurationError(
            f"teacher is {run}, and a {type(process).__name__} policy learns from demonstrations "
            "alone. Leave teacher out, or use --method consistency."
        )
    wanted = replace(wanted, process=replace(wanted.process, levels=process.levels))
    if (
        teacher.spec != student.spec
        or replace(wanted, sampler=student.config.sampler) != student.config
    ):
        raise ConfigurationError(
            f"The policy in {run} is of other parts than the one that is to learn from it. Use "
            f"steadyhand distill {run}, which takes them over."
        )
    ours = student.normaliser.statistics
    for name, found in teacher.normaliser.statistics.items():
        if not found.agrees(ours[name]):
            raise ConfigurationError(
                f"The numbers of '{name}' are not those that {run} was trained on. Name its own "
                "demonstrations with --data."
            )
    if not student.normaliser.equals(teacher.normaliser):
        raise ConfigurationError(
            f"{run} was trained by an older version, which normalised some of its numbers "
            "otherwise. Train it again, and distil that."
        )
    return teacher
