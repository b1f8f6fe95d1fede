"""What every model promises about the function it computes, one check for each promise.

A check gets a `Subject` and returns one sentence that says what was measured. It raises `Broken` where
the model does not keep the promise and `NotApplicable` where there is nothing to check.
"""

from typing import Any

import torch
from torch import Tensor, nn

from anncestry.inspection.learning import teachable
from anncestry.inspection.subject import Broken, NotApplicable, Subject, distance
from anncestry.inspection.tensors import Following, tensors_in
from anncestry.protocols import IGNORED, EncoderDecoder, flatten_state, map_state, reorder_state
from anncestry.signature import BEGIN, CAUSAL_TASKS, GENERATION_TASKS


def output_shape(subject: Subject) -> str:
    """Outputs are (B, K), or (B, T, K) where every step has one or a text is generated, and finite."""
    steps = subject.signature.shape[:1] if subject.signature.every_step else ()
    if subject.signature.task in GENERATION_TASKS:
        steps = (subject.signature.target_len,)
    if subject.signature.task == "bidirectional-lm":
        steps = (*steps, 2)
    expected = (3, *steps, subject.signature.output_size)
    outputs = subject.run(subject.copy(), *subject.batch(3))
    if subject.signature.task == "reconstruction":  # what lies behind the image describes the code
        outputs = outputs[:, : subject.signature.output_size]
    if tuple(outputs.shape) != expected:
        raise Broken(f"the outputs are {tuple(outputs.shape)}, expected {expected}")
    if not outputs.isfinite().all():
        raise Broken("the outputs hold NaN or infinity, expected finite numbers")
    return f"the outputs are {expected}"


class _Coarser(Following):
    """Notes the operations whose results are kept in fewer digits than ``dtype`` has."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.precision, self.found = torch.finfo(dtype).eps, dict[str, torch.dtype]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tensors_in(result):
            if tensor.is_floating_point() and torch.finfo(tensor.dtype).eps > self.precision:
                self.found[str(func)] = tensor.dtype
        return result


def precision(subject: Subject) -> str:
    """Outputs and states are of the weights' type (float32 too, of half weights), and nothing on the way is
    rounded to fewer digits: neither float64, which the loss would meet, nor by way of half."""
    own = subject.own_dtype
    allowed = {own, torch.float32} if torch.finfo(own).bits < 32 else {own}
    named = " or ".join(sorted(_name(dtype) for dtype in allowed))
    inputs, targets = (part.to(own) if part.is_floating_point() else part for part in subject.batch(3))
    for training in (False, True):
        model = subject.raw().train(training)
        with torch.no_grad(), _Coarser(own) as coarser:
            outputs, state = subject.outputs(model, inputs, targets=targets)
        when = "in training" if training else "in evaluation"
        if outputs.dtype not in allowed:
            raise Broken(f"{when} the outputs are {_name(outputs.dtype)}, expected {named}, as the weights")
        carried = subject.has_step and state is not None  # in training some carry none on
        for part in flatten_state(state) if carried else tensors_in(state):
            if part.is_floating_point() and part.dtype not in allowed:
                raise Broken(f"{when} the state holds {_name(part.dtype)}, expected {named}, as the weights")
        for operation, dtype in coarser.found.items():
            what = f"{when} {operation} gives {_name(dtype)} on the way, which rounds {_name(own)}"
            raise Broken(f"{what}, expected {named} throughout")
    return f"the outputs are {_name(outputs.dtype)}, and nothing on the way is coarser"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def batch_invariance(subject: Subject) -> str:
    """In evaluation mode a row's outputs do not depend on the other rows."""
    model, (inputs, targets) = subject.copy(), subject.batch(4)
    together = subject.run(model, inputs, targets)
    for row in range(4):
        alone = subject.run(model, inputs[row : row + 1], targets[row : row + 1])
        subject.require_equal(alone, together[row : row + 1], f"row {row} alone and in a batch of 4")
    return "each of 4 rows alone is what it is in the batch"


