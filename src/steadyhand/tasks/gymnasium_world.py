"""One environment of Gymnasium as a world: reset by a seed, stepped, scored and drawn."""

import inspect
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.pictures.resize import resize_frames
from steadyhand.errors import ConfigurationError, SteadyhandError, unknown
from steadyhand.runtime.predictor import Observation
from steadyhand.tasks.gymnasium_registry import made, registered
from steadyhand.tasks.gymnasium_spaces import Moves, Observe, arrays, observing
from steadyhand.tasks.offscreen import close_at_exit, draw_plainly, draw_without_screen
from steadyhand.tasks.task import Scores
from steadyhand.values import seed as a_seed
from steadyhand.values import shown

SUCCESS_KEYS = ("is_success", "success")
"""Under which environments say whether they succeeded, where nobody says otherwise."""
Maker = str | Callable[..., Any]
"""An ID, or what makes an environment."""
Success = str | Callable[[Mapping[str, Any]], Any]
"""A key of a step's info, or info → whether it succeeds."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What one look at an environment shows."""

    name: str
    own_rate_hz: float | None
    own_max_steps: int | None
    success: str | None
    """The key of its info that says so, where there is one."""

    @property
    def rate_hz(self) -> float:
        """Raises `ConfigurationError` where the environment does not say it."""
        if self.own_rate_hz is None:
            raise ConfigurationError(_lacking(self.name, "how long a step takes", "rate_hz=20"))
        return self.own_rate_hz

    @property
    def max_steps(self) -> int:
        """Raises `ConfigurationError` where the environment does not say it."""
        if self.own_max_steps is None:
            raise ConfigurationError(_lacking(self.name, "when an episode ends", "max_steps=200"))
        return self.own_max_steps


def _lacking(name: str, what: str, field: str) -> str:
    return f"{name} does not say {what}: give it, as GymTask(environment=…, {field})."


