"""A map reads what is of no known format; its guess is a command that can be typed."""

import shlex

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import strange
import zarr

from steadyhand.data import open_episodes
from steadyhand.data.mapping import a_map_suggested, command, guess, open_mapped
from steadyhand.data.mapping.grammar import parse_map
from steadyhand.errors import DataError, SteadyhandError, UsageError

STATE_ACTION = "state=observations,action=actions"


def same(episodes, states, actions) -> bool:
    whole = np.array_equal(episodes.read("state"), np.concatenate(states))
    return whole and np.array_equal(episodes.read("action"), np.concatenate(actions))


@pytest.mark.parametrize("write", [strange.groups, strange.flat, strange.files])
def test_the_guess_of_arrays_is_right(write, tmp_path) -> None:
    path = tmp_path / {"groups": "x.h5", "flat": "x.npz", "files": "x"}[write.__name__]
    states, actions = write(path)
    episodes = open_mapped(path, guess(path))
    assert same(episodes, states, actions)
    assert episodes.lengths.tolist() == list(strange.LENGTHS)


def test_what_groups_say_of_success_is_guessed(tmp_path) -> None:
    strange.groups(path := tmp_path / "x.h5")
    assert open_mapped(path, guess(path)).success == (True, False, True)


def test_rows_of_jpeg_are_pictures(tmp_path) -> None:
    strange.files(path := tmp_path / "x")
    pictures = open_mapped(path, guess(path)).read("cam_high")
    assert pictures.shape == (sum(strange.LENGTHS), 24, 32, 3)
    steps = np.concatenate([np.arange(n) for n in strange.LENGTHS])
    assert np.abs(pictures.mean(axis=(1, 2, 3)) - 5 * steps).max() < 2


@pytest.mark.parametrize("write", [strange.one_table, strange.tables])
def test_the_guess_of_tables_and_films_is_right(write, tmp_path) -> None:
    states, actions = write(path := tmp_path / "x")
    episodes = open_mapped(path, guess(path))
    assert same(episodes, states, actions)
    assert (episodes.rate_hz, episodes.rate_assumed) == (20.0, False)
    camera = "front" if write is strange.one_table else "wrist"
    begins = [0, *np.cumsum(strange.LENGTHS)[:-1]] if camera == "front" else [0, 1, 2]
    steps = np.concatenate(
        [first + np.arange(n) for first, n in zip(begins, strange.LENGTHS, strict=True)]
    )
    assert np.array_equal(strange.brightness(episodes.read(camera)), steps)


def test_a_guess_takes_the_rate_of_films_and_needs_no_flags_for_files(tmp_path) -> None:
    states, actions = strange.walks()
    for i, (state, action) in enumerate(zip(states, actions, strict=True)):
        last = np.arange(len(state)) == len(state) - 1
        table = np.c_[state, action, last]
        head = "x,y,z,action_x,action_y,action_z,done"
        path = tmp_path / f"demo{i}.csv"
        np.savetxt(path, table, delimiter=";", header=head.replace(",", ";"), comments="")
        strange.film(tmp_path / f"demo{i}_top.mp4", 0, len(state), rate=25)
    text = "state=x:z,action=action_x:action_z,top=demo*_top.mp4,rate=25"
    assert guess(tmp_path) == text
    assert same(open_mapped(tmp_path, text), states, actions)


def test_the_time_from_step_to_step_is_a_rate(tmp_path) -> None:
    np.savez(path := tmp_path / "x.npz", qpos=np.zeros((9, 2)), dt=0.05)
    assert guess(path) == "state=qpos,action=next(qpos),rate=dt"
    assert open_mapped(path, guess(path)).rate_hz == 20


def test_numbers_with_commas_are_numbers(tmp_path) -> None:
    (path := tmp_path / "x.csv").write_text("q;a\n0,5;1,25\n-1,5;2\n")
    assert open_mapped(path, "state=q,action=a").read("action").tolist() == [[1.25], [2.0]]


ENDS = np.cumsum(strange.LENGTHS)
ONE_EACH = np.repeat(np.arange(3), strange.LENGTHS)
LAST = np.isin(np.arange(ENDS[-1]), ENDS - 1)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("ends", ENDS),
        ("lengths", np.array(strange.LENGTHS)),
        ("starts", ENDS - strange.LENGTHS),
        ("last_index", ENDS - 1),
        ("dones", LAST),
        ("is_first", np.roll(LAST, 1).astype(np.float32)),
        ("episode_id", ONE_EACH * 7),
        ("episode_id", ONE_EACH[:, None]),
    ],
)
def test_however_episodes_are_cut_they_are_the_same(name, values, tmp_path) -> None:
    states, actions = strange.flat(path := tmp_path / "x.npz", **{name: values})
    episodes = open_mapped(path, f"{STATE_ACTION},episodes={name}")
    assert same(episodes, states, actions)
    assert episodes.ends.tolist() == ENDS.tolist()


