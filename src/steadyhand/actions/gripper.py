"""Grippers: two values for the robot, -1 and 1 for the network, with hysteresis on the way back."""

from steadyhand.actions.arrays import Numbers, functions_of, running


def to_signs(values: Numbers, levels: tuple[float, float]) -> Numbers:
    """Each recorded number as its nearer level: -1 for the lower, 1 for the higher."""
    above = values > (levels[0] + levels[1]) / 2
    return functions_of(values).where(above, 0 * values + 1, 0 * values - 1)


def from_signs(
    answers: Numbers, levels: tuple[float, float], hysteresis: float, first: Numbers | None = None
) -> Numbers:
    """What a network answers, (…, H, 1) → one of the two levels in each row.

    Above `hysteresis` it is the higher one, below -`hysteresis` the lower, and between them that of
    the row before. The first row then keeps `first` (…, 1, 1), a level, or goes by its sign alone.
    """
    xp = functions_of(answers)
    given = to_signs(answers if first is None else first, (-1, 1) if first is None else levels)
    begin = given[..., :1, :] + 0 * answers
    # A row's number and its answer in one: the largest so far is that of the last that is sure.
    row = running(0 * answers + 1, lambda before, later: before + later, -2)
    sure = xp.abs(answers) > hysteresis
    last = running(xp.where(sure, 2 * row + (answers > 0), 0 * row), xp.maximum, -2)
    high = xp.where(last > 0, last % 2, (begin > 0) + 0 * last) > 0
    return xp.where(high, 0 * answers + levels[1], 0 * answers + levels[0])
