"""For every check a model that is broken in just that way, and is found out."""

import copy
import math
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import anncestry
from anncestry.errors import UserError
from anncestry.inspection.conformance import CHECKS, check_model, tiny_signature
from anncestry.models.create import create
from anncestry.models.lstm import LSTM
from anncestry.models.perceptron import Perceptron, PerceptronConfig
from anncestry.models.rnn import RNN
from anncestry.models.rnnsearch import RNNSearch
from anncestry.models.seq2seq import Seq2Seq
from anncestry.signature import Signature

VECTORS = tiny_signature("vector", "classification")
SERIES = tiny_signature("series", "classification")
WORDS = tiny_signature("tokens", "language-model")
TEXTS = tiny_signature("tokens", "translation")


class Plain(nn.Module):
    """A sound classifier of vectors, to be broken."""

    def __init__(self, units=16):
        super().__init__()
        self.first, self.last = nn.Linear(6, units), nn.Linear(units, 3)

    def forward(self, x):
        return self.last(self.first(x).tanh())


def recurrent(base, signature):
    """A child of a recurrent model, made as its parent is made."""
    config = create({RNN: "rnn", LSTM: "lstm"}[base.__mro__[1]], signature=signature, width=8).config
    return base(config)


def outcome(model, check, signature=None):
    (result,) = check_model(model, signature, checks=[check]).results
    return result


def assert_broken(model, check, match, signature=None):
    result = outcome(model, check, signature)
    assert result.outcome == "fail", result
    assert match in result.message


def test_a_sound_module_that_knows_nothing_of_us_passes():
    report = check_model(Plain(), VECTORS)
    assert report.ok
    assert [result.name for result in report.results] == list(CHECKS)
    assert {result.name for result in report.results if result.outcome == "skip"} == {
        "padding-invariance", "causality", "step-equals-forward", "own-rule",
    }  # fmt: skip
    report.raise_if_failed()


def test_wrong_shape_and_nan():
    assert_broken(nn.Linear(6, 4), "output-shape", "the outputs are (3, 4), expected (3, 3)", VECTORS)

    class Diverged(Plain):
        def forward(self, x):
            return super().forward(x) * math.nan

    assert_broken(Diverged(), "output-shape", "NaN", VECTORS)


def test_a_model_that_does_not_run_says_so_once():
    report = check_model(nn.Linear(5, 3), VECTORS)
    assert [result.outcome for result in report.results] == ["fail"] + ["skip"] * (len(CHECKS) - 1)
    assert "raised RuntimeError" in report.results[0].message


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (lambda y: y.double(), "in evaluation the outputs are float64, expected float32, as the weights"),
        (lambda y: y.half(), "in evaluation the outputs are float16, expected float32, as the weights"),
        (lambda y: y.bfloat16().float(), "gives bfloat16 on the way, which rounds float32"),
    ],
)
def test_other_types_than_those_of_the_weights(answer, match):
    class Other(Plain):
        def forward(self, x):
            return answer(super().forward(x))

    assert_broken(Other(), "precision", match, VECTORS)


def test_other_types_in_training_and_in_the_state():
    class InTraining(Plain):
        def forward(self, x):
            return super().forward(x).to(torch.float64 if self.training else x.dtype)

    class InTheState(Plain):
        def forward(self, x):
            return super().forward(x), (x.double(),)

    assert_broken(InTraining(), "precision", "in training the outputs are float64", VECTORS)
    assert_broken(InTheState(), "precision", "the state holds float64", VECTORS)


def test_answers_in_single_precision_whatever_is_read_are_checked_in_it():
    class Single(Plain):
        def forward(self, x):
            return super().forward(x).float()

    assert check_model(Single(), VECTORS).ok
    assert outcome(Single().bfloat16(), "precision", VECTORS).outcome == "pass"


class LeakingNorm(Plain):
    """Batch normalisation that goes on as if in training."""

    def forward(self, x):
        x = self.first(x)
        return self.last((x - x.mean(0)) / (x.std(0, correction=0) + 1e-5))


def test_leak_across_the_batch():
    assert_broken(LeakingNorm(), "batch-invariance", "row 0 alone and in a batch of 4: they differ", VECTORS)


class Faint(Plain):
    """A leak far below single precision."""

    def forward(self, x):
        return super().forward(x) + 1e-8 * x.mean()


def test_double_precision_sees_a_faint_leak():
    assert_broken(Faint(), "batch-invariance", "they differ by", VECTORS)


