"""The largest flow through a network (Dinic 1970): how much of two demands can be met by the same thing.

Pure: it must never know what flows.
"""

from collections import deque


class FlowNetwork:
    """Nodes 0 .. nodes - 1 and edges with whole capacities; `push` fills them as far as can be."""

    __slots__ = ("_capacity", "_edges", "_flow", "_heads")

    def __init__(self, nodes: int) -> None:
        # Edge e and its reverse e ^ 1 are neighbours; _edges[node] are the edges that leave it.
        self._edges: list[list[int]] = [[] for _ in range(nodes)]
        self._heads: list[int] = []
        self._capacity: list[int] = []
        self._flow: list[int] = []

    def add_edge(self, tail: int, head: int, capacity: int) -> int:
        """Add an edge and return its number."""
        edge = len(self._heads)
        self._edges[tail].append(edge)
        self._edges[head].append(edge + 1)
        self._heads += (head, tail)
        self._capacity += (capacity, 0)
        self._flow += (0, 0)
        return edge

    def widen(self, edge: int, capacity: int) -> None:
        """Give an edge a larger capacity; what flows through it already goes on."""
        self._capacity[edge] = capacity

    def flow(self, edge: int) -> int:
        """Return how much flows through an edge."""
        return self._flow[edge]

    def push(self, source: int, sink: int) -> None:
        """Raise the flow from source to sink to the largest there can be."""
        while (level := self._levels(source, sink))[sink] >= 0:
            untried = [0] * len(self._edges)
            while (path := self._path(source, sink, level, untried)) is not None:
                amount = min(self._capacity[edge] - self._flow[edge] for edge in path)
                for edge in path:
                    self._flow[edge] += amount
                    self._flow[edge ^ 1] -= amount

    def _levels(self, source: int, sink: int) -> list[int]:
        """Distance of each node from the source over edges with room; -1 where there is no way."""
        level = [-1] * len(self._edges)
        level[source] = 0
        waiting = deque([source])
        while waiting and level[sink] < 0:
            node = waiting.popleft()
            for edge in self._edges[node]:
                head = self._heads[edge]
                if level[head] < 0 and self._flow[edge] < self._capacity[edge]:
                    level[head] = level[node] + 1
                    waiting.append(head)
        return level

    def _path(self, source: int, sink: int, level: list[int], untried: list[int]) -> list[int] | None:
        """A way of shortest length with room on each edge, or None; `untried` skips what led nowhere."""
        path: list[int] = []
        node = source
        while node != sink:
            edges = self._edges[node]
            while untried[node] < len(edges):
                edge = edges[untried[node]]
                head = self._heads[edge]
                if level[head] == level[node] + 1 and self._flow[edge] < self._capacity[edge]:
                    path.append(edge)
                    node = head
                    break
                untried[node] += 1
            else:
                if not path:
                    return None
                node = self._heads[path.pop() ^ 1]
                untried[node] += 1
        return path
