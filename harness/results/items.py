"""Per-item scores: what a record's score is made of, item by item, so that intervals and tests need no second run.

Beside `<Task>.json` lies `<Task>.items.npz`, a NumPy archive without pickles (compressed, deterministic, readable with
`numpy.load`). Its array `header` holds JSON as UTF-8 bytes:

    {"format": 1, "fingerprint": "...", "task": "...",
     "parts": [{"split": "test", "subset": "default", "kind": "correlation", "metric": "spearman", "unit": "pair"}]}

and the arrays of part i are named `i.<column>`:

    kind         columns                                                      metric        the score of a part
    correlation  similarity (n,) float32, gold (n,) float32                   spearman, pearson
    matching     <family> (n,) float32 for each family, gold (n,) uint8       ap            the best of the families
    labels       gold (n,) int32, predicted (experiments, n) int32            accuracy, f1  mean over experiments
    mined        gold (n,) int64, predicted (n,) int64                        f1, accuracy  f1 weighted by support
    values       value (n,) float32                                           any           their mean

`i.position` (n,) int64 says which item each is in the order of the data: row of the pairs, test text, query, left text;
`unit` says which of these, or `experiment`, where what varies are the experiments (clustering).

The fingerprint is the record's. Items of another fingerprint, or whose score is not the recorded one to 1e-5, are not
this record's and are not used.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.errors import RecordError
from harness.evaluators import resampling
from harness.files.disk import on_disk, replace
from harness.stats import bootstrap
from harness.types import Part, Record

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from harness.types import Float64

FORMAT = 1
SUFFIX = ".items.npz"
MAX_BYTES = 512 * 2**20
"""Of all arrays of a file, unpacked."""
TOLERANCE = 1e-5
Kind = Literal["correlation", "matching", "labels", "mined", "values"]
Unit = Literal["pair", "text", "query", "experiment"]
_METRICS: Mapping[str, tuple[str, ...]] = {
    "correlation": ("spearman", "pearson"),
    "matching": ("ap",),
    "labels": ("accuracy", "f1"),
    "mined": ("f1", "accuracy"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """The items of one part; see the module's table for the columns of each kind.

    Attributes:
        kind: what the columns are and how they make a score.
        metric: which score.
        unit: what an item is.
        position: (n,) int64, which item of the data.
        columns: name -> array whose last axis has n.
    """

    kind: Kind
    metric: str
    unit: Unit
    position: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.position)

    def score(self, counts: Float64) -> Float64:
        """The part's main score with item i drawn counts[:, i] times: (b, n) float64 -> (b,) float64."""
        columns = self.columns
        if self.kind == "correlation":
            correlate = resampling.spearman if self.metric == "spearman" else resampling.pearson
            return correlate(counts, columns["similarity"], columns["gold"])
        if self.kind == "matching":
            positive = columns["gold"] == 1
            families = [name for name in columns if name != "gold"]
            found = [resampling.average_precision(counts, columns[name], positive) for name in families]
            return np.asarray(np.max(found, axis=0))
        if self.kind == "labels":
            of_labels = resampling.accuracy if self.metric == "accuracy" else resampling.f1_macro
            return of_labels(counts, columns["gold"], columns["predicted"])
        if self.kind == "mined" and self.metric == "f1":
            return resampling.f1_weighted(counts, columns["gold"], columns["predicted"])
        return resampling.mean(counts, self.merit())

    def whole(self) -> float:
        """The part's main score."""
        return float(self.score(np.ones((1, len(self))))[0])

    def is_mean(self) -> bool:
        """Whether the score is the mean of what the items merit, so that the faster formulas hold."""
        return self.kind == "values" or (self.kind in ("labels", "mined") and self.metric == "accuracy")

    def merit(self) -> Float64:
        """How well each item was done, larger is better: (n,) float64.

        A value itself; the share of experiments that got a label right; right or not. For correlations and matching,
        minus the distance of the item's place by similarity from its place by gold, both in 0-1.
        """
        columns = self.columns
        if self.kind == "values":
            return columns["value"].astype(np.float64)
        if self.kind == "labels":
            return np.asarray((columns["predicted"] == columns["gold"]).mean(axis=0))
        if self.kind == "mined":
            return (columns["predicted"] == columns["gold"]).astype(np.float64)
        name = "similarity" if self.kind == "correlation" else next(name for name in columns if name != "gold")
        return -np.abs(_places(columns[name]) - _places(columns["gold"]))


