"""Language models continue a prompt: beams against the plainest search, samples, and pieces of text."""

import pytest
import torch

import anncestry
from anncestry.data.processors import TextProcessor
from anncestry.decoding import Sampling, Search
from anncestry.engine.prediction import Prediction
from anncestry.engine.progress import Counter
from anncestry.engine.threads import limited_threads
from anncestry.engine.weight_cache import wants_int8
from anncestry.inference.continuation import (
    generator_of,
    read_given,
    sample_rows,
    search_row,
)
from anncestry.inference.text_stream import TextStream
from anncestry.signature import Signature

VOCABULARY = "abcde"
SIGNATURE = Signature("language-model", "tokens", (6,), 5, 5)
NETS = {
    "rnn": {},
    "tcn": {},
    "gpt": {"num_positions": 8, "seq_len": 6, "num_layers": 2},
}


@pytest.fixture(params=NETS)
def model(request):
    """A small net whose logits differ."""
    torch.manual_seed(1)
    net = anncestry.create(request.param, signature=SIGNATURE, width=8, **NETS[request.param]).eval()
    for weight in net.parameters():
        weight.data.add_(0.5 * torch.randn_like(weight))
    return net.requires_grad_(False)


@pytest.fixture
def processor():
    return TextProcessor(VOCABULARY)


def none(total: int = 1) -> Counter:
    return Counter(None, total)


def plain_beam(model, prompt, beam: int, length: int) -> list[tuple[float, str]]:
    """Beam search as plainly as possible: each hypothesis with a state of its own."""
    logits, state = None, model.initial_state(1)
    for token in prompt:
        logits, state = model.step(token.view(1), state)
    live = [(0.0, (), logits, state)]
    for _ in range(length):
        ways = [
            (score + added, (*tokens, token), state)
            for score, tokens, logits, state in live
            for token, added in enumerate(logits[0].log_softmax(-1).tolist())
        ]
        best = sorted(ways, key=lambda way: -way[0])[:beam]
        live = [
            (score, tokens, *model.step(torch.tensor([tokens[-1]]), state)) for score, tokens, state in best
        ]
    return [(score, "".join(VOCABULARY[token] for token in tokens)) for score, tokens, *_ in live]


@pytest.mark.parametrize("beam", [1, 3])
def test_a_beam_finds_what_the_plainest_search_finds(model, processor, beam):
    """Of gpt also behind its last position, where it reads the newer half of the text again."""
    prompt = read_given(model, processor, "abcab")
    search = Search(beam=beam, n_best=beam, max_length=11, length_penalty="none")
    row = search_row(model, processor, prompt, search, Prediction(), none())
    found = [(best["score"], best["continuation"]) for best in row.get("n_best", [row])]
    wanted = plain_beam(model, prompt.tokens, beam, 11)
    assert [text for _, text in found] == [text for _, text in wanted]
    assert [score for score, _ in found] == pytest.approx([score for score, _ in wanted], abs=1e-4)
    assert row["text"] == f"abcab{row['continuation']}"


def test_a_wider_beam_finds_a_more_probable_text(processor):
    torch.manual_seed(5)
    net = anncestry.create("rnn", signature=SIGNATURE, width=8).eval()
    for weight in net.parameters():
        weight.data.add_(torch.randn_like(weight))
    prompt = read_given(net, processor, "ab")
    scores = [
        search_row(
            net,
            processor,
            prompt,
            Search(beam=beam, max_length=8, length_penalty="none"),
            Prediction(),
            none(),
        )["score"]
        for beam in (1, 5)
    ]
    assert scores[1] > scores[0] + 1


def test_temperature_0_is_greedy_search(model, processor):
    prompt = read_given(model, processor, "abc")
    (drawn,) = sample_rows(
        model, processor, [prompt], Sampling(0.0), 9, generator_of(0), 1, Prediction(), none()
    )
    greedy = search_row(model, processor, prompt, Search(max_length=9), Prediction(), none())
    assert drawn["continuation"] == greedy["continuation"]


def test_samples_differ_and_a_seed_fixes_them(model, processor):
    prompt = read_given(model, processor, "abc")
    asked = (model, processor, [prompt], Sampling(1.5), 12)
    rows = sample_rows(*asked, generator_of(3), 3, Prediction(), none())
    assert len({row["continuation"] for row in rows}) == 3
    assert rows == sample_rows(*asked, generator_of(3), 3, Prediction(), none())
    assert rows != sample_rows(*asked, generator_of(4), 3, Prediction(), none())


def test_pieces_are_the_text(model, processor):
    prompt = read_given(model, processor, "abc")
    (row,) = sample_rows(
        model, processor, [prompt], Sampling(1.0), 12, generator_of(0), 1, Prediction(), none()
    )
    pieces = list(TextStream(model, processor, prompt, Sampling(1.0), 12, generator_of(0)))
    assert pieces[0] == "abc"
    assert len(pieces) == 13
    assert "".join(pieces) == row["text"]


