"""What an encoder-decoder writes, and what an encoder answers: it joins a model, the processor of its data
and decoding.

Texts are compared as a reader sees them, by sacrebleu (Post, 1804.08771); its signature says how.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import nn

from anncestry.arrays import Int, Tensor
from anncestry.data.pairs import Pairs
from anncestry.data.processors import CaptionProcessor
from anncestry.data.processors.characters import CharacterProcessor
from anncestry.data.questions import Questions, answer_all
from anncestry.data.vocabulary import SPECIAL, normalise, split_words
from anncestry.decoding import Hypothesis, Search, decode, read_source
from anncestry.engine.prediction import Prediction, as_computed
from anncestry.engine.workers import side_by_side
from anncestry.errors import require
from anncestry.objectives.reading import reading_figures
from anncestry.protocols import State, map_state, outputs_of
from anncestry.signature import BEGIN, END, PAD, UNKNOWN, Signature

ROWS = 256  # hypotheses that are followed side by side, over all sources of a batch
FEWEST = 8  # sources for which a thread of its own pays
_UNREADABLE = "\u2047"  # an unknown word in what is scored: one token for every tokeniser


@dataclass(frozen=True)
class Written:
    """What was written for a split, and how good it is.

    Attributes:
        texts: (M,) one for each source.
        right: (M,) whether it is one of the references.
        figures: ``exact`` (the share that is right), ``bleu`` and ``chrf`` of 100; of lower-cased data also
            ``bleu_tokenised``: of words and punctuation marks cut as our vocabularies cut them.
        signatures: of sacrebleu, for each of its figures.
        groups: ``exact`` of each kind of source, where there are kinds.
    """

    texts: list[str]
    right: list[bool]
    figures: dict[str, float]
    signatures: dict[str, str]
    groups: dict[str, float] = field(default_factory=dict)


class Embedded(NamedTuple):
    """Vectors of words.

    Attributes:
        vectors: (T, L + 1, D) for each text: of every word the vector of its own, then those of the layers.
        state: behind each text.
    """

    vectors: list[Tensor]
    state: State


def answered(
    model: nn.Module, parts: Sequence[Any], processor: Any, prediction: Prediction | None = None
) -> dict[str, float]:
    """How good the answers in words are to the questions of these splits; nothing where they have none.

    Args:
        processor: that of the questions.
        prediction: as for `generate`.
    """
    questions = [question for part in parts if isinstance(part, Questions) for question in part.questions]
    if not questions:
        return {}
    device = next(iter(model.parameters())).device

    def of(inputs: Tensor, lengths: Tensor) -> Tensor:
        return outputs_of(model, inputs.to(device), lengths=lengths.to(device))[0]

    training = model.training
    model.eval()
    with (prediction or Prediction()).scope(device), torch.no_grad():
        given = answer_all(questions, processor, of)
    model.train(training)
    return reading_figures(given, [question.answers for question in questions])


def usual_search(signature: Signature, **changes: Any) -> Search:
    """Greedy search, for texts up to about three times as long as is usual; ``changes`` are of `Search`."""
    factor = 1.0 if signature.inputs == "tokens" else 0.0
    return Search(**{"max_length": 2 * signature.target_len + 20, "max_factor": factor, **changes})


def generate(
    model: nn.Module,
    inputs: Tensor,
    lengths: Int[Tensor, "N"] | None,
    search: Search,
    keep_alignment: bool = False,
    prediction: Prediction | None = None,
) -> list[list[Hypothesis]]:
    """The best texts for each input, in the order of the inputs.

    On a CPU several batches are searched side by side, each by one thread: what is small in a step then takes
    a part of the time of one core and not of all.

    Args:
        model: an encoder-decoder, in evaluation mode.
        inputs: (N, S) tokens or (N, C, H, W) images.
        lengths: of the inputs, where they are tokens.
        keep_alignment: whether the hypotheses have their alignment.
        prediction: how the model predicts, which it was prepared for; in float32 unless told.
    """
    prediction = prediction or Prediction()
    device = next(iter(model.parameters())).device
    config = getattr(model, "config", None)
    if getattr(config, "positions", "") == "learned":  # nothing can be written behind the last of them
        search = replace(search, most=config.num_positions)  # pyright: ignore[reportOptionalMemberAccess]

    def search_rows(rows: Tensor) -> list[list[Hypothesis]]:
        source, of = inputs[rows], None if lengths is None else lengths[rows].to(device)
        if of is not None:
            source = source[:, : int(of.max())]
        source = as_computed(model, source.to(device))
        scores, state = read_source(model, source, of)  # pyright: ignore[reportArgumentType]
        return decode(
            model.step,  # pyright: ignore[reportArgumentType]
            scores,
            state,
            search,
            end=END,
            never=(PAD, BEGIN),
            alignment=model.alignment,  # pyright: ignore[reportArgumentType]
            lengths=of,
            keep_alignment=keep_alignment,
        )

    order = torch.arange(len(inputs)) if lengths is None else lengths.argsort(stable=True, descending=True)
    workers = torch.get_num_threads() if device.type == "cpu" else 1
    batches = _batches(order, max(1, ROWS // search.beam), workers)
    found: list[list[Hypothesis]] = [[] for _ in range(len(inputs))]
    with prediction.scope(device):
        for rows, texts in zip(batches, side_by_side(search_rows, batches, prediction, device), strict=True):
            for row, best in zip(rows.tolist(), texts, strict=True):
                found[row] = best
    return found


def _batches(order: Int[Tensor, "N"], size: int, workers: int) -> list[Int[Tensor, "M"]]:
    """Batches of at most ``size`` neighbours, or, where that makes fewer than ``workers`` large ones, so that
    each worker gets as much of everything."""
    if len(order) <= size * (workers - 1) and len(order) >= FEWEST * workers:
        return [order[first::workers] for first in range(workers)]
    return list(order.split(size))


def write(
    model: nn.Module, split: Pairs, processor: Any, search: Search, prediction: Prediction | None = None
) -> list[str]:
    """(M,) the best text for each source of a split. The model's mode is put back."""
    was_training = model.training
    model.eval()
    inputs, lengths = split.read_sources(torch.arange(split.num_sources))
    found = generate(model, inputs, lengths, search, prediction=prediction)
    model.train(was_training)
    return [processor.target.decode(hypotheses[0].tokens) for hypotheses in found]


