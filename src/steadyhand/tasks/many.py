"""Several tasks as one: a policy is told, in words, which of them is to be done in an episode.

Their episodes take turns, so whatever records, evaluates or studies one task does several. Under a
name they are joined by a plus: `metaworld/reach-v3+push-v3`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError
from steadyhand.runtime.predictor import Observation
from steadyhand.sizes import Kind
from steadyhand.spec import TASK
from steadyhand.tasks.task import Demonstrated, Environment, Expert, Scores, Task, kinds_of


class ManyTasks:
    """A task of several: the seeds of its episodes go round, and each part's own follow each other.

    With n parts the episode `first_seed + i` is one of part i mod n, as that plays the episode
    `first_seed + i // n`; below `first_seed` seeds are counted from 0 in the same way. Raises
    `ConfigurationError` for parts that differ in their rate or their first seed.
    """

    def __init__(self, parts: Sequence[Task]) -> None:
        self.parts = tuple(parts)
        if len(self.parts) < 2 or len({part.name for part in parts}) < len(self.parts):
            raise ConfigurationError("Several tasks in one are two or more, each another.")
        for field in ("rate_hz", "first_seed"):
            values = {part.name: getattr(part, field) for part in self.parts}
            if len(set(values.values())) > 1:
                said = ", ".join(f"{value:g} of {name}" for name, value in values.items())
                raise ConfigurationError(
                    f"Tasks of one policy have one {field}, and these are {said}."
                )
        self.rate_hz = self.parts[0].rate_hz
        self.first_seed = self.parts[0].first_seed
        self.max_steps = max(part.max_steps for part in self.parts)
        self.initial_states = "; ".join(dict.fromkeys(part.initial_states for part in self.parts))

    @property
    def name(self) -> str:
        """Their names with a plus between, each as it differs from the first."""
        first = self.parts[0].name
        family, slash, _ = first.partition(":")[0].partition("/")
        shorter = f"{family}{slash}" if slash else ""
        return "+".join([first, *(p.name.removeprefix(shorter) for p in self.parts[1:])])

    @property
    def instruction(self) -> str:
        """What is to be done, in words, of each with a comma between."""
        return ", ".join(map(instruction_of, self.parts))

    @property
    def kinds(self) -> dict[str, Kind]:
        """What is observed that no shape says, in any of them."""
        return {key: kind for part in self.parts for key, kind in kinds_of(part).items()}

    def part_of(self, seed: int) -> tuple[Task, int]:
        """(whose episode `seed` is, its seed there)."""
        base = self.first_seed if seed >= self.first_seed else 0
        turn, place = divmod(seed - base, len(self.parts))
        return self.parts[place], base + turn

    def make(self) -> "ManyEnvironments":
        return ManyEnvironments(self)

    def expert(self, seed: int) -> Expert:
        """The expert of the part whose episode it is."""
        part, own = self.part_of(seed)
        if not isinstance(part, Demonstrated):
            raise ConfigurationError(f"Nobody demonstrates {part.name}: it has no scripted expert.")
        return part.expert(own)


class ManyEnvironments:
    """One world of each part, made at its first episode; what is to be done is shown as `task`."""

    def __init__(self, task: ManyTasks) -> None:
        self._task = task
        self._worlds: dict[str, Environment] = {}
        self._now: Any = None
        self._told = np.array("")
        self._most, self._done = 0, 0

    def reset(self, seed: int) -> Observation:
        part, own = self._task.part_of(seed)
        if part.name not in self._worlds:
            self._worlds[part.name] = part.make()
        self._now, self._told = self._worlds[part.name], np.array(instruction_of(part))
        self._most, self._done = part.max_steps, 0
        return {TASK: self._told, **self._now.reset(own)}

    def step(self, action: NDArray[Any]) -> tuple[Observation, bool]:
        observation, over = self._now.step(action)
        self._done += 1
        return {TASK: self._told, **observation}, bool(over) or self._done >= self._most

    def scores(self) -> Scores:
        return self._now.scores()

    def state(self) -> list[float]:
        return self._now.state()

    def render(self) -> NDArray[np.uint8]:
        return self._now.render()

    def __getattr__(self, name: str) -> Any:
        """What an expert that watches looks for, of the world of this episode."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._now, name)


def parts_of(task: Task) -> tuple[Task, ...]:
    """The tasks in one of several; else the task itself."""
    return task.parts if isinstance(task, ManyTasks) else (task,)


def instruction_of(task: Task) -> str:
    """What a task is in words: its `instruction`, or its name where it has none."""
    return str(getattr(task, "instruction", task.name))