def test_progress_is_in_tokens(model, processor):
    prompt, told = read_given(model, processor, "abc"), []
    counter = Counter(lambda *parts: told.append(parts), 8)
    sample_rows(model, processor, [prompt], Sampling(1.0), 4, generator_of(0), 2, Prediction(), counter)
    search_row(model, processor, prompt, Search(beam=2, max_length=4), Prediction(), counter)
    assert told == [(done, 8) for done in range(1, 9)]


def test_a_prompt_that_is_too_long_is_cut_at_its_beginning(processor):
    net = anncestry.create("gpt", signature=SIGNATURE, width=8, **NETS["gpt"]).eval()
    prompt = read_given(net, processor, "abcdeabcde")
    assert processor.decode_tokens(prompt.tokens) == "cdeabcde"
    assert prompt.note == "only its last 8 of 10 tokens are read; the net has no more positions"
    search = Search(beam=2, max_length=2)
    row = search_row(net, processor, prompt, search, Prediction(), none())
    assert row["note"] == prompt.note
    assert row["text"] == f"abcdeabcde{row['continuation']}"
    assert next(TextStream(net, processor, prompt, Sampling(1.0), 2, generator_of(0))) == "abcdeabcde"


def test_a_generator_goes_on_where_it_is():
    random = generator_of(5)
    assert generator_of(random) is random
    with pytest.raises(anncestry.UserError, match="seed"):
        generator_of(-1)


@pytest.mark.parametrize("threads", [1, 2])
def test_prompts_of_any_lengths_are_continued_as_each_alone(model, processor, threads):
    texts = ["abc", "ab", "cba", "e", "bcd"]
    rule, random = Sampling(1.2, top_p=0.9), generator_of(7)
    prompts = [read_given(model, processor, text) for text in texts]
    alone = [
        row
        for prompt in prompts
        for row in sample_rows(model, processor, [prompt], rule, 12, random, 2, Prediction(), none())
    ]
    about = (rule, 12, generator_of(7), 2, Prediction())
    told = []
    with limited_threads(threads):
        rows = sample_rows(model, processor, prompts, *about, Counter(lambda *parts: told.append(parts), 60))
    assert rows == alone
    assert told[-1] == (60, 60)


class Ended(TextProcessor):
    """Its texts end with an e."""

    end_of_text = 4


def test_a_text_ends_where_the_model_says_so(model):
    """Sampled, in pieces and by greedy search: the continuation is what stands before the end."""
    processor, plain = Ended(VOCABULARY), TextProcessor(VOCABULARY)
    prompt, told = read_given(model, plain, "abc"), []
    ended = 0
    for seed in range(6):
        about = (Sampling(1.5), 12, generator_of(seed), 2, Prediction())
        whole = sample_rows(model, plain, [prompt], *about, none())
        about = (Sampling(1.5), 12, generator_of(seed), 2, Prediction())
        counter = Counter(lambda *parts: told.append(parts), 12)
        cut = sample_rows(model, processor, [prompt], *about, counter)
        wanted = [row["continuation"].partition("e")[0] for row in whole]
        assert [row["continuation"] for row in cut] == wanted
        assert told[-1] == (12, 12)
        ended += sum(len(text) < 12 for text in wanted)
        (alone,) = sample_rows(
            model, processor, [prompt], Sampling(1.5), 12, generator_of(seed), 1, Prediction(), none()
        )
        pieces = TextStream(model, processor, prompt, Sampling(1.5), 12, generator_of(seed))
        assert "".join(pieces) == alone["text"]
    assert ended
    search = Search(max_length=12, length_penalty="none")
    greedy = search_row(model, plain, prompt, search, Prediction(), none())["continuation"]
    found = search_row(model, processor, prompt, search, Prediction(), none())["continuation"]
    assert found == greedy.partition("e")[0]


def test_samples_are_drawn_in_the_precision_of_the_prediction(processor, monkeypatch):
    """Of a step too, and of a stream, whose caller is not left within it."""
    seen = []
    net = anncestry.create("gpt", signature=SIGNATURE, width=8, **NETS["gpt"]).eval()
    step = net.step
    monkeypatch.setattr(net, "step", lambda *given: seen.append(wants_int8()) or step(*given))
    prompt = read_given(net, processor, "abc")
    about = (Sampling(1.0), 4, generator_of(0))
    sample_rows(net, processor, [prompt], *about, 1, Prediction("int8"), none())
    for _ in TextStream(net, processor, prompt, *about, Prediction("int8")):
        assert torch.is_grad_enabled()
        assert not wants_int8()
    assert seen == [True] * 6
