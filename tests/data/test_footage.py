"""Which frame of a film a step of the robot shows."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from steadyhand.data.footage import Clip
from steadyhand.errors import DataError

HEIGHT, WIDTH, BRIGHTER = 48, 64, 10


@pytest.fixture
def filmed(tmp_path):
    """Makes films of frames that say their number by their brightness, at times given in ticks."""

    def film(ticks, name="film.mp4", ticks_a_second=100) -> Path:
        with av.open(str(tmp_path / name), "w") as container:
            stream = container.add_stream("libx264", rate=Fraction(ticks_a_second))
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.codec_context.time_base = Fraction(1, ticks_a_second)
            stream.options = {"bf": "0", "crf": "4"}
            for number, tick in enumerate(ticks):
                shade = np.full((HEIGHT, WIDTH, 3), 20 + BRIGHTER * number, np.uint8)
                frame = av.VideoFrame.from_ndarray(shade, format="rgb24")
                frame.pts, frame.time_base = tick, Fraction(1, ticks_a_second)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return tmp_path / name

    return film


def shown(file: Path, *, start: float = 0.0, steps: int, rate_hz: float = 10.0) -> list[int]:
    """The numbers of the frames of all steps, as one picture each and all at once."""
    clip = Clip(file, start, steps, HEIGHT, WIDTH, rate_hz, episode=0)
    found = [round((float(picture.mean()) - 20) / BRIGHTER) for picture in clip[:]]
    assert found == [round((float(clip[i].mean()) - 20) / BRIGHTER) for i in range(steps)]
    return found


@pytest.mark.parametrize(
    ("start", "first"), [(0.0, 0), (0.04, 0), (0.06, 1), (0.1, 1), (0.14, 1), (0.26, 3)]
)
def test_it_is_the_nearest_before_or_after(filmed, start, first) -> None:
    file = filmed(range(0, 200, 10))
    assert shown(file, start=start, steps=6) == list(range(first, first + 6))


def test_frames_that_come_early_and_late(filmed) -> None:
    # Steps are at 0, 10, 20, … ticks.
    file = filmed([0, 7, 13, 22, 26, 34, 41, 50])
    assert shown(file, steps=6) == [0, 1, 3, 4, 6, 7]


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
def test_a_film_that_does_not_begin_at_zero(filmed, name) -> None:
    file = filmed(range(30, 230, 10), name)
    assert shown(file, steps=5) == [0, 1, 2, 3, 4]
    assert shown(file, start=0.5, steps=5) == [5, 6, 7, 8, 9]


def test_no_frame_within_half_a_step_is_damage(filmed) -> None:
    file = filmed([0, 10, 36, 40, 50])
    with pytest.raises(DataError, match="no whole frame for step 2"):
        shown(file, steps=5)


def test_a_film_that_is_slower_than_the_robot_is_not_copied_again(filmed) -> None:
    file = filmed(range(0, 200, 20))
    with pytest.raises(DataError, match=r"step 1: it has about 5\.5 a second for 10\. Leave"):
        shown(file, steps=5)
