"""What actions mean: laws of the transforms, for arrays and tensors, in both precisions."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from steadyhand.actions import ActionPart, ActionTransform, mean_rotation, rotations, slerp
from steadyhand.actions.parts import ROTATIONS, parse_parts
from steadyhand.errors import ConfigurationError

PRECISE = {np.float32: 2e-5, np.float64: 1e-12}
KINDS = ["numbers", *ROTATIONS]
FORMS = ["absolute", "relative", "delta"]
WAYS = [(float_, make) for float_ in PRECISE for make in (np.asarray, torch.from_numpy)]


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0].__name__}-{way[1].__module__}")
def given(request) -> Any:
    """What makes an array or a tensor of one precision, and how exact it is."""
    kind, make = request.param
    return lambda values: make(np.ascontiguousarray(values, kind)), PRECISE[kind]


def quaternions(random, *shape: int) -> np.ndarray:
    """Unit quaternions that turn a little from row to row, (…, H, 4)."""
    first = random.normal(size=(*shape[:-1], 1, 4))
    moved = first / np.linalg.norm(first, axis=-1, keepdims=True)
    moved = moved + 0.1 * random.normal(size=(*shape, 4)).cumsum(-2)
    return moved / np.linalg.norm(moved, axis=-1, keepdims=True)


def recorded(kind: str, random, *shape: int) -> np.ndarray:
    """Smooth rows (…, H, n) of that kind."""
    if kind not in ROTATIONS:
        return random.normal(size=(*shape, 3)).cumsum(-2)
    found = quaternions(random, *shape)
    if kind.startswith("quaternion"):
        return found
    return rotations.from_matrix(kind, rotations.to_matrix("quaternion_wxyz", found))


def transform(*parts: ActionPart) -> ActionTransform:
    return ActionTransform(parts)


def part(kind: str, form: str, start: int = 0) -> ActionPart:
    whole = (kind, form) == ("numbers", "absolute")
    width = ROTATIONS.get(kind, 3)
    reference = None if whole else "state"
    stop = start + width
    return ActionPart(start=start, stop=stop, kind=kind, form=form, reference=reference)  # type: ignore[arg-type]


def far_apart(first, second) -> float:
    return float(np.abs(np.asarray(first) - np.asarray(second)).max())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back_is_where_it_was(kind, form, given) -> None:
    make, exact = given
    rows = recorded(kind, np.random.default_rng(0), 50, 17)
    first, told = make(rows[:, :1]), make(rows[:, 1:])
    meaning = transform(part(kind, form))
    seen = meaning.to_network(told, first)
    assert seen.shape == (50, 16, meaning.network_size)
    assert seen.dtype == told.dtype
    back = meaning.to_robot(seen, first)
    assert back.dtype == told.dtype
    assert far_apart(back, told) < exact
    if form == "absolute" and kind in ("numbers", "rotation_6d"):
        assert far_apart(seen, told) < exact
    else:
        assert far_apart(seen[..., :1], told[..., :1]) > 0.1, "the network sees something else"


@pytest.mark.parametrize("form", ["relative", "delta"])
def test_what_moves_far_from_zero_is_as_exact_as_it_was_recorded(form) -> None:
    """A millionth of a unit, a billion units from zero: in float64, as such policies compute."""
    rows = 1e9 + np.random.default_rng(0).normal(size=(20, 9, 3)).cumsum(-2) * 1e-3
    meaning = transform(part("numbers", form))
    for make in (np.asarray, torch.from_numpy):
        first, told = make(rows[:, :1]), make(rows[:, 1:])
        narrow = np.asarray(meaning.to_network(told, first)).astype(np.float32)
        back = meaning.to_robot(make(narrow), first)
        assert far_apart(back, told) < 1e-6


def test_an_error_of_a_delta_stays_and_one_of_a_relative_row_passes() -> None:
    """The difference between the two forms: a wrong row, and what comes after it."""
    rows = np.random.default_rng(0).normal(size=(1, 17, 3)).cumsum(-2)
    first, told = rows[:, :1], rows[:, 1:]
    wrong = {}
    for form in ("relative", "delta"):
        meaning = transform(part("numbers", form))
        seen = meaning.to_network(told, first)
        seen[:, 5] += 1
        wrong[form] = np.abs(meaning.to_robot(seen, first) - told).max((0, 2))
    assert np.allclose(wrong["relative"], np.eye(16)[5])
    assert np.allclose(wrong["delta"], np.arange(16) >= 5)
    noise = np.random.default_rng(1).normal(size=(1000, 16, 3))
    meaning = transform(part("numbers", "delta"))
    spread = meaning.to_robot(noise, np.zeros((1000, 1, 3))).std((0, 2))
    assert np.allclose(spread, np.sqrt(np.arange(1, 17)), rtol=0.1)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", list(ROTATIONS))
def test_whatever_the_network_answers_is_a_rotation(kind, form, given) -> None:
    make, exact = given
    random = np.random.default_rng(2)
    answers = random.normal(size=(60, 12, 6)) * 10.0 ** random.integers(-6, 7, size=(60, 12, 1))
    answers[0], answers[1, :, :3], answers[2, :, 3:] = 0, 0, 0
    answers[3, :, 3:] = 2 * answers[3, :, :3]
    answers[4, :, 3:] = -answers[4, :, :3] * (1 + 1e-9)
    answers[5], answers[6], answers[7] = 1e18, 1e-38, [1, 0, 0, 1, 0, 0]
    meaning = transform(part(kind, form))
    first = make(recorded(kind, random, 60, 1))
    told = meaning.to_robot(make(answers), first)
    assert np.isfinite(np.asarray(told)).all()
    matrix = np.asarray(rotations.to_matrix(kind, told), np.float64)
    assert far_apart(matrix @ matrix.swapaxes(-1, -2), np.eye(3) + 0 * matrix) < 5 * exact
    assert np.allclose(np.linalg.det(matrix), 1, atol=5 * exact)
    if kind.startswith("quaternion"):
        assert far_apart((np.asarray(told, np.float64) ** 2).sum(-1), 1) < exact


def test_relative_rotations_are_seen_from_the_reference() -> None:
    """Turning the whole world leaves them as they are; the order of a product matters."""
    random = np.random.default_rng(3)
    rows, world = quaternions(random, 20, 9), quaternions(random, 1)
    matrices, turn = (rotations.to_matrix("quaternion_wxyz", q) for q in (rows, world))
    turned = rotations.from_matrix("quaternion_wxyz", turn @ matrices)
    for form in ("relative", "delta"):
        meaning = transform(part("quaternion_wxyz", form))
        seen = [meaning.to_network(q[:, 1:], q[:, :1]) for q in (rows, turned)]
        assert far_apart(*seen) < 1e-12
    here = np.swapaxes(matrices[:, :1], -1, -2) @ matrices[:, 1:]
    meaning = transform(part("quaternion_wxyz", "relative"))
    seen = meaning.to_network(rows[:, 1:], rows[:, :1])
    assert far_apart(seen, np.concatenate([here[..., 0], here[..., 1]], -1)) < 1e-12, "columns"


def test_a_quarter_turn_is_what_it_is_called() -> None:
    """About z: x goes to y. So is the order of a quaternion's numbers known."""
    half = np.sqrt(0.5)
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    for kind, values in {
        "quaternion_xyzw": [0, 0, half, half],
        "quaternion_wxyz": [half, 0, 0, half],
        "rotation_vector": [0, 0, np.pi / 2],
        "rotation_6d": [0, 1, 0, -1, 0, 0],
    }.items():
        assert far_apart(rotations.to_matrix(kind, np.array(values)), turn) < 1e-12
        back = rotations.from_matrix(kind, turn[None])
        assert far_apart(back[0], values) < 1e-12