def test_a_model_bound_to_single_precision_is_checked_in_it():
    class Single(Plain):
        def forward(self, x):
            if x.dtype == torch.float64:
                raise RuntimeError("only float32")
            return super().forward(x)

    assert check_model(Single(), VECTORS).ok


class IgnoresLengths(RNN):
    def forward(self, x, state=None, lengths=None):
        return super().forward(x, state)


class WrongEndState(RNN):
    def forward(self, x, state=None, lengths=None):
        outputs, end = super().forward(x, state, lengths)
        if lengths is not None:
            _, end = super().forward(x, state)
        return outputs, end


class LearnsFromPadding(RNN):
    """Right outputs, but the gradient of the padding comes with them."""

    def forward(self, x, state=None, lengths=None):
        outputs, end = super().forward(x, state, lengths)
        other = (self.readout.weight.sum() * x).sum(2).sum(1, keepdim=True)
        return outputs + other - other.detach(), end


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (IgnoresLengths, "outputs of 3 of 5 steps, padded with other numbers and alone: they differ by"),
        (WrongEndState, "the state after 3 of 5 steps"),
        (
            LearnsFromPadding,
            "the gradient of readout.weight, padded with other numbers and otherwise: they differ",
        ),
    ],
)
def test_padding(model, match):
    assert_broken(recurrent(model, SERIES), "padding-invariance", match)


class ReadAtLastStep(nn.Module):
    """One of PyTorch's recurrent layers, read at the end of each row; or told the lengths beforehand."""

    def __init__(self, kind, packed):
        super().__init__()
        self.layer, self.packed = kind(3, 16, 2, batch_first=True, dropout=0.5), packed
        self.norm, self.out = nn.BatchNorm1d(16), nn.Linear(16, 3)

    def read(self, x, lengths):
        if not self.packed:
            return self.layer(x)
        x = nn.utils.rnn.pack_padded_sequence(x, lengths.cpu(), batch_first=True)
        y, state = self.layer(x)
        return nn.utils.rnn.pad_packed_sequence(y, batch_first=True)[0], state

    def forward(self, x, lengths):
        y, state = self.read(x, lengths)
        return self.out(self.norm(y[torch.arange(len(x)), lengths - 1])), state


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_layers_of_pytorch_read_at_the_last_step_are_sound(kind, packed):
    checks = set(CHECKS) - ({"overfit"} if kind is not nn.LSTM else set())
    report = check_model(ReadAtLastStep(kind, packed), SERIES, checks=checks)
    assert report.ok, f"\n{report}"


def test_images_have_no_padding():
    model = recurrent(IgnoresLengths, tiny_signature("image", "classification"))
    assert outcome(model, "padding-invariance").outcome == "skip"


def test_padding_with_tokens():
    signature = tiny_signature("tokens", "classification")
    assert_broken(recurrent(IgnoresLengths, signature), "padding-invariance", "padded with another token")


class PeeksAhead(RNN):
    def forward(self, x, state=None, lengths=None):
        y, end = self.wiring(self.embedding(x), state, lengths)
        return self.readout(y + 1e-3 * y.roll(-1, dims=1)), end


class LooksBothWays(RNN):
    """Averages the whole sequence into every step."""

    def forward(self, x, state=None, lengths=None):
        y, end = self.wiring(self.embedding(x), state, lengths)
        return self.readout(y + y.mean(1, keepdim=True)), end


class PeeksByGradient(RNN):
    """Later words cancel in the outputs, but not in the gradient."""

    def forward(self, x, state=None, lengths=None):
        z = self.embedding(x)
        y, end = self.wiring(z, state, lengths)
        later = z.flip(1).cumsum(1).flip(1).sum(2, keepdim=True)
        return self.readout(y + later - later.detach()), end


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (PeeksAhead, "outputs before step 1, with other inputs from there on: they differ"),
        (LooksBothWays, "outputs before step 1, with other inputs from there on: they differ"),
        (PeeksByGradient, "the output of step 0 has a gradient of"),
    ],
)
def test_causality(model, match):
    assert_broken(recurrent(model, WORDS), "causality", match)


def test_causality_by_perturbation_alone_where_no_module_embeds():
    class Functional(RNN):
        def forward(self, x, state=None, lengths=None):
            z = nn.functional.one_hot(x, 7).to(self.readout.weight.dtype)
            y, end = self.wiring(z, state, lengths)
            return self.readout(y), end

    result = outcome(recurrent(Functional, WORDS), "causality")
    assert (result.outcome, result.message) == ("pass", "over 5 steps, later inputs change no output")


