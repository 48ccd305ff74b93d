"""What the numbers of a feature are: colour, depth, points, a state, an action."""
