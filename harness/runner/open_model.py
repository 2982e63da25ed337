"""Keeps at most one model open, or the error of a model that could not be opened."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from harness.types import Encoder, Searcher


class OpenModel:
    """At most one open model, identified by a key. Leaving its `with` block closes the model.

    A model that cannot be opened fails only its own cells.

    Attributes:
        error: of opening the model; None where it is open, or none was asked for.
    """

    def __init__(self) -> None:
        self._key: Hashable = None
        self._encoder: Encoder | Searcher | None = None
        self.error: Exception | None = None

    def __enter__(self) -> OpenModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def holds(self, key: Hashable) -> bool:
        """Whether `open` was last called with this key, successfully or not."""
        return self._key == key

    def open(self, key: Hashable, opener: Callable[[], Encoder | Searcher]) -> None:
        """Close the model and open another; an error is kept in `error` and raised by `encoder`."""
        self.close()
        self._key = key
        try:
            self._encoder = opener()
        except Exception as err:  # the next model may open
            self.error = err

    def encoder(self) -> Encoder | Searcher:
        """The model.

        Raises:
            Exception: the error of opening it.
        """
        if self._encoder is None:
            raise self.error or AssertionError("no model is open")
        return self._encoder

    def close(self) -> None:
        """Close the model, if one is open."""
        if self._encoder is not None:
            self._encoder.close()
        self._key, self._encoder, self.error = None, None, None
