"""What the claims about nets that are trained before a task make and measure, against what is known of it."""

import itertools
from collections import Counter
from functools import partial

import pytest
import torch

from anncestry.claims.common import toy_language
from anncestry.claims.common.toy_language import NUM_TAGS, NUM_WORDS, Language
from anncestry.claims.experiments import (
    albert_shares_parameters,
    bert_learns_from_fewer_positions,
    both_sides_change_a_word,
    cls_feeds_the_classifier,
    electra_learns_from_all,
    elmo_needs_no_fine_tuning,
    elmo_vectors_differ_by_context,
)
from anncestry.protocols import IGNORED


def test_the_best_guess_is_that_of_every_chain_of_tags():
    language = Language.of(0)
    words, _ = language.sentences(4, 3, torch.Generator().manual_seed(1))
    tags = language.best_guess(words)
    for row, sentence in zip(tags, words, strict=True):
        a, b, c = language.emissions[:, sentence].T
        chains = torch.einsum("i,j,k,ij,jk->ijk", a, b, c, language.transitions, language.transitions)
        of_places = [chains.sum(others) for others in ((1, 2), (0, 2), (0, 1))]
        assert row.tolist() == [chances.argmax().item() for chances in of_places]


def test_words_of_the_language_come_from_their_tags():
    language = Language.of(3)
    assert torch.allclose(language.transitions.sum(1), torch.ones(NUM_TAGS, dtype=torch.float64))
    assert torch.allclose(language.emissions.sum(1), torch.ones(NUM_TAGS, dtype=torch.float64))
    assert torch.allclose(language.transitions.sum(0), torch.ones(NUM_TAGS, dtype=torch.float64)), (
        "tags stay equally likely"
    )
    words, tags = language.sentences(50, 10, torch.Generator().manual_seed(0))
    assert (language.emissions[tags, words] > 0).all()
    right = {alone: (language.best_guess(words, alone) == tags).double().mean() for alone in (True, False)}
    assert right[True] < 0.7 < 0.9 < right[False], "only the context tells"


def test_the_documentation_is_that_of_this_python():
    from pydoc_data.topics import topics

    tokens, V = toy_language.documentation()
    text = "\n".join(topics[name] for name in sorted(topics))
    assert len(tokens) == len(text)
    assert int(tokens.max()) < V < 130
    letters = [place for place, character in enumerate(text[:5000]) if character == "e"]
    assert len(set(tokens[letters].tolist())) == 1
    assert int((tokens == tokens[letters[0]]).sum()) == text.count("e")
    rarest, _ = Counter(text).most_common()[-1]
    assert int(tokens[text.index(rarest)]) == V - 1


def test_a_seventh_of_the_words_is_masked_and_no_other_is_a_target():
    tokens = torch.randint(NUM_WORDS, (8, 40), generator=torch.Generator().manual_seed(0))
    inputs, targets = toy_language.masked(
        tokens, toy_language.bert_masking(NUM_WORDS), torch.Generator().manual_seed(1)
    )
    hidden = targets != IGNORED
    assert hidden.sum(1).tolist() == [6] * 8
    assert torch.equal(inputs[~hidden], tokens[~hidden])
    assert torch.equal(targets[hidden], tokens[hidden])
    assert 0.5 < (inputs[hidden] == NUM_WORDS).double().mean() < 1


def test_the_rate_warms_up_and_stays():
    weight = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(weight.weight)
    losses = (weight.weight.sum() for _ in itertools.count())
    places = []
    for step in toy_language.training(weight, losses, 60, 0.1):
        assert step == len(places)
        places.append(-weight.weight.item())  # Adam goes as far as the rate where a gradient never changes
    moved = [after - before for before, after in itertools.pairwise(places)]
    wanted = [0.1 * min(1, (step + 1) / toy_language.WARM_UP) for step in range(60)]
    assert moved == pytest.approx(wanted, rel=1e-3)


def test_a_linear_map_finds_tags_that_are_linear():
    random = torch.Generator().manual_seed(0)
    tags = torch.randint(NUM_TAGS, (400,), generator=random)
    features = torch.randn(NUM_TAGS, 20, generator=random)[tags]
    assert torch.equal(toy_language.probe(features[:200], tags[:200], features[200:]), tags[200:])


@pytest.mark.parametrize("net", both_sides_change_a_word.NETS)
def test_derivatives_by_words_are_those_of_finite_differences(net):
    model = both_sides_change_a_word.build(net, 3, 8, 1, 0)
    tokens = torch.tensor([[4, 7, 9]])
    found = both_sides_change_a_word.gradients(net, model, tokens)
    table = model.embeddings.words if net == "BERT" else model.embedding
    squares, step = torch.zeros(3, dtype=torch.float64), 1e-6
    for feature in range(8):
        moved = []
        for sign in (-1, 1):
            with torch.no_grad():
                table.weight[7, feature] += sign * step
                moved.append(both_sides_change_a_word.vectors(net, model, tokens))
                table.weight[7, feature] -= sign * step
        squares += ((moved[1] - moved[0]) / (2 * step)).square().sum(1)
    assert torch.allclose(squares.sqrt(), found[:, 1], rtol=1e-4, atol=1e-6)
    assert bool(found[0, 1] > 0) is (net == "BERT")


