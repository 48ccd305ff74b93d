"""Ctrl-C is heard, wherever it falls."""

import os
import signal
import subprocess
import sys

import pytest

from steadyhand.cli import main as cli
from steadyhand.cli.interrupts import after_this_step, check, heard
from steadyhand.cli.screen import progress


def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


class Deaf:
    """What is destroyed just then: Python prints what its destructor raises, and goes on."""

    def __del__(self) -> None:
        ctrl_c()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_that_was_swallowed_stops_what_takes_long(monkeypatch, capsys) -> None:
    done = []

    def work(arguments):
        Deaf()
        with progress("working", 3) as advance:
            for number in range(3):
                done.append(number)
                advance(1)

    monkeypatch.setattr(cli, "_run", work)
    assert cli.main(["train"]) == 130
    assert done == [0]
    assert "Stopped." in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_that_was_swallowed_before_training_stops_after_its_first_step(capsys) -> None:
    with heard():
        Deaf()
        with after_this_step() as stopped:
            assert stopped()
            check()  # and nothing is raised while the run is to be saved
        with pytest.raises(KeyboardInterrupt):
            check()


def test_the_second_one_ends_at_once(capsys) -> None:
    with heard(), after_this_step() as stopped:
        assert not stopped()
        ctrl_c()
        assert stopped()
        assert "is being saved" in capsys.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            ctrl_c()


def test_a_job_in_the_background_stays_deaf_as_it_was_begun() -> None:
    code = (
        "import os, signal\n"
        "from steadyhand.cli.interrupts import heard\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "with heard():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "print('fine')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "fine\n", done.stderr
