"""Braking to rest within acceleration and jerk, in closed form: where it ends, how far it reaches.

One number that is told tick by tick, and all of it per tick: v is what it moved in the last tick, a
by how much that differs from the tick before, and no two a after another differ by more than d, nor
is one larger than A. Where it settles is the v at which a has come back to 0 as fast as d allows.
"""

from math import ceil, floor, sqrt


def ramp(a: float, d: float) -> float:
    """What v still gains while a ≥ 0 is taken back to 0, d a tick."""
    m = floor(a / d)
    return m * a - d * m * (m + 1) / 2


def settled(v: float, a: float, d: float) -> float:
    """The v at which a has come back to 0."""
    return v + ramp(a, d) if a >= 0 else v - ramp(-a, d)


def change(by: float, d: float) -> float:
    """The next a that changes where v settles to v + `by`, however large it has to be."""
    size = abs(by)
    m = floor((sqrt(1 + 8 * size / d) - 1) / 2)
    a = size / (m + 1) + d * m / 2
    return a if by > 0 else -a


def brake(v: float, a: float, d: float, most: float) -> float:
    """The next a on the way to rest: as hard as can be without coming back, then back to 0."""
    return min(max(change(-v, d), a - d, -most), a + d, most)


def landing(v: float, a: float, d: float, up: float, down: float) -> float:
    """How far from here `brake` ends, where a is at most `up` and at least -`down`.

    It grows with v and with a, without jumps.
    """
    if settled(v, a, d) < 0:
        return -_landing(-v, -a, d, up)
    return _landing(v, a, d, down)


def peak(v: float, a: float, d: float, most: float) -> float:
    """How far above here the way of `brake` leads at most; 0 where it leads down alone."""
    if settled(v, a, d) >= 0:
        return max(_landing(v, a, d, most), 0.0)
    if v <= 0:
        return 0.0
    # It comes back: up to where v is 0, while a comes back to 0.
    half = a + d / 2
    k = floor((-half - sqrt(max(half * half - 2 * d * v, 0.0))) / d)
    return k * v + (k + 1) * k * (a / 2 + d * (k + 2) / 6)


def _landing(v: float, a: float, d: float, most: float) -> float:
    """`landing` from where v settles at 0 or above."""
    # a falls by d a tick, until it is -most, or else until v would settle below 0: that is where
    # rest - 2·m·f - d·m² < 0, counted from the first tick in which a is not above 0.
    q = ceil(a / d)
    f = q * d - a
    rest = v + d * q * (q - 1) / 2 - q * f
    k = q - 1 if rest < 0 else q + floor((sqrt(f * f + d * rest) - f) / d)
    k = max(min(k, floor((a + most) / d)), 0)
    way = k * v + (k + 1) * k * (a / 2 - d * (k + 2) / 6)
    v += k * a - d * k * (k + 1) / 2
    left = v - most - ramp(most, d)
    if left >= 0:  # a is -most, for as long as it may
        held = floor(left / most)
        way += (held + 1) * (v - most - most * held / 2)
        v -= (held + 1) * most
    b = change(v, d)  # one step to what ends at rest, and back to 0
    m = floor(b / d)
    f = b - m * d
    return way + (v - b) + m * (m - 1) * (d * (m - 2) / 6 + f / 2)