def test_a_pooler_that_reads_all_positions_would_be_seen():
    model = cls_feeds_the_classifier.build(4, 2, 0)
    tokens = torch.tensor([[1, 2, 3, 4]])
    assert not cls_feeds_the_classifier.slopes(model, tokens)[-1, 1:].any()
    model.summary = lambda x, lengths: x.mean(1)
    assert cls_feeds_the_classifier.slopes(model, tokens)[-1, 1:].all()
    assert cls_feeds_the_classifier.change_by_noise(model, tokens, 1) > 1e-3


def test_texts_around_a_word_are_of_the_documentation():
    random = torch.Generator().manual_seed(0)
    texts = elmo_vectors_differ_by_context.texts_around("value", 5, 3, random)
    from pydoc_data.topics import topics

    written = [" ".join(topics[name].split()) for name in topics]
    assert len(texts) == 5
    for left, right in texts:
        assert len(left) == len(right) == 3
        assert any(" ".join([*left, "value", *right]) in text for text in written)


def test_each_net_of_fewer_positions_gets_error_where_it_should():
    module = bert_learns_from_fewer_positions
    read = torch.randint(30, (2, 21), generator=torch.Generator().manual_seed(0))
    for net, wanted in (("BERT", 3), ("GPT", 20), ("GPT, 15 %", 3)):
        model = module.build(net, 30, 20, 8, 1, 0)
        asked = module.question(net, read, 30, torch.Generator().manual_seed(1))
        targets = asked[1]
        norms = toy_language.error_at(model.blocks[-1], partial(module.loss, net, model, asked))
        assert ((norms > 0).sum(1) == wanted).all()
        assert torch.equal(norms > 0, targets != IGNORED)
        shown = targets != IGNORED
        original = read[:, :-1] if net == "BERT" else read[:, 1:]
        assert torch.equal(targets[shown], original[shown])


def test_steps_to_a_level_lie_on_the_line_between_two_points():
    curve = [[0, 1.1], [10, 0.9], [20, 0.7], [30, 0.6]]
    assert bert_learns_from_fewer_positions.steps_to(curve, 0.8) == pytest.approx(15)
    assert bert_learns_from_fewer_positions.steps_to(curve, 0.5) is None


def test_who_overtakes_stays_below():
    def curve(*values):
        return [[10 * place, value] for place, value in enumerate(values)]

    overtakes = bert_learns_from_fewer_positions.overtakes
    assert overtakes(curve(1, 0.5, 0.9, 0.6, 0.5), curve(1, 0.8, 0.7, 0.7, 0.6)) == 30
    assert overtakes(curve(1, 0.5, 0.9), curve(1, 0.8, 0.7)) is None


def test_a_discriminator_of_few_positions_gets_error_there_alone():
    module = electra_learns_from_all
    asked = toy_language.masked(
        torch.randint(NUM_WORDS, (2, module.LENGTH), generator=torch.Generator().manual_seed(0)),
        toy_language.bert_masking(NUM_WORDS),
        torch.Generator().manual_seed(1),
    )
    hidden = asked[1] != IGNORED
    for net in module.NETS:
        model = module.build(net, 8, 1, 0)
        norms = toy_language.error_at(model.blocks[-1], partial(module.loss, net, model, asked))
        assert torch.equal(norms > 0, torch.ones_like(hidden) if net == "ELECTRA" else hidden)


def test_albert_has_one_layer_of_berts():
    bert, albert = (albert_shares_parameters.build(net, 8, 3, 0) for net in albert_shares_parameters.NETS)
    sizes = [sum(parameter.numel() for parameter in model.parameters()) for model in (bert, albert)]
    block = sum(parameter.numel() for parameter in bert.blocks[0].parameters())
    assert sizes[0] - sizes[1] == 2 * block


def test_seconds_of_a_step_are_reported_and_judged_by_nobody():
    small = {"num_seeds": 1, "num_steps": 1, "every": 1, "width": 8, "num_layers": 2, "count": 4}
    rows = albert_shares_parameters.measure(0, **small, repeats=1)
    assert all(row["seconds"] > 0 for row in rows)
    tags = [{**row, "seconds": 9.0 if row["net"] == "ALBERT" else 3.0} for row in rows]
    first, second = (albert_shares_parameters.judge(seen) for seen in (rows, tags))
    assert first.verdict is second.verdict
    assert "3.00 times its processor time" in second.because


def test_a_language_model_is_asked_for_the_neighbours():
    module = elmo_needs_no_fine_tuning
    written = module.spelling(torch.Generator().manual_seed(0))
    assert len({tuple(row) for row in written.tolist()}) == len(written) == 3 + NUM_WORDS
    places, targets = module.between_marks(torch.tensor([[5, 0, 7]]))
    assert places.tolist() == [[1, 8, 3, 10, 2]]
    ahead, back = targets[0].T.tolist()
    assert ahead == [5, 0, 7, module.END, IGNORED]
    assert back == [IGNORED, module.BEGIN, 5, 0, 7]


def test_a_frozen_tagger_learns_nothing_of_its_language_model():
    module = elmo_needs_no_fine_tuning
    for freeze in (True, False):
        model = module.build("tagging", 8, 0, freeze=freeze)
        learnt = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        assert any(name.startswith("bilm") for name in learnt) is not freeze
        assert any(name.startswith("head") for name in learnt)
