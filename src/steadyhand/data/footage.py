"""Video as an array: frames by number, decoded when they are asked for (PyAV).

Step i of a clip has the frame that is shown nearest to `start + i / rate_hz`, to half a step: so
that several episodes may share a file, and a file may run at a higher rate than the robot.
"""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.containers import ForeignFilmError, opened
from steadyhand.data.files import AGAIN, LEAVE, Sum, require_whole, stamp, told
from steadyhand.data.lazy import Parts, gathered
from steadyhand.errors import DataError, MissingExtraError, SteadyhandError

EARLY = 0.01
"""Steps by which a frame may come early and still be taken without a look at the next."""


@dataclass(frozen=True)
class Clip:
    """The frames of one episode: `steps` of them in `file`, from `start` seconds on."""

    file: Path
    start: float
    steps: int
    height: int
    width: int
    rate_hz: float
    episode: int
    whole: bool = True
    """Whether nothing else is in the file."""
    expected: Sum | None = None
    """Size and checksum of the file, where they are known."""
    dtype = np.dtype(np.uint8)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (self.steps, self.height, self.width, 3)

    def __getitem__(self, key: Any, /) -> NDArray[np.uint8]:
        return gathered(
            self,
            key,
            lambda rows: (
                (rows == number, frame)
                for low, high in _runs(rows)
                for number, frame in self.frames(low, high)
            ),
        )

    def frames(
        self, low: int = 0, high: int | None = None
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """(step, frame (height, width, 3)) for the steps `low…high`, in order.

        Raises `DataError` where one is missing or the video is damaged.
        """
        high, done = self.steps if high is None else high, low
        try:
            for number, frame in self._frames(low, high, seek=True):
                yield number, frame
                done = number + 1
        except DataError:
            if self.start + low / self.rate_hz <= 0:
                raise
            # Where pictures refer across key frames (open GOP), only the whole way leads there.
            yield from self._frames(done, high, seek=False)

    def _frames(
        self, low: int, high: int, *, seek: bool
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        if low >= high:
            return
        expected = low
        with self.opened() as (container, stream):
            first = stream.start_time or 0
            offset = int((self.start + low / self.rate_hz) / stream.time_base)
            if seek and offset > 0:
                container.seek(first + offset, stream=stream, backward=True)
            before: tuple[float, Any] = (-math.inf, None)
            for frame in container.decode(stream):
                seconds = float((frame.pts - first) * stream.time_base) - self.start
                here = (seconds * self.rate_hz, frame)
                while here[0] >= expected - EARLY:
                    nearest = min(before, here, key=lambda shown: abs(shown[0] - expected))
                    yield expected, self._picture(stream, expected, *nearest)
                    expected += 1
                    if expected == high:
                        return
                before = here
            yield expected, self._picture(stream, expected, *before)
            if expected + 1 < high:
                raise self._without(stream, expected + 1)

    def _picture(self, stream: Any, step: int, shown: float, frame: Any) -> NDArray[np.uint8]:
        if abs(shown - step) > 0.5 or frame.is_corrupt:
            raise self._without(stream, step)
        self.require_size(frame)
        if measured(frame.format.name):
            raise self.damaged(f"it is depth or another measure, in {frame.format.name}", LEAVE)
        return frame.to_ndarray(format="rgb24")

    def _without(self, stream: Any, step: int) -> DataError:
        """What to say where there is no frame for a step: copying again makes no more of them."""
        why, rate = f"it has no whole frame for step {step}", float(stream.average_rate or 0)
        if not 0 < rate < 0.99 * self.rate_hz:
            return self.damaged(why)
        return self.damaged(f"{why}: it has about {rate:.2g} a second for {self.rate_hz:g}", LEAVE)

    def require_size(self, shown: Any) -> None:
        """Raise `DataError` where a frame, or all of them, are not of the size declared."""
        if (shown.height, shown.width) != (self.height, self.width):
            size = f"{shown.width}×{shown.height}, not {self.width}×{self.height}"
            raise self.damaged(f"its frames are {size} as declared", LEAVE)

    def check(self) -> None:
        """Raise `DataError` where the file's header does not promise the frames; decodes none."""
        require_whole(self._named, self.file, self.expected, self.episode)
        with self.opened() as (_, stream):
            self.require_size(stream)
            same_rate = abs(float(stream.average_rate or 0) / self.rate_hz - 1) < 0.01
            if self.whole and stream.frames and same_rate and stream.frames != self.steps:
                way = AGAIN if stream.frames < self.steps else LEAVE
                raise self.damaged(f"it has {stream.frames} frames for {self.steps} steps", way)

    @property
    def _named(self) -> str:
        return f"The video {self.file} of episode {self.episode}"

    def damaged(self, why: str, way: str = AGAIN) -> DataError:
        what = f"{self._named} cannot be used: {why}. {way}"
        return DataError(what, episode=self.episode, file=self.file)

    def pixels(self) -> str:
        """The name of its pixel format, out of the file's header."""
        with self.opened() as (_, stream):
            return str(stream.pix_fmt)

    @contextmanager
    def opened(self) -> Iterator[tuple[Any, Any]]:
        """(container, stream); raises `DataError` where the film cannot be used."""
        require_whole(self._named, self.file, None, self.episode)
        try:
            with opened(self.file) as found:
                yield found
        except (DataError, MissingExtraError):
            raise
        except ForeignFilmError as error:
            raise self.damaged(str(error), LEAVE) from error
        except Exception as error:  # a damaged file can raise nearly anything
            raise self.damaged(f"{getattr(error, 'strerror', None) or told(error)}") from error


def measured(pixels: str) -> bool:
    """Whether a pixel format of that name has one channel of more than 8 bits, as depth has."""
    return re.fullmatch(r"gray(9|1\d|32|f16|f32)(le|be)?", pixels) is not None


class Footage:
    """All clips of one camera, one after the other: (steps, height, width, 3), uint8."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        self.clips = tuple(clips)
        self._parts = Parts(self.clips)
        self.shape, self.dtype = self._parts.shape, np.dtype(np.uint8)

    def __getitem__(self, key: Any, /) -> NDArray[np.uint8]:
        return self._parts[key]

    @property
    def blocks(self) -> NDArray[np.int64]:
        """Where each clip ends: what is best read in one go."""
        return self._parts.ends

    def measures(self) -> str | None:
        """What the first clip holds instead of colour, by its header."""
        try:
            pixels = self.clips[0].pixels()
        except SteadyhandError:  # what is damaged or missing is told where it is read
            return None
        return f"in video of {pixels}, more than 8 bits of gray" if measured(pixels) else None

    def fingerprint(self) -> list[Any]:
        """Changes when a file does."""
        return [[*stamp(c.file), c.start, c.steps, c.rate_hz] for c in self.clips]


def _runs(numbers: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Stretches (low, high) that hold all the numbers; near ones are joined."""
    ordered = np.unique(numbers)
    if len(ordered):
        cuts = np.flatnonzero(np.diff(ordered) > 8) + 1
        for part in np.split(ordered, cuts):
            yield int(part[0]), int(part[-1]) + 1
