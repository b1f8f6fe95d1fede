"""Greedy and beam search against the same searches written plainly, against enumeration, and alone."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.decoding import Search, decode, read_prompt, read_source
from anncestry.decoding.beam import beam_search
from anncestry.decoding.beam_state import Request
from anncestry.errors import UserError
from anncestry.protocols import EncoderDecoder, flatten_state
from anncestry.signature import BEGIN, END, Signature
from anncestry.timeline import find

SOURCES = [[5, 9, 4], [7], [11, 3, 3, 8, 6], [4, 4]]


def padded(sources):
    lengths = torch.tensor([len(source) for source in sources])
    rows = torch.zeros(len(sources), int(lengths.max()), dtype=torch.long)
    for row, source in zip(rows, sources, strict=True):
        row[: len(source)] = torch.tensor(source)
    return rows, lengths


def written(model, sources, search, **more):
    """All that is found for a batch of sources."""
    source, lengths = padded(sources)
    scores, state = read_source(model, source, lengths)
    return decode(model.step, scores, state, search, lengths=lengths, alignment=model.alignment, **more)


def same(found, wanted):
    """Whether hypotheses are those of a plain search."""
    assert [one.tokens for one in found] == [tokens for tokens, *_ in wanted]
    for one, (_, score, log_prob, finished, alignment) in zip(found, wanted, strict=True):
        assert one.score == pytest.approx(score, abs=1e-9)
        assert one.log_prob == pytest.approx(log_prob, abs=1e-9)
        assert one.finished == finished
        if one.alignment is not None:
            torch.testing.assert_close(one.alignment, alignment)


def searches(max_beam=6):
    """Settings of every kind."""
    return st.builds(
        lambda beam, share, least, more, **fields: Search(
            beam=beam, n_best=1 + int(share * (beam - 1)), min_length=least, max_length=least + more, **fields
        ),
        st.integers(1, max_beam),
        st.floats(0, 1),
        st.integers(1, 4),
        st.integers(0, 6),
        length_penalty=st.sampled_from(["gnmt", "average", "none"]),
        alpha=st.sampled_from([0.0, 0.2, 0.6, 1.0, 2.0, -0.5]),
        coverage=st.sampled_from([0.0, 0.0, 0.2, 1.5]),
        max_factor=st.sampled_from([0.0, 0.5, 1.0]),
        no_repeat_ngram=st.sampled_from([0, 0, 1, 2, 3]),
        repetition_penalty=st.sampled_from([1.0, 1.0, 1.3]),
        unfinished=st.sampled_from(["compared", "last"]),
    )


@given(
    search=searches(),
    vocab_size=st.integers(6, 9),
    seed=st.integers(0, 1000),
    sharpness=st.sampled_from([0.5, 3.0, 10.0]),
    sources=st.lists(st.lists(st.integers(4, 19), min_size=1, max_size=5), min_size=1, max_size=4),
    end=st.sampled_from([END, END, None]),
    never=st.sampled_from([(), (0, 2)]),
)
@settings(deadline=None, max_examples=60)
def test_it_is_the_plain_search(
    toy_decoder, plainly, search, vocab_size, seed, sharpness, sources, end, never
):
    """Which keeps every source to itself and never stops early."""
    model = toy_decoder(vocab_size, seed, sharpness)
    found = written(model, sources, search, end=end, never=never, keep_alignment=True)
    for source, one in zip(sources, found, strict=True):
        same(one, plainly(model, torch.tensor(source), search, end, never))
        assert len({(h.tokens, h.finished) for h in one}) == len(one)
        rank = [(h.finished and search.unfinished == "last", h.score) for h in one]
        assert rank == sorted(rank, reverse=True)
        assert all(h.length >= search.min_length for h in one if h.finished)


@pytest.mark.parametrize("beam", [1, 3])
def test_long_texts_are_kept_whole(toy_decoder, plainly, beam):
    model, search = toy_decoder(9, 4), Search(beam=beam, n_best=beam, max_length=70)
    found = written(model, SOURCES[:2], search, keep_alignment=True)
    for source, one in zip(SOURCES, found, strict=False):
        assert one[0].length == 70
        same(one, plainly(model, torch.tensor(source), search))


def every_text(model, source, search, end):
    """``(score, tokens)`` of each text there is, by teacher forcing."""
    found = []
    limit = search.max_length
    words = [token for token in range(model.vocab_size) if token != end]
    for size in range(limit):
        for tokens in itertools.product(words, repeat=size):
            state, log_prob, looked = model.encode(source.unsqueeze(0)), 0.0, 0.0
            for before, token in zip((BEGIN, *tokens), (*tokens, end), strict=True):
                scores, state = model.step(torch.tensor([before]), state)
                log_prob += float(scores[0].log_softmax(-1)[token])
                looked = looked + state.weights[0]
            cost = search.coverage * sum(math.log(min(float(a), 1)) for a in looked)
            found.append((log_prob / search.penalty(float(size + 1)) + cost, tokens))
    return sorted(found, reverse=True)


@pytest.mark.parametrize(
    ("kind", "alpha", "coverage"), [("none", 0.0, 0.0), ("gnmt", 1.5, 0.0), ("average", 1.0, 0.3)]
)
def test_a_beam_that_holds_everything_finds_the_best(toy_decoder, kind, alpha, coverage):
    model, source = toy_decoder(4, 3), torch.tensor([5, 9, 4])
    search = Search(
        beam=4**4, n_best=20, max_length=4, length_penalty=kind, alpha=alpha, coverage=coverage,
        unfinished="last",
    )  # fmt: skip
    scores, state = read_source(model, source.unsqueeze(0))
    request = Request(step=model.step, search=search, end=END, alignment=model.alignment)
    found = beam_search(request, scores, state)[0]
    wanted = every_text(model, source, search, END)
    assert len(wanted) == 1 + 3 + 9 + 27
    assert [one.tokens for one in found] == [tokens for _, tokens in wanted[:20]]
    assert [one.score for one in found] == pytest.approx([score for score, _ in wanted[:20]])


@pytest.mark.parametrize("alpha", [0.0, 0.6])
def test_one_beam_is_greedy(toy_decoder, alpha):
    """What beam search does with one hypothesis is greedy search, where long texts are not preferred."""
    model = toy_decoder(12, 1)
    source, lengths = padded(SOURCES)
    search = Search(alpha=alpha, max_length=12)
    found = written(model, SOURCES, search, end=END)
    scores, state = read_source(model, source, lengths)
    for row in range(len(SOURCES)):
        best, here = scores[row : row + 1], model.encode(source[row : row + 1], lengths[row : row + 1])
        best, here = model.step(torch.tensor([BEGIN]), here)
        tokens = []
        while len(tokens) < 12 and (not tokens or tokens[-1] != END):
            tokens.append(int(best.argmax()))
            best, here = model.step(torch.tensor(tokens[-1:]), here)
        finished = tokens[-1] == END
        assert found[row][0].tokens == tuple(tokens[:-1] if finished else tokens)
        assert found[row][0].finished == finished
    if not alpha:
        beamed = beam_search(Request(step=model.step, search=search, end=END), scores, state)
        assert beamed == found


@pytest.mark.parametrize("beam", [1, 4])
def test_the_log_probability_is_the_models(toy_decoder, beam):
    model = toy_decoder(9, 5)
    search = Search(beam=beam, n_best=beam, max_length=7, repetition_penalty=1.4, no_repeat_ngram=2)
    found = written(model, SOURCES, search, end=END)
    assert any(h.finished for one in found for h in one)
    for source, hypotheses in zip(SOURCES, found, strict=True):
        for one in hypotheses:
            state, log_prob = model.encode(torch.tensor([source])), 0.0
            targets = [*one.tokens, END] if one.finished else one.tokens
            for before, token in zip([BEGIN, *one.tokens], targets, strict=False):
                scores, state = model.step(torch.tensor([before]), state)
                log_prob += float(scores[0].log_softmax(-1)[token])
            assert one.log_prob == pytest.approx(log_prob)
            assert one.length == len(targets)


@pytest.mark.parametrize("beam", [1, 3])
def test_a_batch_is_each_alone(toy_decoder, beam):
    model = toy_decoder(9, 2)
    search = Search(beam=beam, n_best=beam, coverage=0.2, max_length=3, max_factor=1.5)
    together = written(model, SOURCES, search, end=END, keep_alignment=True)
    for source, found in zip(SOURCES, together, strict=True):
        (alone,) = written(model, [source], search, end=END, keep_alignment=True)
        assert [h.tokens for h in found] == [h.tokens for h in alone]
        assert [h.score for h in found] == pytest.approx([h.score for h in alone])
        for one, other in zip(found, alone, strict=True):
            assert one.alignment.shape == (one.length, len(source))
            torch.testing.assert_close(one.alignment, other.alignment)
            torch.testing.assert_close(one.alignment.sum(1), torch.ones(one.length).double())


class TableModel:
    """Says what comes next from the tokens so far: ``table[tokens]`` are probabilities."""

    def __init__(self, table, rest):
        self.table, self.rest = table, rest
        self.batches = []

    def scores(self, written):
        rows = [self.table.get(tuple(row.tolist()), self.rest) for row in written]
        return torch.tensor(rows, dtype=torch.float64).log()

    def start(self, num_sources=1):
        written = torch.zeros(num_sources, 0, dtype=torch.long)
        return self.scores(written), (written,)

    def step(self, x_t, state):
        self.batches.append(len(x_t))
        written = torch.cat([state[0], x_t.unsqueeze(1)], 1)
        return self.scores(written), (written,)


def decoded(table, rest, search, **more):
    model = TableModel(table, rest)
    scores, state = model.start()
    return decode(model.step, scores, state, search, **{"end": 0, **more})[0], model


EARLY = {(): [0.4, 0.5, 0.1], (1,): [0.1, 0.8, 0.1], (1, 1): [0.7, 0.2, 0.1]}


def test_the_length_penalty_decides_between_an_early_end_and_a_long_text():
    search = {"beam": 2, "n_best": 2, "max_length": 5}
    best, second = decoded(EARLY, [0.9, 0.05, 0.05], Search(**search, length_penalty="none"))[0]
    assert (best.tokens, best.finished) == ((), True)
    assert best.score == best.log_prob == pytest.approx(math.log(0.4))
    assert (second.tokens, second.log_prob) == ((1, 1), pytest.approx(math.log(0.5 * 0.8 * 0.7)))
    best, second = decoded(EARLY, [0.9, 0.05, 0.05], Search(**search, length_penalty="average", alpha=1.0))[0]
    assert (best.tokens, second.tokens) == ((1, 1), (1, 1, 1))
    assert best.score == pytest.approx(math.log(0.5 * 0.8 * 0.7) / 3)
    best = decoded(EARLY, [0.9, 0.05, 0.05], Search(**search, length_penalty="gnmt", alpha=2.0))[0][0]
    assert best.score == pytest.approx(math.log(0.5 * 0.8 * 0.7) / (8 / 6) ** 2)


def test_an_end_beyond_the_beam_finishes_nothing():
    table = {(): [0.2, 0.5, 0.3]}
    found, _ = decoded(table, [0.0, 0.9, 0.1], Search(beam=2, n_best=2, length_penalty="none", max_length=2))
    assert [(h.tokens, h.finished) for h in found] == [((1, 1), False), ((2, 1), False)]


def test_it_stops_when_nothing_can_be_overtaken():
    certain = {(): [0.98, 0.01, 0.01]}
    search = Search(beam=2, length_penalty="none", max_length=50)
    found, model = decoded(certain, [0.1, 0.8, 0.1], search)
    assert found[0].tokens == ()
    assert model.batches == []  # no text is likelier than its first 0.01
    # Over a long text's penalty even 0.01 may come to more than 0.98 does.
    _, model = decoded(
        certain, [0.1, 0.8, 0.1], Search(beam=2, length_penalty="average", alpha=4, max_length=9)
    )
    assert len(model.batches) == 8


def test_a_source_that_is_done_leaves_and_the_order_is_kept():
    class TwoSources(TableModel):
        def scores(self, written):
            scores = super().scores(written[:, 1:])
            ends = torch.tensor([0.99, 0.005, 0.005]).double().log()
            return torch.where(written[:, :1] == 1, ends, scores)  # the first token says which source

    for beam in (1, 2):
        model = TwoSources({}, [0.01, 0.9, 0.09])
        state = (torch.tensor([[2], [1], [2], [1]]),)
        search = Search(beam=beam, length_penalty="none", max_length=4)
        found = decode(model.step, model.scores(*state), state, search, end=0)
        assert [one[0].tokens for one in found] == [(1, 1, 1, 1), (), (1, 1, 1, 1), ()]
        assert [one[0].finished for one in found] == [False, True, False, True]
        assert model.batches == [2 * beam] * 3


@pytest.mark.parametrize("beam", [1, 2])
def test_texts_end_between_the_shortest_and_the_longest_length(beam):
    always_end, never_end = [0.98, 0.01, 0.01], [0.0, 0.6, 0.4]
    one = decoded({}, always_end, Search(beam=beam, min_length=3, max_length=9))[0][0]
    assert (one.length, one.finished) == (3, True)
    one = decoded({}, never_end, Search(beam=beam, max_length=4))[0][0]
    assert (one.tokens, one.finished, one.length) == ((1, 1, 1, 1), False, 4)
    one = decoded({}, never_end, Search(beam=beam, max_length=1, max_factor=1.5), lengths=torch.tensor([3]))[
        0
    ]
    assert one[0].length == 1 + 4
    one = decoded({}, always_end, Search(beam=beam, max_length=4), end=None)[0][0]
    assert (one.tokens, one.finished) == ((0, 0, 0, 0), False)


@pytest.mark.parametrize("beam", [1, 2])
def test_cut_ones_are_given_only_where_too_few_finished(beam):
    table = {(): [0.05, 0.8, 0.15], (1,): [0.5, 0.45, 0.05]}
    found, _ = decoded(table, [0.0, 1.0, 0.0], Search(beam=beam, n_best=beam, max_length=3, alpha=0.0))
    assert [(h.tokens, h.finished) for h in found] == [((1,), True), ((1, 1, 1), False)][:beam]


def test_a_likelier_text_that_was_cut_is_compared_with_an_empty_one_or_put_last():
    table = {(): [0.4, 0.6, 0.0]}
    search = {"beam": 2, "n_best": 2, "max_length": 3, "length_penalty": "none"}
    orders = {"compared": [((1, 1, 1), False), ((), True)], "last": [((), True), ((1, 1, 1), False)]}
    for unfinished, wanted in orders.items():
        found, _ = decoded(table, [0.0, 0.9, 0.1], Search(**search, unfinished=unfinished))
        assert [(h.tokens, h.finished) for h in found] == wanted
        found, _ = decoded(table, [0.0, 0.9, 0.1], Search(**search | {"n_best": 1}, unfinished=unfinished))
        assert [(h.tokens, h.finished) for h in found] == wanted[:1]
    assert Search().unfinished == "compared"


@pytest.mark.parametrize("beam", [1, 2])
def test_where_nothing_more_can_be_generated_what_there_is_is_kept(beam):
    table = {(): [0.0, 1.0, 0.0]}  # after that, an end is all there is, and it comes too early
    (one,), _ = decoded(table, [1.0, 0.0, 0.0], Search(beam=beam, min_length=3))
    assert (one.tokens, one.finished, one.log_prob) == ((1,), False, 0.0)
    (one,), _ = decoded({(): [0.0, 1.0, 0.0]}, [0.0, 0.0, 1.0], Search(beam=beam, min_length=3), end=2)
    assert (one.tokens, one.finished, one.log_prob) == ((1,), False, 0.0)
    (one,), _ = decoded({}, [1.0, 0.0, 0.0], Search(beam=beam, min_length=3))
    assert (one.tokens, one.finished) == ((), False)


def test_fewer_than_asked_where_there_are_no_more():
    table = {(): [0.0, 1.0, 0.0]}
    found, _ = decoded(table, [1.0, 0.0, 0.0], Search(beam=2, n_best=2))
    assert [(one.tokens, one.finished) for one in found] == [((1,), True)]


def test_it_goes_on_where_a_negative_alpha_prefers_what_comes_next():
    table = {(): [0.1, 0.9, 0.0]}
    search = Search(beam=2, length_penalty="average", alpha=-2.0, max_length=9)
    (one,), _ = decoded(table, [0.99, 0.01, 0.0], search)
    assert one.tokens == (1,)
    assert one.score == pytest.approx(4 * math.log(0.9 * 0.99))


@pytest.mark.parametrize("beam", [1, 2])
def test_no_run_of_tokens_comes_twice(beam):
    same_always = [0.01, 0.6, 0.3, 0.09]
    wanted = {1: (1, 2, 3), 2: (1, 1, 2, 1, 3), 3: (1, 1, 1, 2, 1, 1)}
    for size, tokens in wanted.items():
        search = Search(beam=beam, max_length=len(tokens), no_repeat_ngram=size, length_penalty="none")
        one = decoded({}, same_always, search, never=(0,), end=None)[0][0]
        if beam == 1:
            assert one.tokens == tokens
        runs = [one.tokens[i : i + size] for i in range(len(one.tokens) - size + 1)]
        assert len(runs) == len(set(runs)) > 0


def test_the_prompt_counts_for_repetition():
    rest, prompt = [0.01, 0.6, 0.3, 0.09], torch.tensor([[1, 2]])
    search = Search(max_length=1, no_repeat_ngram=1)
    assert decoded({}, rest, search, context=prompt)[0][0].tokens == (3,)
    assert decoded({}, rest, Search(max_length=1, repetition_penalty=5.0), context=prompt)[0][0].tokens == (
        3,
    )


class Covers:
    """Gives the same scores always; where it looks depends on its last token."""

    looks = torch.tensor([[0.5, 0.5, 0.0], [0.9, 0.1, 0.0], [0.2, 0.8, 0.0]], dtype=torch.float64)

    def step(self, x_t, state):
        scores = torch.tensor([0.4, 0.31, 0.29]).double().log().expand(len(x_t), -1)
        return scores, (self.looks[x_t],)


def test_coverage_by_hand():
    model = Covers()
    scores, state = model.step(torch.tensor([1]), None)
    search = Search(beam=2, n_best=2, length_penalty="none", coverage=2.0, max_length=2, min_length=2)
    more = {"end": 0, "alignment": lambda state: state[0], "keep_alignment": True}
    found = decode(model.step, scores, state, search, lengths=torch.tensor([2]), **more)[0]
    # Both look 0.9, 0.1 at first; after token 1 again, after token 2 0.2, 0.8. The third place is padding.
    assert [one.tokens for one in found] == [(2,), (1,)]
    assert found[0].log_prob < found[1].log_prob
    assert found[0].score == pytest.approx(math.log(0.29 * 0.4) + 2 * (math.log(1) + math.log(0.9)))
    assert found[1].score == pytest.approx(math.log(0.31 * 0.4) + 2 * (math.log(1) + math.log(0.2)))
    assert found[0].alignment.tolist() == [[0.9, 0.1], [0.2, 0.8]]
    unseen = decode(model.step, scores, state, search, **more)[0][0]
    assert unseen.score == pytest.approx(found[0].score + 2 * math.log(1e-7))
    assert unseen.alignment.shape == (2, 3)


def test_the_first_state_is_not_changed_and_the_memory_is_never_copied(toy_decoder):
    model = toy_decoder(9, 2)
    source, lengths = padded(SOURCES)
    scores, state = read_source(model, source, lengths)
    kept = [part.clone() for part in (scores, *flatten_state(state))]
    places, rows = set(), []

    def step(x_t, here):
        places.add((len(here.source.parts[0]), here.source.parts[0].data_ptr()))
        rows.append(len(x_t))
        return model.step(x_t, here)

    search = Search(beam=3, min_length=3, no_repeat_ngram=2, max_length=3, max_factor=1.0)
    decode(step, scores, state, search, end=END, never=(0,), lengths=lengths)
    assert all(map(torch.equal, kept, (scores, *flatten_state(state))))
    assert (4, state.source.parts[0].data_ptr()) in places
    assert len(places) == len({count for count, _ in places}) > 1  # one memory for each number of sources
    assert rows == sorted(rows, reverse=True)


@pytest.mark.parametrize("beam", [1, 2])
def test_a_state_whose_order_is_kept_is_handed_on_as_it_is(beam):
    given, seen = [], []

    def step(x_t, state):
        seen.append(state[0])
        given.append((x_t + 0.0).unsqueeze(1))
        return torch.tensor([[-9.0, 5.0, 0.0]]).expand(len(x_t), -1), (given[-1],)

    scores = torch.tensor([[-9.0, 1.0, 1.1]])
    found = decode(step, scores, (torch.zeros(1, 1),), Search(beam=beam, n_best=beam, max_length=5), end=0)
    assert [one.tokens for one in found[0]] == [(2, 1, 1, 1, 1), (1, 1, 1, 1, 1)][:beam]
    assert all(map(lambda one, other: one is other, given, seen[1:]))


@pytest.mark.parametrize("beam", [1, 3])
def test_half_precision_logits_are_summed_in_single(beam):
    """A row of bfloat16 scores is normalised in float32: rounding each step would be off by a percent."""
    scores = torch.linspace(0, 2, 9).bfloat16().unsqueeze(0)
    search = Search(beam=beam, max_length=20, length_penalty="none")
    found = decode(lambda x_t, state: (scores.expand(len(x_t), -1), state), scores, (), search)
    wanted = 20 * float(scores.double().log_softmax(-1).max())
    assert found[0][0].log_prob == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("name", ["lstm", "gru", "tcn"])
@pytest.mark.parametrize("end", [None, 4])
def test_language_models_are_searched_from_a_prompt(name, end):
    torch.manual_seed(0)
    signature = Signature("language-model", "tokens", (6,), 11, 11)
    model = find(name).build(find(name).configure(signature, width=16)).eval()
    prompts = torch.tensor([[1, 5, 3], [2, 2, 9]])
    scores, state = read_prompt(model, prompts)
    search = Search(beam=3, n_best=3, max_length=5)
    found = decode(model.step, scores, state, search, end=end, context=prompts)
    for prompt, hypotheses in zip(prompts, found, strict=True):
        assert len(hypotheses) == 3
        for one in hypotheses:
            targets = torch.tensor([*one.tokens, end] if one.finished else one.tokens)
            with torch.no_grad():
                logits, _ = model(torch.cat([prompt, targets[:-1]]).unsqueeze(0))
            log_probs = logits[0, 2:].log_softmax(-1).gather(1, targets.unsqueeze(1))
            assert one.log_prob == pytest.approx(float(log_probs.sum()), abs=1e-4)
            assert one.finished == (end is not None) or one.length == 5


@pytest.mark.parametrize("beam", [1, 2])
def test_what_has_no_attention_has_no_alignment(beam):
    more = {"alignment": lambda state: None, "keep_alignment": True}
    assert decoded({}, [0.5, 0.4, 0.1], Search(beam=beam), **more)[0][0].alignment is None


def test_no_sources_no_texts():
    assert decode(TableModel({}, [1.0]).step, torch.zeros(0, 3), (), Search()) == []


@pytest.mark.wrong_shapes
def test_what_cannot_be_searched_is_refused(toy_decoder):
    model = toy_decoder(9)
    assert isinstance(model, EncoderDecoder)
    with pytest.raises(UserError, match=r"beam: got 10; must be at most .* vocabulary, which is 9"):
        written(model, SOURCES, Search(beam=10), end=END)
    with pytest.raises(UserError, match=r"never: got .*; must leave a token to generate"):
        decoded({}, [0.5, 0.5], Search(), never=(1,))
    with pytest.raises(UserError, match=r"lengths: got .* has a row for each source: 1"):
        decoded({}, [0.5, 0.5], Search(), lengths=torch.tensor([1, 2]))
    for beam in (1, 2):
        search = Search(beam=beam, coverage=0.2)
        with pytest.raises(UserError, match=r"coverage: got 0.2; needs a model that attends to its source"):
            decoded({}, [0.5, 0.4, 0.1], search)
        with pytest.raises(UserError, match="logits: got 'nan'; a model gives numbers"):
            decoded({}, [math.nan] * 3, Search(beam=beam))
