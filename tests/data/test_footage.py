"""Which frame of a film a step of the robot shows."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from steadyhand.data.pictures.footage import Clip, Footage
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
                shade = np.full((HEIGHT, WIDTH, 3), min(20 + BRIGHTER * number, 255), np.uint8)
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
        shown(file, steps=6)


def test_a_film_that_is_slower_than_the_robot_is_not_copied_again(filmed) -> None:
    file = filmed(range(0, 200, 20))
    with pytest.raises(DataError, match=r"step 1: it has about 5\.5 a second for 10\. Leave"):
        shown(file, steps=5)


def read(file: Path, **said) -> tuple[list[int], str]:
    """(the numbers of the frames of all steps, what is said of how they were found)."""
    clip = Clip(file, said.pop("start", 0.0), said.pop("steps"), HEIGHT, WIDTH, 10.0, 0, **said)
    found = [round((float(picture.mean()) - 20) / BRIGHTER) for picture in clip[:]]
    clip.check()
    return found, "; ".join(f"{p.kind}: {p.message}" for p in Footage([clip]).remarks("cam"))


@pytest.mark.parametrize("every", [5, 7, 20])
def test_a_film_of_another_rate_with_a_frame_a_step_is_read_by_number(filmed, every) -> None:
    file = filmed(range(0, 10 * every, every))
    frames, said = read(file, steps=10)
    assert frames == list(range(10))
    assert "video-rate: The film 'cam' of episode 0 has " in said
    assert "for 10 steps, but as many pictures as there are steps" in said
    # As three episodes of one film, of which this is the second.
    shared = {"whole": False, "before": 3, "rows": 10, "start": 0.3}
    assert read(file, steps=4, **shared)[0] == [3, 4, 5, 6]


def test_a_film_of_nearly_the_same_rate_does_not_fall_behind(filmed) -> None:
    ticks = [round(10.12 * i) for i in range(120)]  # half a step late after 41
    clip = Clip(filmed(ticks), 0.0, 120, HEIGHT, WIDTH, 10.0, 0)
    assert clip.moments.times.tolist() == pytest.approx([tick / 100 for tick in ticks])


def test_a_film_with_a_frame_too_many_or_too_few(filmed) -> None:
    frames, said = read(filmed(range(0, 110, 10)), steps=10)
    assert frames == list(range(10))
    assert said.startswith("video-long: The film 'cam' of episode 0 has 11 pictures for 10 steps")
    frames, said = read(filmed(range(0, 90, 10), "short.mp4"), steps=10)
    assert frames == [0, 1, 2, 3, 4, 5, 6, 7, 8, 8]
    assert said.startswith("video-short: The film 'cam' of episode 0 lacks the last picture")
    with pytest.raises(DataError, match="no whole frame for step 8"):
        read(filmed(range(0, 80, 10), "shorter.mp4"), steps=10)
    with pytest.raises(DataError, match="it has 8 frames for 10 steps"):
        Clip(filmed(range(0, 80, 10)), 0.0, 10, HEIGHT, WIDTH, 10.0, 0).check()
    frames, said = read(filmed(range(0, 220, 20), "slow.mp4"), steps=10)
    assert frames == list(range(10))
    assert "11 of them for 10 steps" in said


def test_a_film_that_does_not_count_its_frames(filmed) -> None:
    assert read(filmed(range(0, 100, 10), "film.mkv"), steps=10) == (list(range(10)), "")
    frames, said = read(filmed(range(0, 50, 5), "fast.mkv"), steps=10)
    assert frames == list(range(10))
    assert said.startswith("video-rate")


def test_a_frame_that_is_missing_inside_is_not_made_up_by_number(filmed) -> None:
    with pytest.raises(DataError, match="no whole frame for step 4"):
        read(filmed([0, 10, 20, 30, 50, 60, 70, 80, 90]), steps=10)
    for ticks in ([0, 1, 3, 4], [0, 2, 3, 4], [0, 1, 2, 4]):  # a tenth of a second each
        with pytest.raises(DataError, match="no whole frame for step"):
            read(filmed(ticks, ticks_a_second=10), steps=5)


def test_a_slow_camera_shows_its_frames_for_several_steps(filmed) -> None:
    frames, said = read(filmed(range(0, 100, 20)), steps=10)
    assert frames == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4] or frames == [0, 1, 1, 2, 2, 3, 3, 4, 4, 4]
    assert said.startswith("video-rate")
    assert "so some have the same" in said


def test_a_clock_of_the_data_says_which_frame_is_meant(filmed) -> None:
    # The camera ran on its own, at 10 a second; the robot fell behind and skipped.
    clock = np.array([0.0, 0.1, 0.25, 0.41, 0.5, 0.72, 0.8, 0.9])
    frames, said = read(filmed(range(0, 120, 10)), steps=8, clock=clock)
    assert frames == [0, 1, 2, 4, 5, 7, 8, 9] or frames == [0, 1, 3, 4, 5, 7, 8, 9]
    assert said.startswith("video-clock: The film 'cam' of episode 0 is read by the clock")
    before = Footage([Clip(filmed(range(0, 120, 10)), 0.0, 8, HEIGHT, WIDTH, 10.0, 0, clock=clock)])
    after = Footage([replace(before.clips[0], clock=clock + np.array([0, 0, 0, 0, 0, 0.1, 0, 0]))])
    even = Footage([replace(before.clips[0], clock=np.arange(8) / 10.0)])
    assert before.fingerprint() != after.fingerprint()
    assert even.fingerprint() == Footage([replace(even.clips[0], clock=None)]).fingerprint()


def test_a_clock_in_data_and_film_alike(filmed) -> None:
    ticks = [0, 12, 19, 33, 45, 60, 68, 80]
    clock = np.array(ticks) / 100
    frames, said = read(filmed(ticks), steps=8, clock=clock)
    assert frames == list(range(8))
    assert said.startswith("video-clock: The film 'cam' of episode 0 shows its pictures at the")
