"""Sentence-BERT against BERT on each text by itself, and the paper's two formulas."""

import pytest
import torch

from anncestry.errors import UserError
from anncestry.inspection.conformance import check_model
from anncestry.models.create import create
from anncestry.models.sentence_bert import apart
from anncestry.signature import Signature

CLS, SEP, PAD, V = 1, 2, 0, 13
PAIRS = [([4, 5, 6], [7, 8]), ([9], [10, 11, 12, 4]), ([5, 6], [])]


def packed():
    """``[CLS] a [SEP] b [SEP]`` of each pair, the last one without a second text, padded with separators."""
    rows = [[CLS, *a, SEP, *([*b, SEP] if b else [])] for a, b in PAIRS]
    lengths = torch.tensor([len(row) for row in rows])
    longest = int(lengths.max())
    return torch.tensor([row + [SEP] * (longest - len(row)) for row in rows]), lengths


def siamese(task, pooling="mean", **sizes):
    signature = Signature(task, "tokens", (8,), 1 if task == "regression" else 3, V, separator=SEP)
    return create("sentence-bert", signature=signature, width=16, pooling=pooling, **sizes).double().eval()


def alone(model, pooling):
    """Each text's vector from a BERT with the same weights, text by text."""
    sizes = {name: getattr(model.config, name) for name in ("hidden_size", "num_layers", "num_heads")}
    bert = (
        create("bert", task="embedding", input_size=V, output_size=16, pooling=pooling, separator=-1, **sizes)
        .double()
        .eval()
    )
    body = {n: t for n, t in model.state_dict().items() if not n.startswith("head.")}
    bert.load_state_dict(body)

    def vector(text, end):
        return bert(torch.tensor([[CLS, *text, *([SEP] if end else [])]]))[0]

    return [(vector(a, True), vector(b, bool(b))) for a, b in PAIRS]


@pytest.mark.parametrize("pooling", ["mean", "first", "max", "pooler"])
def test_each_text_is_read_by_itself(pooling):
    tokens, lengths = packed()
    model = siamese("classification", pooling)
    wanted = [model.head(torch.cat([u, v, (u - v).abs()])) for u, v in alone(model, pooling)]
    assert model.head.weight.shape == (3, 3 * 16)
    assert model.head.bias is None
    torch.testing.assert_close(model(tokens, lengths), torch.stack(wanted))


def test_a_value_is_the_cosine():
    tokens, lengths = packed()
    model = siamese("regression")
    assert sum(p.numel() for p in model.head.parameters()) == 0
    wanted = [u @ v / (u.norm() * v.norm()) for u, v in alone(model, "mean")]
    torch.testing.assert_close(model(tokens, lengths), torch.stack(wanted)[:, None])
    with pytest.raises(UserError, match="the cosine of two texts is one value"):
        siamese("regression", output_size=2)


def test_the_parts_of_a_pair():
    tokens, lengths = packed()
    texts, sizes = apart(tokens, lengths, SEP)
    found = [text[:size].tolist() for text, size in zip(texts, sizes, strict=True)]
    firsts, seconds = [[CLS, *a, SEP] for a, _ in PAIRS], [[CLS, *b, *([SEP] if b else [])] for _, b in PAIRS]
    assert found == firsts + seconds
    texts, sizes = apart(tokens[:, :2], None, SEP)  # no separator at all
    assert sizes.tolist() == [2, 2, 2, 1, 1, 1]
    assert texts[:3].equal(tokens[:, :2])


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_pairs_keep_the_promises_too(task):
    promises = ["output-shape", "batch-invariance", "inputs-untouched", "gradients", "save-load"]
    report = check_model(siamese(task).float(), checks=promises)
    assert report.ok, f"\n{report}"


def test_it_embeds_and_does_not_fill_in():
    sizes = {"input_size": V, "hidden_size": 8, "num_layers": 1, "num_heads": 2}
    model = create("sentence-bert", output_size=8, unit_length=True, **sizes).eval()
    tokens, lengths = packed()
    torch.testing.assert_close(model(tokens, lengths).norm(dim=1), torch.ones(3))
    with pytest.raises(UserError, match="task: got 'masked-lm'"):
        create("sentence-bert", task="masked-lm", output_size=V, **sizes)
