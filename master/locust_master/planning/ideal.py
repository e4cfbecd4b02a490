"""How many users of each class there would be among so many if users could be divided.

Pure: it must never decide which user comes or goes.
"""

from collections.abc import Sequence
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from locust_master.planning.goal import ClassShare

# A number of users that there never is (count): up to it means whatever runs.
ALWAYS = 1 << 62

# What a share in floating point may be off (users).
ROUNDING = 1e-6


class Ideal:
    """Of up to as many users as the fixed counts sum to, classes have parts by their fixed counts; of those
    beyond, by their weights. The first `len(shares)` of `classes` are those of `shares`, the others have no
    part.
    """

    __slots__ = ("_fixed", "_parts", "_weights", "classes")

    def __init__(self, shares: Sequence[ClassShare], classes: int) -> None:
        self.classes = classes
        others = [0.0] * (classes - len(shares))
        counts = [max(0, share.fixed_count) for share in shares]
        self._fixed = sum(counts)
        self._parts = [*(count / (self._fixed or 1) for count in counts), *others]
        weights = [share.weight if share.fixed_count <= 0 else 0.0 for share in shares]
        # By the largest first: the sum of huge weights must not overflow.
        largest = max(weights, default=0.0) or 1.0
        scaled = [weight / largest for weight in weights]
        total = sum(scaled) or 1.0
        self._weights = [*(weight / total for weight in scaled), *others]

    def of(self, user_class: int, users: int) -> float:
        """Return the class's part of so many users, those of the other kind of class left aside."""
        if users >= self._fixed:
            return self._weights[user_class] * (users - self._fixed)
        return self._parts[user_class] * users

    def share(self, user_class: int, users: int) -> float:
        """Return how many of so many users are of the class."""
        if users >= self._fixed:
            return self._parts[user_class] * self._fixed + self.of(user_class, users)
        return self.of(user_class, users)

    def shares(self, users: int) -> list[float]:
        """Return how many of so many users are of each class."""
        if users >= self._fixed:
            fixed, beyond = self._fixed, users - self._fixed
            return [
                part * fixed + weight * beyond
                for part, weight in zip(self._parts, self._weights, strict=True)
            ]
        return [part * users for part in self._parts]

    def bounds(self, users: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the fewest and the most users of each class (columns) there may be among so many (rows)."""
        fixed = np.minimum(users, self._fixed)
        share = np.outer(fixed, self._parts) + np.outer(users - fixed, self._weights)
        fewest, most = np.ceil(share - 1 + ROUNDING), np.floor(share + 1 - ROUNDING)
        return fewest.astype(np.int64), most.astype(np.int64)

    def turns_of(self, user_class: int, count: int) -> tuple[int, int]:
        """Return down to how many users in all a class with `count` users must have stopped one of them, and
        from how many on it may, to stay less than one user from its share.
        """
        weight, part = self._weights[user_class], self._parts[user_class]
        if count <= 0:
            return -1, -1
        if weight > 0:
            must, may = ((count - 1 + ROUNDING) / weight, count / weight - ROUNDING)
            # Beside a weight that vanishes either may be beyond all numbers.
            return self._fixed + floor(min(must, ALWAYS)), self._fixed + ceil(min(may, ALWAYS)) - 1
        if part <= 0 or count > round(part * self._fixed):
            return ALWAYS, ALWAYS
        return floor((count - 1 + ROUNDING) / part), ceil(count / part - ROUNDING) - 1

    def is_one_rule(self, one: int, other: int) -> bool:
        """Whether users between two totals all go by weight, or all by fixed count."""
        return min(one, other) >= self._fixed or max(one, other) <= self._fixed
