"""What the ledgers of BERT and its forks say of the parts that they share, and of BERT's sizes."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from anncestry.models.create import create
from anncestry.objectives.masked import MaskedLanguageModel
from anncestry.protocols import IGNORED, MaskedLMOutput
from anncestry.signature import Signature
from anncestry.timeline import find, find_preset

V, D, SEP = 13, 16, 3
SIZES = {"input_size": V, "output_size": V, "hidden_size": D, "num_layers": 2, "num_heads": 2}
TOKENS = torch.tensor([[1, 5, 6, SEP, 7, 8, SEP], [1, 9, SEP, 4, 5, 6, SEP]])


def phi(x):
    """x times the normal distribution's Phi(x)."""
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def by_tanh(x):
    """Devlin et al.'s later form."""
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


@pytest.mark.parametrize(
    ("name", "changes", "wanted"),
    [
        ("bert", {}, phi),
        ("bert", {"activation": "gelu-tanh"}, by_tanh),
        ("spanbert", {}, phi),
        ("structbert", {}, phi),
        ("roberta", {}, phi),
        ("camembert", {}, phi),
        ("albert", {"embed_dim": 6}, by_tanh),
    ],
)
def test_gelu(name, changes, wanted):
    """In the blocks, and before the words of the hidden places."""
    model = create(name, **SIZES, **changes).double().eval()
    x, net, head = 3 * torch.randn(40, D).double(), model.blocks[0].feed_forward, model.head
    inner = wanted(functional.linear(x, net.inner.weight, net.inner.bias))
    within = {"atol": 1e-9, "rtol": 0.0}
    torch.testing.assert_close(net(x), functional.linear(inner, net.out.weight, net.out.bias), **within)
    # the normalisation would make a thousandth of what differs as large as what does not
    nn.init.normal_(head.linear.weight)
    table = model.embeddings.words.weight
    scores = head.norm(wanted(functional.linear(x, head.linear.weight, head.linear.bias))) @ table.T
    torch.testing.assert_close(head(x, table), scores + head.readout.bias, **within)


@pytest.mark.parametrize(
    ("name", "eps"),
    [
        ("bert", 1e-12), ("roberta", 1e-5), ("camembert", 1e-5), ("xlnet", 1e-12), ("xlm", 1e-12),
        ("flaubert", 1e-12),
    ],
)  # fmt: skip
def test_eps_of_the_normalisations(name, eps):
    found = {m.eps for m in create(name, **SIZES).modules() if isinstance(m, nn.LayerNorm)}
    assert found == {eps}
    changed = create(name, **SIZES, norm_eps=1e-3)
    assert {m.eps for m in changed.modules() if isinstance(m, nn.LayerNorm)} == {1e-3}


def test_texts_are_distinguished_by_separators():
    model = create("bert", **SIZES, separator=SEP).eval()
    segments = torch.tensor([[0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1, 1]])
    with torch.no_grad():
        told = model(TOKENS)
        assert torch.equal(told, model(TOKENS, segments=segments))
        assert not torch.equal(told, model(TOKENS, segments=torch.zeros_like(segments)))


def test_padding_has_no_weight_at_all():
    """To the last bit, whatever it is padded with."""
    model, lengths = create("bert", **SIZES).eval(), torch.tensor([7, 4])
    other = TOKENS.clone()
    other[1, 4:] = torch.tensor([11, 12, 10])
    with torch.no_grad():
        first, second = model(TOKENS, lengths), model(other, lengths)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1, :4], second[1, :4])
    assert not torch.equal(first[1, 4:], second[1, 4:])  # it takes part in the products