def replicates(items: Items, *, task: str, part: Part, resamples: int) -> Float64:
    """The part's score for items drawn anew: (resamples,) float64.

    The draws depend on the task, the part and the number of items alone, so that they are the same for all models.
    """
    seed = int.from_bytes(hashlib.sha256(f"{task}\0{part.split}\0{part.subset}".encode()).digest()[:8], "little")
    return bootstrap.replicate(items.score, len(items), resamples=resamples, seed=seed)


def interval(
    items: Items,
    *,
    task: str,
    part: Part,
    method: bootstrap.Method = "bca",
    resamples: int = bootstrap.RESAMPLES,
    confidence: float = bootstrap.CONFIDENCE,
) -> bootstrap.Interval:
    """The interval of the part's score; see `stats.bootstrap` for the methods.

    BCa leaves each item out in turn, n times n numbers: for tens of thousands of items take `percentile`.
    """
    values = replicates(items, task=task, part=part, resamples=resamples)
    if method == "percentile":
        return bootstrap.interval(values, confidence=confidence)
    if items.is_mean():
        jackknifed = bootstrap.jackknife_mean(items.merit())
    else:
        jackknifed = bootstrap.jackknife(items.score, len(items))
    return bootstrap.interval(values, point=items.whole(), jackknife=jackknifed, confidence=confidence, method=method)


def correlation(similarity: ArrayLike, gold: ArrayLike, *, metric: Literal["spearman", "pearson"]) -> Items:
    """Items of STS: similarity (n,) and gold (n,) of every pair."""
    columns = {"similarity": np.asarray(similarity, np.float32), "gold": np.asarray(gold, np.float32)}
    return _made("correlation", metric, "pair", columns)


def matching(families: Mapping[str, ArrayLike], gold: ArrayLike) -> Items:
    """Items of pair classification: the similarities (n,) by family whose best counts, and gold (n,) 0 or 1."""
    columns = {name: np.asarray(values, np.float32) for name, values in families.items()}
    return _made("matching", "ap", "pair", {**columns, "gold": np.asarray(gold, np.uint8)})


def labels(gold: ArrayLike, predicted: ArrayLike, *, metric: Literal["accuracy", "f1"]) -> Items:
    """Items of classification: true labels (n,), and predicted ones (experiments, n)."""
    columns = {"gold": np.asarray(gold, np.int32), "predicted": np.asarray(predicted, np.int32)}
    return _made("labels", metric, "text", columns)


def mined(gold: ArrayLike, predicted: ArrayLike, *, metric: Literal["f1", "accuracy"]) -> Items:
    """Items of bitext mining: the right text (n,) that translates each left one, and the one found."""
    columns = {"gold": np.asarray(gold, np.int64), "predicted": np.asarray(predicted, np.int64)}
    return _made("mined", metric, "text", columns)


def values(value: ArrayLike, *, metric: str, unit: Unit, position: ArrayLike | None = None) -> Items:
    """Items whose mean is the score: a metric of every query, or of every experiment.

    `position` (n,) says which queries, where not all are scored.
    """
    return _made("values", metric, unit, {"value": np.asarray(value, np.float32)}, position=position)


def _made(
    kind: Kind,
    metric: str,
    unit: Unit,
    columns: Mapping[str, NDArray[Any]],
    *,
    position: ArrayLike | None = None,
) -> Items:
    n = next(iter(columns.values())).shape[-1]
    where = np.arange(n) if position is None else np.asarray(position, np.int64)
    return Items(kind=kind, metric=metric, unit=unit, position=where, columns=columns)


def _places(values: NDArray[Any]) -> Float64:
    """Mid-ranks in 0-1."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray(((np.cumsum(counts) - counts / 2) / len(values))[which])


# --- on disk -------------------------------------------------------------------------------------------------------


def items_path(record: Path | str) -> Path:
    """Where the items of a record's file lie."""
    return Path(record).with_name(Path(record).name.removesuffix(".json") + SUFFIX)


