"""XLM, MobileBERT and BART: what each changes, against its parent or a formula. Parity is in tests/parity."""

import pytest
import torch

from anncestry.errors import UserError
from anncestry.inspection.conformance import check_model
from anncestry.models.create import create
from anncestry.signature import Signature

V, T, SEP = 13, 7, 2
TOKENS = torch.tensor([[1, 5, 6, SEP, 7, 8, SEP], [1, 9, SEP, 4, 5, 6, SEP]])


def encoder(name, task="masked-lm", separator=SEP, **sizes):
    signature = Signature(task, "tokens", (T,), V if task == "masked-lm" else 3, V, separator=separator)
    return create(name, signature=signature, width=16, **sizes).double().eval()


def test_a_translation_has_its_own_positions_and_language():
    model = encoder("xlm", languages=("en", "fr"))
    tables = model.embeddings
    found = tables(TOKENS)
    for row, second in ((0, 4), (1, 3)):
        for place in range(T):
            language = int(place >= second)
            x = tables.words.weight[TOKENS[row, place]] + tables.segments.weight[language]
            x = x + tables.positions.embedding.weight[place - second if language else place]
            torch.testing.assert_close(found[row, place], tables.norm(x))
    swapped = model.embeddings(TOKENS, torch.zeros_like(TOKENS))
    assert torch.equal(swapped[0, :4], found[0, :4])
    assert not torch.allclose(swapped[0, 4:], found[0, 4:])
    with pytest.raises(UserError, match="learnt positions end"):
        encoder("xlm", num_positions=4)(TOKENS)


def test_a_pair_to_answer_about_is_one_text():
    model = encoder("xlm", "classification")
    x = model.embeddings.words(TOKENS) + model.embeddings.positions.embedding.weight[:T]
    torch.testing.assert_close(model.embeddings(TOKENS), model.embeddings.norm(x))
    torch.testing.assert_close(model(TOKENS), model.head(model.encode(TOKENS)[:, 0]))


def test_blocks_are_left_out_in_training_alone():
    model = encoder("flaubert", norm="pre", layer_drop=0.5, dropout=0.0, attention_dropout=0.0, num_layers=3)
    whole = model.encode(TOKENS)
    model.train()
    drawn = [model.encode(TOKENS) for _ in range(12)]
    assert any(not torch.allclose(again, whole) for again in drawn)
    sizes = [sum(torch.allclose(again, other) for other in drawn) for again in drawn]
    assert max(sizes) < 12
    x = model.embeddings(TOKENS)
    for block in model.blocks:
        x = x + block.attention(block.around_attention.norm(x))
        x = x + block.feed_forward(block.around_feed_forward.norm(x))
    torch.testing.assert_close(whole, x)
    with pytest.raises(UserError, match="layer_drop: got 1"):
        encoder("xlm", layer_drop=1.0)


def test_three_words_side_by_side_and_nothing_beyond_the_end():
    model = encoder("mobilebert")
    tables, lengths = model.embeddings, torch.tensor([7, 3])
    inside = torch.arange(T) < lengths[:, None]
    found = tables(TOKENS, torch.zeros_like(TOKENS), inside)
    words = tables.words.weight
    zero = torch.zeros_like(words[0])
    for row, length in enumerate(lengths.tolist()):
        texts = [words[token] for token in TOKENS[row, :length]]
        for place in range(length):
            after = texts[place + 1] if place + 1 < length else zero
            before = texts[place - 1] if place else zero
            x = tables.widen(torch.cat([after, texts[place], before]))
            x = x + tables.positions.embedding.weight[place] + tables.segments.weight[0]
            torch.testing.assert_close(found[row, place], x * tables.norm.weight + tables.norm.bias)


def test_readout_goes_on_behind_the_table():
    model = encoder("mobilebert")
    x = model.encode(TOKENS)
    head = model.head
    features = head.norm(head.linear(x).relu())
    narrow = model.config.embed_dim
    wanted = features[..., :narrow] @ model.embeddings.words.weight.T
    wanted = wanted + features[..., narrow:] @ head.rest.weight.T + head.readout.bias
    torch.testing.assert_close(model(TOKENS), wanted)
    assert not any(isinstance(m, torch.nn.LayerNorm) for m in model.blocks.modules())


def test_bart_shares_one_table_and_begins_at_the_third_position():
    signature = Signature("translation", "tokens", (6,), V, V, target_len=5)
    model = create("bart", signature=signature, width=16, num_positions=8).double().eval()
    assert model.config.tie == "all"
    assert model.source_positions.embedding.weight.shape == (10, 16)
    report = check_model(
        model, checks=["step-equals-forward", "causality", "gradients", "padding-invariance"]
    )
    assert report.ok, f"\n{report}"
    source = torch.randint(4, V, (2, 6))
    found = model.embed_tokens(model.embedding, model.source_positions, source)
    x = model.embedding(source) + model.source_positions.embedding.weight[2:8]
    torch.testing.assert_close(found, model.source_positions.norm(x))
    with pytest.raises(UserError, match="learnt positions end"):
        model.encode(torch.randint(4, V, (1, 9)))
    with pytest.raises(UserError, match="positions: got 'interleaved'; must be learned: BART has no other"):
        create("bart", signature=signature, positions="interleaved")