def test_quaternions_keep_their_sign_and_vectors_pass_half_a_turn() -> None:
    """Two turns about one axis, in steps of 5°: no jump, from whatever sign it begins with."""
    angles = np.radians(np.arange(5, 720, 5.0))[None, :, None]
    found = np.concatenate([np.cos(angles / 2), np.sin(angles / 2) * [0.6, 0, 0.8]], -1)
    for sign in (1, -1):
        for form in FORMS:
            meaning = transform(part("quaternion_wxyz", form))
            first = sign * np.array([[[1.0, 0, 0, 0]]])
            back = meaning.to_robot(meaning.to_network(found, first), first)
            assert far_apart(back, sign * found) < 1e-12, "that which is nearer to the reference"
    flipped = found * np.where(np.arange(found.shape[1]) % 3, 1, -1)[:, None]
    meaning = transform(replace(part("quaternion_wxyz", "absolute"), reference=None))
    back = meaning.to_robot(meaning.to_network(flipped))
    assert far_apart(back, found) < 1e-12, "also of what jumped in the data; at first w is above 0"
    vectors = rotations.from_matrix(
        "rotation_vector", rotations.to_matrix("quaternion_wxyz", found)
    )
    ahead = angles[0, :, 0] < 2 * np.pi - 0.1
    assert far_apart(vectors[0, ahead], (angles * [0.6, 0, 0.8])[0, ahead]) < 1e-9