def write(record_path: Path, record: Record, items: Mapping[Part, Items]) -> Path:
    """Write the items beside the place of the record's file; atomically, and merged by part as `results.put` does it.

    Under the lock of the results folder, and before the record: then whoever finds a record finds its items.

    Args:
        record_path: where the record lies, or will.
        record: with its fingerprint.
        items: of the parts that were computed.

    Returns:
        The file.

    Raises:
        RecordError: the record has no fingerprint.
        OSError: the disk refuses.
    """
    if record.fingerprint is None:
        raise RecordError(f"{record.task} of {record.model}: items belong to a record with a fingerprint")
    path = items_path(record_path)
    try:
        kept = (_unpacked(path, record.fingerprint) if path.is_file() else None) or {}
    except RecordError:
        kept = {}
    replace(path, _packed(record, {**kept, **items}))
    return path


def get_items(record: Record) -> dict[Part, Items] | None:
    """The items of a record; None where there are none, or where they are not of this record but of an older one.

    Parts whose score is not the recorded one are left out.

    Raises:
        RecordError: A file that is broken, or of a later format.
    """
    if not record.path or record.fingerprint is None:
        return None
    path = items_path(record.path)
    with on_disk(path, "read"):
        found = _unpacked(path, record.fingerprint) if path.is_file() else None
    if found is None:
        return None
    recorded = {part: entry["main_score"] for part, entry in record.parts.items()}
    return {part: own for part, own in found.items() if _agrees(own, recorded.get(part))}


def _packed(record: Record, items: Mapping[Part, Items]) -> bytes:
    parts: list[dict[str, str]] = []
    arrays: dict[str, Any] = {}
    for number, (part, own) in enumerate(sorted(items.items())):
        about = {"split": part.split, "subset": part.subset, "kind": own.kind, "metric": own.metric, "unit": own.unit}
        parts.append(about)
        arrays |= {f"{number}.{name}": values for name, values in {"position": own.position, **own.columns}.items()}
    header = {"format": FORMAT, "fingerprint": record.fingerprint, "task": record.task, "parts": parts}
    text = json.dumps(header, ensure_ascii=False, sort_keys=True).encode()
    out = io.BytesIO()
    np.savez_compressed(out, header=np.frombuffer(text, np.uint8), **arrays)
    return out.getvalue()


def _unpacked(path: Path, fingerprint: str) -> dict[Part, Items] | None:
    """All items of a file; None where they were made under another fingerprint."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MAX_BYTES:
            raise RecordError(f"{path}: {size} bytes when unpacked, more than {MAX_BYTES}: not a file of items")
        with np.load(path, allow_pickle=False) as archive:
            header = json.loads(archive["header"].tobytes().decode())
            if header["format"] > FORMAT:
                raise RecordError(f"{path}: format {header['format']}, expected {FORMAT}; update embedding-harness")
            if header["fingerprint"] != fingerprint:
                return None
            found = {}
            for number, about in enumerate(header["parts"]):
                start = f"{number}."
                columns = {name.removeprefix(start): archive[name] for name in archive.files if name.startswith(start)}
                found[Part(about["split"], about["subset"])] = _checked(about, columns, path)
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError, EOFError) as err:
        raise RecordError(f"{path}: not a file of items: {err}; delete it, and run the task again to make it") from err
    return found


_UNITS = ("pair", "text", "query", "experiment")
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "correlation": ("similarity", "gold"),
    "matching": ("gold",),
    "labels": ("gold", "predicted"),
    "mined": ("gold", "predicted"),
    "values": ("value",),
}


def _checked(about: Mapping[str, Any], columns: dict[str, NDArray[Any]], path: Path) -> Items:
    kind, metric, unit = about["kind"], about["metric"], about["unit"]
    position = columns.pop("position")
    n = len(position)
    fits = (
        kind in _COLUMNS
        and (metric in _METRICS.get(kind, (metric,)))
        and unit in _UNITS
        and set(columns).issuperset(_COLUMNS[kind])
        and len(columns) > (kind == "matching")
        and all(values.shape[-1:] == (n,) and values.dtype.kind in "iuf" for values in columns.values())
    )
    if not fits or not n:
        raise RecordError(f"{path}: part {about['split']}/{about['subset']} does not fit the kind {kind!r}; delete it")
    return Items(kind=kind, metric=metric, unit=unit, position=position, columns=columns)


def _agrees(items: Items, main_score: float | None) -> bool:
    return main_score is not None and abs(items.whole() - main_score) <= TOLERANCE
