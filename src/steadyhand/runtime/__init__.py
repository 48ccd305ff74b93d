"""The robot's side: predictors, chunk control and the fixed-rate loop. Numpy only, no torch."""

from steadyhand.runtime.controllers import RecedingHorizon
from steadyhand.runtime.engine import Engine, EnginePredictor
from steadyhand.runtime.loop import LoopReport, run_loop
from steadyhand.runtime.predictor import (
    ChunkController,
    ChunkRequest,
    Observation,
    Predictor,
    chunk_noise,
)
from steadyhand.runtime.robot import Robot, counted

__all__ = [
    "ChunkController",
    "ChunkRequest",
    "Engine",
    "EnginePredictor",
    "LoopReport",
    "Observation",
    "Predictor",
    "RecedingHorizon",
    "Robot",
    "chunk_noise",
    "counted",
    "run_loop",
]