class GymEnvironment:
    """One world. Actions are the numbers of the environment's own action space, flat."""

    def __init__(
        self,
        maker: Maker,
        *,
        said: str,
        observe: Observe | None = None,
        success: Success | None = None,
        at_the_end: bool = False,
        scores: Callable[[Any], Scores] | None = None,
        hold: Callable[[Any], Any] | None = None,
        view: int = 0,
        fresh: bool = False,
    ) -> None:
        self._maker, self._said, self._own, self._succeeds = maker, said, observe, success
        self._at_the_end, self._more, self._view, self._fresh = at_the_end, scores, view, fresh
        self.hold = hold
        draw_without_screen()
        self._world = self._made()
        try:
            self._moves = Moves.of(self._world.action_space, said)
            self._observe = observe or observing(self._world.observation_space, said)
        except ConfigurationError:
            self.close()
            raise
        self._used = False

    def _made(self) -> Any:
        try:
            if isinstance(self._maker, str):
                world = made(self._maker)
            else:
                known = inspect.signature(self._maker).parameters.values()
                takes = any(p.name == "render_mode" or p.kind is p.VAR_KEYWORD for p in known)
                world = self._maker(**({"render_mode": "rgb_array"} if takes else {}))
        except SteadyhandError:
            raise
        except Exception as error:
            raise ConfigurationError(
                f"{self._said} could not be made: {type(error).__name__}: {error}"
            ) from error
        if not all(hasattr(world, name) for name in ("reset", "step", "unwrapped")):
            raise ConfigurationError(
                f"{self._said} made {shown(world)}, which is no environment of Gymnasium: derive "
                "it from gymnasium.Env."
            )
        if self._view and hasattr(getattr(world.unwrapped, "model", None), "vis"):
            draw_plainly(world.unwrapped.model)
        self._close = weakref.finalize(self, world.close)
        self._close.atexit = False  # where it has drawn, `close_at_exit` is in time
        return world

    def facts(self) -> Facts:
        """What a first step shows."""
        world = self._world
        self.reset(0)
        info = world.step(self._moves.taken(self._moves.middle, self._said))[4]
        bare, fps = self.bare, (world.metadata or {}).get("render_fps")
        # gym-pusht's dt is that of its physics, and control_hz that of its steps.
        dt = getattr(bare, "dt", None)
        rate = getattr(bare, "control_hz", None) or (1 / float(dt) if dt else fps)
        maker, spec = self._maker, getattr(world, "spec", None)
        spec = registered(maker) if isinstance(maker, str) else spec
        return Facts(
            name=self._said,
            own_rate_hz=None if not rate else float(rate),
            own_max_steps=getattr(spec, "max_episode_steps", None),
            success=next((key for key in SUCCESS_KEYS if key in info), None),
        )

    def reset(self, seed: int) -> Observation:
        if self._used and self._fresh:
            self.close()
            self._world = self._made()
        seen, self._info = self._world.reset(seed=a_seed("seed", seed))
        self._return, self._succeeded, self._succeeds_now = 0.0, False, False
        self._used, self._keyed, self._ticks = True, False, 0
        return self.look(seen)

    def step(self, action: NDArray[Any]) -> tuple[Observation, bool]:
        moved = self._moves.taken(action, self._said)
        seen, reward, terminated, truncated, self._info = self._world.step(moved)
        self._return += float(reward)
        self._ticks += 1
        if self._succeeds is not None:
            self._succeeds_now = self._judged(self._info)
            self._succeeded |= self._succeeds_now
        return self.look(seen), bool(terminated or truncated)

    def _judged(self, info: Mapping[str, Any]) -> bool:
        if callable(self._succeeds):
            return _yes(self._succeeds(info), f"success() of {self._said}")
        key = str(self._succeeds)
        self._keyed |= key in info
        return _yes(info.get(key, False), f"info['{key}'] of {self._said}")

    @property
    def bare(self) -> Any:
        """The environment without its wrappers."""
        return self._world.unwrapped

    def look(self, seen: Any) -> Observation:
        """What a policy sees where the environment itself observes `seen`."""
        found = self._observe(seen)
        if self._own is not None:
            found = arrays(found, self._said)
        self._last = found
        if not self._view:
            return found
        if "img" in found:
            raise ConfigurationError(
                f"{self._said} observes a picture 'img' of its own: leave out view, or give it "
                "another name by observe."
            )
        size = (self._view, self._view)
        return {**found, "img": resize_frames(self.render(), size)}

    def scores(self) -> Scores:
        """Success where the environment has it, the sum of rewards, and the task's own scores."""
        if isinstance(self._succeeds, str) and self._ticks and not self._keyed:
            raise ConfigurationError(
                f"{unknown(f'key in the info of {self._said}:', self._succeeds, self._info)} "
                "Where it is there at times only, give a function: success=lambda info: "
                f"info.get('{self._succeeds}', False)."
            )
        passed = self._succeeds_now if self._at_the_end else self._succeeded
        found = {} if self._succeeds is None else {"success": passed}
        more = {} if self._more is None else self._more(self.bare)
        return {**found, "return": self._return, **more}

    def state(self) -> list[float]:
        """Positions and speeds of MuJoCo's joints where it is MuJoCo; else the numbers observed."""
        data: Any = getattr(self.bare, "data", None)
        if hasattr(data, "qpos") and hasattr(data, "qvel"):
            return [*map(float, data.qpos), *map(float, data.qvel)]
        flat = [value.reshape(-1) for value in self._last.values() if value.ndim < 3]
        return np.concatenate(flat).astype(float).tolist() if flat else []

    def render(self) -> NDArray[np.uint8]:
        """The environment's own picture (height, width, 3). Raises `ConfigurationError` where it
        draws none."""
        try:
            drawn = self._world.render()
        except Exception as error:
            raise ConfigurationError(
                f"{self._said} could not be drawn: {type(error).__name__}: {error}. Without a "
                "screen MuJoCo draws where MUJOCO_GL is egl or osmesa."
            ) from error
        close_at_exit(self)
        picture = np.asarray(drawn)
        if picture.ndim != 3 or picture.shape[2] != 3:
            modes = (self._world.metadata or {}).get("render_modes") or "none"
            raise ConfigurationError(
                f"{self._said} draws no pictures: its render() answered with {shown(drawn)} and "
                f"its render_modes are {modes}; 'rgb_array' is what is needed, (height, width, 3)."
            )
        return picture.astype(np.uint8, copy=False)

    def close(self) -> None:
        """Close the environment; done by itself where the world is dropped."""
        self._close()


def _yes(value: Any, what: str) -> bool:
    """A truth as environments write it: True, 1.0, array([True])."""
    found = np.asarray(value)
    if found.size != 1 or found.dtype.kind not in "biuf":
        raise ConfigurationError(f"{what} is {shown(value)}; success is True or False.")
    return bool(found.reshape(-1)[0])
