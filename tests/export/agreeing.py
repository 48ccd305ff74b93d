"""`python tests/export/agreeing.py KIND [--all]`: exports every way of a denoiser, or `pictures`.

A line of JSON for each: how far each engine's chunks are from the policy's, or what went wrong. It
runs without shape checks, as exports must; `tests` is on its path (benchmarks/exports.py).
"""

import contextlib
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from exported import PICTURES, small_policy, with_weights

from every_way import Way, configured, demonstrations, driving, options, small, variants, ways
from steadyhand.errors import ConfigurationError
from steadyhand.export.folder import write_export
from steadyhand.export.observed import made_up_moments
from steadyhand.export.verify import compared
from steadyhand.policy.policy import Policy
from steadyhand.runtime.engines import load_exported
from steadyhand.runtime.exported import EngineName
from steadyhand.training.train import build_policy

ENGINES: list[EngineName] = ["onnx", "openvino"]


def grid(every: bool) -> list[Way]:
    """Every denoiser, process and solver that fit together, each at its default unless `every`."""
    if every:
        return ways(every=True)
    denoisers = [small(kind) for kind in options("DenoiserConfig")]
    methods = [next(variants(kind)) for kind in options("Method")]
    driven = [(m, s) for m in methods for name in options("SolverName") if (s := driving(m, name))]
    return [Way(d, method, sampler) for d in denoisers for method, sampler in driven]


def free(way: Way) -> Policy:
    """The policy of a way, drawn; its actions are not cut off, which would hide what differs."""
    with contextlib.suppress(ConfigurationError):
        sampler = replace(way.sampler, clip=None)
        sampler.settled(way.process)
        way = replace(way, sampler=sampler)
    return with_weights(build_policy(configured(way), demonstrations()).eval())


def policies(kind: str, every: bool) -> Iterator[tuple[str, Callable[[], Policy]]]:
    """Those of a denoiser by name, or those that see pictures."""
    if kind == "pictures":
        for denoiser in map(small, options("DenoiserConfig")):
            yield (
                f"pictures, {type(denoiser).__name__}",
                lambda d=denoiser: small_policy(*PICTURES, denoiser=d),
            )
        return
    for way in grid(every):
        if type(way.denoiser).__name__ == kind:
            yield way.name, lambda way=way: free(way)


def main(kind: str, *, every: bool) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for name, make in policies(kind, every):
        line: dict[str, Any] = {"way": name}
        try:
            policy = make()
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place) / "export"
                write_export(policy, folder, continuations=[])
                for engine in ENGINES:
                    exported = load_exported(folder, engine=engine)
                    line[engine] = compared(policy, exported, made_up_moments(policy, 4))[0]
        except Exception as error:
            line["wrong"] = f"{type(error).__name__}: {error}"[:500]
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], every="--all" in sys.argv)
