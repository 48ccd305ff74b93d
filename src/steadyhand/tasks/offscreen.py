"""Pictures of a MuJoCo world without a screen: the processor draws them where nothing else does."""

import atexit
import os
import sys
import weakref
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.errors import ConfigurationError, library

PLAIN = (0, 2)
"""Of MuJoCo's flags: no shadows, no reflections."""


def draw_without_screen() -> None:
    """Let MuJoCo, and pygame, draw into memory where there is no screen; before their import."""
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform == "linux" and not screen:
        os.environ.setdefault("MUJOCO_GL", "egl")
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")


def draw_plainly(model: Any) -> None:
    """No soft edges and shadows, for which a processor takes four times as long; before the first
    picture."""
    model.vis.quality.offsamples, model.vis.quality.shadowsize = 0, 0


_DRAWN: weakref.WeakSet[Any] = weakref.WeakSet()


def close_at_exit(world: Any) -> None:
    """Close a world that has drawn while the graphics library is still there, quietly.

    Called after its first picture: of what is to be done at the end, the last comes first.
    """
    if not _DRAWN:
        atexit.register(_close_all)
    _DRAWN.add(world)


def _close_all() -> None:
    for world in list(_DRAWN):
        with suppress(Exception):
            world.close()


class Camera:
    """One camera of a model by name; what draws is made at the first picture.

    `turned` pictures come out upside down and are turned round.
    """

    def __init__(self, model: Any, name: str, *, turned: bool = False) -> None:
        self._model, self._name, self._turned = model, name, turned
        self._drawing: dict[int, Any] = {}
        # When the process ends the graphics library goes before Python's own objects do.
        weakref.finalize(self, _free, self._drawing)

    def take(self, data: Any, size: int) -> NDArray[np.uint8]:
        """What it sees of the world in `data`, (size, size, 3).

        Raises `ConfigurationError` where nothing can be drawn.
        """
        if size not in self._drawing:
            self._drawing[size] = self._renderer(size)
        renderer = self._drawing[size]
        renderer.update_scene(data, camera=self._name)
        for costly in PLAIN:
            renderer.scene.flags[costly] = 0
        picture = renderer.render()
        return np.ascontiguousarray(picture[::-1, ::-1]) if self._turned else picture.copy()

    def _renderer(self, size: int) -> Any:
        mujoco = library("mujoco")
        # Off the screen it draws into a buffer of at most the size that the model asks for.
        frame = self._model.vis.global_
        frame.offwidth, frame.offheight = max(frame.offwidth, size), max(frame.offheight, size)
        draw_plainly(self._model)
        try:
            if os.environ.get("MUJOCO_GL") == "egl":
                # Whoever imported it before that was said has another way to draw chosen.
                mujoco.gl_context.GLContext = library("mujoco.egl").GLContext
            return mujoco.Renderer(self._model, size, size)
        except Exception as error:  # whatever the graphics library says
            raise ConfigurationError(
                f"MuJoCo cannot draw here ({error}). Without a screen it draws by EGL or OSMesa: "
                "install libegl1 (Debian, Ubuntu) or libosmesa6, and set MUJOCO_GL to egl or "
                "osmesa."
            ) from error


def _free(drawing: dict[int, Any]) -> None:
    for renderer in drawing.values():
        with suppress(Exception):
            renderer.close()
    drawing.clear()
