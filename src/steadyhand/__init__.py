"""Steadyhand: diffusion policies for robots, from demonstrations to smooth motion.

Names are loaded when they are used, so that importing the package needs and costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steadyhand.data.episodes import Episodes as Episodes
    from steadyhand.data.formats import open_episodes as open_episodes
    from steadyhand.diffusion.ddpm import DDPM as DDPM
    from steadyhand.diffusion.flow import Flow as Flow
    from steadyhand.diffusion.sampler import Sampler as Sampler
    from steadyhand.diffusion.sampling import SamplerConfig as SamplerConfig
    from steadyhand.errors import SteadyhandError as SteadyhandError
    from steadyhand.evaluation.compare import compare as compare
    from steadyhand.evaluation.evaluate import evaluate as evaluate
    from steadyhand.export.graph import export_policy as export_policy
    from steadyhand.methods.regression import Regression as Regression
    from steadyhand.nets.choices import MLPConfig as MLPConfig
    from steadyhand.policy.config import PolicyConfig as PolicyConfig
    from steadyhand.policy.policy import Policy as Policy
    from steadyhand.policy.predictor import TorchPredictor as TorchPredictor
    from steadyhand.policy.storage import load_policy as load_policy
    from steadyhand.policy.storage import save_policy as save_policy
    from steadyhand.recipes import recipe as recipe
    from steadyhand.runtime.engines import load_exported as load_exported
    from steadyhand.spec import Chunking as Chunking
    from steadyhand.spec import PolicySpec as PolicySpec
    from steadyhand.tasks import record_episodes as record_episodes
    from steadyhand.training.config import TrainConfig as TrainConfig
    from steadyhand.training.train import build_policy as build_policy
    from steadyhand.training.train import train as train

_WHERE = {
    "Chunking": "spec",
    "DDPM": "diffusion.ddpm",
    "Episodes": "data.episodes",
    "Flow": "diffusion.flow",
    "MLPConfig": "nets.choices",
    "Policy": "policy.policy",
    "PolicyConfig": "policy.config",
    "PolicySpec": "spec",
    "Regression": "methods.regression",
    "Sampler": "diffusion.sampler",
    "SamplerConfig": "diffusion.sampling",
    "SteadyhandError": "errors",
    "TorchPredictor": "policy.predictor",
    "TrainConfig": "training.config",
    "build_policy": "training.train",
    "compare": "evaluation.compare",
    "evaluate": "evaluation.evaluate",
    "export_policy": "export.graph",
    "load_exported": "runtime.engines",
    "load_policy": "policy.storage",
    "open_episodes": "data.formats",
    "recipe": "recipes",
    "record_episodes": "tasks",
    "save_policy": "policy.storage",
    "train": "training.train",
}

_BEFORE = {"UNetConfig": "nets.choices"}
"""Names that are no longer among them, for programs that use them."""

__all__ = sorted(_WHERE)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    where = _WHERE.get(name) or _BEFORE.get(name)
    if where is None:
        raise AttributeError(f"steadyhand has no '{name}'; it has: {', '.join(__all__)}")
    try:
        return getattr(import_module(f"steadyhand.{where}"), name)
    except ModuleNotFoundError as error:
        from steadyhand.errors import missing_extra

        missing = missing_extra(error)
        raise error if missing is None else missing from error


def __dir__() -> list[str]:
    return [*__all__]
