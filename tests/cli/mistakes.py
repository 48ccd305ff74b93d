"""What people do wrong, as a table: the files they have, what they type, who stops them.

`python tests/cli/mistakes.py` writes what is printed to docs/mistakes.md; the tests hold it there.
"""

import contextlib
import ctypes
import io
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from unittest import mock

import h5py
import numpy as np
import torch
import zarr

from steadyhand.cli.main import main
from steadyhand.data import open_episodes, write_episodes
from steadyhand.errors import plain
from steadyhand.tasks import record_episodes

PAGE = Path(__file__).parents[2] / "docs" / "mistakes.md"
TINY = "--steps 20 --checkpoint-every 10 --denoiser.width 16 --denoiser.blocks 1 --device cpu"
HEAD = """# When something is wrong

Every mistake here is made by the tests, in a folder with a data set `demos.npz` and a run `run`,
and this is what is answered: exit status 2, one message, no traceback, and every file as it was.
With `--json` the same message comes as `{"error": {"kind", "message"}}`. Made by
`python tests/cli/mistakes.py`.
"""


@dataclass(frozen=True)
class Mistake:
    """One line of the table."""

    typed: str
    """The words after `steadyhand`."""
    spoil: Callable[[], object] | None = None
    """Makes what is wrong, in the current folder."""
    limit: Callable[[], object] | None = None
    """Applied to the process; the mistake is then made in one of its own."""
    note: str = ""
    """What is wrong, where the words do not show it."""
    leaves: bool = False
    """Whether new files may be left behind."""
    without: str | None = None
    """A package that is not installed."""


def prepare(place: Path) -> None:
    """What the mistakes are made with: demonstrations and a finished run."""
    with contextlib.chdir(place), contextlib.redirect_stderr(io.StringIO()):
        write_episodes("demos.npz", record_episodes("fork", 6))
        Path("notes.txt").write_text("remember the milk")
        Path("empty").mkdir()
        assert main(f"train fork --data demos.npz --out run {TINY}".split()) == 0


def save(name: str, **changes: object) -> None:
    """demos.npz with some arrays changed, or left out where they are None."""
    with np.load("demos.npz") as found:
        arrays = {**found, **changes}
    np.savez(name, **{key: value for key, value in arrays.items() if value is not None})


def with_nan() -> None:
    state = np.load("demos.npz")["state"]
    state[40] = np.nan
    save("nan.npz", state=state)


def replay(name: str = "replay.zarr") -> Path:
    """The demonstrations as a replay buffer."""
    episodes = record_episodes("fork", 6)
    write_episodes(name, episodes)
    return Path(name)


def in_chunks() -> Path:
    path = Path("hole.zarr")
    root = zarr.open_group(path, mode="w", zarr_format=2)
    for name in ("action", "state"):
        root.create_array(f"data/{name}", shape=(90, 2), dtype="f8", chunks=(30, 2))[...] = 1.0
    root.create_array("meta/episode_ends", shape=(2,), dtype="i8")[...] = [45, 90]
    return path


def hdf5(name: str, actions: object) -> None:
    """A robomimic file of one demonstration."""
    with h5py.File(name, "w") as file:
        file.create_group("data/demo_0")["actions"] = actions


def change(path: str | Path, **fields: object) -> None:
    """Fields of a JSON file changed."""
    file = Path(path)
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def copy(name: str) -> str:
    """The run under another name, where it may be spoiled; its last checkpoint."""
    shutil.copytree("run", name, symlinks=True)
    return f"{name}/checkpoints/00000020"


def average(name: str) -> None:
    """A policy of regression."""
    words = f"train fork --method regression --data demos.npz {TINY} --out {name}"
    with contextlib.redirect_stderr(io.StringIO()):
        assert main(words.split()) == 0


def own(code: str) -> Callable[[], object]:
    """A task of the user's own in own.py."""
    return lambda: Path("own.py").write_text(f"{code}\n")


def in_own_task() -> None:
    card = Path(copy("own")) / "policy.json"
    trained = {**json.loads(card.read_text())["provenance"], "task": "theirs.py:Reach"}
    change(card, provenance=trained)


