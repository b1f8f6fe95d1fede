"""GPT and GPT-2: what is cached, where positions end, and the heads of fine-tuning."""

import pytest
import torch

from anncestry.decoding import Search, decode, read_prompt, sample
from anncestry.errors import UserError
from anncestry.models.create import configure, create
from anncestry.models.gpt import GPT, GPTConfig, MultipleChoice, Similarity
from anncestry.models.gpt2 import GPT2, GPT2Config
from anncestry.objectives import objective_for, tally_split
from anncestry.objectives.auxiliary_lm import loss_of
from anncestry.protocols import WithAuxiliaryLM, outputs_of, reorder_state
from anncestry.signature import Signature

V, D, P = 11, 16, 12
KINDS = {"gpt": (GPT, GPTConfig), "gpt2": (GPT2, GPT2Config)}
both = pytest.mark.parametrize("kind", KINDS)


def tiny(kind="gpt", **changes):
    model, config = KINDS[kind]
    sizes = {
        "input_size": V,
        "output_size": V,
        "hidden_size": D,
        "num_layers": 3,
        "num_heads": 4,
        "num_positions": P,
        "seq_len": P,
    }
    made = model(config(**{**sizes, **changes}))
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return made.double().eval()


def tokens(rows, length):
    return torch.randint(V, (rows, length), generator=torch.Generator().manual_seed(rows + length))


@both
@torch.no_grad()
def test_cached_equals_uncached(kind):
    """Token by token, in pieces, and for hypotheses side by side."""
    model, text = tiny(kind), tokens(2, P)
    wanted = model.logits(model.read(text))
    state = model.initial_state(2)
    for t in range(P):
        logits, state = model.step(text[:, t], state)
        torch.testing.assert_close(logits, wanted[:, t], atol=1e-12, rtol=0)
    first, state = model(text[:, :5])
    second, state = model(text[:, 5:9], state)
    third, _ = model(text[:, 9:], state)
    torch.testing.assert_close(torch.cat([first, second, third], 1), wanted, atol=1e-12, rtol=0)
    _, state = model(text[:, :4])
    state = reorder_state(state, torch.tensor([0, 0, 0, 1, 1, 1]))
    other = tokens(6, 3)
    rows = torch.cat([text[:, :4].repeat_interleave(3, 0), other], 1)
    for t in range(3):
        logits, state = model.step(other[:, t], state)
        torch.testing.assert_close(logits, model(rows[:, : 5 + t])[0][:, -1], atol=1e-12, rtol=0)


@both
@torch.no_grad()
def test_what_follows_a_text_is_of_its_last_token(kind):
    """And the state goes on from there."""
    model, text = tiny(kind), tokens(3, P)
    wanted = model.logits(model.read(text))
    logits, state = read_prompt(model, text[:, : P - 1])
    torch.testing.assert_close(logits, wanted[:, P - 2], atol=1e-12, rtol=0)
    torch.testing.assert_close(model.step(text[:, P - 1], state)[0], wanted[:, P - 1], atol=1e-12, rtol=0)
    answering = tiny(kind, task="classification", output_size=2)
    torch.testing.assert_close(answering.after(text)[0], answering(text)[0], atol=1e-12, rtol=0)


@both
def test_nothing_sees_the_future(kind):
    model, text = tiny(kind), tokens(2, P)
    embedded = model.embedding(text).detach().requires_grad_()
    model.embedding.forward = lambda _: embedded
    logits, _ = model(text)
    for t in range(P):
        (gradient,) = torch.autograd.grad(logits[:, t].sum(), embedded, retain_graph=True)
        assert gradient[:, t + 1 :].abs().max() == 0 if t + 1 < P else True
        assert (gradient[:, : t + 1].abs().amax(-1) > 0).all()


