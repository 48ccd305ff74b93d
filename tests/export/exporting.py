"""`python tests/export/exporting.py FOLDER`: exports some small policies into it, and tells as JSON
how the engines' chunks compare with those of the policies. It runs without shape checks.
"""

import contextlib
import io
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir
import torch
from exported import NUMBERS, PICTURES, SIGHT, small_policy, with_weights
from torch import nn

from steadyhand.cli.main import main as command
from steadyhand.data import write_episodes
from steadyhand.diffusion.ddpm import DDPM
from steadyhand.diffusion.sampling import SamplerConfig
from steadyhand.errors import ConfigurationError
from steadyhand.export.folder import described, write_export
from steadyhand.export.graph import example_inputs
from steadyhand.export.observed import made_up_moments
from steadyhand.export.onnx_file import fix_batch, to_onnx, write_models
from steadyhand.export.precision import rounded_weights
from steadyhand.export.verify import differences, units, verify
from steadyhand.nets.choices import DiTConfig, MLPConfig, TransformerConfig, UNetConfig
from steadyhand.policy.config import PolicyConfig
from steadyhand.policy.policy import Policy
from steadyhand.policy.storage import save_policy
from steadyhand.runtime.card import Provenance
from steadyhand.runtime.engines import load_exported
from steadyhand.runtime.exported import EngineName, ExportPrecision, Graph, write_export_card
from steadyhand.tasks import record_episodes
from steadyhand.training.config import TrainConfig
from steadyhand.training.train import build_policy

SDE = SamplerConfig(solver="sde_dpmpp_2m", steps=2, clip=None)
SMALL = {"width": 16, "layers": 1, "heads": 2}
POLICIES: dict[str, Policy] = {
    "perceptron": small_policy(*NUMBERS),
    "pictures": small_policy(*PICTURES, denoiser=DiTConfig(**SMALL)),
    "sight": small_policy(*SIGHT),
    "far": small_policy(
        *NUMBERS, far=1e7, denoiser=TransformerConfig(**SMALL), process=DDPM(prediction="v")
    ),
    "unet": small_policy(
        *NUMBERS,
        denoiser=UNetConfig(widths=(8, 16), step_width=16),
        process=DDPM(),
        sampler=SDE,
    ),
}
PRECISIONS: list[tuple[EngineName, ExportPrecision]] = [
    ("onnx", "float16"),
    ("onnx", "int8"),
    ("openvino", "int8"),
    ("openvino", "bfloat16"),
]


def agreement(policy: Policy, folder: Path, engine: EngineName) -> dict[str, float]:
    """How an engine's chunks differ from the policy's, of one request and of three at once."""
    requests = made_up_moments(policy, 3)
    found = verify(policy, load_exported(folder, engine=engine), requests, "random", 1e9)
    predictor = load_exported(folder, engine=engine, batch=3)
    seen, *noises = example_inputs(policy, 3)
    with torch.no_grad():
        wanted = policy(seen, *noises).numpy()
    noise, step_noise = [*(part.numpy() for part in noises), None][:2]
    arrays = {key: values.numpy() for key, values in seen.items()}
    found_together = predictor.engine(arrays, noise, step_noise)  # type: ignore[arg-type]
    together = differences(wanted, found_together, units(policy))
    spread = float(np.ptp(wanted, axis=0).max())
    return {
        "alone": found.largest,
        "typical": found.typical,
        "three": together[0],
        "spread": spread,
    }


def rounded(policy: Policy, whole: Path, engine: EngineName, precision: ExportPrecision) -> Path:
    """An export with its weights rounded, from one without, traced once for all."""
    folder = whole.with_name(f"{engine}-{precision}")
    folder.mkdir()
    model = onnx_ir.load(whole / "chunk.onnx")
    batch = 1 if rounded_weights(model, precision, engine) else None
    if batch:
        fix_batch(model, batch)
    write_models(folder, {"chunk.onnx": model})
    graph = Graph(file="chunk.onnx", batch=batch)
    write_export_card(folder, described(policy, folder, [graph], engine, precision, None))
    return folder


def by_command(out: Path) -> dict[str, Any]:
    """What `steadyhand export` prints, of a run that was never trained."""
    episodes = record_episodes("fork", 3)
    write_episodes(out / "demos.npz", episodes)
    policy = PolicyConfig(denoiser=MLPConfig(width=16, blocks=1), sampler=SamplerConfig(steps=2))
    config = TrainConfig(task="fork", observations=("state",), policy=policy)
    trained_on = episodes.fingerprints("action")[:2]
    origin = Provenance(
        task="fork", data=str(out / "demos.npz"), details={"trained_on": trained_on}
    )
    save_policy(out / "run", with_weights(build_policy(config, episodes).eval()), origin)
    words = f"export {out / 'run'} --to onnx --continuation none --json --episodes 2"
    found: dict[str, Any] = {}
    for name in ("first", "again"):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            found[name] = {"exit": command(words.split())}
        found[name] |= json.loads(printed.getvalue())
    return found


class Own(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.eigh(x)[0]


def refused() -> str:
    """What is said of an operation that ONNX has not."""
    try:
        to_onnx(torch.export.export(Own(), (torch.eye(3)[None],)), ["x"], None)
    except ConfigurationError as error:
        return str(error)
    return ""


def main(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, policy in POLICIES.items():
        write_export(policy, out / name, continuations=[])
        engines: list[EngineName] = ["onnx"] if name == "far" else ["onnx", "openvino"]
        for engine in engines:
            found[f"{name} {engine}"] = agreement(policy, out / name, engine)
    policy = POLICIES["perceptron"]
    for engine, precision in PRECISIONS:
        folder = rounded(policy, out / "perceptron", engine, precision)
        found[f"{precision} {engine}"] = agreement(policy, folder, engine)
    return {"apart": found, "command": by_command(out), "refused": refused()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))))