def others(name: str) -> None:
    """Other demonstrations of the same task."""
    write_episodes(Path(name), record_episodes("fork", 8, first_seed=7))


def half() -> None:
    copy("half")
    shutil.rmtree("half/checkpoints/00000010")
    change("half/config.json", steps=40)


def small_disk() -> None:
    """As if the disk were full after 100 kB: a write beyond fails."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def bound_by_rights() -> None:
    """The superuser, too, may then only do what a file's rights allow (no CAP_DAC_OVERRIDE)."""
    if os.geteuid() == 0 and ctypes.CDLL(None).prctl(24, 1, 0, 0, 0):
        raise OSError("this container keeps the superuser's rights")


def locked() -> None:
    Path("locked").mkdir(mode=0o555)


def short_episodes() -> None:
    save("uneven.npz", state=np.zeros((20, 2), np.float32))


def channels_first() -> None:
    save("turned.npz", img=np.zeros((176, 3, 24, 24), np.uint8))


def pictures() -> None:
    save("seen.npz", img=np.zeros((176, 24, 24, 3), np.uint8))


def depth() -> None:
    save("depth.npz", front=np.full((176, 48, 64, 1), 0.7, np.float32))


def other_names() -> None:
    with np.load("demos.npz") as found:
        save("names.npz", action=None, actions=found["action"])


def pictures_too_bright() -> None:
    save("dim.npz", img=np.full((176, 72, 72, 3), 4000, np.uint16))


def pointer() -> None:
    """What is left by `git clone` without Git LFS."""
    lerobot("data/chunk-000/file-000.parquet")
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:f2d2\nsize 1890\n"
    Path("demos.lerobot/data/chunk-000/file-000.parquet").write_text(text)


def lerobot(file: str, **changes: object) -> None:
    """The demonstrations as LeRobot's, without a file, or with fields of it changed."""
    with np.load("demos.npz") as found:
        arrays = {f"observation.{k}" if k == "state" else k: v for k, v in found.items()}
    np.savez("named.npz", **arrays)
    write_episodes("demos.lerobot", open_episodes("named.npz"))
    Path("named.npz").unlink()
    if changes:
        (Path("demos.lerobot") / "meta" / "steadyhand.json").unlink()
        change(f"demos.lerobot/{file}", **changes)
    else:
        (Path("demos.lerobot") / file).unlink()


def _arm() -> None:
    Path("arm.py").write_text("class Arm:\n    def observe(self):\n        return {}\n")


