"""What is printed is text, whatever was in the names: no markup, no escapes, no false lines."""

import json

import numpy as np
import pytest
from rich.table import Table

from steadyhand.cli import main as command
from steadyhand.cli import screen
from steadyhand.cli.main import main
from steadyhand.data import Episodes, write_episodes
from steadyhand.errors import ConfigurationError

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
