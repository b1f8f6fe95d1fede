"""Processors: read what a person gives to ``predict``, and say what a model's outputs mean.

One per family of sources. Each is a frozen dataclass of what was learnt from the training split, and
travels as JSON in the run folder.
"""

from typing import Any

from anncestry.data.processors.captions import CaptionProcessor
from anncestry.data.processors.characters import (
    CharacterClassProcessor,
    CharacterTagProcessor,
    CharacterWordsProcessor,
)
from anncestry.data.processors.denoising import DenoisingProcessor
from anncestry.data.processors.image import ImageProcessor, PixelProcessor
from anncestry.data.processors.masked_tokens import MaskedTokensProcessor
from anncestry.data.processors.packed_spans import SpanProcessor
from anncestry.data.processors.packed_targets import (
    PackedClassesProcessor,
    PackedLabelsProcessor,
    PackedTagsProcessor,
    PackedValuesProcessor,
)
from anncestry.data.processors.pieces import PieceTextProcessor
from anncestry.data.processors.plain import PlainProcessor
from anncestry.data.processors.sentences import SentenceProcessor, TagProcessor
from anncestry.data.processors.series import SeriesProcessor
from anncestry.data.processors.table import TableProcessor
from anncestry.data.processors.text import TextProcessor, WordTextProcessor
from anncestry.data.processors.translation import TranslationProcessor
from anncestry.data.processors.vectors import VectorProcessor
from anncestry.data.splits.dataset import Processor
from anncestry.errors import UserError
from anncestry.stored import check_fields_of

__all__ = [
    "CaptionProcessor",
    "CharacterClassProcessor",
    "CharacterTagProcessor",
    "CharacterWordsProcessor",
    "DenoisingProcessor",
    "ImageProcessor",
    "MaskedTokensProcessor",
    "PackedClassesProcessor",
    "PackedLabelsProcessor",
    "PackedTagsProcessor",
    "PackedValuesProcessor",
    "PieceTextProcessor",
    "PlainProcessor",
    "SentenceProcessor",
    "SeriesProcessor",
    "SpanProcessor",
    "TableProcessor",
    "TagProcessor",
    "TextProcessor",
    "TranslationProcessor",
    "VectorProcessor",
    "WordTextProcessor",
    "processor_from_json",
]

_KINDS: dict[str, type[Processor]] = {
    processor.kind: processor
    for processor in (
        ImageProcessor,
        SeriesProcessor,
        TableProcessor,
        TextProcessor,
        WordTextProcessor,
        PieceTextProcessor,
        MaskedTokensProcessor,
        PackedClassesProcessor,
        PackedLabelsProcessor,
        PackedValuesProcessor,
        PackedTagsProcessor,
        SpanProcessor,
        VectorProcessor,
        SentenceProcessor,
        TagProcessor,
        PlainProcessor,
        PixelProcessor,
        TranslationProcessor,
        DenoisingProcessor,
        CaptionProcessor,
        CharacterWordsProcessor,
        CharacterTagProcessor,
        CharacterClassProcessor,
    )
}


def processor_from_json(fields: dict[str, Any]) -> Processor:
    """The processor that ``to_json`` described.

    Raises:
        UserError: of a kind that is not known, or its fields are not those of its kind.
    """
    kind = fields.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise UserError("processor", kind, "is of no known kind", sorted(_KINDS))
    try:
        made = _KINDS[kind].from_json({key: value for key, value in fields.items() if key != "kind"})
        check_fields_of(made, f"processor: {kind}")
    except UserError:
        raise
    except (TypeError, KeyError, AttributeError, ValueError, IndexError, OverflowError) as error:
        raise UserError("processor", kind, f"its description is damaged ({error})") from None
    return made