MISTAKES: dict[str, list[Mistake]] = {
    "The command": [
        Mistake("trian fork"),
        Mistake("train"),
        Mistake("train frok"),
        Mistake("train --data demos.npz"),
        Mistake("train fork --stepz 100"),
        Mistake("train fork --steps many"),
        Mistake("train fork --seed 1208925819614629174706176"),
        Mistake("train fork --minutes 1e400"),
        Mistake("train fork --demonstrations 1000000000000"),
        Mistake("record --task fork:gap=1e400 --out new.npz"),
        Mistake("train fork --steps it's"),
        Mistake("train fork --steps 0"),
        Mistake("train fork --minutes -3"),
        Mistake("train fork --minutes 1 --steps 5"),
        Mistake("train fork --method difusion"),
        Mistake("train fork --network resnet"),
        Mistake("train fork --denoiser.width 0"),
        Mistake("train fork --learning-rate nan"),
        Mistake("train fork --validation-share 1.5"),
        Mistake("train fork --precision float16"),
        Mistake("train fork --device gpu"),
        Mistake("train fork --device cuda:9", note="on a machine without it"),
        Mistake("evaluate"),
        Mistake("evaluate run run"),
        Mistake("inspect"),
        Mistake("inspect --path demos.npz"),
        Mistake("inspect demos.npz --horizon -3"),
        Mistake("inspect [red]\x1b[2Jn.npz", note="a name that would steer the terminal"),
    ],
    "Chunks and samplers": [
        Mistake("train fork --chunking.execute 20"),
        Mistake("train fork --chunking.horizon 0"),
        Mistake("train fork --chunking.obs-steps 0"),
        Mistake("train fork --sampler.steps 0"),
        Mistake("train fork --sampler.steps 200"),
        Mistake("train fork --method regression --sampler.steps 5"),
        Mistake("train fork --sampler.solver heun"),
        Mistake("train fork --sampler.solver euler"),
        Mistake("train fork --sampler.solver dpmpp_2m --sampler.eta 1"),
        Mistake("train fork --sampler.clip -1"),
    ],
    "The demonstrations": [
        Mistake("train pusht_state"),
        Mistake("train fork --data nowhere.npz"),
        Mistake("train fork --data notes.txt"),
        Mistake("train fork --data empty"),
        Mistake("train fork --data run", note="a run where data belongs"),
        Mistake(
            "train fork --data cut.npz",
            lambda: Path("cut.npz").write_bytes(Path("demos.npz").read_bytes()[:-900]),
            note="a file cut short",
        ),
        Mistake(
            "train fork --data ends.npz",
            lambda: save("ends.npz", episode_ends=None),
            note="without episode_ends",
        ),
        Mistake(
            "train fork --data ends.npz",
            lambda: save("ends.npz", episode_ends=np.array([30, 20, 40])),
            note="30, 20, 40",
        ),
        Mistake(
            "train fork --data ends.npz",
            lambda: save("ends.npz", episode_ends=np.array([10, 900])),
            note="beyond the data",
        ),
        Mistake(
            "train fork --data ends.npz",
            lambda: save("ends.npz", episode_ends=np.array([80.5])),
            note="a number with a point",
        ),
        Mistake(
            "train fork --data ends.npz",
            lambda: save("ends.npz", episode_ends=np.array([80, None])),
            note="80, None",
        ),
        Mistake(
            "train fork --data blocks.npz",
            lambda: save("blocks.npz", state=np.zeros((6, 30, 2), np.float32)),
            note="arrays of (episodes, steps, numbers)",
        ),
        Mistake(
            "train fork --data wide.npz",
            lambda: save("wide.npz", state=np.zeros((200, 5), np.float32)),
            note="not what fork shows",
        ),
        Mistake(
            "train fork --data rate.npz",
            lambda: save("rate.npz", rate_hz=np.arange(176.0)),
            note="rate_hz is an array of times",
        ),
        Mistake("train pusht_state --data demos.npz", note="fork's data"),
        Mistake("train fork --data nan.npz", with_nan),
        Mistake("train fork --data uneven.npz", short_episodes),
        Mistake(
            "train fork --data pickled.npz",
            lambda: save("pickled.npz", state=np.array([{}] * 200, dtype=object)),
        ),
        Mistake(
            "train fork --data words.npz", lambda: save("words.npz", state=np.array(["left"] * 200))
        ),
        Mistake(
            "train fork --data hole.zarr",
            lambda: (in_chunks() / "data" / "state" / "1.0").write_bytes(b"cut"),
            note="a chunk is cut short",
        ),
        Mistake(
            "train fork --data replay.zarr",
            lambda: shutil.rmtree(replay() / "meta"),
            note="no meta/",
        ),
        Mistake(
            "train fork --data replay.zarr.zip",
            lambda: zipfile.ZipFile("replay.zarr.zip", "w").close(),
            note="an empty archive",
        ),
        Mistake("train fork --data demos.npz --observations stat"),
        Mistake("train fork --data demos.npz --observations state[0:9]"),
        Mistake("train fork --data demos.npz --observations state[x]"),
        Mistake("train fork --data demos.npz --observations state state"),
        Mistake("train fork --data demos.npz --action actions"),
        Mistake("train fork --data demos.npz --action-relative-to state[:1]"),
        Mistake("train fork --data demos.npz --action-parts 0:2=relativ"),
        Mistake("train fork --data demos.npz --action-parts 0:2=delta"),
        Mistake("train fork --data demos.npz --action-parts 1=gripper"),
        Mistake("train fork --data demos.npz --prepare align"),
        Mistake("train fork --data demos.npz --observations camera.*"),
        Mistake(
            "train fork --data demos.npz --chunking.horizon 90", note="longer than every episode"
        ),
        Mistake("inspect nowhere.npz"),
        Mistake("inspect notes.txt"),
    ],
    "Cameras, and data of other projects": [
        Mistake("train lerobot --data demos.npz", note="nothing in it is called observation.…"),
        Mistake("train fork --data demos.npz --image-size 2"),
        Mistake("train pusht_image --data demos.npz --prepare", note="no pictures in it"),
        Mistake("train state --data turned.npz --observations img", channels_first),
        Mistake("train state --data seen.npz --observations img", pictures),
        Mistake("train lerobot --data dim.npz --observations img last_action", pictures_too_bright),
        Mistake("train state --data depth.npz --observations front", depth),
        Mistake("train state --data names.npz", other_names),
        Mistake("train fork --backbone facebook/dinov2-small"),
        Mistake(
            "train lerobot --data seen.npz --observations img last_action --backbone ./nowhere",
            pictures,
        ),
        Mistake(
            "train lerobot --data demos.lerobot",
            lambda: lerobot("meta/info.json"),
            note="info.json is missing",
        ),
        Mistake(
            "train lerobot --data demos.lerobot",
            lambda: lerobot("data/chunk-000/file-000.parquet"),
            note="a file of it is missing",
        ),
        Mistake(
            "train lerobot --data demos.lerobot",
            lambda: lerobot("meta/info.json", codebase_version="v1.6"),
            note="of a version that is not read",
        ),
        Mistake("inspect demos.lerobot", pointer, note="cloned without Git LFS"),
        Mistake(
            "inspect demos.lerobot",
            lambda: lerobot("meta/info.json", data_path="../{chunk_index}/{file_index}.parquet"),
            note="its files lie outside",
        ),
        Mistake(
            "inspect demos.lerobot",
            lambda: lerobot("meta/info.json", fps=-10),
            note="its rate is no rate",
        ),
        Mistake(
            "inspect cut.hdf5",
            lambda: Path("cut.hdf5").write_bytes(b"\x89HDF\r\n\x1a\n and no more"),
        ),
        Mistake(
            "inspect linked.hdf5",
            lambda: hdf5("linked.hdf5", h5py.ExternalLink("other.hdf5", "actions")),
            note="its actions lie in another file",
        ),
        Mistake(
            "inspect words.hdf5",
            lambda: hdf5("words.hdf5", np.array(["left", "right"], "S5")),
            note="its actions are words",
        ),
        Mistake(
            "inspect replay.zarr",
            lambda: change(
                replay() / "data/action/.zarray", dtype="|O", filters=[{"id": "pickle"}]
            ),
            note="its actions are objects",
        ),
        Mistake(
            "inspect replay.zarr",
            lambda: change(replay() / "data/action/.zarray", chunks=[10**9, 2]),
            note="a chunk that is larger than the data",
        ),
        Mistake("inspect demos.npz --report notes.txt/page.html"),
        Mistake("convert demos.npz"),
        Mistake("convert demos.npz demos.csv"),
        Mistake("convert demos.npz notes.txt --format zarr"),
        Mistake("convert nan.npz sound.zarr", with_nan),
        Mistake("convert demos.npz mapped.npz --map state"),
        Mistake("convert demos.npz mapped.npz --map state=stat,action=action"),
        Mistake("convert demos.npz mapped.npz --map state=state,action=action,episodes=state"),
        Mistake("inspect demos.npz --map guess"),
        Mistake("convert demos.npz new.lerobot", without="pyarrow"),
        Mistake("inspect demos.npz --select 400:"),
        Mistake("inspect demos.npz --select sucess"),
        Mistake("train fork --data demos.npz --select mask=train"),
        Mistake("train fork --select 0:5", note="no data is named"),
        Mistake("evaluate --offline run --select 1,77"),
        Mistake("convert demos.npz demos.npz both.npz"),
        Mistake("convert demos.npz new.npz --rename sate=position"),
        Mistake("convert demos.npz new.npz --rename state"),
        Mistake("convert demos.npz new.npz --drop camera.*"),
        Mistake("convert demos.npz new.npz --rate -10"),
        Mistake(
            "convert demos.npz guess.npz new.npz --rate 5",
            lambda: save("guess.npz", rate_hz=None),
            note="guess.npz says no rate",
        ),
        Mistake(
            "convert demos.npz wide.npz new.npz",
            lambda: save("wide.npz", state=np.zeros((176, 5), np.float32)),
        ),
        Mistake("inspect hf://nobody"),
        Mistake("inspect hf://somebody/demonstrations", without="huggingface_hub"),
    ],
    "Many methods, and few calls": [
        Mistake("distill"),
        Mistake("distill nowhere"),
        Mistake("distill run --steps 5 --minutes 1"),
        Mistake("distill run --levels 1"),
        Mistake("distill mean", lambda: average("mean"), note="a policy of regression"),
        Mistake("distill run --out run"),
        Mistake("distill run --data other.npz", lambda: others("other.npz")),
        Mistake("train fork --teacher run"),
        Mistake("evaluate run --solver renoise --temperature -1"),
        Mistake("evaluate run --solver noiseless"),
        Mistake("benchmark --methods flow,difusion"),
        Mistake("benchmark --methods flow:few"),
        Mistake("benchmark --methods ,"),
        Mistake("benchmark --methods regression:2 --steps 1 --out new"),
        Mistake("benchmark --networks mlp,resnet"),
        Mistake("benchmark --task frok"),
        Mistake("benchmark --task pusht"),
        Mistake("benchmark --seeds 0"),
        Mistake("benchmark --minutes 1 --steps 5"),
        Mistake("benchmark --minutes -1"),
        Mistake("benchmark --recipe frok"),
    ],
    "Judging offline": [
        Mistake("evaluate --offline"),
        Mistake("evaluate --offline nowhere"),
        Mistake("evaluate --offline run --data nowhere.npz"),
        Mistake("evaluate --offline run --samples 0"),
        Mistake("evaluate --offline run --samples 99999999"),
        Mistake("evaluate --offline run --chart 99"),
        Mistake(
            "evaluate --offline run --data wide.npz",
            lambda: save("wide.npz", state=np.zeros((176, 5), np.float32)),
            note="not what the policy sees",
        ),
    ],
    "Serving": [
        Mistake("serve"),
        Mistake("serve nowhere"),
        Mistake("serve run run"),
        Mistake("serve ws://arm:8000"),
        Mistake("serve run --port 99999"),
        Mistake("serve run --batch-wait 3"),
        Mistake("serve run --token a --token-file b"),
        Mistake("serve run --tls-cert gone.pem"),
        Mistake("serve run --largest-batch 1000"),
    ],
    "Driving": [
        Mistake("run nowhere"),
        Mistake("run run --robot arm.py:Arm", note="no such file"),
        Mistake("run run --robot arm", note="no function in a file"),
        Mistake("run run --robot arm.py:Arm --task fork"),
        Mistake("run run --robot arm.py:Leg", _arm),
        Mistake("run run --robot arm.py:Arm", _arm, note="it has no act()"),
        Mistake("run run --act-hz 125"),
        Mistake("run run --controller receding --delay 3"),
        Mistake("run run --controller asynchronous --delay 99"),
        Mistake("run run --controller realtime"),
        Mistake("run run --late wait"),
        Mistake("run run --rate 0"),
        Mistake("run run --report demos.npz/report.json"),
    ],
    "Recording": [
        Mistake("record"),
        Mistake("record --task frok --out new.npz"),
        Mistake("record --task fork:gpa=0.1 --out new.npz"),
        Mistake("record --task fork:gap=wide --out new.npz"),
        Mistake("record --task fork:gap=0.9 --out new.npz"),
        Mistake("record --task pusht --out new.npz"),
        Mistake("record --episodes 0 --out new.npz"),
        Mistake("record --out new.csv"),
        Mistake("record --task fork:max_steps=1e2 --out new.npz"),
        Mistake("record --task fork:max_steps=5 --out new.npz"),
        Mistake("record --out demos.npz"),
    ],
    "An environment of Gymnasium": [
        Mistake("record --task Pendulum-v1 --out new.npz"),
        Mistake("train state --data demos.npz --task Pendlum-v1 --out new"),
        Mistake("train state --data demos.npz --task Pendulum-v1:max_step=9 --out new"),
        Mistake("train state --data demos.npz --task CartPole-v1 --out new"),
        Mistake("train state --data demos.npz --task Pendulum-v1 --out new"),
        Mistake(
            "evaluate run --task somebody:Pendulum-v1", note="no module is imported for a name"
        ),
        Mistake(
            "record --task own.py:sees --out new.npz",
            own(
                "from steadyhand.tasks import GymTask\n\n"
                "def sees():\n"
                "    return GymTask(environment='Pendulum-v1', observe=lambda seen: seen)"
            ),
        ),
        Mistake(
            "record --task own.py:wins --out new.npz",
            own(
                "from steadyhand.tasks import GymTask\n\n"
                "def wins():\n    return GymTask(environment='Pendulum-v1', sucess='upright')"
            ),
        ),
    ],
    "Your own task or recipe": [
        Mistake("record --task own.py:Reach --out new.npz"),
        Mistake("record --task own.py:Raech --out new.npz", own("class Reach:\n    pass")),
        Mistake("record --task own.py --out new.npz", own("class Reach:\n    pass")),
        Mistake(
            "record --task own.py:Reach --out new.npz",
            own("class Reach:\n    rate_hz = max_steps = 10"),
            note="half of a task",
        ),
        Mistake(
            "record --task own.py:Reach --out new.npz",
            own("import numpy\nSTART = numpy.zeroes(2)"),
            note="a mistake in the file",
        ),
        Mistake("train own.py:reach", own("def reach(method='flow'):\n    pass"), note="no recipe"),
        Mistake(
            "evaluate own",
            in_own_task,
            note="trained for a task in a file, of whoever trained it",
        ),
    ],
    "Runs and policies": [
        Mistake("train fork --data demos.npz --out run"),
        Mistake("train fork --data demos.npz --out notes.txt"),
        Mistake("train --resume"),
        Mistake("train --resume --out nowhere"),
        Mistake("train --resume --out run --steps 9"),
        Mistake(
            "train --resume --out half",
            lambda: (half(), Path("half/config.json").write_text("{")),
            note="config.json damaged",
        ),
        Mistake(
            "train --resume --out half --data other.npz",
            lambda: (half(), write_episodes("other.npz", record_episodes("fork", 6, first_seed=9))),
            note="not the data it began with",
        ),
        Mistake(
            "train --resume --out half --data gone.npz",
            half,
        ),
        Mistake("evaluate nowhere"),
        Mistake("evaluate demos.npz"),
        Mistake("evaluate empty"),
        Mistake("evaluate runs", lambda: copy("runs/first"), note="a folder of runs"),
        Mistake(
            "evaluate old",
            lambda: change(f"{copy('old')}/policy.json", version=7),
            note="of another version",
        ),
        Mistake(
            "evaluate odd",
            lambda: change(f"{copy('odd')}/policy.json", format="something"),
            note="not a card of ours",
        ),
        Mistake(
            "evaluate cut",
            lambda: os.truncate(f"{copy('cut')}/policy.safetensors", 1000),
            note="weights cut short",
        ),
        Mistake(
            "evaluate bare",
            lambda: Path(f"{copy('bare')}/policy.safetensors").unlink(),
            note="weights missing",
        ),
        Mistake(
            "evaluate other",
            lambda: widen(f"{copy('other')}/policy.json"),
            note="weights of another network",
        ),
        Mistake("evaluate run --episodes 0"),
        Mistake("evaluate run --execute 20"),
        Mistake("evaluate run --steps 0"),
        Mistake("evaluate run --steps 500"),
        Mistake("evaluate run --solver dimm"),
        Mistake("evaluate run --seed-start -5"),
        Mistake("evaluate run --parallel 0"),
        Mistake("evaluate run --episodes 1000000000000"),
        Mistake("evaluate run --video -1"),
        Mistake("evaluate run --task forkk"),
        Mistake("evaluate run --task pusht", note="a task that shows other things"),
        Mistake("export run"),
        Mistake("export run --to tensorrt"),
        Mistake("export run --to onnx --precision bfloat16"),
        Mistake("export run --to onnx --episodes 1"),
        Mistake("export run --to onnx --out empty/..", note="a folder with other things"),
        Mistake("compare run"),
        Mistake("compare run run/last"),
        Mistake("demo --out run"),
        Mistake("demo --out notes.txt"),
        Mistake("demo --seed -1"),
    ],
    "The machine": [
        Mistake("evaluate run --video 1", without="av", note="av is not installed"),
        Mistake("inspect replay.zarr", replay, without="pyarrow", note="pyarrow is not installed"),
        Mistake(
            "record --episodes 400 --out big.npz", limit=small_disk, note="the disk takes no more"
        ),
        Mistake(
            f"train fork --data demos.npz --out new {TINY} --denoiser.width 64",
            limit=small_disk,
            note="the disk takes no more",
            leaves=True,
        ),
        Mistake(
            "record --episodes 3 --out locked/new.npz",
            locked,
            limit=bound_by_rights,
            note="a folder that may not be written",
        ),
        Mistake(
            f"train fork --data demos.npz --out locked/new {TINY}",
            locked,
            limit=bound_by_rights,
            note="a folder that may not be written",
        ),
        Mistake(
            "evaluate run --episodes 700",
            limit=small_disk,
            note="the disk takes no more",
            leaves=True,
        ),
        Mistake(
            "evaluate run --episodes 2",
            lambda: Path("run").chmod(0o555),
            limit=bound_by_rights,
            note="a run that may only be read",
        ),
    ],
}