class OtherStep(LSTM):
    def step(self, x_t, state):
        y_t, after = super().step(x_t, state)
        return y_t + 1e-6, after


class ForgetsItsState(LSTM):
    def forward(self, x, state=None, lengths=None):
        return super().forward(x, None, lengths)


class ReturnsAnotherState(LSTM):
    def forward(self, x, state=None, lengths=None):
        outputs, _ = super().forward(x, state, lengths)
        return outputs, self.initial_state(len(x))


@pytest.mark.parametrize("signature", [SERIES, WORDS], ids=["series", "words"])
@pytest.mark.parametrize(
    ("model", "match"),
    [
        (OtherStep, "step 0 and forward: they differ by 1e-06"),
        (ForgetsItsState, "forward in one go, and gone on from the state after 2 of 5 steps"),
        (ReturnsAnotherState, "the state after 5 steps and after forward"),
    ],
)
def test_step_equals_forward(model, match, signature):
    assert_broken(recurrent(model, signature), "step-equals-forward", match)


class KeepsItsState(RNN):
    """The hidden state of one call is where the next one begins."""

    kept = None

    def forward(self, x, state=None, lengths=None):
        kept = self.kept if self.kept is not None and self.kept[0].h.shape[0] == len(x) else None
        outputs, self.kept = super().forward(x, kept, lengths)
        return outputs, self.kept


def test_state_kept_on_the_model():
    model = recurrent(KeepsItsState, SERIES)
    assert_broken(model, "determinism", "nothing kept on the model")
    model(SERIES.example(2)[0])  # what it keeps now carries a graph
    assert_broken(model, "determinism", "nothing kept on the model")


def test_randomness_in_evaluation_mode():
    class AlwaysDrops(Plain):
        def forward(self, x):
            return super().forward(nn.functional.dropout(x, 0.5))

    assert_broken(AlwaysDrops(), "determinism", "nothing random", VECTORS)


def test_writing_into_the_inputs():
    class InPlace(Plain):
        def forward(self, x):
            return super().forward(x.mul_(0.5))

    class InPlaceWhenTraining(Plain):
        def forward(self, x):
            return super().forward(x.add_(1) if self.training else x)

    assert_broken(InPlace(), "inputs-untouched", "the inputs were changed", VECTORS)
    assert_broken(InPlaceWhenTraining(), "inputs-untouched", "the inputs were changed", VECTORS)


def test_gradients():
    unused = Plain()
    unused.spare = nn.Linear(2, 2)
    assert_broken(unused, "gradients", "no gradient reaches spare.weight, spare.bias", VECTORS)

    class Cut(Plain):
        def forward(self, x):
            return self.last(self.first(x).tanh().detach())

    assert_broken(Cut(), "gradients", "no gradient reaches first.weight, first.bias", VECTORS)

    class Steps(Plain):
        def forward(self, x):
            return self.last(self.first(x).sign())

    assert_broken(Steps(), "gradients", "the gradient is all zero for first.weight", VECTORS)

    class Roots(Plain):
        def forward(self, x):
            return self.last(self.first(0 * x).mul(0).sqrt())

    assert_broken(Roots(), "gradients", "holds NaN", VECTORS)
    assert_broken(Plain().requires_grad_(False), "gradients", "no parameter asks for a gradient", VECTORS)


def test_weights_that_start_at_zero_reach_what_is_below():
    model = Plain()
    nn.init.zeros_(model.last.weight)
    assert outcome(model, "gradients", VECTORS).outcome == "pass"


def test_frozen_weights_are_reported():
    model = Plain()
    model.first.requires_grad_(False)
    message = outcome(model, "gradients", VECTORS).message
    assert message.endswith("get one; frozen, and not learnt: first.weight, first.bias")


def test_weights_that_no_optimizer_knows():
    class Outside(Plain):
        def __init__(self):
            super().__init__()
            self.scale, self.layers = torch.ones(6, requires_grad=True), [nn.Linear(6, 6)]

    assert_broken(Outside(), "gradients", "scale, layers asks for a gradient and is no parameter", VECTORS)


class NeverLearns(Perceptron):
    def correct(self, *block):
        pass


