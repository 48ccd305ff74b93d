"""What is printed is text, whatever was in the names: no markup, no escapes, no false lines."""

import json
import time

import numpy as np
import pytest
from rich.table import Table

from steadyhand.cli import main as command
from steadyhand.cli import screen
from steadyhand.cli.main import main
from steadyhand.data import Episodes, write_episodes
from steadyhand.errors import ConfigurationError
from steadyhand.studies.folder import Progress

NAME = "x \x07\u202egnp.\u2066 \x9b1m a\nsteadyhand: all is well\r"
EVIL = f"[bold red]x[/] :boom: \x1b[2J\x1b]0;title{NAME}"
SHOWN = r"[bold red]x[/] :boom: \x1b[2J\x1b]0;titlex \x07\u202egnp.\u2066 \x9b1m a\nsteadyhand:"


def only_text(printed: str) -> None:
    """Nothing but printable characters and the line ends of our own lines."""
    assert not [c for c in printed if not c.isprintable() and c != "\n"]
    assert not [line for line in printed.splitlines() if line.startswith("steadyhand: all")]


def test_lines_and_tables_and_progress(capsys) -> None:
    table = Table(title=EVIL)
    table.add_column(EVIL, no_wrap=True)
    table.add_row(EVIL)
    wide = screen.results(as_json=False)
    wide.width = 300
    screen.show(wide, EVIL, table)
    with screen.progress(EVIL, 2) as advance:
        advance(2, EVIL)
    said = capsys.readouterr()
    assert said.out.count(SHOWN) == 4
    assert said.err.count(SHOWN) == 2
    only_text(said.out + said.err)


def test_what_a_row_is_of_is_kept_in_a_line(capsys) -> None:
    rows = [("asynchronous", *["0.000 [0.000, 0.161]"] * 6), ("real_time", *["1"] * 6)]
    narrow = screen.results(as_json=False)
    narrow.width = 80
    screen.show(narrow, screen.table("", ("run", *"abcdef"), rows))
    said = capsys.readouterr().out
    assert "asynchronous" in said
    assert "real_time" in said
    assert max(map(len, said.splitlines())) <= 80
    assert said.count("0.161]") == 6, "nothing is cut"


def test_on_a_terminal(capsys, monkeypatch) -> None:
    """A bar and a spinner steer the terminal themselves; the names in them do not."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "400")
    with screen.progress(EVIL, 2) as advance:
        advance(2, EVIL)
    with screen.waiting(EVIL):
        pass
    said = capsys.readouterr().err
    assert SHOWN.partition(" ")[0] in said, "the markup is there to be read"
    assert not [bad for bad in ("\x1b[2J\x1b]", "\x07", "\u202e", "\x9b") if bad in said]


def test_many_runs_are_watched_in_a_pipe(capsys, monkeypatch) -> None:
    """A line says how many are done, how long it takes still, and what each does."""
    now = [0.0]
    monkeypatch.setattr(screen.time, "monotonic", lambda: now[0])
    left = {"flow-0-abc": Progress(0.5), "ddpm-0-def": Progress(), "gone-0-fed": Progress(0.5)}
    with screen.watching("training", left) as watch:
        now[0] = 10.0
        watch(left)
        now[0] = 60.0
        moved = {"flow-0-abc": Progress(0.75, f"training{EVIL}"), "ddpm-0-def": Progress()}
        watch(moved)
        watch({"ddpm-0-def": Progress(0.5, "trying 1 of 2")})
        watch({})
    said = capsys.readouterr().err
    only_text(said)
    first, last = said.splitlines()
    # Of three runs 1.0 was done before, and 0.75 in a minute; 1.25 are left.
    begin = "training: 58%, 1 of 3 runs, 2 min left; flow-0 training[bold red]x"
    assert first.startswith(begin), first
    assert last == "training: 100%, 3 of 3 runs"


def test_many_runs_are_watched_on_a_terminal(capsys, monkeypatch) -> None:
    """A bar for all and one for each that is worked at, as many as there is room for."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setenv("LINES", "8")
    left = {f"run{number}-0-{EVIL}": Progress() for number in range(9)}
    with screen.watching(EVIL, left) as watch:
        watch({name: Progress(0.1, EVIL) for name in left})
        time.sleep(0.25)
        watch({})
    said = capsys.readouterr().err
    assert "run4" in said
    assert "run5" not in said
    assert "9 of 9 runs" in said
    assert "100%" in said
    assert not [bad for bad in ("\x1b[2J\x1b]", "\x07", "\u202e", "\x9b") if bad in said]


def test_the_name_of_a_data_set(tmp_path, capsys) -> None:
    arrays = {":boom:": np.zeros((30, 2), np.float32), "action": np.ones((30, 2), np.float32)}
    path = tmp_path / f"{EVIL.replace('/', '')}.npz"
    write_episodes(path, Episodes(arrays, np.array([30])))
    assert main(["inspect", str(path)]) == 0
    said = capsys.readouterr()
    only_text(said.out + said.err)
    assert r"\x1b[2J" in said.out
    assert "[bold red]" in said.out
    assert ":boom:" in said.out
    assert main(["inspect", str(path), "--json"]) == 0
    printed = capsys.readouterr().out
    assert printed.isascii(), "JSON escapes what it holds"
    assert json.loads(printed)["steps"] == 30


@pytest.mark.parametrize(
    "words",
    [
        [EVIL],
        ["train", EVIL],
        ["train", "fork", f"--{EVIL}"],
        ["train", "fork", "--steps", EVIL],
        ["train", "fork", "--data", EVIL],
        ["record", "--task", EVIL, "--out", "new.npz"],
        ["inspect", EVIL],
        ["evaluate", EVIL],
        ["compare", EVIL, "b"],
        ["inspect", "a", EVIL],
    ],
    ids=range(10),
)
def test_arguments_are_echoed_as_text(words, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    said = capsys.readouterr()
    only_text(said.out + said.err)
    assert said.err.count("\n") == 1
    assert len(said.err) > 30


TOO_MUCH = [
    (MemoryError(), "There is not enough memory (none is left)"),
    (RuntimeError("[enforce fail] data. DefaultCPUAllocator: can't allocate memory"), "not enough"),
    (RuntimeError("CUDA out of memory. Tried to allocate 9 TiB"), "not enough memory"),
    (RuntimeError("Storage size calculation overflowed with sizes=[4]"), "not enough memory"),
    (ValueError("Maximum allowed dimension exceeded"), "not enough memory"),
    (OverflowError("int too large to convert to float"), "A number is too large (int too large"),
    (RecursionError("maximum recursion depth exceeded"), "nested too deep"),
]


@pytest.mark.parametrize(("error", "said"), TOO_MUCH, ids=[said[:20] for _, said in TOO_MUCH])
def test_what_is_too_much_is_one_message(error, said, monkeypatch, capsys) -> None:
    def fail(arguments):
        raise error

    monkeypatch.setattr(command, "_run", fail)
    assert main(["train", "fork"]) == 2
    assert said in capsys.readouterr().err


def test_a_defect_is_not_hidden(monkeypatch) -> None:
    for error in (RuntimeError("size mismatch"), ValueError("shapes differ"), TypeError("x")):

        def fail(arguments, error=error):
            raise error

        monkeypatch.setattr(command, "_run", fail)
        with pytest.raises(type(error)):
            main(["train", "fork"])
    assert issubclass(ConfigurationError, ValueError), "and is answered before that"