def widen(card: str) -> None:
    config = json.loads(Path(card).read_text())["config"]
    config["denoiser"]["width"] = 32
    change(card, config=config)


def make(mistake: Mistake, *, as_json: bool = False) -> tuple[int, str, str]:
    """Make a mistake in the current folder: (exit status, standard output, standard error)."""
    words = [*mistake.typed.split(), *(["--json"] if as_json else [])]
    if mistake.limit is not None:
        command = [sys.executable, "-m", "steadyhand.cli.main", *words]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            command, capture_output=True, text=True, preexec_fn=mistake.limit, env=environment
        )
        return done.returncode, done.stdout, done.stderr
    out, err = io.StringIO(), io.StringIO()
    gone = {mistake.without: None} if mistake.without else {}
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.dict(sys.modules, gone),
    ):
        status = main(words)
    return status, out.getvalue(), err.getvalue()


def message(err: str) -> str:
    """What is said at last, less what depends on the machine and the progress before it."""
    said = err[err.rindex("steadyhand: ") :].removeprefix("steadyhand: ").strip()
    here, ours = str(Path.cwd()), version("steadyhand")
    said = re.sub(r"decompression: -?\d+", "decompression: …", said)  # what is cut is random
    said = re.sub(r"Available: cpu(, cuda)?(, mps)?;", "Available: cpu;", said)
    for text, short in ((f"{here}/", ""), (here, "."), (torch.__version__, "…"), (ours, "…")):
        said = said.replace(text, short)
    return said