class Explodes(Perceptron):
    def correct(self, *block):
        self.weight += torch.inf


class Scalar(Perceptron):
    def learn(self, inputs, targets):
        return super().learn(inputs, targets).argmax(1)


class Content(Perceptron):
    def criterion(self, outputs, targets):
        return outputs.new_zeros(())


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (NeverLearns, "learn changed no weight"),
        (Explodes, "NaN or infinite"),
        (Scalar, "learn returned (8,), expected the outputs (8, 3)"),
        (Content, "was 0, expected mistakes"),
    ],
)
def test_own_rule(model, match):
    broken = model(PerceptronConfig.for_signature(VECTORS))
    if model is NeverLearns:
        broken.weight += torch.randn_like(broken.weight)  # else every answer is a tie
    assert_broken(broken, "own-rule", match)


def test_initial_loss():
    class Overconfident(Plain):
        def forward(self, x):
            return 30 * super().forward(x)

    assert_broken(
        Overconfident(), "initial-loss", "and ln(3) = 1.1, expected a distance of at most 1.5", VECTORS
    )
    trained = create("mlp", signature=VECTORS, width=8)
    with torch.no_grad():
        trained.layers[1].weight *= 100
    assert outcome(trained, "initial-loss").outcome == "pass"  # asks a new model


def test_overfit():
    class Blind(Plain):
        def forward(self, x):
            return super().forward(x * 0)

    assert_broken(Blind(), "overfit", "the best constant output has 0.69", VECTORS)

    class Probabilities(Plain):
        def forward(self, x):
            return super().forward(x).softmax(1)

    assert_broken(Probabilities(), "overfit", "still have a loss of", VECTORS)
    assert_broken(Plain().requires_grad_(False), "overfit", "does not depend on any parameter", VECTORS)
    assert_broken(
        NeverLearns(PerceptronConfig.for_signature(VECTORS)), "overfit", "are not learnt in 500 passes"
    )
    assert (
        outcome(nn.Linear(6, 1), "overfit", Signature("classification", "vector", (6,), 1)).outcome == "skip"
    )


def test_save_and_load():
    class Unsaved(Plain):
        """A running mean that the weights do not hold."""

        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.zeros(6), persistent=False)

        def forward(self, x):
            if self.training:
                self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)
            return super().forward(x - self.mean)

    assert_broken(Unsaved(), "save-load", "some state is not saved", VECTORS)

    class RandomConstant(RNN):
        """A random projection drawn anew by every new model."""

        def __init__(self, config):
            super().__init__(config)
            self.projection = torch.randn(3, 3, dtype=torch.float64)

        def forward(self, x, state=None, lengths=None):
            return super().forward(x @ self.projection.to(x.dtype), state, lengths)

    assert_broken(recurrent(RandomConstant, SERIES), "save-load", "some state is not saved")

    class Renames(Plain):
        def state_dict(self, *args, **kwargs):
            return {f"old.{name}": value for name, value in super().state_dict(*args, **kwargs).items()}

    assert_broken(Renames(), "save-load", "saved names do not match", VECTORS)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.rand(6),
        lambda: [torch.rand(6)],
        lambda: {"w": torch.rand(6)},
        lambda: SimpleNamespace(w=torch.rand(6)),
        lambda: np.random.default_rng().random(6),
        lambda: [nn.Linear(6, 6)],
    ],
    ids=["tensor", "list", "dict", "object", "array", "module"],
)
def test_what_is_kept_outside_of_the_weights(make):
    class Outside(Plain):
        def __init__(self, units=16):
            super().__init__(units)
            self.kept = make()

        def forward(self, x):
            kept = next(iter(self.kept.values())) if isinstance(self.kept, dict) else self.kept
            kept = kept[0] if isinstance(kept, list) else getattr(kept, "w", kept)
            if isinstance(kept, nn.Module):
                return super().forward(kept.to(x.dtype)(x))
            return super().forward(x * torch.as_tensor(kept).to(x))

    class TakesNothing(Outside):
        def __init__(self):
            super().__init__()

    assert_broken(Outside(), "save-load", "forward reads kept, neither parameter nor buffer", VECTORS)
    assert_broken(TakesNothing(), "save-load", "some state is not saved (kept)", VECTORS)