def written_scores(
    model: nn.Module,
    split: Pairs | Sequence[Pairs],
    processor: Any,
    search: Search,
    prediction: Prediction | None = None,
) -> Written:
    """What a model writes for a split, or for several together, compared with the references."""
    splits = [split] if isinstance(split, Pairs) else list(split)
    texts = [text for part in splits for text in write(model, part, processor, search, prediction)]
    references = [row for part in splits for row in part.references]
    groups = [group for part in splits for group in part.groups]
    return compare_texts(texts, references, processor.target.lowercase, groups)


def compare_texts(
    texts: Sequence[str],
    references: Sequence[tuple[str, ...]],
    lowercase: bool = False,
    groups: Sequence[str] = (),
) -> Written:
    """Exact matches, BLEU and chrF.

    Args:
        texts: (M,).
        references: (M,) one or several for each text.
        lowercase: whether capitals do not count.
        groups: (M,) a name for each kind of source, or empty.
    """
    plain = [normalise(text.replace(SPECIAL[UNKNOWN], _UNREADABLE), lowercase) for text in texts]
    wanted = [[normalise(text, lowercase) for text in row] for row in references]
    right = [text in row for text, row in zip(plain, wanted, strict=True)]
    figures, signatures = {"exact": sum(right) / len(right)}, {}
    columns = _columns(wanted)
    for name, metric in _metrics(lowercase).items():
        cut = _tokenised if name == "bleu_tokenised" else str
        scored = metric.corpus_score(
            [cut(text) for text in plain],
            [[None if t is None else cut(t) for t in column] for column in columns],
        )
        figures[name], signatures[name] = scored.score, str(metric.get_signature())
    of_group: dict[str, list[bool]] = {}
    for group, match in zip(groups, right, strict=False):
        of_group.setdefault(group, []).append(match)
    shares = {group: sum(of_group[group]) / len(of_group[group]) for group in sorted(of_group)}
    return Written(list(texts), right, figures, signatures, shares)


