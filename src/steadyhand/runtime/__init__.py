"""The robot's side: predictors, chunk control and the fixed-rate loop. Numpy only, no torch."""

from steadyhand.runtime.controller import ChunkController, RecedingHorizon
from steadyhand.runtime.loop import LoopReport, Robot, run_loop
from steadyhand.runtime.predictor import ChunkRequest, Observation, Predictor, chunk_noise

__all__ = [
    "ChunkController",
    "ChunkRequest",
    "LoopReport",
    "Observation",
    "Predictor",
    "RecedingHorizon",
    "Robot",
    "chunk_noise",
    "run_loop",
]
