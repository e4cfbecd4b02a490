"""When each user of a ramp is due: the k-th at start + k / rate, to the microsecond, however long the ramp.

Answers by formula, never by counting: how many are due at a moment costs the same for one user and for a
hundred thousand.

Pure: it must never know what time it is.
"""

from fractions import Fraction

US_PER_S = 1_000_000


class Pace:
    """Turns at `spawn_rate` per second, the first at once.

    The rate is taken as it is written in decimal (0.1 is a tenth), and each due time is rounded on its own,
    so that errors do not add up. Raises ValueError for a rate that is not a finite number above 0.
    """

    __slots__ = ("_parts", "_step")

    def __init__(self, spawn_rate: float) -> None:
        if not 0 < spawn_rate < float("inf"):
            raise ValueError(f"a spawn rate must be a finite number above 0, not {spawn_rate!r}")
        rate = Fraction(str(spawn_rate))
        # Exact distance between two turns, as a fraction of integers: step / parts microseconds.
        self._step = US_PER_S * rate.denominator
        self._parts = rate.numerator

    @property
    def interval_us(self) -> int:
        """The time between two turns, rounded up to a microsecond."""
        return -(-self._step // self._parts)

    def due_us(self, turn: int) -> int:
        """Return how long after the first turn (number 0) the given turn is due."""
        return (2 * turn * self._step + self._parts) // (2 * self._parts)

    def due_times(self, turns: list[int], *, start_us: int) -> list[int]:
        """Return when each of `turns` is due, the first turn of all at `start_us`."""
        double_step, parts = 2 * self._step, self._parts
        whole, rest = divmod(self._step, parts)
        if not rest:
            return [start_us + turn * whole for turn in turns]
        return [start_us + (turn * double_step + parts) // (2 * parts) for turn in turns]

    def turns_until(self, after_us: int) -> int:
        """Return how many turns are due `after_us` after the first one, or before."""
        if after_us < 0:
            return 0
        return ((2 * after_us + 1) * self._parts - 1) // (2 * self._step) + 1