GRIPPER = ActionPart(
    start=0, stop=1, kind="gripper", form="absolute", levels=(0.0, 0.08), hysteresis=0.3
)


def by_hand(answers: np.ndarray, first: float | None) -> list[float]:
    """Hysteresis as a robot does it, tick by tick."""
    closed, found = answers[0] > 0 if first is None else first > 0.04, []
    for answer in answers:
        if abs(answer) > 0.3:
            closed = answer > 0
        found.append(0.08 if closed else 0.0)
    return found


@pytest.mark.parametrize("known", [True, False])
def test_a_gripper_changes_only_where_the_answer_is_sure(known, given) -> None:
    make, _ = given
    random = np.random.default_rng(4)
    answers = random.normal(scale=0.4, size=(200, 20, 1))
    first = np.where(random.random((200, 1, 1)) < 0.5, 0.079, 0.002)
    meaning = transform(replace(GRIPPER, reference="last_action" if known else None))
    told = meaning.to_robot(make(answers), make(first) if known else None)
    wanted = [
        by_hand(a[:, 0], float(f[0, 0]) if known else None)
        for a, f in zip(answers, first, strict=True)
    ]
    assert far_apart(told[..., 0], wanted) < 1e-8
    chatter = make(0.2 * np.where(np.arange(20) % 2, 1, -1)[None, :, None])
    for value in (0.0, 0.08):
        meaning = transform(replace(GRIPPER, reference="last_action"))
        told = meaning.to_robot(chatter, make(np.full((1, 1, 1), value)))
        assert far_apart(told, value) < 1e-8


def test_a_gripper_there_and_back(given) -> None:
    make, _ = given
    told = make(0.08 * (np.random.default_rng(5).random((50, 16, 1)) < 0.5))
    seen = transform(GRIPPER).to_network(told)
    assert set(np.unique(np.asarray(seen))) == {-1.0, 1.0}
    assert (np.asarray(transform(GRIPPER).to_robot(seen)) == np.asarray(told)).all()


def test_parts_side_by_side_are_what_they_are_alone(given) -> None:
    make, exact = given
    random = np.random.default_rng(6)
    rows = np.concatenate(
        [
            recorded("numbers", random, 30, 9),
            quaternions(random, 30, 9),
            0.08 * (random.random((30, 9, 1)) < 0.5),
        ],
        -1,
    )
    gripper = replace(GRIPPER, start=7, stop=8)
    parts = (part("numbers", "delta"), part("quaternion_xyzw", "relative", 3), gripper)
    meaning = transform(*parts)
    assert meaning.network_size == 3 + 6 + 1
    first, told = make(rows[:, :1]), make(rows[:, 1:])
    seen = meaning.to_network(told, first)
    at = 0
    for one in parts:
        here = slice(one.start, one.stop)
        alone = transform(one).to_network(told[..., here], first[..., here])
        assert far_apart(seen[..., at : at + one.network_width], alone) == 0
        at += one.network_width
    assert far_apart(meaning.to_robot(seen, first), told) < exact
    with pytest.raises(ConfigurationError, match="give the reference"):
        meaning.to_network(told)


