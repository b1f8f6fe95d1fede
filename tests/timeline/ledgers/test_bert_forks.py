"""What the ledgers of SpanBERT, RoBERTa, CamemBERT and StructBERT say that no other test holds."""

import pytest
import torch
from torch import nn

from anncestry.models.create import create
from anncestry.models.spanbert import SpanBertConfig
from anncestry.timeline import find_preset, usual_settings

V, D = 13, 16
SIZES = {"input_size": V, "hidden_size": D, "num_layers": 1, "num_heads": 2}
TOKENS = torch.tensor([[1, 5, 6, 3, 7, 8, 3], [1, 9, 3, 4, 5, 6, 3]])


def test_positions_within_a_span():
    config = SpanBertConfig(input_size=V, output_size=V)
    assert (config.place_dim, config.longest_span) == (200, 20)
    model = create("spanbert", **SIZES, output_size=V, place_dim=5)
    assert model.boundary.places.weight.shape == (20, 5)


@pytest.mark.parametrize(
    ("name", "rows"), [("bert", 2), ("spanbert", 2), ("roberta", 1), ("camembert", 1), ("distilbert", 0)]
)
def test_rows_of_segments(name, rows):
    segments = create(name, **SIZES, output_size=V).embeddings.segments
    assert (0 if segments is None else segments.num_embeddings) == rows


@pytest.mark.parametrize(
    ("name", "times"), [("bert", 1), ("roberta", 2), ("camembert", 2), ("distilbert", 1)]
)
def test_dropout_before_the_classifier(name, times):
    """What drops features of one vector for each text, and how often it is asked."""
    model, asked = create(name, **SIZES, task="classification", output_size=3, dropout=0.25), []
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(
                lambda module, given, _: asked.append(module.p) if given[0].dim() == 2 and module.p else None
            )
    model(TOKENS)
    assert asked == [0.25] * times


def test_structbert_is_a_bert_with_a_third_logit():
    sizes = {**SIZES, "output_size": V}
    struct, bert = create("structbert", **sizes, num_relations=3), create("bert", **sizes, num_relations=3)
    bert.load_state_dict(struct.state_dict())
    targets = TOKENS.clone()  # hidden and shuffled places alike are asked for their word
    targets[:, 0] = torch.tensor([2, 0])
    with torch.no_grad():
        found, wanted = struct.eval()(TOKENS, targets=targets), bert.eval()(TOKENS, targets=targets)
    assert torch.equal(found.logits, wanted.logits)
    assert torch.equal(found.relation, wanted.relation)
    assert found.relation.shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "wanted", "small"),
    [
        ("spanbert-base", {"weight_decay": 0.1, "epsilon": 1e-8}, {"weight_decay": 0.01}),
        ("spanbert-large", {"weight_decay": 0.1, "epsilon": 1e-8}, {"weight_decay": 0.01}),
        ("roberta-base", {"epsilon": 1e-6, "clip_norm": 0.0, "learning_rate": 6e-4}, {"clip_norm": 1.0}),
        ("roberta-large", {"epsilon": 1e-6, "clip_norm": 0.0, "learning_rate": 4e-4}, {"clip_norm": 1.0}),
        ("camembert-base", {"epsilon": 1e-6, "clip_norm": 0.0, "beta2": 0.98}, {"clip_norm": 1.0}),
    ],
)
def test_published_recipes(name, wanted, small):
    """Those of presets; the architecture's own is for a person's own data."""
    published, usual = usual_settings(name), usual_settings(name.partition("-")[0])
    assert wanted.items() <= published.items()
    assert small.items() <= usual.items()
    assert "epsilon" not in usual


# With the pooler, as the preset; with the words' layer in place of it, where that was published.
COUNTS = {
    "spanbert-base": (108_310_272, None),
    "spanbert-large": (333_579_264, None),
    "roberta-base": (124_645_632, 124_697_433),
    "roberta-large": (355_359_744, 355_412_057),
    "camembert-base": (110_621_952, None),
    "camembert-large": (336_661_504, None),
    "structbert-base": (109_482_240, None),
    "structbert-large": (335_141_888, None),
}


@pytest.mark.parametrize("name", COUNTS)
def test_published_counts_by_head(name):
    preset = find_preset(name)
    assert preset is not None
    pooled, worded = COUNTS[name]
    assert preset.num_parameters == pooled
    with torch.device("meta"):
        model = create(name)
        assert sum(p.numel() for p in model.parameters()) == pooled
        if worded is not None:
            model = create(name, task="masked-lm", output_size=preset.config["input_size"], pooling="mean")
            assert sum(p.numel() for p in model.parameters()) == worded
