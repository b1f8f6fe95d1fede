"""What the ledgers of ALBERT, DistilBERT and ELECTRA say that no other test holds."""

from itertools import pairwise

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.nn import functional

from anncestry.data.corruption.masking import Masking
from anncestry.models.create import create
from anncestry.objectives.masked import MaskedLanguageModel
from anncestry.protocols import IGNORED, Batch
from anncestry.timeline import find_preset, usual_settings
from anncestry.tokenizers.spec import Special
from anncestry.tokenizers.tokenizer import Tokenizer
from anncestry.training.distilling import DistillingStep
from anncestry.training.optimizers import Position, make_optimizer
from anncestry.training.settings import TrainingSettings

V, D = 13, 16
SIZES = {"input_size": V, "output_size": V, "hidden_size": D, "num_layers": 2, "num_heads": 2}
TOKENS = torch.tensor([[1, 5, 6, 3, 7, 8, 3], [1, 9, 3, 4, 5, 6, 3]])

# ---- ALBERT ---------------------------------------------------------------------------------------------


def test_words_of_a_run_share_no_fate():
    """Of two masked tokens side by side, some are one the mask and one not; spans never are."""
    words = tuple(f"w{i}" for i in range(40))
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    tokenizer = Tokenizer("wordpiece", special + words, Special(0, 1, 2, 3, 3, 4), "bert")
    random = torch.Generator().manual_seed(0)
    tokens = torch.randint(5, len(tokenizer), (200, 40), generator=random)
    inputs, targets = Masking.of(tokenizer, "n-grams").apply(tokens, torch.full((200,), 40), random)
    asked, mixed = targets != IGNORED, 0
    for row in range(200):
        places = asked[row].nonzero().squeeze(1).tolist()
        beside = [(a, b) for a, b in pairwise(places) if b == a + 1]
        mixed += sum((inputs[row, a] == 4) != (inputs[row, b] == 4) for a, b in beside)
    assert mixed > 50  # of some 500 pairs, a third; runs that touch by chance are far fewer


def test_dropout_of_the_presets():
    for name in ("albert-base", "albert-large", "albert-xlarge", "albert-xxlarge"):
        with torch.device("meta"):
            config = create(name).config
        wanted = (0.0, 0.0) if name == "albert-xxlarge" else (0.1, 0.1)
        assert (config.dropout, config.attention_dropout) == wanted


def test_no_dropout_before_the_relation_of_two_texts():
    model, asked = create("albert", **SIZES, embed_dim=6, num_relations=2, dropout=0.25), []
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(
                lambda module, given, _: asked.append(given[0].dim()) if module.p else None
            )
    model(TOKENS, targets=TOKENS.remainder(2))
    assert set(asked) == {3}  # of all tokens, never of one vector for each text


# ---- DistilBERT -----------------------------------------------------------------------------------------


def test_a_student_is_compared_at_all_that_is_no_padding():
    """Its loss hangs on words that are not hidden, and on no padding."""
    torch.manual_seed(0)
    sizes = {**SIZES, "dropout": 0.0, "attention_dropout": 0.0}
    teacher = create("bert", **sizes, num_segments=0).eval()
    for parameter in teacher.parameters():
        nn.init.normal_(parameter, std=0.3)
    state = create("distilbert", **{**sizes, "num_layers": 1}).state_dict()

    def loss(scores_of=slice(0, 0), inputs=TOKENS):
        student = create("distilbert", **{**sizes, "num_layers": 1})
        student.load_state_dict(state)
        settings = TrainingSettings(max_steps=1)
        step = DistillingStep(student, teacher, MaskedLanguageModel(V), settings, Fabric(accelerator="cpu"))
        seen = []
        # What the student says at these places is changed; (rows, T, D) goes in.
        student.blocks[-1].register_forward_hook(
            lambda _, given, x: seen.append(x.shape) or x.index_fill(1, torch.arange(7)[scores_of], 0.5)
        )
        targets = torch.full_like(inputs, IGNORED)
        targets[:, 1] = 4
        found, _, _ = step(Batch(inputs, targets, lengths=torch.tensor([5, 5])), None, Position(0, 0.0, 0))
        assert seen
        return found

    usual = loss()
    assert loss(slice(5, 7)) == usual  # padding
    for place in range(5):
        assert loss(slice(place, place + 1)) != usual, place
    assert loss(inputs=TOKENS.index_fill(1, torch.tensor([5, 6]), 12)) == pytest.approx(usual)


