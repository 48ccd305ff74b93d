"""One number that is told tick by tick and never leaves its limits, whatever is wanted of it.

After every tick `brake` leads to rest within all limits, so that there is always a next move. All
is per tick: velocity is a difference, acceleration one of those, jerk one of these.
"""

from collections.abc import Callable
from math import inf, isinf, ulp

from steadyhand.errors import ConfigurationError
from steadyhand.runtime.safety.braking import brake, change, landing, peak, settled

SLACK = 5e-10
"""A command that is above a limit by this share is not: it was computed from the limit itself."""
ROUNDING = 16
"""Last places of the largest number by which nothing is known."""
FAR = 1e6
"""What has no limit of its own takes so many ticks to reach, at the limit of the next."""
FINE = 1e-9
"""Where a way ends is found to this share of the smallest move."""
MOST_TRIES = 60


class Axis:
    """A number between `low` and `high`; infinite where there is no limit, but for one of them.

    Raises `ConfigurationError` for limits that are finer than the numbers themselves.
    """

    def __init__(
        self,
        low: float = -inf,
        high: float = inf,
        velocity: float = inf,
        acceleration: float = inf,
        jerk: float = inf,
    ) -> None:
        if not low < high:
            raise ConfigurationError(f"low is {low:g} and high {high:g}; low must be below high.")
        self.low, self.high = low, high
        largest = 1.0 if isinf(high - low) else max(abs(low), abs(high))
        self._room = ROUNDING * ulp(largest)
        velocity = min(velocity, high - low)
        acceleration = min(acceleration, 2 * velocity)
        self._d = min(jerk, 2 * acceleration)
        self._most = min(acceleration, FAR * self._d)
        self._fastest = min(velocity, FAR * self._most)
        if self._d < 100 * self._room:
            raise ConfigurationError(
                f"The limits come to {self._d:.1e} a tick, less than numbers of the size of "
                f"{largest:g} tell apart. Give a lower rate_hz, or larger limits."
            )
        own = self._fastest, self._most, self._d
        self._true = tuple(each * (1 + SLACK) for each in own)
        # What is planned keeps off the limits by what rounding takes it nearer to them.
        self._fastest, self._most, self._d = (each - self._room for each in own)
        self.begin(0.0)

    def begin(self, place: float) -> None:
        """Rest at a place, which is taken into the box."""
        self.p = min(max(place, self.low), self.high)
        self._v = self._a = 0.0
        self._seen = [self.p] * 3

    def next(self, command: float | None) -> float:
        """Where to go in this tick: `command` itself where that may be, None to come to rest."""
        if isinf(self._d):  # a box, and no more
            return self._placed(self.p if command is None else command)
        if command is None:
            self._seen.clear()
            return self._moved(brake(self._v, self._a, self._d, self._most))
        command = min(max(command, self.low), self.high)
        pace, gain = self._pace(command)
        if self._followed(command, pace, gain):
            place = self._placed(command)
        else:
            place = self._moved(self._toward(command, pace, gain))
        self._seen = [*self._seen[-2:], command]
        return place

    def _moved(self, b: float) -> float:
        """On with the acceleration b, which is kept as it is: the place is rounded, and no more."""
        v = self._v + b
        place = self.p + v
        if not self.low <= place <= self.high:  # by rounding
            return self._placed(place)
        self.p, self._v, self._a = place, v, b
        return place

    def _placed(self, place: float) -> float:
        place = min(max(place, self.low), self.high)
        v = place - self.p
        self.p, self._v, self._a = place, v, v - self._v
        return place

    def _pace(self, command: float) -> tuple[float, float]:
        """How fast the command goes, and gains; 0 where it goes as nothing here may."""
        if len(self._seen) < 2:
            return 0.0, 0.0
        before, last = self._seen[-2:]
        pace = command - last
        gain = pace - (last - before)
        if abs(pace) > self._fastest or abs(gain) > self._most:
            return 0.0, 0.0
        jump = gain - (last - 2 * before + self._seen[0]) if len(self._seen) > 2 else inf
        return pace, gain if abs(jump) <= self._d else 0.0

    def _followed(self, command: float, pace: float, gain: float) -> bool:
        """Whether to be where the command is: it is within reach, and next it will be, too."""
        b = command - self.p - self._v
        if not self._allowed(b):
            return False
        if self._seen and self.p == self._seen[-1]:
            # There already, and so going with it. A step that is no larger than what the jerk
            # allows in a tick looks the same, and may be passed by as much.
            return True
        after = pace + gain - (command - self.p)
        _, most, d = self._true
        return abs(after) <= most and abs(after - b) <= d and abs(gain - after) <= d

    def _allowed(self, b: float) -> bool:
        """Whether all limits hold after the acceleration b, and braking from there keeps them."""
        v, d = self._v + b, self._d
        fastest, most, jerk = self._true
        if abs(b) > most or abs(b - self._a) > jerk or max(abs(v), abs(settled(v, b, d))) > fastest:
            return False
        place, room = self.p + v, self._room
        above = place + peak(v, b, d, self._most) <= self.high + room
        return above and place - peak(-v, -b, d, self._most) >= self.low - room

    def _toward(self, command: float, pace: float, gain: float) -> float:
        """The acceleration that leads soonest to the command and its pace, without passing it."""
        wall = 4 * self._room
        top = self._highest(self.p, self._v, self._a, self.high - wall)
        bottom = -self._highest(-self.p, -self._v, -self._a, -self.low - wall)
        if bottom >= top:  # by rounding
            return min(max(brake(self._v, self._a, self._d, self._most), top), bottom)
        gain = min(max(gain, -0.9 * self._most), 0.9 * self._most)
        ahead, up, down = self.p + self._v - command, self._most - gain, self._most + gain

        def past(b: float) -> float:
            return ahead + b + landing(self._v + b - pace, b - gain, self._d, up, down)

        if past(top) <= 0:
            return top
        return bottom if past(bottom) >= 0 else _root(past, bottom, top, FINE * self._d)

    def _highest(self, p: float, v: float, a: float, high: float) -> float:
        """The highest acceleration after which braking keeps below `high` and the velocity."""
        d, most = self._d, self._most
        least = max(-most, a - d)
        top = max(min(most, a + d, change(self._fastest - v, d)), least)
        if isinf(high):
            return top

        def over(b: float) -> float:
            return p + v + b + peak(v + b, b, d, most) - high

        if over(top) <= 0:
            return top
        return least if over(least) >= 0 else _root(over, least, top, FINE * d)


def _root(f: Callable[[float], float], low: float, high: float, fine: float) -> float:
    """Where f, which grows from below 0 at `low`, is in -fine…0 (Illinois method)."""
    f_low, f_high, side = f(low) + fine / 2, f(high) + fine / 2, 0
    for _ in range(MOST_TRIES):
        if f_low >= 0 or high - low <= 1e-15 * max(abs(low), abs(high)):
            break
        middle = high - f_high * (high - low) / (f_high - f_low)
        found = f(middle)
        if -fine <= found <= 0:
            return middle
        if found < 0:
            low, f_low = middle, found + fine / 2
            f_high, side = (f_high / 2 if side < 0 else f_high), -1
        else:
            high, f_high = middle, found + fine / 2
            f_low, side = (f_low / 2 if side > 0 else f_low), 1
    return low
