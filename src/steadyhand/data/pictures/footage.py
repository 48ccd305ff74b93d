"""Video as an array: frames by number, decoded when they are asked for (PyAV).

Step i of a clip has the frame that is shown nearest to `start + i / rate_hz`, to half a step: so
that several episodes may share a file, and a file may run at a higher rate than the robot. What
else is read, `film_time` decides, and `remarks` says.
"""

import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadyhand.data.files import AGAIN, LEAVE, Sum, require_whole, stamp, told
from steadyhand.data.lazy import LazyArray, Parts, gathered
from steadyhand.data.pictures.containers import ForeignFilmError, opened, times_of
from steadyhand.data.pictures.film_time import Film, Moments, Wanted, moments
from steadyhand.data.pictures.pixels import is_even, measures, numbers_of
from steadyhand.data.problem import Problem
from steadyhand.errors import DataError, MissingExtraError, SteadyhandError

LOOKED = 16
"""Films of a camera whose headers are read when a set is opened."""
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
    before: int = 0
    """Steps of other episodes whose frames come before in the file."""
    rows: int | None = None
    """Steps that have their frames in the file, 0 where unknown; its own where it is whole."""
    clock: LazyArray | None = field(default=None, compare=False)
    """Seconds since the episode began, (steps,), where they are recorded."""
    numbers: np.dtype[Any] | None = None
    """Of a measure, as depth: what its one channel holds. None for colour."""

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.numbers or np.dtype(np.uint8)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (self.steps, self.height, self.width, 1 if self.numbers else 3)

    @property
    def all_rows(self) -> int:
        """Steps that have their frames in the file; 0 where unknown."""
        return (self.steps if self.whole else 0) if self.rows is None else self.rows

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        return gathered(
            self,
            key,
            lambda rows: (
                (rows == number, frame)
                for low, high in _runs(rows)
                for number, frame in self.frames(low, high)
            ),
        )

    def frames(self, low: int = 0, high: int | None = None) -> Iterator[tuple[int, NDArray[Any]]]:
        """(step, frame (height, width, channels)) for the steps `low…high`, in order.

        Raises `DataError` where one is missing or the video is damaged.
        """
        high, done = self.steps if high is None else high, low
        try:
            for number, frame in self._frames(low, high, seek=True):
                yield number, frame
                done = number + 1
        except DataError:
            if self.moments.times[low] <= 0:
                raise
            # Where pictures refer across key frames (open GOP), only the whole way leads there.
            yield from self._frames(done, high, seek=False)

    def _frames(self, low: int, high: int, *, seek: bool) -> Iterator[tuple[int, NDArray[Any]]]:
        if low >= high:
            return
        expected, times = low, self.moments.times
        with self.opened() as (container, stream):
            first = stream.start_time or 0
            offset = int(times[low] / stream.time_base)
            if seek and offset > 0:
                container.seek(first + offset, stream=stream, backward=True)
            before: tuple[float, Any] = (-math.inf, None)
            for frame in container.decode(stream):
                here = (float((frame.pts - first) * stream.time_base), frame)
                while here[0] >= times[expected] - EARLY / self.rate_hz:
                    nearest = min(before, here, key=lambda shown: abs(shown[0] - times[expected]))
                    yield expected, self._picture(stream, expected, *nearest)
                    expected += 1
                    if expected == high:
                        return
                before = here
            while expected < high:
                yield expected, self._picture(stream, expected, *before)
                expected += 1

    def _picture(self, stream: Any, step: int, shown: float, frame: Any) -> NDArray[Any]:
        late = abs(shown - self.moments.times[step]) > self.moments.within
        if late or frame.is_corrupt:
            raise self._without(stream, step)
        self.require_size(frame)
        name = frame.format.name
        if self.numbers is not None:
            if numbers_of(name, declared=True) != self.numbers:
                raise self.damaged(f"it is in {name}, and other films of it are not", LEAVE)
            return measures(frame.planes[0], name, self.height, self.width)
        if numbers_of(name) is not None:
            raise self.damaged(f"it is depth or another measure, in {name}", LEAVE)
        return frame.to_ndarray(format="rgb24")

    @cached_property
    def moments(self) -> Moments:
        """When each step is shown, as the header says and, in doubt, the times of all frames."""
        with self.opened() as (_, stream):
            film = Film(
                pictures=stream.frames,
                rate_hz=float(stream.average_rate or 0),
                shown=lambda: times_of(self.file, *stamp(self.file)),
            )
            return moments(self._wanted, film)

    @property
    def _wanted(self) -> Wanted:
        try:
            clock = None if self.clock is None else np.asarray(self.clock[:], np.float64)
        except DataError:  # it is told where it is read itself
            clock = None
        return Wanted(
            start=self.start,
            steps=self.steps,
            rate_hz=self.rate_hz,
            before=self.before,
            rows=self.all_rows,
            clock=clock,
        )

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
        if (why := self.moments.lacking) is not None:
            raise self.damaged(why, AGAIN if self.moments.again else LEAVE)

    def clocked(self) -> list[int]:
        """A checksum of the clock that its frames are chosen by; empty where the rate does."""
        uneven = self._wanted.uneven
        return [] if uneven is None else [zlib.crc32(uneven.tobytes())]

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

    def is_without_colour(self) -> bool:
        """Whether its first picture has one colour everywhere, as where only brightness counts."""
        with self.opened() as (container, stream):
            frame = next(container.decode(stream), None)
            return frame is not None and all(is_even(plane) for plane in frame.planes[1:])

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


