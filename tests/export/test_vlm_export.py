"""A policy with a vision-language model as one graph, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("transformers")
TESTS = Path(__file__).parents[1]

SCRIPT = """
import sys
import tempfile
import numpy as np
import torch
import tiny_vlm
from tiny_vlm import TEXTS
from dataclasses import replace
from pathlib import Path
from steadyhand.data import statistics_of
from steadyhand.export.folder import write_export
from steadyhand.export.graph import example_inputs, export_policy
from steadyhand.export.observed import made_up_moments
from steadyhand.export.verify import compared
from steadyhand.runtime.engines import load_exported
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.nets.choices import DiTConfig
from steadyhand.nets.vlm_choices import VLMEncoderConfig
from steadyhand.recipes import recipe
from steadyhand.spec import Chunking, PolicySpec
from steadyhand.task_table import TaskTable

torch.set_num_threads(1)

def check(kind):
    folder = Path(tempfile.mkdtemp())
    tiny_vlm.make(kind, folder)
    encoder = VLMEncoderConfig(source=str(folder), prompt=16, width=32).settled()
    denoiser = DiTConfig(width=32, layers=1, heads=2, positions=False)
    config = replace(recipe("vla").policy, encoder=encoder, denoiser=denoiser,
                     sampler=SamplerConfig(steps=2))
    recorded = {"front": (40, 60, 3), "wrist": (24, 24, 3), "state": (5,), "action": (2,)}
    spec = PolicySpec.select(recorded, observations=["front", "wrist", "state", "task"],
                             image_size=(24, 32), chunking=Chunking(obs_steps=2),
                             tasks=TaskTable.of(TEXTS, encoder.task_vectors(TEXTS)))
    random = np.random.default_rng(0)
    one = {f.name: statistics_of(random.normal(2, 3, (50, *f.shape)))
           for f in spec.features if f.kind == "state"}
    policy = config.build(spec, one).eval()
    policy.encoder.load_pretrained()
    for name, parameter in policy.sampler.named_parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    if kind == "smolvlm":
        write_export(policy, folder / "export", continuations=[])
        for engine in ("onnx", "openvino"):
            exported = load_exported(folder / "export", engine=engine)
            assert compared(policy, exported, made_up_moments(policy, 3))[0] < 1e-4
        return
    program = export_policy(policy)
    waiting = {"aten._local_scalar_dense.default", "aten.item.default", "aten.nonzero.default",
               "aten.is_nonzero.default", "aten.equal.default"}
    found = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert not found & waiting, found & waiting
    for batch in (1, 2, 5):
        inputs = example_inputs(policy, batch)
        which = torch.arange(batch) % 3
        told = torch.from_numpy(spec.tasks.array)[which][:, None].expand(-1, 2, -1)
        inputs[0]["task"] = told
        with torch.no_grad():
            wanted, answer = policy(*inputs), program.module()(*inputs)
            dark = policy({**inputs[0], "wrist": inputs[0]["wrist"] // 4}, *inputs[1:])
            others = told.flip(0) if batch > 1 else told + 1
            words = policy({**inputs[0], "task": others}, *inputs[1:])
        size = float(wanted.abs().max())
        assert float((answer - wanted).abs().max()) <= 1e-4 * size
        assert float((dark - wanted).abs().max()) > 1e-3 * size, "the pictures matter"
        assert float((words - wanted).abs().max()) > 1e-3 * size, "the words matter"

for kind in sys.argv[1:]:
    check(kind)
"""


KINDS = ("paligemma gemma2", "smolvlm", "llava clip llama")


def test_whole_policies_are_exported() -> None:
    """From uint8 and words: resize, pictures' tokens, language model, the steps of flow; one of
    them as ONNX, in both engines."""
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *KINDS],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr[-3000:]