def test_a_window_that_is_too_long():
    model = tiny()
    with pytest.raises(UserError, match="length: got 13; learnt positions end at num_positions, which is 12"):
        model(tokens(1, P + 1))
    _, state = model(tokens(1, 10))
    with pytest.raises(UserError, match="length: got 13"):
        model(tokens(1, 3), state)
    with pytest.raises(
        UserError, match=r"seq_len: got 20; must be at most `num_positions`, which is 12: .* `window`"
    ):
        tiny(seq_len=20)
    with pytest.raises(UserError, match="seq_len: got 20"):
        tiny(seq_len=20, task="classification", output_size=3)
    signature = Signature("language-model", "tokens", (600,), V, V)
    assert configure("gpt", {}, signature=signature).num_positions == 600
    with pytest.raises(UserError, match="seq_len: got 600"):
        configure("gpt-base", {}, signature=signature)


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("positions", [1, 5, 6])
@torch.no_grad()
def test_beyond_the_last_position_the_older_half_is_dropped(beam, positions):
    """Against a loop without a cache, which reads what is left again for every token."""
    model, sources = tiny("gpt2", num_positions=positions, seq_len=1), 2
    given = tokens(sources, positions)
    _, state = model(given)
    state = reorder_state(state, torch.arange(sources).repeat_interleave(beam))
    seen = given.repeat_interleave(beam, 0)
    for t in range(3 * positions):
        new = tokens(sources * beam, t + 1)[:, 0]
        if seen.shape[1] == positions:
            seen = seen[:, positions - positions // 2 :]
        seen = torch.cat([seen, new[:, None]], 1)
        logits, state = model.step(new, state)
        torch.testing.assert_close(logits, model(seen)[0][:, -1], atol=1e-12, rtol=0)
        order = torch.randperm(beam).repeat(sources) + torch.arange(sources).repeat_interleave(beam) * beam
        seen, state = seen[order], reorder_state(state, order)
    if beam > 1:  # a source leaves
        seen, state = seen[beam:], reorder_state(state, torch.arange(beam, 2 * beam), torch.tensor([1]))
        if seen.shape[1] < positions:
            new = tokens(beam, 2)[:, 0]
            logits, _ = model.step(new, state)
            wanted = model(torch.cat([seen, new[:, None]], 1))[0][:, -1]
            torch.testing.assert_close(logits, wanted, atol=1e-12, rtol=0)


@both
def test_it_is_sampled_and_searched_as_any_decoder(kind):
    model, prompt = tiny(kind), tokens(1, 3)[0]
    greedy = [token for (token,) in sample(model, prompt, 30, 0.0)]
    text = prompt.tolist()
    for _ in range(P - 3 + 1):
        text.append(int(model(torch.tensor([text]))[0][0, -1].argmax()))
    assert greedy[: P - 3 + 1] == text[3:]
    assert len(greedy) == 30
    logits, state = read_prompt(model, prompt[None])
    ((found,),) = decode(model.step, logits, state, Search(beam=1, max_length=30))
    assert list(found.tokens) == greedy
    logits, state = read_prompt(model, tokens(3, 4))
    best = decode(model.step, logits, state, Search(beam=4, n_best=2, max_length=20), end=2)
    assert [len(rows) for rows in best] == [2, 2, 2]
    drawn = list(sample(model, prompt, 20, 1.0, torch.Generator().manual_seed(0), num_samples=3))
    assert torch.tensor(drawn).shape == (20, 3)


def test_windows_are_read_apart():
    """No state is carried, neither in training nor in scoring."""
    from anncestry.data.splits.dataset import Stream

    model = tiny()
    assert model.train()(tokens(2, 4))[1] is None
    split = Stream(tokens(1, 41)[0], 10)
    objective = objective_for(model.config.signature)
    sums = tally_split(model.eval(), split, objective, 1)
    apart = [objective.tally(model(batch.inputs)[0], batch.targets) for batch in split.batches(1)]
    torch.testing.assert_close(sums, torch.stack(apart).sum(0))
    assert len(apart) == 4


@both
def test_answers_are_read_at_the_last_token(kind):
    model = tiny(kind, task="classification", output_size=3)
    text, lengths = tokens(3, 7), torch.tensor([7, 4, 1])
    padded, state = model(text, lengths=lengths)
    assert state is None
    for row, length in enumerate(lengths.tolist()):
        alone, _ = model(text[row : row + 1, :length])
        torch.testing.assert_close(padded[row : row + 1], alone, atol=1e-12, rtol=0)
        features = model.read(text[row : row + 1, :length])[:, -1]
        by_hand = features @ model.answer.linear.weight.T + model.answer.linear.bias
        torch.testing.assert_close(alone, by_hand, atol=1e-12, rtol=0)


def test_initial_weights():
    torch.manual_seed(0)
    gpt, gpt2 = (create(name, input_size=500, output_size=500, hidden_size=96) for name in ("gpt", "gpt2"))
    for model in (gpt, gpt2):
        assert model.embedding.weight.std().item() == pytest.approx(0.02, rel=0.03)
        assert model.blocks[3].attention.qkv.weight.std().item() == pytest.approx(0.02, rel=0.03)
        assert not model.blocks[3].feed_forward.inner.bias.any()
    assert gpt.blocks[3].feed_forward.out.weight.std().item() == pytest.approx(0.02, rel=0.03)
    scaled = gpt2.blocks[3].feed_forward.out.weight.std().item()
    assert scaled == pytest.approx(0.02 / 24**0.5, rel=0.03)
    assert gpt2.norm.weight.shape == (96,)
    assert not list(gpt.norm.parameters())


def test_heads_for_several_texts():
    """Both orders are added; a choice is scored by itself."""
    decoder = tiny()
    same, choose = Similarity(decoder, 2).double().eval(), MultipleChoice(decoder).double().eval()
    pairs, lengths = tokens(4, 6).view(2, 2, 6), torch.tensor([[6, 6], [4, 5]])
    swapped = same(pairs.flip(1), lengths.flip(1))
    torch.testing.assert_close(same(pairs, lengths), swapped, atol=1e-12, rtol=0)
    first = [decoder.read(pairs[1, side, :length][None])[0, -1] for side, length in ((0, 4), (1, 5))]
    wanted = sum(first) @ same.answer.linear.weight.T + same.answer.linear.bias
    torch.testing.assert_close(same(pairs, lengths)[1], wanted, atol=1e-12, rtol=0)
    choices = tokens(6, 5).view(2, 3, 5)
    logits = choose(choices)
    assert logits.shape == (2, 3)
    alone = torch.stack([choose(choices[:, k : k + 1])[:, 0] for k in range(3)], 1)
    torch.testing.assert_close(logits, alone, atol=1e-12, rtol=0)


def test_the_text_is_learnt_beside_the_answer():
    """L_answer + lambda L_text, each text's mean over its own tokens."""
    model = tiny(task="classification", output_size=3, text_weight=0.5)
    text, lengths, targets = tokens(2, 6), torch.tensor([6, 3]), torch.tensor([1, 2])
    objective = objective_for(model.config.signature)
    answers, _ = outputs_of(model, text, lengths=lengths)
    assert isinstance(answers, torch.Tensor)
    for module in model.train().modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "dropout") and isinstance(module.dropout, float):
            module.dropout = 0.0
    outputs, _ = outputs_of(model, text, lengths=lengths)
    assert isinstance(outputs, WithAuxiliaryLM)
    torch.testing.assert_close(outputs.outputs, answers)
    of_text = [
        torch.nn.functional.cross_entropy(outputs.lm_logits[row, : length - 1], text[row, 1:length])
        for row, length in enumerate(lengths.tolist())
    ]
    wanted = objective.loss(answers, targets) + 0.5 * sum(of_text)
    torch.testing.assert_close(loss_of(objective, outputs, targets), wanted)
    assert loss_of(objective, answers, targets) == objective.loss(answers, targets)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_heads": 3}, "hidden_size: got 16; must be a multiple of `num_heads`, which is 3"),
        ({"activation": "tanh"}, "activation: got 'tanh'.*Choices: relu, gelu, gelu-tanh"),
        (
            {"output_size": 4},
            "output_size: got 4; must be `input_size`, which is 11, where `task` is language-model",
        ),
        ({"task": "tagging"}, "task: got 'tagging'"),
        ({"dropout": 1.0}, "dropout: got 1.0"),
    ],
)
def test_what_is_no_config(changes, message):
    with pytest.raises(UserError, match=message):
        tiny(**changes)
