"""The steps of a cell: load -> encode -> score -> measured part. Each is a function from values to a value.

Separate steps can overlap: while a part is encoded, the next one is loaded and the last one is scored. For a corpus
that is searched in shards, `corpus_search.search_shard` and `join` replace `encode`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.errors import DataError, EncodeError
from harness.evaluators import KINDS
from harness.evaluators.task_kind import Sides
from harness.files import run_environment
from harness.runner import corpus_search
from harness.runner.cells import Cell
from harness.runner.corpus_search import SearchedShard
from harness.runner.text_fields import Counts, Fields
from harness.types import (
    PLAIN,
    EncodeOptions,
    Encoder,
    EncoderFacts,
    Gold,
    Loaded,
    Part,
    Scores,
    Searcher,
    TaskSpec,
    VectorTransform,
)
from harness.types.counted import counted

if TYPE_CHECKING:
    from harness.encoding.vector_cache import Namespaces
    from harness.evaluators.items import Items


class EncodedPart(NamedTuple):
    """A part whose texts are encoded, or searched; `score` needs no model.

    Attributes:
        given: the input of the scorer of the task's type; see `harness.evaluators`.
        counts: what was encoded.
        facts: of the encoder.
        seconds: wall time of encoding.
        kept_hits: metric -> the share of the hits of float vectors that a search in compressed ones keeps.
        compression: what compressed vectors take; see `compression_facts`. None for the model's own.
    """

    task: TaskSpec
    part: Part
    loaded: Loaded
    given: Any
    counts: Counts
    facts: EncoderFacts
    seconds: float
    kept_hits: Mapping[str, float] = {}
    compression: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredPart:
    """The outcome of a cell. It can be pickled: another process or machine may have measured it.

    Attributes:
        scores: metric -> value.
        items: the items of the main metric; None where the main metric is not made of single items.
        rows, digest, notes: of the data; see `Loaded`.
        defects: those of the data, and texts with a zero vector.
        facts: of the encoder.
        counts: what was encoded.
        seconds: phase -> wall time.
        environment: the run environment: versions, platform and machine.
        peak_memory_mib: of the process that measured it; None where the system does not tell.
        compression: what compressed vectors take; see `compression_facts`. None for the model's own.
    """

    scores: Scores
    items: Items | None
    rows: Mapping[str, int]
    digest: str
    notes: tuple[str, ...]
    defects: tuple[str, ...]
    facts: EncoderFacts
    counts: Counts
    seconds: Mapping[str, float]
    environment: Mapping[str, Any]
    peak_memory_mib: int | None
    compression: Mapping[str, int] | None = None


def load(cell: Cell) -> Loaded:
    """Load the data of a cell, or in quick mode a sample of it, and take the time.

    Raises:
        DataError: the data cannot be loaded, or have a defect that the options refuse.
    """
    from harness import data

    started = time.perf_counter()
    loaded = data.load(cell.task, cell.part)
    if cell.max_texts is not None:
        loaded = data.limited(cell.task, loaded, cell.max_texts)
    if cell.options.strict and loaded.defects:
        raise DataError(f"{cell.task.name} {cell.part}: {'; '.join(loaded.defects)}; --strict refuses it")
    return replace(loaded, seconds=time.perf_counter() - started)


def encode(
    task: TaskSpec,
    part: Part,
    encoder: Encoder | Searcher,
    loaded: Loaded,
    *,
    options: EncodeOptions | None = None,
    transform: VectorTransform = PLAIN,
    namespaces: Namespaces | None = None,
) -> EncodedPart:
    """Encode the texts of a part, and search where the scorer takes hits.

    Without `options` the vector cache is off, and without `namespaces` it is opened for each list of texts.

    Raises:
        EncodeError: the model returned something that cannot be scored, or a zero vector that the options refuse.
        DataError: the data cannot be scored.
    """
    started = time.perf_counter()
    if KINDS[task.type].takes == "hits" and isinstance(encoder, Searcher):
        given, counts, facts = corpus_search.ranked_by_model(task, part, encoder, loaded, namespaces=namespaces)
        return EncodedPart(task, part, loaded, given, counts, facts, time.perf_counter() - started)
    assert isinstance(encoder, Encoder), "a plan leaves out what a model cannot do"
    options = options or EncodeOptions(store="off")
    fields = Fields(task, part, encoder, options=options, transform=transform, namespaces=namespaces)
    kept_hits: Mapping[str, float] = {}
    calibrated_on = 0
    if KINDS[task.type].takes == "hits":
        given, kept_hits, calibrated_on = corpus_search.search_corpus(fields, loaded.gold)
    else:
        given = _vectors(fields, loaded.gold)
    if options.strict and (note := _zero_note(fields.counts)):
        raise EncodeError(f"{task.name} {part}: {note}; --strict refuses it")
    seconds = time.perf_counter() - started
    compression = compression_facts(transform, fields.dimensions, calibrated_on=calibrated_on)
    return EncodedPart(
        task, part, loaded, given, fields.counts, encoder.facts, seconds, kept_hits=kept_hits, compression=compression
    )


def compression_facts(transform: VectorTransform, dimensions: int, *, calibrated_on: int) -> dict[str, int] | None:
    """What a record says of compressed vectors; None for the model's own.

    `bytes_per_document` are those of all vectors of a document (or another text); `bytes_searched` those of the one
    that is compared with every query, where float vectors are kept beside it to score again; `dimensions` those of the
    model; and `calibrated_on` the number of documents whose ranges all codes have.
    """
    from harness.encoding.compression import stored_bytes

    if transform == PLAIN:
        return None
    stored = stored_bytes(transform, dimensions)
    compression = {"dimensions": dimensions, "bytes_per_document": stored.total}
    if stored.rescored:
        compression["bytes_searched"] = stored.searched
    return compression | ({"calibrated_on": calibrated_on} if calibrated_on else {})


def join(task: TaskSpec, part: Part, loaded: Loaded, shards: Sequence[SearchedShard]) -> EncodedPart:
    """Join the shards of a part's corpus; the result is exactly that of searching the whole corpus.

    Raises:
        DataError: the shards are not those of this corpus.
    """
    hits, counts, facts = corpus_search.joined(task, loaded, shards)
    return EncodedPart(task, part, loaded, hits, counts, facts, sum(shard.seconds for shard in shards))


def score(encoded: EncodedPart) -> MeasuredPart:
    """Score an encoded part.

    Raises:
        DataError: the data cannot be scored, or the main metric is undefined on them.
    """
    started = time.perf_counter()
    task, loaded = encoded.task, encoded.loaded
    scores, items = KINDS[task.type].score(loaded.gold, encoded.given, settings=task.settings)
    if scores.get(task.main_metric) is None:
        raise DataError(f"{task.name} {encoded.part}: the main metric {task.main_metric} is undefined on this data")
    return MeasuredPart(
        scores={**scores, **encoded.kept_hits},
        items=items.get(task.main_metric),
        rows=loaded.rows,
        digest=loaded.digest,
        notes=(*loaded.notes, *filter(None, [_cut_note(encoded)]), *_lost_notes(encoded.facts)),
        defects=(*loaded.defects, *filter(None, [_zero_note(encoded.counts)])),
        facts=encoded.facts,
        counts=encoded.counts,
        seconds={"load": loaded.seconds, "encode": encoded.seconds, "score": time.perf_counter() - started},
        environment={
            "versions": run_environment.versions(),
            "platform": run_environment.platform_name(),
            "machine": run_environment.machine(),
        },
        peak_memory_mib=run_environment.peak_memory_mib(),
        compression=encoded.compression,
    )


def _cut_note(encoded: EncodedPart) -> str:
    """What is said of texts, or pairs of texts, that may be cut without being counted."""
    length, counts = encoded.facts.max_length, encoded.counts
    cut = counts.texts_truncated if counts.pairs is None else counts.pairs_truncated
    if cut is not None or length is None:
        return ""
    return f"texts of more than {length} tokens are cut; how many is not known, since the tokenizer does not tell"


def _lost_notes(facts: EncoderFacts) -> list[str]:
    """What is said of devices on which the model no longer runs."""
    lost = facts.lost_devices or {}
    return [f"{device}: {ended}; the other devices encode its texts" for device, ended in lost.items()]


def _zero_note(counts: Counts) -> str:
    """What is said of texts with a zero vector; empty where there are none."""
    if not counts.texts_zero:
        return ""
    verb = "has" if counts.texts_zero == 1 else "have"
    return f"{counts.texts_zero} of {counted(counts.texts, 'text')} {verb} a zero vector, scored as in mteb"


def _vectors(fields: Fields, gold: Gold) -> Any:
    """The input of a scorer that takes vectors: those of every field of the gold."""
    task, encoder = fields.task, fields.encoder
    kind = KINDS[task.type]
    vectors = {name: fields.encode(name, texts) for name, texts in kind.texts(gold, task.settings).items()}
    if encoder.facts.precision == "fp16" and kind.uses_lengths and fields.transform.quantize is None:
        # sentence-transformers gives mteb float16, with which scikit-learn computes in float64: solvers stop elsewhere.
        vectors = {name: rows.astype("float64") for name, rows in vectors.items()}
    if kind.takes == "pairs":
        return {**vectors, "similarity": encoder.similarity_pairwise(vectors["left"], vectors["right"])}
    if kind.takes == "sides":
        return Sides(vectors["left"], vectors["right"], encoder.facts.similarity)
    return vectors
