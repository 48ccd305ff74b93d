"""Does with each case what a user does, each in a process of its own; says what went wrong.

    python worker.py FAMILY PLACE    the cases in PLACE/cases.pickle; writes one JSON object

A process has 2 GB of address space and 10 seconds. The libraries are loaded before they are forked.
"""

import contextlib
import importlib
import json
import os
import pickle
import resource
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from case import Hostile, outside
from watch import NotAllowed, Watched, forbid

SECONDS = 10
BYTES = 2 << 30
LONGEST = 2000
"""Characters of a message."""
READ_WHOLE = 1 << 26
"""Pictures of so many bytes are read all at once, others one an episode."""
LIBRARIES = {
    "data": ["zarr", "numcodecs", "h5py", "pyarrow.parquet", "av", "PIL.Image", "steadyhand.data"],
    "policies": [
        *("torch", "torch.fx.experimental.symbolic_shapes", "transformers.modeling_utils"),
        *("transformers.models.vit.modeling_vit", "transformers.models.auto.modeling_auto"),
        *("steadyhand.nets.backbone", "steadyhand.policy.storage"),
    ],
}


class Outcome:
    """What happened to one case, step by step."""

    def __init__(self, case: Hostile) -> None:
        self.case, self.faults = case, list[str]()

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """One thing that a user does: it works, or ends in a message."""
        from steadyhand.errors import SteadyhandError

        try:
            yield
        except SteadyhandError as error:
            self.printable(str(error))
            if self.case.right:
                self.faults.append(f"{name}: it is right, and is refused: {error}")
        except (Exception, NotAllowed):
            self.faults.append(f"{name}: {traceback.format_exc()[-1500:]}")

    def printable(self, text: str) -> None:
        if not text.replace("\n", "").isprintable() or not 0 < len(text) <= LONGEST:
            self.faults.append(f"a message of {len(text)} characters: {text[:300]!r}")

    def equal(self, name: str, found: Any) -> None:
        expected = self.case.arrays.get(name)
        if expected is not None and not np.array_equal(found, expected):
            self.faults.append(f"'{name}' is not what is in it")


def data(case: Hostile, out: Path, outcome: Outcome) -> None:
    """Open, look for problems, read everything; again without what is broken; convert."""
    from steadyhand.data import inspect_episodes, open_episodes, write_episodes

    for skip in (False, True):
        with outcome.step(f"open{' without what is broken' * skip}"):
            episodes = open_episodes(case.path, skip_broken_episodes=skip)
            missing = case.arrays.keys() - episodes.arrays.keys()
            if case.right and missing:
                outcome.faults.append(f"{missing} is not there: {dict(episodes.left_out)}")
            for why in episodes.left_out.values():
                outcome.printable(why)
            for problem in inspect_episodes(episodes):
                outcome.printable(problem.message)
            for name in episodes.arrays:
                with outcome.step(f"read {name!r}"):
                    outcome.equal(name, read(episodes, name))
            with outcome.step("convert"):
                write_episodes(out / f"{skip}.npz", episodes)


def read(episodes: Any, name: str) -> Any:
    array = episodes.arrays[name]
    if len(array.shape) < 4:
        return episodes.read(name)
    if int(np.prod(array.shape)) * np.dtype(array.dtype).itemsize <= READ_WHOLE:
        return np.asarray(array[:])
    return [np.asarray(array[int(i)]) for i in episodes.starts] and None


def policies(case: Hostile, out: Path, outcome: Outcome) -> None:
    """Read what it is, load it, ask it once."""
    import torch

    from steadyhand.policy.policy import Policy
    from steadyhand.policy.storage import load_policy
    from steadyhand.runtime.card import read_card, read_provenance
    from steadyhand.runtime.folders import find_policy

    torch.set_num_threads(1)
    with outcome.step("read what it is"):
        folder = find_policy(case.path)
        read_card(folder)
        read_provenance(folder)
    with outcome.step("load"):
        policy = load_policy(case.path)
        assert isinstance(policy, Policy)
        with outcome.step("predict"):
            spec = policy.spec
            seen = {
                feature.key: torch.zeros(
                    (1, spec.chunking.obs_steps, *feature.recorded_shape),
                    dtype=torch.uint8 if feature.kind == "image" else torch.float32,
                )
                for feature in spec.observations
            }
            rows = (1, *spec.chunk_shape)
            steps: Any = getattr(policy.sampler, "steps", 0)
            with torch.no_grad():
                chunk = policy(seen, torch.zeros(rows), torch.zeros(steps, *rows))
            if not (tuple(chunk.shape) == rows and chunk.isfinite().all()):
                outcome.faults.append(f"a chunk of shape {tuple(chunk.shape)}: {chunk}")


def alone(act: Callable[..., None], case: Hostile, place: Path) -> list[str]:
    """Run one case in a process of its own; what went wrong."""
    out, reader_writer = place / "out", os.pipe()
    shutil.rmtree(out, ignore_errors=True)
    (out / "cache").mkdir(parents=True)
    child = os.fork()
    if not child:
        os.environ["STEADYHAND_CACHE"] = str(out / "cache")
        os.chdir(out)
        signal.alarm(SECONDS)
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        seen = forbid([case.home or case.path], [out])
        outcome = Outcome(case)
        try:
            act(case, out, outcome)
        except BaseException:
            outcome.faults.append(traceback.format_exc()[-1500:])
        text = json.dumps([*dict.fromkeys(seen), *outcome.faults])
        os.write(reader_writer[1], text.encode()[: 1 << 15] if len(text) < 1 << 15 else b'["much"]')
        os._exit(0)
    _, status = os.waitpid(child, 0)
    os.close(reader_writer[1])
    with os.fdopen(reader_writer[0]) as pipe:
        said = pipe.read()
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return [f"ended by {name}{', after 10 s' * (name == 'SIGALRM')}"]
    return json.loads(said) if said else [f"ended with {os.waitstatus_to_exitcode(status)}"]


def main(family: str, place: Path) -> dict[str, list[str]]:
    act = policies if family == "policies" else data
    for name in LIBRARIES[act.__name__]:
        importlib.import_module(name)
    cases: list[Hostile] = pickle.loads((place / "cases.pickle").read_bytes())
    watched = Watched(outside(place / "cases"))
    found = {}
    for case in cases:
        faults = alone(act, case, place)
        faults += [f"outside was touched: {event}" for event in watched.events()[:5]]
        if faults:
            found[case.name] = faults
    return found


if __name__ == "__main__":
    json.dump(main(sys.argv[1], Path(sys.argv[2]).resolve()), sys.stdout)
