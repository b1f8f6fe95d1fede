"""How pre-training corrupts texts: masked tokens, text infilling, sentence pairs."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.data.corruption.infilling import TextCorruption
    from anncestry.data.corruption.masking import Choice, Masking
    from anncestry.data.corruption.sentence_pairs import full_sentences, sentence_pairs, within_documents

__all__ = ["Choice", "Masking", "TextCorruption", "full_sentences", "sentence_pairs", "within_documents"]
__getattr__, __dir__ = hand_on(__name__)
