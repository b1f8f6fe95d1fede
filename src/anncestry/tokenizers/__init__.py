"""Between texts and token ids: published tokenizers, learnt ones, vocabularies of words and characters."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.tokenizers.files import read_tokenizer, write_tokenizer
    from anncestry.tokenizers.learning import learn_tokenizer
    from anncestry.tokenizers.sentencepiece import read_pieces
    from anncestry.tokenizers.spec import TokenizerSpec
    from anncestry.tokenizers.target_vocabulary import TargetTokenizer
    from anncestry.tokenizers.tokenizer import Tokenizer
    from anncestry.tokenizers.vocabulary import Vocabulary

__all__ = [
    "TargetTokenizer",
    "Tokenizer",
    "TokenizerSpec",
    "Vocabulary",
    "learn_tokenizer",
    "read_pieces",
    "read_tokenizer",
    "write_tokenizer",
]
__getattr__, __dir__ = hand_on(__name__)
