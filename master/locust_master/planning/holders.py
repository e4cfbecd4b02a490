"""Which workers have how many users of each class. Sets of workers are bit masks.

Pure: it must never know which users are to stop or to start.
"""

from collections.abc import Sequence


class Holders:
    """Users by worker and class, and for each class the workers by how many of it they have."""

    __slots__ = ("_having", "users")

    def __init__(self, running: Sequence[Sequence[int]], classes: int) -> None:
        self.users = [list(by_class) for by_class in running]
        self._having: list[dict[int, int]] = [{} for _ in range(classes)]
        for worker, by_class in enumerate(running):
            for having, users in zip(self._having, by_class, strict=True):
                having[users] = having.get(users, 0) | 1 << worker

    def most(self, user_class: int, workers: int) -> int:
        """Return that of the workers which has the most users of the class."""
        having = self._having[user_class]
        return _lowest(
            next(found for users in sorted(having, reverse=True) if (found := having[users] & workers))
        )

    def fewest(self, user_class: int, workers: int) -> int:
        """Return that of the workers which has the fewest users of the class."""
        having = self._having[user_class]
        if found := having[min(having)] & workers:
            return _lowest(found)
        return _lowest(next(found for users in sorted(having) if (found := having[users] & workers)))

    def change(self, worker: int, user_class: int, change: int) -> None:
        """Note that a worker has one user of a class more, or one less."""
        bit = 1 << worker
        having = self._having[user_class]
        users = self.users[worker][user_class]
        if left := having[users] ^ bit:
            having[users] = left
        else:
            del having[users]
        users += change
        having[users] = having.get(users, 0) | bit
        self.users[worker][user_class] = users


def _lowest(workers: int) -> int:
    return (workers & -workers).bit_length() - 1
