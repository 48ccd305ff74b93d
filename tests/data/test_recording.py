"""What a robot saw and was told becomes a data set: whole, opened, trained on, and never lost."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import steadyhand as sh
from steadyhand.cli.main import main
from steadyhand.data import recording_disk
from steadyhand.data.recording import Recorder
from steadyhand.errors import ConfigurationError, DataError, UsageError
from steadyhand.runtime import RecedingHorizon, counted, run_loop
from steadyhand.runtime.loop.clock import SimulatedClock
from steadyhand.runtime.safety.limits import Limited


class Arm:
    """Two cameras, three joints that follow, and one array that each picture is read into."""

    def __init__(self, joints=(0.0, 0.1, 0.2)) -> None:
        self.joints, self.tick, self.stops = np.array(joints, np.float32), 0, 0
        self.buffer = np.zeros((48, 64, 3), np.uint8)

    def observe(self):
        self.tick += 1
        column = np.arange(64, dtype=np.uint8) * 3
        self.buffer[:] = column[None, :, None] + np.uint8(self.tick * 5 % 60)
        self.buffer[10:20, self.tick % 50 : self.tick % 50 + 10] = 250
        return {
            "observation.state": self.joints,
            "observation.images.front": self.buffer,
            "observation.images.wrist": self.buffer[::-1],
            "timestamp": np.array(100 + self.tick / 20),
        }

    def act(self, action) -> None:
        self.joints = np.array(action, np.float32)
        action[:] = 0  # a robot may do what it likes with its own
        self.buffer[:] = 0

    def stop(self) -> None:
        self.stops += 1


class Wander:
    """A predictor that wants to be anywhere."""

    spec = sh.PolicySpec.select(
        {"observation.state": (3,), "action": (3,)},
        observations=["observation.state"],
        chunking=sh.Chunking(obs_steps=1, horizon=8, execute=8),
        rate_hz=20.0,
    )

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def predict(self, requests):
        ahead = self.random.normal(size=(len(requests), 1, 3))
        return np.repeat(ahead, 8, axis=1).astype(np.float32)


def drive(recorder, ticks: int, phase: float = 0.0) -> np.ndarray:
    """A demonstration: what was told in it."""
    told = [
        [np.sin(0.1 * tick + phase), np.cos(0.13 * tick), 0.3 * np.sin(0.07 * tick - phase)]
        for tick in range(ticks)
    ]
    for action in told:
        recorder.observe()
        recorder.act(np.array(action, np.float32))
    return np.array(told, np.float32)


def test_what_was_seen_and_told_is_what_is_read(tmp_path) -> None:
    arm = Arm()
    with Recorder(arm, tmp_path / "arm.lerobot", rate_hz=20) as recorder:
        for _ in range(5):
            recorder.observe()  # the robot waits: nothing is told yet
        first = drive(recorder, 30)
        recorder.stop()
        second = drive(recorder, 20, phase=1.0)
        recorder.observe()
    assert (recorder.steps, recorder.counts, arm.stops) == (50, {"not recorded": 0}, 1)
    assert not recorder.folder.exists()
    found = sh.open_episodes(tmp_path / "arm.lerobot")
    assert (found.format, found.version, found.rate_hz) == ("lerobot", "v3.0", 20)
    assert found.lengths.tolist() == [30, 20]
    np.testing.assert_array_equal(found.read("action"), np.concatenate([first, second]))
    # What is seen at a step is what the step before brought about.
    np.testing.assert_array_equal(found.read("observation.state")[1:30], first[:-1])
    again, pictures = Arm(), found.read("observation.images.front")
    for _ in range(5):
        again.observe()
    for picture in pictures[:30]:
        np.testing.assert_array_equal(picture, again.observe()["observation.images.front"])
    np.testing.assert_array_equal(pictures[:, ::-1], found.read("observation.images.wrist"))
    np.testing.assert_allclose(np.diff(found.read("device_timestamp")[:30]), 0.05)


@pytest.mark.slow
def test_a_recorded_run_is_inspected_and_trained_on(tmp_path, capsys) -> None:
    """A run of the loop, limited, recorded next to the robot; then the two verbs."""
    with Recorder(Arm(), tmp_path / "arm.lerobot", rate_hz=20) as recorder:
        for number in range(4):
            limited = Limited(recorder, rate_hz=20, low=-1, high=1, velocity=2, acceleration=20)
            predictor = Wander(number)
            acting = RecedingHorizon(predictor.spec)
            run_loop(limited, predictor, acting, ticks=40, clock=SimulatedClock())
    assert main(["inspect", str(tmp_path / "arm.lerobot"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["episodes"], said["steps"], said["rate_hz"]) == (4, 160, 20)
    assert said["features"]["observation.images.front"]["shape"] == [48, 64, 3]
    assert said["problems"] == []
    told = sh.open_episodes(tmp_path / "arm.lerobot").read("action")[:40]
    assert 0.05 < np.abs(np.diff(told, axis=0)).max() <= 0.1 + 1e-6  # as it left, not as it came
    run = str(tmp_path / "run")
    words = f"train lerobot --data {tmp_path / 'arm.lerobot'} --steps 2 --batch-size 4 --out {run}"
    small = "--encoder.network.width 8 --denoiser.width 16 --image-size 48 --json"
    assert main(f"{words} {small}".split()) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 2


def test_any_format_that_is_written_is_recorded(tmp_path) -> None:
    for name in ("arm.npz", "arm.zarr", "arm"):
        with Recorder(Arm(), tmp_path / name, rate_hz=20) as recorder:
            told = drive(recorder, 12)
        np.testing.assert_array_equal(sh.open_episodes(tmp_path / name).read("action"), told)
    with Recorder(Arm(), tmp_path / "nothing", rate_hz=20) as recorder:
        recorder.observe()
    assert not (tmp_path / "nothing").exists()
    assert not recorder.folder.exists()


def test_an_exception_or_ctrl_c_loses_nothing(tmp_path) -> None:
    for error in (ValueError, KeyboardInterrupt):
        path = tmp_path / error.__name__
        with pytest.raises(error), Recorder(Arm(), path, rate_hz=20) as recorder:  # noqa: PT012
            drive(recorder, 15)
            raise error
        assert sh.open_episodes(path).steps == 15


def test_a_process_that_is_killed_leaves_what_convert_reads(tmp_path, capsys) -> None:
    code = f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_recording import Arm, Recorder, drive
        recorder = Recorder(Arm(), {str(tmp_path / "arm.lerobot")!r}, rate_hz=20)
        drive(recorder, 20)
        recorder.episode()
        drive(recorder, 7)
        time.sleep(0.3)
        print("ready", flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
    left = tmp_path / "arm.lerobot.recording"
    with (left / "000.numbers").open("ab") as file:
        file.write(b"half")  # a step that was cut short
    with pytest.raises(UsageError, match=r"a recording that was not finished.*convert"):
        Recorder(Arm(), tmp_path / "arm.lerobot", rate_hz=20)
    assert main(["convert", str(left), str(tmp_path / "arm.lerobot"), "--json"]) == 0
    found = sh.open_episodes(tmp_path / "arm.lerobot")
    assert found.lengths.tolist() == [20, 6]  # but for the tick in which it was killed
    np.testing.assert_array_equal(found.read("observation.state")[1:20], found.read("action")[:19])


def test_the_robot_does_not_wait_for_the_disk(tmp_path, monkeypatch) -> None:
    """What there is no room for is counted and told, and the episode ends there."""
    monkeypatch.setattr(recording_disk, "MOST_WAITING", 10 * 2 * 48 * 64 * 3)
    gate, write = threading.Event(), recording_disk.RecordingDisk._write

    def slow(self, step, size):
        gate.wait(10)
        write(self, step, size)

    monkeypatch.setattr(recording_disk.RecordingDisk, "_write", slow)
    recorder = Recorder(Arm(), tmp_path / "arm", rate_hz=20)
    begun = time.perf_counter()
    drive(recorder, 30)
    assert time.perf_counter() - begun < 2
    gate.set()
    time.sleep(0.3)
    drive(recorder, 6)
    with pytest.warns(UserWarning, match="20 steps were not recorded"):
        recorder.close()
    assert (recorder.steps, counted(recorder)) == (16, {"not recorded": 20})
    assert sh.open_episodes(tmp_path / "arm").lengths.tolist() == [9, 7]


def test_a_full_disk_stops_no_robot_and_loses_what_is_not_written_alone(tmp_path, monkeypatch):
    write = recording_disk.RecordingDisk._write

    def full(self, step, size):
        if self.steps == 8:
            raise OSError(28, "No space left on device")
        write(self, step, size)

    monkeypatch.setattr(recording_disk.RecordingDisk, "_write", full)
    arm = Arm()
    recorder = Recorder(arm, tmp_path / "arm", rate_hz=20)
    drive(recorder, 20)
    assert arm.tick == 20
    with pytest.raises(DataError, match=r"8 steps are recorded.* and 12 steps are not.*No space"):
        recorder.close()
    assert sh.open_episodes(tmp_path / "arm").steps == 8
    recorder = Recorder(arm, tmp_path / "other", rate_hz=20)
    drive(recorder, 5)

    def none(*_, **__):
        raise DataError("There is no room.")

    monkeypatch.setattr("steadyhand.data.recording.write_episodes", none)
    with pytest.raises(DataError, match=r"no room\. The 5 steps .*steadyhand convert .*recording"):
        recorder.close()
    assert sh.open_episodes(recorder.folder).steps == 5


def test_a_tick_without_a_step_ends_the_episode(tmp_path) -> None:
    """So that two steps of an episode are always a period apart."""
    arm = Arm()
    with Recorder(arm, tmp_path / "arm.npz", rate_hz=20) as recorder:
        drive(recorder, 4)
        recorder.observe()
        drive(recorder, 3)
        recorder.act(np.ones(3, np.float32))  # a faster rate below: no step of its own
        drive(recorder, 2)
        arm.joints = np.zeros(4, np.float32)  # another shape
        recorder.observe()
        recorder.act(np.zeros(3, np.float32))
        with pytest.warns(UserWarning, match="1 steps were not recorded"):
            recorder.close()
    found = sh.open_episodes(tmp_path / "arm.npz")
    assert found.lengths.tolist() == [4, 5]
    assert found.read("action")[6].tolist() == [1, 1, 1], "the last that was told in the tick"


def test_where_nothing_was_shown_the_last_is_repeated(tmp_path) -> None:
    arm, shows = Arm(), iter([True, True, False, True])
    observe = arm.observe

    def sometimes():
        if not next(shows):
            raise OSError("the camera is gone")
        return observe()

    arm.observe = sometimes
    with Recorder(arm, tmp_path / "arm.npz", rate_hz=20) as recorder:
        for number in range(4):
            if number == 2:
                with pytest.raises(OSError, match="gone"):
                    recorder.observe()
            else:
                recorder.observe()
            recorder.act(np.full(3, number, np.float32))
    found = sh.open_episodes(tmp_path / "arm.npz")
    assert found.lengths.tolist() == [4]
    assert found.read("action")[:, 0].tolist() == [0, 1, 2, 3]
    assert found.read("observation.state")[1:, 0].tolist() == [0, 0, 2]


def test_words_are_recorded_as_tasks(tmp_path) -> None:
    class Told(Arm):
        def observe(self):
            words = "open it" if self.tick < 5 else "close it"
            return {**super().observe(), "task": np.array(words), "last_action": np.zeros(3)}

    with Recorder(Told(), tmp_path / "arm", rate_hz=20) as recorder:
        drive(recorder, 5)
        recorder.episode()
        drive(recorder, 5)
    found = sh.open_episodes(tmp_path / "arm")
    assert found.tasks == ("open it", "close it")
    assert found.read("task_index").tolist() == [0] * 5 + [1] * 5
    assert "last_action" not in found.arrays


def test_what_cannot_be_recorded_is_told_before_anything_moves(tmp_path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(UsageError, match="already there"):
        Recorder(Arm(), tmp_path / "there", rate_hz=20)
    for seen, said in (
        ({"index": np.zeros(1)}, "'index': that is a name of the format"),
        ({"a/b": np.zeros(1)}, "'a/b': that is no name"),
        ({"words": np.array("left")}, "'words' holds <U4; numbers are recorded"),
    ):
        arm = Arm()
        arm.observe = lambda seen=seen: seen
        with pytest.raises(ConfigurationError, match=said):
            Recorder(arm, tmp_path / "new", rate_hz=20).observe()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "another kind or version"),
        ({"rate_hz": "fast"}, "says no rate"),
        ({"features": 3}, "lists no features"),
        ({"features": []}, "no step was written whole"),
        ({"features": [{"name": "a", "dtype": "O", "shape": [1]}]}, "objects"),
        ({"features": [{"name": "a", "dtype": "<f4", "shape": [0]}]}, "shape"),
        ({"features": [{"name": "a", "dtype": "<f4", "shape": [1 << 40]}]}, "a step of 'a' has"),
        ({"features": [{"name": "../a", "dtype": "<f4", "shape": [1]}]}, "name"),
    ],
)
def test_a_strangers_recording_is_met_with_care(change, said, tmp_path) -> None:
    recorder = Recorder(Arm(), tmp_path / "arm", rate_hz=20)
    drive(recorder, 3)
    recorder.episode()
    recorder._disk.close()
    header = json.loads((recorder.folder / "recording.json").read_text())
    assert sh.open_episodes(recorder.folder).steps == 3
    (recorder.folder / "recording.json").write_text(json.dumps({**header, **change}))
    with pytest.raises(DataError, match=said):
        sh.open_episodes(recorder.folder)
    (recorder.folder / "recording.json").write_text(json.dumps(header))
    (recorder.folder / "000.numbers").unlink()
    (recorder.folder / "000.numbers").symlink_to("/etc/hostname")
    with pytest.raises(DataError, match="leads out of"):
        sh.open_episodes(recorder.folder)
    (recorder.folder / "000.numbers").unlink()
    os.mkfifo(recorder.folder / "000.numbers")
    with pytest.raises(DataError, match="no regular file"):
        sh.open_episodes(recorder.folder)
