"""The model that is open: one at a time, with the error of one that could not be opened."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from harness.types import Encoder, Searcher


class OpenModel:
    """At most one model, known by a key; one that cannot be opened fails its own cells only.

    Leaving its `with` block closes the model.
    """

    def __init__(self) -> None:
        self._key: Hashable = None
        self._encoder: Encoder | Searcher | None = None
        self._error: Exception | None = None

    def __enter__(self) -> OpenModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def holds(self, key: Hashable) -> bool:
        """Whether the last model that was opened, or tried, is the one of this key."""
        return self._key == key

    def open(self, key: Hashable, opener: Callable[[], Encoder | Searcher]) -> None:
        """Close the model and open another; an error is kept for `encoder`."""
        self.close()
        self._key = key
        try:
            self._encoder = opener()
        except Exception as err:  # of this model only; the next one may open
            self._error = err

    def encoder(self) -> Encoder | Searcher:
        """The model.

        Raises:
            Exception: what opening it came to.
        """
        if self._encoder is None:
            raise self._error or AssertionError("no model is open")
        return self._encoder

    def close(self) -> None:
        """Close the model, if one is open."""
        if self._encoder is not None:
            self._encoder.close()
        self._key, self._encoder, self._error = None, None, None