def test_two_kinds_of_end_are_joined(tmp_path) -> None:
    terminals, timeouts = LAST.copy(), LAST.copy()
    terminals[ENDS[0] - 1] = timeouts[ENDS[1] - 1] = False
    strange.flat(path := tmp_path / "x.npz", terminals=terminals, timeouts=timeouts)
    episodes = open_mapped(path, f"{STATE_ACTION},episodes=terminals|timeouts")
    assert episodes.ends.tolist() == ENDS.tolist()


def test_an_episode_can_be_a_row_or_have_its_number_in_a_name(tmp_path) -> None:
    states, actions = strange.walks()
    rows = {key: np.zeros((3, 15, 3), np.float32) for key in ("s", "a")}
    named = {}
    for i, (state, action) in enumerate(zip(states, actions, strict=True)):
        rows["s"][i, : len(state)], rows["a"][i, : len(action)] = state, action
        named |= {f"x{i + 9}_s": state, f"x{i + 9}_a": action}
    np.savez(path := tmp_path / "x.npz", len=strange.LENGTHS, **rows)
    assert same(open_mapped(path, "state=s,action=a,episodes=len"), states, actions)
    assert open_mapped(path, "state=s,action=a[1:],episodes=rows").lengths.tolist() == [15] * 3
    np.savez(path := tmp_path / "y.npz", **named)
    episodes = open_mapped(path, "state=x#_s,action=x#_a")
    assert same(episodes, states, actions)
    assert (episodes.numbers, episodes.left_out) == ((9, 10, 11), {})
    with pytest.raises(UsageError, match="no number for #"):
        open_mapped(path, "state=y#_s")


@pytest.mark.parametrize("values", [[5, 5], [40, 41], [-1, 37], [1.5, 36], [np.nan, 1]])
def test_what_cuts_no_episodes_is_refused(values, tmp_path) -> None:
    strange.flat(path := tmp_path / "x.npz", pieces=np.array(values))
    with pytest.raises(UsageError, match="pieces"):
        open_mapped(path, f"{STATE_ACTION},episodes=pieces")


def test_starts_that_add_up_to_the_steps_are_starts(tmp_path) -> None:
    """0, 40, 80 of 120 are lengths as well as starts; nothing but the name says which."""
    values = np.arange(120, dtype=np.float32)[:, None]
    np.savez(path := tmp_path / "x.npz", s=values, first_starts=[0, 40, 80], lens=[0, 40, 80])
    assert len(open_mapped(path, "state=s,episodes=first_starts")) == 3
    episodes = open_mapped(path, "state=s,episodes=lens")
    assert episodes.lengths.tolist() == [40, 80]
    assert "no steps" in episodes.remarks[0].message


def test_columns_are_named_by_range_by_star_and_one_by_one(tmp_path) -> None:
    states, actions = strange.walks()
    strange.csv(path := tmp_path / "x.csv", states[0], actions[0], between=";", comments="# ")
    for place in ("q1:q3", "q*", "q1|q2|q3", '"q1"|q2:q3'):
        episodes = open_mapped(path, f"state={place},action=cmd*,rate=30")
        assert same(episodes, states[:1], actions[:1]), place
    assert open_mapped(path, "state=q3|q1").shapes == {"state": (2,)}


def test_episodes_are_cut_by_words_and_rows_apart_are_refused(tmp_path) -> None:
    (path := tmp_path / "x.csv").write_text("name,q\nb,1\nb,2\na,3\n")
    assert open_mapped(path, "state=q,episodes=name").lengths.tolist() == [2, 1]
    path.write_text("name,q\nb,1\na,3\nb,2\n")
    with pytest.raises(UsageError, match="again from step 2 on"):
        open_mapped(path, "state=q,episodes=name")


def test_a_film_that_the_map_does_not_name_is_told(tmp_path) -> None:
    strange.one_table(tmp_path)
    assert "front.mp4" in open_mapped(tmp_path, "state=q*,episodes=episode").left_out
    text = "state=q*,front=front.mp4,episodes=episode,rate=20"
    assert set(open_mapped(tmp_path, text).left_out) == {"time", "cmd1", "cmd2", "cmd3"}
    strange.film(tmp_path / "front.mp4", 0, 45)
    remarks = open_mapped(tmp_path, text).remarks
    assert remarks[0].message == "front.mp4 has 45 pictures for 36 rows; each has that of its time."
    strange.film(tmp_path / "front.mp4", 0, 20)
    with pytest.raises(DataError, match=r"front.mp4 does not fit: it has 20 frames"):
        open_mapped(tmp_path, text)


def test_a_table_without_a_header_has_numbered_columns(tmp_path) -> None:
    np.savetxt(path := tmp_path / "x.csv", np.arange(12.0).reshape(4, 3), delimiter=",")
    assert open_mapped(path, "state=c0:c1,action=c2").read("state")[:, 0].tolist() == [0, 3, 6, 9]


def test_an_empty_cell_is_told_with_its_step(tmp_path) -> None:
    (path := tmp_path / "x.csv").write_text("q,a\n1,2\n,3\n4,5\n")
    with pytest.raises(DataError, match="not a finite number at step 1"):
        open_mapped(path, "state=q,action=a").read("state")


