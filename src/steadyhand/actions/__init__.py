"""What an action means to the robot. Works on arrays and tensors alike."""

from steadyhand.actions.parts import ActionPart, parse_parts, settled
from steadyhand.actions.rotations import mean_rotation, slerp
from steadyhand.actions.transform import ActionTransform

__all__ = ["ActionPart", "ActionTransform", "mean_rotation", "parse_parts", "settled", "slerp"]