@pytest.mark.parametrize("num_relations", [2, 3])
def test_losses_are_means_over_the_batch(num_relations):
    """Not over each text: the first has three masked tokens, the second one."""
    random = torch.Generator().manual_seed(0)
    targets = torch.tensor([[1, 4, 5, 6], [0, IGNORED, IGNORED, 7]])
    words, relation = torch.randn(4, V, generator=random), torch.randn(2, num_relations, generator=random)
    nats = [-row.log_softmax(0)[word] for row, word in zip(words, (4, 5, 6, 7), strict=True)]
    told = [-row.log_softmax(0)[kind] for row, kind in zip(relation, (1, 0), strict=True)]
    objective = MaskedLanguageModel(V, num_relations)
    found = objective.loss(MaskedLMOutput(words, relation), targets) / objective.count(targets)
    torch.testing.assert_close(found, sum(nats) / 4 + sum(told) / 2)


@pytest.mark.parametrize(
    ("name", "cut"), [("bert", True), ("xlm", True), ("flaubert", True), ("xlnet", True), ("bart", False)]
)
def test_initial_weights(name, cut):
    sizes = {"input_size": 300, "output_size": 300, "hidden_size": 64, "num_layers": 2, "num_heads": 4}
    torch.manual_seed(0)
    model = create(name, **sizes)
    parts = [module for module in model.modules() if isinstance(module, nn.Linear | nn.Embedding)]
    weights = torch.cat([part.weight.detach().flatten() for part in parts])
    deviation = 0.02 * (0.8796 if cut else 1.0)  # of a normal distribution that is cut at two
    assert weights.std().item() == pytest.approx(deviation, rel=0.02)
    assert (weights.abs().max() <= 0.04).item() is cut
    assert not any(part.bias.any() for part in parts if isinstance(part, nn.Linear) and part.bias is not None)
    if name == "xlnet":
        attention = [block.attention for block in model.blocks]
        of_scores = torch.cat([p.detach().flatten() for a in attention for p in a.parameters(recurse=False)])
        assert of_scores.std().item() == pytest.approx(0.02, rel=0.15)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("bert", {}), ("albert", {"embed_dim": 64}), ("bart", {}), ("xlnet", {}), ("xlm", {}),
        ("flaubert", {}), ("mobilebert", {"bottleneck_size": 64, "embed_dim": 64}),
    ],
)  # fmt: skip
def test_smaller_sizes_by_default(name, fields):
    task, shape = ("translation", {"target_len": 5}) if name == "bart" else ("masked-lm", {})
    signature = Signature(task, "tokens", (6,), V, V, **shape)
    config = find(name).configure(signature)
    fields = {"num_layers": 2, "hidden_size": 128, "num_heads": 4, **fields}
    assert {field: getattr(config, field) for field in fields} == fields
    assert find(name).configure(signature, width=64).hidden_size == 64
    assert name != "albert" or find(name).configure(signature, width=512).embed_dim == 128


# With the pooler; without; with masked tokens and next-sentence prediction; with masked tokens alone.
COUNTS = {
    "bert-base": (109_482_240, 108_891_648, 110_106_428, 109_514_298),
    "bert-base-cased": (108_310_272, 107_719_680, 108_932_934, 108_340_804),
    "bert-large": (335_141_888, 334_092_288, 336_226_108, 335_174_458),
    "bert-large-cased": (333_579_264, 332_529_664, 334_661_958, 333_610_308),
    "bert-multilingual-cased": (177_853_440, 177_262_848, 178_566_653, 177_974_523),
    "bert-multilingual-uncased": (167_356_416, 166_765_824, 168_055_961, 167_463_831),
    "bert-chinese": (102_267_648, 101_677_056, 102_882_442, 102_290_312),
}


@pytest.mark.parametrize("name", COUNTS)
def test_published_counts_by_head(name):
    preset = find_preset(name)
    assert preset is not None
    words = {"task": "masked-lm", "output_size": preset.config["input_size"]}
    changes = ({"pooling": "pooler"}, {"pooling": "mean"}, {**words, "num_relations": 2}, words)
    with torch.device("meta"):
        models = [create("bert", **{**preset.config, **change}) for change in changes]
    assert tuple(sum(p.numel() for p in model.parameters()) for model in models) == COUNTS[name]
    assert preset.num_parameters == COUNTS[name][0]