def test_what_a_new_model_makes_again_need_not_be_saved():
    class Constant(Plain):
        def __init__(self):
            super().__init__()
            self.table, self.draw = torch.arange(6) / 6, random.random()
            self.cache, self.calls = None, torch.zeros(())

        def forward(self, x):
            self.cache = self.table.to(x) if self.cache is None else self.cache
            return super().forward(x * self.cache)

    model, before = Constant(), random.getstate()
    model(torch.zeros(1, 6))
    assert outcome(model, "save-load", VECTORS).outcome == "pass"
    assert random.getstate() == before  # a new one has drawn


def test_tied_weights_are_saved_and_loaded():
    class Tied(Plain):
        def __init__(self):
            super().__init__(units=6)
            self.again = nn.Linear(6, 6)
            self.again.weight = self.first.weight

        def forward(self, x):
            return self.last(self.again(self.first(x).tanh()))

    assert check_model(Tied(), VECTORS).ok


def test_the_model_is_left_as_it_was():
    model = create("lstm", signature=WORDS, width=8).train()
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    model(WORDS.example(2)[0])[0].sum().backward()
    gradient = model.readout.weight.grad.clone()
    report = check_model(model)
    assert report.ok
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert torch.equal(model.readout.weight.grad, gradient)
    assert torch.equal(torch.get_rng_state(), random)


def test_long_sequences_are_cut_short():
    model = create("rnn", input_size=2, hidden_size=4, output_size=3, seq_len=10_000)
    assert "8 steps equal one forward" in outcome(model, "step-equals-forward").message


def test_the_report():
    report = check_model(LeakingNorm(), VECTORS, checks=["output-shape", "batch-invariance", "causality"])
    assert not report.ok
    lines = repr(report).splitlines()
    assert lines[0] == "LeakingNorm: 1 passed, 1 failed, 1 skipped"
    assert lines[1] == "pass  output-shape      the outputs are (3, 3)"
    assert lines[2].startswith("fail  batch-invariance  row 0 alone")
    assert "1 passed, 1 failed" in report._repr_html_()
    with pytest.raises(
        UserError, match="model: got 'LeakingNorm'; fails 1 of 3 checks: batch-invariance: row 0"
    ):
        report.raise_if_failed()


def test_mistakes():
    with pytest.raises(UserError, match="signature: got None; is needed for a model without a config"):
        anncestry.check_model(nn.Linear(2, 2))
    with pytest.raises(UserError, match=r"checks: got 'overfitting'; is not a check. Choices: output-shape"):
        check_model(Plain(), VECTORS, checks=["overfitting"])


# ---- models that write ----------------------------------------------------------------------------------


def writer(base):
    """A child of an encoder-decoder, made as its parent is made."""
    name = {Seq2Seq: "seq2seq", RNNSearch: "rnnsearch"}[base.__mro__[1]]
    return base(create(name, signature=TEXTS, width=8).config)


def test_a_generator_that_sees_its_target():
    class Peeking(Seq2Seq):
        def forward(self, source, targets, lengths=None):
            return self.teacher_force(targets.clamp(min=0), self.encode(source, lengths))

    assert_broken(writer(Peeking), "causality", "logits up to step 0, with another target from there on")


def test_a_generator_that_reads_padding():
    class Blind(RNNSearch):
        def forward(self, source, targets, lengths=None):
            return super().forward(source, targets)

    assert_broken(writer(Blind), "padding-invariance", "steps, padded with another token and alone")

    class Counting(Seq2Seq):
        def forward(self, source, targets, lengths=None):
            return super().forward(source, targets, lengths) * targets.shape[1]

    assert_broken(writer(Counting), "padding-invariance", "logits of a target, padded and alone")


def test_a_decoder_whose_step_is_another_function():
    class Louder(Seq2Seq):
        def step(self, x_t, state):
            scores, state = super().step(x_t, state)
            return 2 * scores, state

    assert_broken(writer(Louder), "step-equals-forward", "step 0 and forward")

    class Confused(RNNSearch):
        def step(self, x_t, state):
            scores, state = super().step(x_t, state)
            several = len(x_t) > len(state.memory.parts.keys)
            return scores.roll(3, 0) if several else scores, state

    assert_broken(writer(Confused), "step-equals-forward", "with 3 hypotheses of each source, and forward")


def test_a_sound_decoder_passes_everything_that_there_is_to_check():
    report = check_model(create("rnnsearch", signature=TEXTS, width=8))
    assert report.ok, f"\n{report}"
    assert {result.name for result in report.results if result.outcome == "skip"} == {"own-rule"}
