"""A whole policy as one graph, in a process of its own: no shape checks at run time there."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
import torch
from steadyhand.export.graph import example_inputs, export_policy
from steadyhand.diffusion.ddpm import DDPM
from steadyhand.nets.choices import MLPConfig, UNetConfig
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.spec import PolicySpec
from steadyhand.data import statistics_of
import numpy as np

torch.set_num_threads(1)


def check(solver, network):
    denoiser = {"mlp": MLPConfig(width=32, blocks=2), "unet": UNetConfig(widths=(8, 16))}[network]
    sampler = SamplerConfig(solver=solver, steps=3)  # the third has two before it
    config = PolicyConfig(denoiser=denoiser, process=DDPM(), sampler=sampler)
    recorded = {"keypoint": (9, 2), "state": (5,), "action": (2,)}
    spec = PolicySpec.select(recorded, observations=["keypoint", "state[:2]"],
                             action_relative_to="state[:2]")
    random = np.random.default_rng(0)
    one = {f.name: statistics_of(random.normal(2, 3, (50, *f.shape))) for f in spec.features}
    policy = config.build(spec, one)
    for parameter in policy.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    program = export_policy(policy)
    # What would make the host wait for the device, or depend on what the data holds.
    waiting = {"aten._local_scalar_dense.default", "aten.item.default", "aten.nonzero.default",
               "aten.is_nonzero.default", "aten.equal.default"}
    found = {str(node.target) for node in program.run_decompositions().graph.nodes
             if node.op == "call_function"}
    assert not found & waiting, found & waiting
    devices = {node.kwargs.get("device") for node in program.graph.nodes} - {None}
    assert devices <= {torch.device("cpu")}, devices
    for batch in (1, 2, 7):
        inputs = example_inputs(policy, batch)
        assert inputs[0]["state"].shape == (batch, 2, 5), "as recorded, not only what is picked"
        with torch.no_grad():
            wanted, answer = policy(*inputs), program.module()(*inputs)
        assert answer.shape == (batch, 16, 2)
        assert float((answer - wanted).abs().max()) <= 1e-5 * float(wanted.abs().max())
        assert float(wanted.std()) > 0


for solver in ("ddim", "dpmpp_2m", "sde_dpmpp_2m"):
    check(solver, sys.argv[1])
print("checked")
"""


@pytest.mark.parametrize("network", ["mlp", "unet"])
def test_exported_is_the_same_for_any_batch(network) -> None:
    """By every kind of solver."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, network], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("checked")


IMAGES = """
import sys
import numpy as np
import torch
from steadyhand.data import statistics_of
from steadyhand.export.graph import example_inputs, export_policy
from steadyhand.nets.encoder_choices import BackboneConfig, ImageEncoderConfig, ResNetConfig
from steadyhand.nets.choices import MLPConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.spec import PolicySpec

torch.set_num_threads(1)
network = ResNetConfig(width=16, blocks=(1, 1))
if sys.argv[1] != "resnet":
    import json
    tiny = {"image_size": 28, "patch_size": 14, "num_hidden_layers": 1, "hidden_size": 16,
            "num_attention_heads": 2, "mlp_ratio": 2, "model_type": sys.argv[1]}
    network = BackboneConfig(architecture=json.dumps(tiny))
config = PolicyConfig(
    denoiser=MLPConfig(width=32, blocks=1),
    encoder=ImageEncoderConfig(network=network, crop=0.875),
)
recorded = {"front": (60, 80, 3), "wrist": (40, 40, 3), "state": (5,), "action": (2,)}
spec = PolicySpec.select(recorded, observations=["front", "wrist", "state"], image_size=(32, 32))
random = np.random.default_rng(0)
one = {f.name: statistics_of(random.normal(2, 3, (50, *f.shape)))
       for f in spec.features if f.kind == "state"}
torch.manual_seed(0)
policy = config.build(spec, one).eval()
for name, parameter in policy.named_parameters():
    if name.startswith("sampler") or "maps.weight" in name:
        torch.nn.init.normal_(parameter, std=1.0 if "maps" in name else 0.1)
program = export_policy(policy)
for batch in (1, 2, 5):
    inputs = example_inputs(policy, batch)
    assert inputs[0]["front"].shape == (batch, 2, 60, 80, 3)
    assert inputs[0]["front"].dtype == torch.uint8
    with torch.no_grad():
        wanted, answer = policy(*inputs), program.module()(*inputs)
        other = policy({**inputs[0], "front": 255 - inputs[0]["front"]}, *inputs[1:])
    assert float((answer - wanted).abs().max()) <= 1e-5 * float(wanted.abs().max())
    assert float((other - wanted).abs().max()) > 1e-3, "the pictures matter"
"""


@pytest.mark.parametrize("network", ["resnet", "dinov2"])
def test_a_whole_image_policy_is_exported(network) -> None:
    """From uint8 as cameras give it: resize, crop, network, every step, in one graph."""
    done = subprocess.run([sys.executable, "-c", IMAGES, network], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
