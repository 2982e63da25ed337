"""Labels of test texts that no training text has: nothing that learns from these texts can predict them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.errors import DataError

_SHOWN = 5


def unseen_note(
    train: Collection[str | int], test: Sequence[Collection[str | int]], *, where: str, train_where: str
) -> tuple[str, ...]:
    """A note that names the labels which the training texts lack, and counts their test texts; empty where none is.

    Args:
        train: the labels of all training texts.
        test: the labels of each test text.
        where: the test part, for messages.
        train_where: the training part, for messages.

    Raises:
        DataError: no label of the test texts is one of the training texts, so that every prediction would be wrong.
    """
    seen, wanted = set(train), {label for of_text in test for label in of_text}
    unseen = sorted(wanted - seen)
    if not unseen:
        return ()
    names = ", ".join(_named(label, seen) for label in unseen[:_SHOWN]) + (", ..." if len(unseen) > _SHOWN else "")
    if wanted.isdisjoint(seen):
        trained = ", ".join(map(repr, sorted(seen)[:_SHOWN])) + (", ..." if len(seen) > _SHOWN else "")
        raise DataError(
            f"{where}: no label of the test texts occurs in {train_where}: the test texts have {names}, the training "
            f"texts {trained}; expected the same labels; correct the label column of one of them"
        )
    rows = sum(not seen.issuperset(of_text) for of_text in test)
    labels = "the label" if len(unseen) == 1 else f"{len(unseen)} labels"
    return (
        f"{rows} of {len(test)} test texts cannot be predicted right: no training text in {train_where} has {labels} "
        f"{names}",
    )


def _named(label: str | int, seen: Collection[str | int]) -> str:
    """A label, with the label of the training texts from which only blanks or capitals tell it apart."""
    near = next((other for other in seen if str(other).strip().lower() == str(label).strip().lower()), None)
    return repr(label) if near is None else f"{label!r} (training texts have {near!r})"