def _columns(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """The first reference of each text, the second, ...; None where a text has fewer."""
    most = max(map(len, references))
    return [[row[i] if i < len(row) else None for row in references] for i in range(most)]


def _metrics(lowercase: bool) -> dict[str, Any]:
    from sacrebleu.metrics import BLEU, CHRF

    metrics: dict[str, Any] = {
        "bleu": BLEU(lowercase=lowercase, force=True),
        "chrf": CHRF(lowercase=lowercase),
    }
    if lowercase:
        metrics["bleu_tokenised"] = BLEU(lowercase=True, tokenize="none", force=True)
    return metrics


@functools.lru_cache(maxsize=100_000)
def _tokenised(text: str) -> str:
    return " ".join(split_words(text))


def embed(run: Any, texts: Sequence[str], state: State = None, batch_size: int = 32) -> Embedded:
    """The vectors of every word of texts, from all layers of a run of ELMo.

    Args:
        run: as `anncestry.load` gives it; trained on text or on a task, or imported.
        texts: words between blanks, without marks of their ends.
        state: behind the texts of an earlier call, of as many; each then goes on where its own one ended, as
            the authors' code always does. All texts are then read in one batch.

    Raises:
        UserError: the run has no layers of words to give, or a text has no word.
    """
    rule = f"gives no layers of words; it is a run of {run.architecture.id}"
    require(run.architecture.id == "elmo", "run", str(run.folder), rule, ["a run of elmo"])
    sentences = [text.split() for text in texts]
    size, found, states = len(texts) if state is not None else batch_size, [], []
    with run.prediction.scope(next(run.model.parameters()).device):
        for first in range(0, len(texts), max(size, 1)):
            inputs, lengths = CharacterProcessor(run.processor.num_chars).encode(
                sentences[first : first + size]
            )
            layers, after = run.model.embed(inputs, state, lengths)
            stacked = torch.stack(layers, dim=2)  # (B, T, L + 1, 2 N)
            found += [rows[:length] for rows, length in zip(stacked, lengths.tolist(), strict=True)]
            states.append(after)
    return Embedded(found, map_state(lambda *parts: torch.cat(parts), *states))


def answer(
    model: nn.Module,
    processor: Any,
    source: Any,
    search: Search,
    keep_alignment: bool = False,
    prediction: Prediction | None = None,
) -> list[dict[str, Any]]:
    """What a model writes for what a person gave: a row for each line or image, in their order.

    Returns:
        ``{"input": the line or the name, "translation" or "caption": text, "score": what it is ranked by}``.
        With ``n_best`` above 1 also ``n_best``: rows of text and ``score``. A ``note`` says that an input was
        cut or could not be read, or that the text was cut; what is blank or cannot be read is answered by "".
        With alignments also ``hypothesis``.
    """
    key = "caption" if isinstance(processor, CaptionProcessor) else "translation"
    given = processor.read_each(source)
    readable = [item for item in given if item.value is not None]
    found = iter(())
    if readable:
        inputs, lengths = processor.batch([item.value for item in readable])
        found = iter(generate(model, inputs, lengths, search, keep_alignment, prediction))
    rows = []
    for item in given:
        row: dict[str, Any] = {"input": item.label, key: ""}
        notes = [item.note] if item.note else []
        if item.value is not None:
            hypotheses = next(found)
            texts = [processor.target.decode(hypothesis.tokens) for hypothesis in hypotheses]
            row |= {key: texts[0], "score": hypotheses[0].score}
            if search.n_best > 1:
                scores = [hypothesis.score for hypothesis in hypotheses]
                row["n_best"] = [{key: t, "score": s} for t, s in zip(texts, scores, strict=True)]
            if not hypotheses[0].finished:
                notes.append(f"the text was cut at {len(hypotheses[0].tokens)} tokens")
            if keep_alignment:
                row["hypothesis"] = hypotheses[0]
        rows.append(row | ({"note": "; ".join(notes)} if notes else {}))
    return rows
