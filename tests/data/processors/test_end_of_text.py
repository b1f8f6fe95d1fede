"""Which token ends a text that a model generates."""

from dataclasses import replace

from anncestry.data.processors import PieceTextProcessor, TextProcessor


def test_published_models_end_their_texts_and_others_do_not():
    learnt = PieceTextProcessor.learn("to be or not to be", "byte-bpe", 260)
    end = learnt.tokenizer.tokens.index("<|endoftext|>")
    assert learnt.tokenizer.special.end == end
    assert learnt.end_of_text is None
    published = replace(learnt, read_special=True)
    assert published.end_of_text == end
    assert PieceTextProcessor.from_json(published.to_json()).end_of_text == end
    assert TextProcessor("abc").end_of_text is None