def padding_invariance(subject: Subject) -> str:
    """What lies beyond the end of a sequence (with ``lengths``), or of a target, changes neither outputs nor
    state nor gradients."""
    target = _target_padding(subject) if subject.signature.task in GENERATION_TASKS else None
    if target and subject.signature.inputs != "tokens":
        return target
    if not subject.takes_lengths:
        raise NotApplicable("forward takes no lengths")
    kind, num_steps = subject.signature.inputs, subject.signature.shape[0]
    if kind not in ("series", "tokens", "characters"):
        raise NotApplicable(f"{kind} inputs have no padding")
    if num_steps < 2:
        raise NotApplicable("sequences of one step have no padding")
    lengths = [num_steps, (num_steps + 1) // 2, 1]
    model, (inputs, targets) = subject.copy(), subject.batch(len(lengths))
    others = subject.batch(len(lengths), seed=1)[0]
    filler, filler_name = (
        (10 * others, "other numbers") if kind == "series" else (0 * others, "another token")
    )
    of_rows = torch.tensor(lengths, device=subject.device)
    beyond = torch.arange(num_steps, device=subject.device) >= of_rows.unsqueeze(1)
    padded = torch.where(beyond.view(*beyond.shape, *[1] * (inputs.dim() - 2)), filler, inputs)
    outputs, state = subject.outputs(model, padded, lengths=of_rows, targets=targets)
    total = outputs.new_zeros(())
    for row, length in enumerate(lengths):
        own = targets[row : row + 1]
        alone, state_alone = subject.outputs(model, inputs[row : row + 1, :length], targets=own)
        got = outputs[row : row + 1]
        got = got[:, :length] if subject.signature.every_step else got
        what = f"{length} of {num_steps} steps, padded with {filler_name} and alone"
        subject.require_equal(got, alone, f"outputs of {what}")
        if state is not None and subject.has_step:  # else nobody goes on from it
            of_row = map_state(lambda part, row=row: part[row : row + 1], state)
            subject.require_equal_states(of_row, state_alone, f"the state after {what}")
        total = total + got.sum()
    if total.requires_grad:
        otherwise, _ = subject.outputs(model, inputs, lengths=of_rows, targets=targets)
        asked = otherwise[~beyond] if subject.signature.every_step else otherwise
        asking = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        pairs = [
            torch.autograd.grad(one, list(asking.values()), allow_unused=True, materialize_grads=True)
            for one in (total, asked.sum())
        ]
        for name, with_filler, without in zip(asking, *pairs, strict=True):
            what = f"the gradient of {name}, padded with {filler_name} and otherwise"
            subject.require_equal(with_filler, without, what)
    shown = ", ".join(map(str, lengths))
    found = f"sequences of {shown} steps, padded with {filler_name}, are what they are alone"
    return f"{found}; {target}" if target else found


def _target_padding(subject: Subject) -> str:
    """Logits of a target that is longer by what is ignored are the same up to its own end."""
    model, (inputs, targets) = subject.copy(), subject.batch(2)
    ignored = targets.new_full((len(targets), 3), IGNORED)
    padded = subject.run(model, inputs, torch.cat([targets, ignored], dim=1))
    whole = subject.run(model, inputs, targets)
    subject.require_equal(padded[:, : targets.shape[1]], whole, "logits of a target, padded and alone")
    return "padding of a target changes nothing before it"


def causality(subject: Subject) -> str:
    """A model with an output at every step depends on no later step: by perturbation and by gradient. One
    that generates depends on the target tokens before it alone."""
    if subject.signature.task in GENERATION_TASKS:
        return _target_before(subject)
    if not subject.signature.every_step:
        raise NotApplicable("it has one output, at the end")
    if not subject.has_step and subject.signature.task not in CAUSAL_TASKS:
        raise NotApplicable("it has no step, and its task lets it read ahead")
    num_steps = subject.signature.shape[0]
    if num_steps < 2:
        raise NotApplicable("sequences of one step have no future")
    model, (inputs, _), (other, _) = subject.copy(), subject.batch(2), subject.batch(2, seed=1)
    before = subject.run(model, inputs)
    for t in range(1, num_steps):
        after = subject.run(model, torch.cat([inputs[:, :t], other[:, t:]], dim=1))
        what = f"outputs before step {t}, with other inputs from there on"
        subject.require_equal(after[:, :t], before[:, :t], what)
    outputs, x = _differentiable(subject, model, inputs)
    if x is None:
        return f"over {num_steps} steps, later inputs change no output"
    for t in range(num_steps - 1):
        (gradient,) = torch.autograd.grad(outputs[:, t].sum(), x, retain_graph=True)
        ahead = gradient[:, t + 1 :].abs().max().item()
        if ahead != 0:
            what = f"the output of step {t} has a gradient of {ahead:.2g} to later inputs"
            raise Broken(f"{what}, expected exactly 0")
    return f"over {num_steps} steps, later inputs change no output and get no gradient from one"


def _target_before(subject: Subject) -> str:
    """The logits of a target token depend on the tokens before it, and on no other."""
    model, (inputs, targets), (_, other) = subject.copy(), subject.batch(2), subject.batch(2, seed=1)
    num_steps = targets.shape[1]
    before = subject.run(model, inputs, targets)
    for t in range(num_steps):
        after = subject.run(model, inputs, torch.cat([targets[:, :t], other[:, t:]], dim=1))
        what = f"logits up to step {t}, with another target from there on"
        subject.require_equal(after[:, : t + 1], before[:, : t + 1], what)
    return f"over {num_steps} steps, no logit depends on its own or a later target"


def _differentiable(subject: Subject, model: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
    """The outputs, and what to differentiate them by: the inputs, or what a module first makes of tokens."""
    if inputs.is_floating_point():
        x = inputs.clone().requires_grad_()
        return subject.outputs(model, x)[0], x
    embedded: list[Tensor] = []

    def catch(module, arguments, output):
        if embedded or not arguments or arguments[0] is not inputs or not isinstance(output, Tensor):
            return None
        if not output.is_floating_point() or output.shape[:2] != inputs.shape:
            return None
        embedded.append(output.detach().requires_grad_())
        return embedded[0]

    handles = [module.register_forward_hook(catch) for module in model.modules() if module is not model]
    try:
        outputs, _ = subject.outputs(model, inputs)
    finally:
        for handle in handles:
            handle.remove()
    return outputs, embedded[0] if embedded else None


def step_equals_forward(subject: Subject) -> str:
    """``step`` after ``step`` is ``forward``, and ``forward`` goes on from a state."""
    if subject.signature.task in GENERATION_TASKS and isinstance(subject.model, EncoderDecoder):
        return _generating_step_by_step(subject)
    if not subject.has_step:
        raise NotApplicable("it has no step and initial_state")
    if subject.signature.inputs not in ("series", "tokens"):
        raise NotApplicable(f"{subject.signature.inputs} inputs are not given step by step")
    model, (inputs, _) = subject.copy(), subject.batch(2)
    every_step = subject.signature.every_step
    num_steps = subject.signature.shape[0]
    half = num_steps // 2
    with torch.no_grad():
        whole, end = subject.outputs(model, inputs)
        state = model.initial_state(2)
        for t in range(num_steps):
            y_t, state = model.step(inputs[:, t], state)
            expected = whole[:, t] if every_step else subject.outputs(model, inputs[:, : t + 1])[0]
            subject.require_equal(y_t, expected, f"step {t} and forward")
        subject.require_equal_states(state, end, f"the state after {num_steps} steps and after forward")
        if half:
            _, state = subject.outputs(model, inputs[:, :half])
            rest, _ = subject.outputs(model, inputs[:, half:], state)
            what = f"forward in one go, and gone on from the state after {half} of {num_steps} steps"
            subject.require_equal(rest, whole[:, half:] if every_step else whole, what)
    return f"{num_steps} steps equal one forward, which also goes on from a state"


def _generating_step_by_step(subject: Subject) -> str:
    """The same for a model that generates: also for several hypotheses of each source, side by side."""
    hypotheses = 3
    model, (inputs, targets) = subject.copy(), subject.batch(2)
    with torch.no_grad():
        whole = subject.run(model, inputs, targets)
        state = model.encode(inputs)
        tokens = torch.cat([torch.full_like(targets[:, :1], BEGIN), targets[:, :-1]], dim=1)
        rows = torch.arange(len(inputs), device=subject.device).repeat_interleave(hypotheses)
        many = reorder_state(state, rows)
        for t in range(targets.shape[1]):
            logits, state = model.step(tokens[:, t], state)
            subject.require_equal(logits, whole[:, t], f"step {t} and forward")
            logits, many = model.step(tokens[rows, t], many)
            what = f"step {t} with {hypotheses} hypotheses of each source, and forward"
            subject.require_equal(logits, whole[rows, t], what)
    return f"{targets.shape[1]} steps equal one forward, with 1 and {hypotheses} hypotheses of each source"


def determinism(subject: Subject) -> str:
    """In evaluation mode the same inputs give the same bits, whatever was run in between."""
    model, batch, other = subject.copy(), subject.batch(3), subject.batch(3, seed=1)
    first = subject.run(model, *batch)
    subject.run(model, *other)
    second = subject.run(model, *batch)
    if not torch.equal(first, second):
        difference = distance(second, first)
        what = f"the same inputs, with others run in between, give outputs that differ by {difference:.2g}"
        raise Broken(f"{what}, expected equal bits: nothing random, nothing kept on the model")
    return "the same inputs give the same bits after others were run"


def inputs_untouched(subject: Subject) -> str:
    """Neither running nor learning writes into the tensors that were handed in."""
    inputs, targets = subject.batch(4)
    handed = {"inputs": (inputs, inputs.clone()), "targets": (targets, targets.clone())}
    subject.run(subject.copy(), inputs, targets)
    model = subject.copy()
    if subject.own_rule:
        model.learn(inputs, targets)
    else:
        loss = subject.mean_loss(teachable(model), inputs, targets)
        if loss.requires_grad:
            loss.backward()
    for name, (tensor, before) in handed.items():
        if not torch.equal(tensor, before):
            raise Broken(
                f"the {name} were changed by up to {distance(tensor, before):.2g}, expected no change"
            )
    return "inputs and targets are as they were handed in"