class Footage:
    """All clips of one camera, one after the other: (steps, height, width, 3), uint8.

    Those of a measure are (steps, height, width, 1), in the numbers they were stored in.
    """

    def __init__(self, clips: Sequence[Clip]) -> None:
        self.clips = tuple(clips)
        self._parts = Parts(self.clips)
        self.shape, self.dtype = self._parts.shape, self._parts.dtype

    def __getitem__(self, key: Any, /) -> NDArray[Any]:
        return self._parts[key]

    @property
    def blocks(self) -> NDArray[np.int64]:
        """Where each clip ends: what is best read in one go."""
        return self._parts.ends

    def measured(self, *, declared: bool, named: bool = False) -> "Footage":
        """As numbers, where the header of its first whole film says that it holds those.

        `declared` is whether it is said to be depth, `named` whether it is called so.
        """
        for clip in self.clips[:LOOKED]:
            with suppress(DataError):  # what is damaged or missing is told where it is read
                pixels = clip.pixels()
                if named and numbers_of(pixels, declared=True) == np.uint16:
                    declared = declared or clip.is_without_colour()
                numbers = numbers_of(pixels, declared=declared)
                return Footage([replace(each, numbers=numbers) for each in self.clips])
        return self

    def remarks(self, key: str, places: Iterable[int] | None = None) -> list[Problem]:
        """What is read otherwise than by the rate in some clips, by their headers; key: its name.

        Of each kind the first is told. What is damaged is told where it is read.
        """
        found: dict[str, tuple[Clip, str, list[int]]] = {}
        for place in spread(len(self.clips)) if places is None else places:
            clip = self.clips[place]
            with suppress(SteadyhandError):
                if clip.moments.remark is not None:
                    kind, said = clip.moments.remark
                    found.setdefault(kind, (clip, said, []))[2].append(place)
        remarks = []
        for kind, (clip, said, listed) in found.items():
            more = f" (and of {len(listed) - 1} others)" if len(listed) > 1 else ""
            told = f"The film '{key}' of episode {clip.episode}{more} {said}."
            remarks.append(Problem(kind, told, clip.episode, str(clip.file)))
        return remarks

    def fingerprint(self) -> list[Any]:
        """Changes when a file does, or a clock that the frames are chosen by."""
        return [[*stamp(c.file), c.start, c.steps, c.rate_hz, *c.clocked()] for c in self.clips]


def spread(clips: int) -> list[int]:
    """The places of some clips, the first and the last among them, whose headers are soon read."""
    return np.unique(np.linspace(0, clips - 1, min(LOOKED, clips)).astype(int)).tolist()


def _runs(numbers: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Stretches (low, high) that hold all the numbers; near ones are joined."""
    ordered = np.unique(numbers)
    if len(ordered):
        cuts = np.flatnonzero(np.diff(ordered) > 8) + 1
        for part in np.split(ordered, cuts):
            yield int(part[0]), int(part[-1]) + 1