@contextlib.contextmanager
def workplace(prepared: Path) -> Iterator[Path]:
    """A copy of the prepared folder, as the current one."""
    with tempfile.TemporaryDirectory(dir=prepared.parent) as place:
        os.chmod(place, 0o755)
        shutil.copytree(prepared, place, symlinks=True, dirs_exist_ok=True)
        with contextlib.chdir(place):
            yield Path(place)


def row(mistake: Mistake, said: str) -> str:
    """A line of the page."""
    typed = plain(f"`steadyhand {mistake.typed.replace(f' {TINY}', '')}`").replace("|", "\\|")
    note = f"<br>({mistake.note})" if mistake.note else ""
    lines = said.replace("|", "\\|").replace("<", "&lt;").replace("\n", "<br>")
    return f"| {typed}{note} | {lines} |"


def page(prepared: Path) -> str:
    """docs/mistakes.md."""
    parts = [HEAD]
    for heading, mistakes in MISTAKES.items():
        parts.append(f"\n## {heading}\n\n| typed | answered |\n|---|---|")
        for mistake in mistakes:
            with workplace(prepared):
                if mistake.spoil:
                    mistake.spoil()
                status, out, err = make(mistake)
                assert status == 2, f"{mistake.typed}: {status}\n{out}\n{err}"
                parts.append(row(mistake, message(err)))
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        prepared = Path(top) / "prepared"
        prepared.mkdir()
        prepare(prepared)
        PAGE.write_text(page(prepared))
