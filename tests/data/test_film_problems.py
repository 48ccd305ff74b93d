"""Cuts, cameras that hang and moments of darkness are found; lamps, flashes and haste are not."""

from dataclasses import replace

import numpy as np
import pytest

from steadyhand.data import Episodes, Problem, inspect_episodes

LENGTHS, RATE, SIZE = (60, 60), 20.0, 48


def filmed(speed=None) -> Episodes:
    """An arm, a bright square, that wanders over a table with texture; the camera is noisy."""
    random = np.random.default_rng(0)
    total = sum(LENGTHS)
    speed = np.full(total, 1.0) if speed is None else speed
    angle = np.cumsum(0.1 * speed)
    state = np.stack([np.sin(angle), np.cos(0.7 * angle)], 1)
    table = random.integers(60, 120, (12, 12, 3)).repeat(4, 0).repeat(4, 1)
    img = (table[None] + random.normal(0, 2, (total, SIZE, SIZE, 3))).astype(np.uint8)
    for step, (x, y) in enumerate((18 + 14 * state).astype(int)):
        img[step, y : y + 12, x : x + 12] = 220
    return Episodes({"state": state, "action": state + 0.01, "img": img}, np.cumsum(LENGTHS), RATE)


def shown(change, **more) -> dict[str, Problem]:
    """What is said where `change` did something to the pictures (in place)."""
    episodes = filmed(**more)
    img = np.array(episodes.arrays["img"])
    change(img)
    changed = replace(episodes, arrays={**episodes.arrays, "img": img}, numbers=(4, 6))
    return {problem.kind: problem for problem in inspect_episodes(changed)}


def test_nothing_is_said_of_sound_film() -> None:
    assert shown(lambda img: None) == {}


def test_a_cut_is_found_where_it_is() -> None:
    def other_place(img) -> None:
        img[95:120] = np.roll(img[95:120, ::-1], 17, axis=2)

    [(kind, found)] = shown(other_place).items()
    assert (kind, found.episode) == ("cut", 6)
    assert "at step 35 of episode 6 (1.8 s), while the numbers go on as before" in found.message


def test_lost_pictures_are_a_cut() -> None:
    def lost(img) -> None:
        img[70:105] = img[85:120].copy()

    assert shown(lost)["cut"].episode == 6


def test_lamps_flashes_lights_and_noise_are_no_cuts() -> None:
    def lamp(img) -> None:
        img[80:, :6, :6] = 255

    def flash(img) -> None:
        img[80] = 250

    def light(img) -> None:
        img[80:120] = np.clip(1.3 * img[80:120].astype(float) + 20, 0, 255)

    def noise(img) -> None:
        img[:] = np.random.default_rng(0).integers(0, 256, img.shape)

    for change in (lamp, flash, light, noise):
        assert "cut" not in shown(change), change.__name__


@pytest.mark.parametrize("each", [2, 6, 12])
def test_a_film_of_a_lower_rate_is_none(each) -> None:
    def slow(img) -> None:
        img[:] = img[np.arange(len(img)) // each * each]

    assert "cut" not in shown(slow)


def test_haste_is_no_cut() -> None:
    """The arm jumps, as its numbers say, in some steps of many."""
    speed = np.full(sum(LENGTHS), 0.3)
    speed[[20, 40, 80, 100]] = 25.0
    assert "cut" not in shown(lambda img: None, speed=speed)


def test_recordings_that_are_joined() -> None:
    episodes = filmed()
    arrays = {key: np.array(array) for key, array in episodes.arrays.items()}
    arrays["state"][90:] += 40
    arrays["img"][90:] = arrays["img"][90:, ::-1, ::-1]
    [found] = [p for p in inspect_episodes(replace(episodes, arrays=arrays)) if p.kind == "cut"]
    assert "at step 30 of episode 1" in found.message
    assert "the numbers jump with it" in found.message


def test_a_camera_that_hangs() -> None:
    def hang(img) -> None:
        img[75:100] = img[75]

    [(kind, found)] = shown(hang).items()
    assert (kind, found.episode) == ("frozen", 6)
    assert "one picture for 1.2 s of episode 6, from step 15 on" in found.message
    still = np.full(sum(LENGTHS), 1.0)
    still[76:100] = 0.0
    assert "frozen" not in shown(hang, speed=still), "nothing moved"


def test_sensors_that_jitter_are_no_robot_that_moves() -> None:
    """A table at rest looks alike, and nothing hangs: not to be recorded again, but trimmed."""
    still = np.full(sum(LENGTHS), 1.0)
    still[60:100] = 0.0
    episodes = filmed(speed=still)
    random, arrays = np.random.default_rng(1), dict(episodes.arrays)
    arrays["img"][60:100] = arrays["img"][60]
    arrays["state"] = arrays["state"] + random.normal(0, 0.05, arrays["state"].shape)
    assert "frozen" not in {p.kind for p in inspect_episodes(replace(episodes, arrays=arrays))}


def test_a_moment_of_darkness() -> None:
    def dark(img) -> None:
        img[100:102] //= 60

    [(kind, found)] = shown(dark).items()
    assert (kind, found.episode) == ("black", 6)
    assert "black in 2 steps of episode 6, the first is step 40" in found.message


@pytest.mark.parametrize("scale", [1.0, 1 / 255])
def test_floating_pictures_are_looked_at_alike(scale) -> None:
    episodes = filmed()
    img = np.array(episodes.arrays["img"])
    img[90:] = img[90:, ::-1, ::-1]
    arrays = {**episodes.arrays, "img": (img * scale).astype(np.float32)}
    assert "cut" in {p.kind for p in inspect_episodes(replace(episodes, arrays=arrays))}
