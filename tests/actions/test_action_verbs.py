"""Actions in parts through the command line: trained, resumed, judged, inspected; as one graph."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_action_policies import PARTS, arm

from steadyhand.cli.main import main
from steadyhand.data import write_episodes
from steadyhand.policy.storage import load_policy
from steadyhand.runtime.folders import find_policy

TRAINING = (
    "train state --data arm.npz --observations state last_action --action-relative-to last_action "
    f"--action-parts {' '.join(PARTS)} --chunking.horizon 8 --chunking.execute 4 --steps 20 "
    "--checkpoint-every 10 --batch-size 32 --denoiser.width 16 --precision float32 --threads 1 "
    "--validation-share 0.2 --out run"
)


def said(words: str, capsys) -> dict:
    capsys.readouterr()
    status = main([*words.split(), "--json"])
    out = capsys.readouterr().out
    assert status == 0, out
    return json.loads(out)


def test_from_the_command_line(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    write_episodes("arm.npz", arm())
    assert said(TRAINING, capsys)["steps"] == 20
    config = json.loads(Path("run/config.json").read_text())
    Path("run/config.json").write_text(json.dumps({**config, "steps": 30}))
    assert said("train --resume --out run", capsys)["steps"] == 30
    judged = said("evaluate --offline run --samples 2", capsys)
    assert all(part["policy"] < 0.5 for part in judged["per_dimension"])
    assert len(judged["per_dimension"]) == 8
    policy = load_policy(find_policy(Path("run")))
    assert policy.spec.noise_shape == (8, 10)
    assert policy.spec.transform.parts[-1].levels == (0.0, pytest.approx(0.08))
    capsys.readouterr()
    assert main(["inspect", "run"]) == 0
    out = capsys.readouterr().out
    assert "0:3 numbers, delta from last_action" in out
    assert "7 gripper, 0 and 0.08" in out


GRAPH = """
import sys
sys.path.insert(0, "tests/actions")
import torch
from dataclasses import replace
from test_action_policies import ARM, arm
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.export.graph import example_inputs, export_policy
from steadyhand.training.train import build_policy

torch.set_num_threads(1)
once = replace(ARM, policy=replace(ARM.policy, sampler=SamplerConfig(steps=1)))
policy = build_policy(once, arm()).eval()
for parameter in policy.parameters():
    torch.nn.init.normal_(parameter, std=0.3)
program = export_policy(policy)
waiting = {"aten._local_scalar_dense.default", "aten.item.default", "aten.nonzero.default"}
found = {str(node.target) for node in program.graph.nodes}
assert not found & waiting, found & waiting
for batch in (1, 2, 5):
    inputs = example_inputs(policy, batch)
    with torch.no_grad():
        wanted, answer = policy(*inputs), program.module()(*inputs)
    assert answer.shape == (batch, 8, 8)
    assert torch.allclose(answer, wanted, atol=1e-5), (answer - wanted).abs().max()
compiled = torch.compile(policy, backend="eager", fullgraph=True)
with torch.no_grad():
    assert torch.allclose(compiled(*inputs), wanted, atol=1e-5)
assert wanted[..., 7].unique().numel() == 2
"""


def test_as_one_graph() -> None:
    """In a process of its own: no shape checks at run time there."""
    here = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", GRAPH], capture_output=True, text=True, cwd=here, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
