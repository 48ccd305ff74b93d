"""The robot's side: predictors, chunk control and the fixed-rate loop. Numpy only, no torch."""

from steadyhand.runtime.controllers import RecedingHorizon
from steadyhand.runtime.engine import Engine, EnginePredictor
from steadyhand.runtime.limits import Limited
from steadyhand.runtime.loop import LoopReport, run_loop
from steadyhand.runtime.predictor import (
    ChunkController,
    ChunkRequest,
    Observation,
    Predictor,
    chunk_noise,
)
from steadyhand.runtime.robot import Robot, counted
from steadyhand.runtime.turning import Turning
from steadyhand.runtime.wrappers import Checked, Fresh, Workspace

__all__ = [
    "Checked",
    "ChunkController",
    "ChunkRequest",
    "Engine",
    "EnginePredictor",
    "Fresh",
    "Limited",
    "LoopReport",
    "Observation",
    "Predictor",
    "RecedingHorizon",
    "Robot",
    "Turning",
    "Workspace",
    "chunk_noise",
    "counted",
    "run_loop",
]