def test_means_of_rotations_agree_with_all_of_them() -> None:
    """Whatever the signs and the order; the mean of two is half way; turned data, turned mean."""
    random = np.random.default_rng(7)
    around = quaternions(random, 50, 1)[:, 0]
    near = around[:, None] + 0.2 * random.normal(size=(50, 9, 4))
    near /= np.linalg.norm(near, axis=-1, keepdims=True)
    mean = mean_rotation(near)
    assert np.allclose((mean**2).sum(-1), 1)
    flipped = near * np.where(random.random((50, 9, 1)) < 0.5, 1, -1)
    assert np.allclose(np.abs((mean_rotation(flipped) * mean).sum(-1)), 1)
    assert np.allclose(
        np.abs((mean_rotation(near[..., [3, 0, 1, 2]]) * mean[..., [3, 0, 1, 2]]).sum(-1)), 1
    )
    # The largest of what it is the largest of, against what is near it.
    agreement = ((near * mean[:, None]).sum(-1) ** 2).sum(-1)
    for _ in range(20):
        other = mean + 0.05 * random.normal(size=mean.shape)
        other /= np.linalg.norm(other, axis=-1, keepdims=True)
        assert (((near * other[:, None]).sum(-1) ** 2).sum(-1) <= agreement + 1e-12).all()
    pair = near[:, :2]
    assert np.allclose(mean_rotation(pair), slerp(pair[:, 0], pair[:, 1], 0.5))
    heavy = mean_rotation(pair, [1.0, 1e9])
    assert np.allclose(heavy, pair[:, 1], atol=1e-6)
    assert np.allclose(mean_rotation(pair, [3, 1]), mean_rotation(near[:, [0, 0, 0, 1]]))


def test_slerp_turns_at_constant_speed_the_shorter_way() -> None:
    random = np.random.default_rng(8)
    start, end = (quaternions(random, 40, 1)[:, 0] for _ in range(2))
    end[0], end[1] = start[0], -start[1]
    path = np.stack([slerp(start, end, share) for share in np.linspace(0, 1, 11)], 1)
    assert np.allclose((path**2).sum(-1), 1)
    assert np.allclose(path[:, 0], start)
    assert np.allclose(np.abs((path[:, -1] * end).sum(-1)), 1)
    turned = np.linalg.norm(np.diff(path, axis=1), axis=-1)
    assert np.allclose(turned, turned[:, :1], atol=1e-9)
    whole = np.arccos(np.clip(np.abs((start * end).sum(-1)), 0, 1))
    assert np.allclose(2 * np.arcsin(turned[:, 0] / 2) * 10, whole, atol=1e-6)
    shares = random.random(40)
    both = slerp(start, end, shares)
    assert np.allclose(both[3], slerp(start[3], end[3], shares[3]))


def test_words_say_what_fields_say() -> None:
    words = [
        "0:3=relative:state[0:3]",
        "3:7=quaternion_xyzw,delta",
        "7=gripper:0..0.08,hysteresis:0.3",
    ]
    assert parse_parts(words) == (
        ActionPart(start=0, stop=3, form="relative", reference="state[0:3]"),
        ActionPart(start=3, stop=7, kind="quaternion_xyzw", form="delta"),
        ActionPart(start=7, stop=8, kind="gripper", levels=(0.0, 0.08), hysteresis=0.3),
    )


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("0:3", "does not say which columns.*0:3=relative 3:7.*absolute, relative, delta"),
        ("a:b=relative", "does not say which columns"),
        ("0:3=relativ", "Did you mean 'relative'"),
        ("0:3=relative,delta", "says twice what its form is"),
        ("3:7=quaternion", "Did you mean 'quaternion_"),
        ("3:6=quaternion_xyzw", "has 4 columns, and 3:6 has 3"),
        ("3:7=quaternion_xyzw:state", "stands alone"),
        ("7=gripper:0.08", r"Write it as gripper:0\.\.0\.08"),
        ("7=gripper:nan..1", "must be a tuple of 2 numbers"),
        ("7=gripper:1..0", "the lower first"),
        ("7=gripper,delta", "no delta ones"),
        ("7=gripper,hysteresis:2", r"hysteresis is 2\.0; it must be in \[0, 1\)"),
        ("7=relative,hysteresis:0.5", "no gripper"),
        ("3:3=relative", "none"),
        ("0:3=absolute:state", "does not refer"),
    ],
)
def test_a_wrong_word_is_answered_with_what_there_is(word, said) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parse_parts([word])
