"""What a policy is trained on, with one owner: chosen, divided and prepared once, for whoever asks.

The command line, the run engine and Python all train on a `Material`; nothing of it is read before
it is asked for.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from steadyhand.data import Episodes, policy_statistics
from steadyhand.data.hub import hub_name
from steadyhand.data.kinds.meaning import understood
from steadyhand.data.room import require_stored_together
from steadyhand.data.splits import divided
from steadyhand.data.tasks import task_places
from steadyhand.errors import ConfigurationError
from steadyhand.runtime.statistics import Statistics
from steadyhand.spec import LAST_ACTION, PolicySpec, parse_name
from steadyhand.task_table import TaskTable
from steadyhand.tasks import prepare_episodes
from steadyhand.training.config import TrainConfig
from steadyhand.training.specification import specification


@dataclass(frozen=True)
class Material:
    """Demonstrations as a run sees them. They are divided before they are prepared, so that no
    episode's reflection is trained on while the episode itself is held out."""

    episodes: Episodes
    """All of them, as recorded."""
    places: tuple[NDArray[np.int64], NDArray[np.int64]]
    """Which of them are trained on, and which are held out."""
    training: Episodes
    held_out: Episodes | None
    """None where none are held out."""
    spec: PolicySpec
    said: str = ""
    """How they were divided, where people should know."""

    @classmethod
    def of(
        cls,
        config: TrainConfig,
        episodes: "Episodes | Material",
        known: TaskTable | None = None,
    ) -> "Material":
        """Divide and prepare as `config` says; what is material already stays as it is.

        `known` are the tasks of a policy that goes on, in the place of those of the data.
        Raises `ConfigurationError` for features that were not recorded or do not fit together.
        """
        if isinstance(episodes, Material):
            return episodes
        if not isinstance(config, TrainConfig) or not isinstance(episodes, Episodes):
            raise ConfigurationError(
                "The order is build_policy(config, episodes) and train(policy, episodes, config); "
                f"here episodes is a {type(episodes).__name__} and config a "
                f"{type(config).__name__}."
            )
        episodes = understood(episodes)
        share, seed = config.validation_share, config.seed
        places, said = divided(episodes, validation_share=share, seed=seed)
        training, *held_out = (
            _prepared(config, episodes.subset(part)) for part in places if len(part)
        )
        spec = specification(config, training, known)
        require_stored_together(
            training, [f.key for f in spec.features if f.key in training.arrays]
        )
        return cls(episodes, places, training, held_out[0] if held_out else None, spec, said)

    @cached_property
    def statistics(self) -> dict[str, Statistics]:
        """What the normaliser is made of: figures of what is trained on, never of the rest."""
        return policy_statistics(self.training, self.spec)

    @cached_property
    def statistics_of_tasks(self) -> dict[str, Statistics]:
        """The same of each task by itself, (tasks, …); of one that none of it is of, of all."""
        tasks = self.spec.tasks
        if tasks is None:
            return self.statistics
        first = task_places(self.training, tasks)[self.training.starts]
        parts = [np.flatnonzero(first == task) for task in range(len(tasks.texts))]
        found = [
            policy_statistics(self.training.subset(part), self.spec) if len(part) else None
            for part in parts
        ]
        return {
            name: Statistics(
                **{
                    key: np.stack([vars((each or self.statistics)[name])[key] for each in found])
                    for key in vars(together)
                }
            )
            for name, together in self.statistics.items()
        }

    @property
    def held_out_numbers(self) -> tuple[int, ...]:
        """What the data set calls the episodes that are held out."""
        return tuple(self.episodes.number(int(place)) for place in self.places[1])

    @cached_property
    def trained_on(self) -> list[int]:
        """Checksums by which the episodes that are trained on are known again anywhere."""
        return self.episodes.subset(self.places[0]).fingerprints(self.spec.action.key)

    @property
    def source(self) -> str | None:
        """Where the data lies, if it lies anywhere."""
        path = self.episodes.path
        return None if path is None else hub_name(path) or str(path)


def _prepared(config: TrainConfig, episodes: Episodes) -> Episodes:
    ready = prepare_episodes(episodes, config.prepare, task=config.task)
    named = (*config.observations, config.action_relative_to or "")
    wanted = any(name and parse_name(name)[0] == LAST_ACTION for name in named)
    return ready.with_last_action(parse_name(config.action)[0]) if wanted else ready
