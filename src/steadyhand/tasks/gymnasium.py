"""Any environment of Gymnasium as a task, from its ID or from a function that makes it.

What it observes, what counts as success and who demonstrates it is declared in a few fields; how
spaces are read is `gymnasium_spaces.py`, and where IDs come from `gymnasium_registry.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Literal
from weakref import WeakKeyDictionary

from steadyhand.errors import ConfigurationError, unknown
from steadyhand.runtime.settings import read_settings
from steadyhand.sizes import SMALLEST_IMAGE
from steadyhand.tasks.gymnasium_spaces import Observe
from steadyhand.tasks.gymnasium_world import Facts, GymEnvironment, Success
from steadyhand.tasks.task import Expert
from steadyhand.values import named, positive, shown, whole

SETTINGS = {"max_steps": 0, "rate_hz": 0.0, "view": 0, "success": "", "success_at": "ever"}
"""What may stand behind an ID, as FetchReach-v4:max_steps=60,view=96, and is not set by this."""
LARGEST_VIEW = 2048


class Own:
    """A field that is the environment's own unless it is given."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, task: "GymTask | None", owner: type) -> Any:
        if task is None:
            return None  # what a dataclass takes for the default
        given = vars(task)[self.name]
        return getattr(task.facts, self.name) if given is None else given

    def __set__(self, task: "GymTask", value: object) -> None:
        vars(task)[self.name] = value


def own() -> Any:
    """A default that a type checker takes for any number."""
    return Own()


@named
@dataclass(frozen=True, kw_only=True, eq=False)
class GymTask:
    """A task around an environment of Gymnasium. All but the environment may be left out.

    Actions are clipped to the bounds of its space. The sum of rewards is always the score `return`.
    Raises `ConfigurationError` where the environment, or what it observes, cannot be taken.
    """

    environment: str | Callable[..., Any]
    """An ID, as FetchReach-v4, or what makes an environment: a class or function, called with
    render_mode="rgb_array" where it takes that."""
    observe: Observe | None = None
    """What the environment observes → {"state": numbers, …}; by its space unless given."""
    success: Success | None = None
    """A key of a step's info, or info → whether it succeeds; is_success or success unless given."""
    success_at: Literal["ever", "end"] = "ever"
    """Whether it is enough to succeed at any tick, or it has to be so at the last."""
    scores: Callable[[Any], Mapping[str, float | bool]] | None = None
    """The unwrapped environment, as it stands at the end → more named outcomes."""
    hold: Callable[[Any], Any] | None = None
    """The last action → one that keeps the robot where it is, while it waits for a chunk; the same
    again unless given, which is right where actions are places."""
    expert: Callable[[int], Expert] | None = None
    """The seed of an episode → who demonstrates it."""
    modes: tuple[str, ...] = ()
    """Scores that say which of several right ways was taken."""
    max_steps: int = own()
    """Ticks of an episode; as registered unless given."""
    rate_hz: float = own()
    """Ticks a second; 1 / dt, or the environment's render_fps, unless given."""
    view: int = 0
    """Height and width of the picture `img` that is observed, too; 0 for none."""
    fresh: bool = False
    """Whether each episode gets a new environment: for one that keeps something across resets."""
    first_seed: int = 100_000

    kind: ClassVar[str] = "gymnasium"

    def __post_init__(self) -> None:
        if not isinstance(self.environment, str) and not callable(self.environment):
            raise ConfigurationError(
                f"The environment is {shown(self.environment)}; give its ID, or what makes it: "
                "GymTask(environment=lambda: …)."
            )
        if self.success_at not in ("ever", "end"):
            raise ConfigurationError(unknown("success_at", str(self.success_at), ("ever", "end")))
        if self.view:
            whole("view", self.view, SMALLEST_IMAGE, LARGEST_VIEW)
        if (steps := vars(self)["max_steps"]) is not None:
            whole("max_steps", steps)
        if (rate := vars(self)["rate_hz"]) is not None:
            positive("rate_hz", rate)

    @property
    def name(self) -> str:
        """The ID, or what the maker is called, and the settings that were given."""
        given = {key: vars(self)[key] for key in SETTINGS}
        words = [
            f"{key}={value}"
            for key, value in given.items()
            if isinstance(value, int | float | str) and value != SETTINGS[key]
        ]
        return ":".join(filter(None, [self._called, ",".join(words)]))

    @property
    def _called(self) -> str:
        maker = self.environment
        named = maker if isinstance(maker, str) else getattr(maker, "__name__", "")
        return named if named not in ("", "<lambda>") else "environment"

    @property
    def initial_states(self) -> str:
        return "the environment's own reset(seed=seed)"

    @property
    def settings_show(self) -> tuple[str, ...]:
        """The picture, where a setting adds it."""
        return ("img",) if self.view else ()

    @property
    def facts(self) -> Facts:
        """What the environment says of itself, found by stepping one once."""
        if self not in _FACTS:
            world = self._world(success=None, view=0)
            try:
                _FACTS[self] = world.facts()
            finally:
                world.close()
        return _FACTS[self]

    def make(self) -> GymEnvironment:
        """Raises `MissingExtraError` where gymnasium is not installed."""
        return self._world(success=self.success or self.facts.success, view=self.view)

    def _world(self, success: Success | None, view: int) -> GymEnvironment:
        return GymEnvironment(
            self.environment,
            said=self._called,
            observe=self.observe,
            success=success,
            at_the_end=self.success_at == "end",
            scores=self.scores,
            hold=self.hold,
            view=view,
            fresh=self.fresh,
        )


_FACTS: WeakKeyDictionary[GymTask, Facts] = WeakKeyDictionary()
"""Not in the task itself: one that was looked at is still the same task."""


@cache
def gym_task(name: str, words: str) -> GymTask:
    """The task of an ID, with settings as `max_steps=60,view=96`."""
    given = read_settings(name, words, SETTINGS)
    return GymTask(environment=name, **{key: value for key, value in given.items() if value})
