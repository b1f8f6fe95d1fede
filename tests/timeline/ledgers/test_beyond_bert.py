"""What the ledgers of Sentence-BERT, BART, XLNet and MobileBERT say that no other test holds."""

import pytest
import torch

from anncestry.models.create import create
from anncestry.models.mobilebert import MobileBertConfig
from anncestry.signature import Signature
from anncestry.timeline import find_preset

V, D = 13, 16
SIZES = {"input_size": V, "hidden_size": D, "num_layers": 2, "num_heads": 2}


@pytest.mark.parametrize(("task", "output_size"), [("classification", 3), ("regression", 2)])
def test_one_text_goes_to_a_linear_layer(task, output_size):
    model = create("sentence-bert", **SIZES, task=task, output_size=output_size, separator=-1).eval()
    tokens, lengths = torch.randint(V, (3, 6)), torch.tensor([6, 2, 4])
    with torch.no_grad():
        x = model.encode(tokens, lengths)
        means = torch.stack([row[:length].mean(0) for row, length in zip(x, lengths.tolist(), strict=True)])
        torch.testing.assert_close(model(tokens, lengths), means @ model.head.weight.T + model.head.bias)


def test_embeddings_are_normalised_before_dropout():
    """On both sides: what is dropped is exactly zero, which no normalisation behind it would leave."""
    model = create("bart", **SIZES, output_size=V, dropout=0.5).train()
    tokens = torch.randint(4, V, (40, 6))
    for positions in (model.source_positions, model.positions):
        x = model.embed_tokens(model.embedding, positions, tokens)
        assert (x == 0).float().mean().item() == pytest.approx(0.5, abs=0.05)
        model.eval()
        x = model.embed_tokens(model.embedding, positions, tokens)
        torch.testing.assert_close(x.mean(-1), torch.zeros(40, 6), atol=1e-5, rtol=0)
        model.train()


def test_two_vocabularies_share_no_table():
    """Where they differ the table of the answer embeds and scores, and the source has its own."""
    same, other = (
        create("bart", signature=Signature("translation", "tokens", (6,), words, V, target_len=5), width=16)
        for words in (V, V + 4)
    )
    assert (same.config.tie, other.config.tie) == ("all", "output")
    for model, rows in ((same, [V]), (other, [V, V + 4])):
        tables = [p for p in model.parameters() if p.dim() == 2 and len(p) in (V, V + 4)]
        assert sorted(map(len, tables)) == rows


def test_mobilebert_drops_weights_of_attention_alone():
    config = MobileBertConfig(input_size=V, output_size=V)
    assert (config.dropout, config.attention_dropout) == (0.0, 0.1)
    model = create("mobilebert", input_size=V, output_size=V, num_layers=1)
    assert {m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)} == {0.0}
    assert model.blocks[0].attention.dropout == 0.1


COUNTS = {
    "sentence-bert-base": 109_482_240 - 590_592,  # BERT's less its pooler
    "sentence-bert-nli-base": 109_482_240 - 590_592 + 6_912,
    "bart-base": 139_420_416,
    "bart-large": 406_291_456,
    "bart-large-cnn": 406_290_432,
    "xlnet-base": 116_718_336,
    "xlnet-large": 360_268_800,
    "mobilebert-base": 24_581_888,
}


@pytest.mark.parametrize("name", COUNTS)
def test_published_counts(name):
    preset = find_preset(name)
    assert preset is not None
    with torch.device("meta"):
        assert sum(p.numel() for p in create(name).parameters()) == preset.num_parameters == COUNTS[name]
