"""A worker as a process: what is said of one that could not say it itself."""

import errno
import signal
from pathlib import Path

import pytest
from test_runs import EPISODES, planned

from steadyhand.data import write_episodes
from steadyhand.studies import process, worker
from steadyhand.studies.executor import LocalProcesses
from steadyhand.studies.folder import RunFolder


@pytest.fixture
def data(tmp_path) -> Path:
    write_episodes(tmp_path / "fork.npz", EPISODES)
    return tmp_path / "fork.npz"


def test_one_that_the_system_ends_is_said_to_be(data, tmp_path) -> None:
    folder, run = RunFolder(tmp_path), planned(data)
    folder.declare(run)
    job = LocalProcesses().submit(run, folder)
    job._process.kill()
    job._process.wait()
    assert job.ended() is False
    assert job.ended() is False, "and asked again it is the same"
    said = "Its process was ended by SIGKILL: the system does so where memory runs out."
    assert folder.log.read_text().count(said) == 1
    assert folder.last_words.startswith(said)


def test_one_that_is_stopped_has_nothing_said_of_it(data, tmp_path) -> None:
    folder, run = RunFolder(tmp_path), planned(data)
    folder.declare(run)
    job = LocalProcesses().submit(run, folder)
    job.cancel()
    job.wait()
    assert job.ended() is False
    assert not folder.log.read_text()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (0, ""),
        (2, ""),
        (-signal.SIGSEGV, "Its process was ended by SIGSEGV. What it had saved is kept."),
        (-99, "Its process was ended by signal 99. What it had saved is kept."),
    ],
)
def test_a_status_in_words(status, said) -> None:
    assert process.killed_by(status) == said


def test_a_full_disk_is_no_defect(tmp_path, monkeypatch, capsys) -> None:
    def full(*_) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(worker, "work", full)
    monkeypatch.setattr(worker.signal, "signal", lambda *_: None)
    assert worker.main([str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said == f"The disk of {tmp_path} is full (No space left on device): make room.\n"


def test_where_nothing_can_be_said_the_work_goes_on(tmp_path) -> None:
    """How far a run is, and what became of it, are not worth the run."""
    nowhere = RunFolder(Path(tmp_path / "gone"))
    nowhere.tell(0.5, "training")
    process.say(nowhere.path, "words")
    assert nowhere.share == 0.0
