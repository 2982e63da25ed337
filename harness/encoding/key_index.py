"""Where the keys of the vector cache lie: an index in memory, in which a look-up costs the same however many it has.

A key is 16 bytes of a digest, so its bits are random. The index keeps the first 8 bytes of every key in the order of
addition, and beside them sorted numbers, each of which joins the upper 32 bits of those 8 bytes with the place of the
key. Sorting such numbers alone is 4 times faster than sorting keys and their places. New numbers are sorted when
something is looked up, and merged with the older ones only when there are about as many of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Int64

_PLACE = np.uint64(0xFFFFFFFF)


class Matches(NamedTuple):
    """Pairs of a key that was asked for and a row of a block that seems to hold it, sorted by block.

    Attributes:
        asked: positions among the keys that were asked for, (n,) int64.
        blocks: numbers of the blocks, (n,) int64.
        rows: of the keys in their blocks, (n,) int64.
    """

    asked: Int64
    blocks: Int64
    rows: Int64


class KeyIndex:
    """The keys of numbered blocks, 16 bytes of memory for each.

    It compares the first 8 bytes of keys; whoever reads a block compares the others.
    """

    def __init__(self) -> None:
        self._halves = np.empty(0, dtype=np.uint64)
        self._starts: list[int] = []
        self._count = self._sorted = 0
        self._levels: list[NDArray[np.uint64]] = []

    def add(self, keys: NDArray[np.uint8]) -> int:
        """Add a block with these keys, (n, 16) uint8; returns its number: 0, 1, and so on."""
        end = self._count + len(keys)
        if end > len(self._halves):
            larger = np.empty(max(end, 2 * len(self._halves)), dtype=np.uint64)
            larger[: self._count] = self._halves[: self._count]
            self._halves = larger
        self._halves[self._count : end] = _halves(keys)
        self._starts.append(self._count)
        self._count = end
        return len(self._starts) - 1

    def find(self, keys: NDArray[np.uint8]) -> Matches:
        """Look up keys, (m, 16) uint8; one that lies in several blocks or is asked for twice matches several times."""
        self._sort()
        halves = _halves(keys)
        order = np.argsort(halves)  # look-ups in order stay in the processor's cache
        least = halves[order] & ~_PLACE
        asked, places = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
        for level in self._levels:
            first = np.searchsorted(level, least, side="left")
            counts = np.searchsorted(level, least | _PLACE, side="right") - first
            within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            asked.append(np.repeat(order, counts))
            places.append((level[np.repeat(first, counts) + within] & _PLACE).astype(np.int64))
        positions, place = np.concatenate(asked), np.concatenate(places)
        equal = self._halves[place] == halves[positions]
        positions, place = positions[equal], place[equal]
        starts = np.asarray(self._starts, dtype=np.int64)
        blocks = np.searchsorted(starts, place, side="right") - 1
        by_block = np.lexsort((place, blocks))
        positions, place, blocks = positions[by_block], place[by_block], blocks[by_block]
        return Matches(positions, blocks, place - starts[blocks])

    def _sort(self) -> None:
        """Sort what was added, and merge levels so that each is more than twice as large as the next."""
        if self._sorted == self._count:
            return
        places = np.arange(self._sorted, self._count, dtype=np.uint64)
        level = np.sort((self._halves[self._sorted : self._count] & ~_PLACE) | places)
        while self._levels and len(self._levels[-1]) <= 2 * len(level):
            level = np.sort(np.concatenate([self._levels.pop(), level]))
        self._levels.append(level)
        self._sorted = self._count


def _halves(keys: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The first 8 bytes of each key as a number."""
    return np.ascontiguousarray(keys).view(np.uint64).reshape(len(keys), 2)[:, 0]
