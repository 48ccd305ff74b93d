"""What an action means to the robot. Works on arrays and tensors alike."""

from steadyhand.actions.relative import to_absolute, to_relative

__all__ = ["to_absolute", "to_relative"]
