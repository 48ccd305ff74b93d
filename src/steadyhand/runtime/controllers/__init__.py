"""When to ask for a chunk: one file a rule, each around the same history and plan."""

from steadyhand.runtime.controllers.receding import RecedingHorizon

__all__ = ["RecedingHorizon"]
