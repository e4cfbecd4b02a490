"""How many users of each class there would be among so many if users could be divided.

Pure: it must never decide which user comes or goes.
"""

from collections.abc import Sequence

from locust_master.planning.goal import ClassShare


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

    def is_one_rule(self, one: int, other: int) -> bool:
        """Whether users between two totals all go by weight, or all by fixed count."""
        return min(one, other) >= self._fixed or max(one, other) <= self._fixed