# ---- ELECTRA --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "width", "heads"),
    [("electra-small", 256, 4), ("electra-base", 256, 4), ("electra-large", 256, 4)],
)
def test_sizes_of_generators(name, width, heads):
    words = {"task": "masked-lm", "output_size": 30_522, "pooling": "mean"}
    with torch.device("meta"):
        model = create(name, **words)
    blocks = model.generator.blocks
    assert len(blocks) == len(model.blocks)
    assert {(b.attention.width, b.attention.num_heads) for b in blocks} == {(width, heads)}
    assert {b.feed_forward.inner.weight.shape for b in blocks} == {(4 * width, width)}
    if name == "electra-base":  # with the tables, as its published file
        parts = (model.embeddings, model.generator.widen, model.generator.blocks)
        assert sum(p.numel() for part in parts for p in part.parameters()) == 33_511_168
    if name == "electra-small":
        with torch.device("meta"):
            papers = create(name, **words, generator_divisor=4)
        assert papers.generator.blocks[0].attention.width == 64


def test_electras_heads_have_gelu_whatever_the_blocks_have():
    model = create("electra", **SIZES, activation="relu", generator_divisor=1).double().eval()
    x, table = torch.randn(3, 5, D).double(), model.embeddings.words.weight
    head, words = model.head, model.generator.head
    nn.init.normal_(words.linear.weight)
    for found, wanted in (
        (head(x), head.out(functional.gelu(head.linear(x))).squeeze(-1)),
        (words(x, table), words.readout(words.norm(functional.gelu(words.linear(x))), table)),
    ):
        torch.testing.assert_close(found, wanted, atol=1e-12, rtol=0)
    block = model.blocks[0].feed_forward
    torch.testing.assert_close(block(x), block.out(block.inner(x).relu()))


def test_one_rate_for_all_layers():
    settings = TrainingSettings(**usual_settings("electra"))
    optimizer = make_optimizer(create("electra", **SIZES, generator_divisor=1), settings)
    assert {group["lr"] for group in optimizer.param_groups} == {settings.learning_rate}


# ---- recipes and counts ---------------------------------------------------------------------------------


def test_published_recipes():
    settings = TrainingSettings(**usual_settings("albert-base"))
    assert (settings.optimizer, settings.learning_rate, settings.batch_size) == ("lamb", 1.76e-3, 4096)
    assert (settings.warmup_steps, settings.max_steps) == (3125, 125_000)


# As the preset: ALBERT with its pooler, the others without; then with the head of pre-training.
COUNTS = {
    "albert-base": (11_683_584, None),
    "albert-large": (17_683_968, None),
    "albert-xlarge": (58_724_864, None),
    "albert-xxlarge": (222_595_584, None),
    "distilbert-base": (66_362_880, 66_985_530),
    "electra-small": (13_483_008, 13_549_057),
    "electra-base": (108_891_648, 109_483_009),
    "electra-large": (334_092_288, 335_142_913),
}


@pytest.mark.parametrize("name", COUNTS)
def test_published_counts_by_head(name):
    preset = find_preset(name)
    assert preset is not None
    body, with_head = COUNTS[name]
    assert preset.num_parameters == body
    with torch.device("meta"):
        assert sum(p.numel() for p in create(name).parameters()) == body
        if with_head is not None:
            model = create(name, task="masked-lm", output_size=preset.config["input_size"])
            kept = [p for n, p in model.named_parameters() if not n.startswith("generator.")]
            assert sum(p.numel() for p in kept) == with_head
