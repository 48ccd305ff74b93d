"""The robot's side: predictors, chunk control and the fixed-rate loop. Numpy only, no torch."""

from steadyhand.runtime.controllers import (
    Asynchronous,
    Blend,
    Controller,
    Ensemble,
    RealTime,
    RecedingHorizon,
    Speculative,
    WarmStarted,
)
from steadyhand.runtime.engine import Engine, EnginePredictor
from steadyhand.runtime.loop.patience import Patience
from steadyhand.runtime.loop.run import LoopReport, run_loop
from steadyhand.runtime.loop.timing import Timing
from steadyhand.runtime.predictor import (
    ChunkController,
    ChunkRequest,
    Observation,
    Predictor,
    chunk_noise,
)
from steadyhand.runtime.robot import Robot, counted
from steadyhand.runtime.safety.limits import Limited
from steadyhand.runtime.safety.turning import Turning
from steadyhand.runtime.safety.wrappers import Checked, Fresh, Workspace

__all__ = [
    "Asynchronous",
    "Blend",
    "Checked",
    "ChunkController",
    "ChunkRequest",
    "Controller",
    "Engine",
    "EnginePredictor",
    "Ensemble",
    "Fresh",
    "Limited",
    "LoopReport",
    "Observation",
    "Patience",
    "Predictor",
    "RealTime",
    "RecedingHorizon",
    "Robot",
    "Speculative",
    "Timing",
    "Turning",
    "WarmStarted",
    "Workspace",
    "chunk_noise",
    "counted",
    "run_loop",
]