def test_parquet_zarr_and_attributes(tmp_path) -> None:
    states, actions = strange.walks()
    table = {
        "obs": list(np.concatenate(states)),
        "act": list(np.concatenate(actions)),
        "stamp_ms": np.arange(ENDS[-1]) * 50,
        "episode_index": ONE_EACH,
        "instruction": np.array(["push", "pull", "push"])[ONE_EACH],
        "success": LAST,
    }
    pq.write_table(pa.table(table), path := tmp_path / "x.parquet")
    more = "episodes=episode_index,rate=stamp_ms,task=instruction,success=success"
    episodes = open_mapped(path, f"state=obs,action=act,{more}")
    assert same(episodes, states, actions)
    assert episodes.tasks == ("push", "pull")
    assert episodes.rate_hz == 20.0
    assert episodes.success == (True, True, True)
    root = zarr.open_group(path := tmp_path / "x.zarr", mode="w", zarr_format=2)
    root.create_array("a/b", data=np.concatenate(states))
    root.create_array("a/c", data=np.concatenate(actions))
    root.attrs["fps"] = 15
    episodes = open_mapped(path, 'state=a/b,action=a/c,rate=@fps,task="go on, please"')
    assert same(episodes, states, actions)
    assert (episodes.rate_hz, episodes.tasks) == (15.0, ("go on, please",))


def test_an_observation_after_the_last_action_is_passed_over_and_said(tmp_path) -> None:
    states, actions = strange.walks()
    with h5py.File(path := tmp_path / "x.h5", "w") as file:
        for i, (state, action) in enumerate(zip(states, actions, strict=True)):
            file[f"ep{i}/q"], file[f"ep{i}/u"] = np.vstack([state, action[-1:]]), action
            file[f"ep{i}/wrong"] = state[:5]
    episodes = open_mapped(path, "state=q,action=u,episodes=ep*")
    assert same(episodes, states, actions)
    assert "one row more" in episodes.remarks[0].message
    assert episodes.left_out == {"wrong": "the map does not name it"}
    with pytest.raises(DataError, match="12 rows and 'o' 5 in ep0"):
        open_mapped(path, "state=u,o=wrong,episodes=ep*")


def test_the_next_state_is_an_action(tmp_path) -> None:
    states, _ = strange.flat(path := tmp_path / "x.npz")
    text = "state=observations,action=next(observations),episodes=episode_lengths"
    following = np.concatenate([np.vstack([s[1:], s[-1:]]) for s in states])
    assert np.array_equal(open_mapped(path, text).read("action"), following)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no pair"),
        ("state", "no pair"),
        ("state=", "no pair"),
        ("rate=30", "names no feature"),
        ("state=a,state=b", "says twice"),
        ('state="a', "not closed"),
        ("a[0]=b", "cannot be named"),
        ("state=observation", "Did you mean 'observations'"),
        ("state=observations[5:],action=actions", "picks no columns"),
        ("state=observations,rate=0", "0 steps a second"),
        ("state=observations,rate=actions", "rate"),
        ("state=observations,task=words", 'task="pick it up"'),
        ("state=observations,episodes=ep_*", "ep_"),
        ("state=*.mp4", "not a film"),
        ("state=observations,front=*.mp4", "no films"),
    ],
)
def test_a_map_that_does_not_fit_says_what_would(text, said, tmp_path) -> None:
    strange.flat(path := tmp_path / "x.npz")
    with pytest.raises(SteadyhandError, match=said.replace("(", r"\(")):
        open_mapped(path, text)


def test_names_in_quotes_keep_commas_and_stars() -> None:
    said = parse_map('"a b"="x, y"|z,rate="1"')
    assert [name.text for name in said.features["a b"].names] == ["x, y", "z"]
    assert said.number("rate") == 1.0


def test_an_unknown_set_is_answered_with_the_command_for_it(tmp_path) -> None:
    strange.one_table(path := tmp_path / "a set")
    with pytest.raises(DataError, match="A map fits it: steadyhand convert") as raised:
        open_episodes(path)
    typed = str(raised.value).partition("A map fits it: ")[2]
    assert shlex.split(typed)[2] == str(path)
    assert typed == command(path, guess(path))
    assert "Known: " not in str(raised.value), "what fits is all there is to say"


def test_what_is_wrong_with_one_episode_is_no_matter_of_a_map(tmp_path) -> None:
    strange.groups(path := tmp_path / "x.h5")
    for episode, told in ((None, True), (3, False)):
        with pytest.raises(DataError) as raised, a_map_suggested(path):
            raise DataError("It is damaged.", episode=episode)
        assert ("--map" in str(raised.value)) == told


def test_a_damaged_set_of_a_known_format_is_not_mapped(tmp_path) -> None:
    strange.flat(path := tmp_path / "x.npz", episode_ends=np.array([40, 20]))
    with pytest.raises(DataError) as raised:
        open_episodes(path)
    assert "--map" not in str(raised.value)
