"""What every model promises about learning, one check per promise (see `anncestry.inspection.checks`)."""

from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from anncestry.inspection.subject import Broken, NotApplicable, Subject, distance
from anncestry.inspection.unsaved import listed, unregistered, unsaved_tensors
from anncestry.layers.images.autoencoding import NormalSample

FAR_STEPS = 20  # of a sequence that is to reach weights which only act over several steps
FIT_STEPS = 500  # of Adam (or passes of a rule of its own) for learning a few examples by heart
FIT_FRACTION = 0.1  # of the loss of the best constant output, which counts as learnt
NEW_SEED = 7_919  # of the model that weights are loaded into: not one that a caller is likely to have used
LOSS_TOLERANCE = 1.5  # nats between the loss of a new model and ln(classes)


def teachable(model: Any) -> Any:
    """Training mode with dropout and sampling off, so that the loss is a function of the weights alone."""
    model.train()
    for module in model.modules():
        if isinstance(module, _DropoutNd | NormalSample):
            module.eval()
        elif isinstance(module, nn.RNNBase | nn.MultiheadAttention):
            module.dropout = 0.0  # theirs is no module
    return model


def gradients(subject: Subject) -> str:
    """The loss reaches every parameter that asks for a gradient."""
    if subject.own_rule:
        raise NotApplicable("it learns by its own rule, not by gradients")
    model = teachable(subject.copy())
    asking = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if not asking:
        raise Broken("no parameter asks for a gradient, expected some, or a learning rule of its own")
    outside = list(dict.fromkeys(name for name, part in unregistered(model) if _asks(part)))
    if outside:
        what = f"{listed(outside)} asks for a gradient and is no parameter of the model"
        raise Broken(
            f"{what}, so that no optimizer changes it: expected nn.Parameter, in a registered module"
        )
    for seed in range(5):  # rectifiers can be silent on a whole batch
        loss = subject.mean_loss(model, *subject.batch(8, seed, at_least=FAR_STEPS), asked_only=True)
        if loss.requires_grad:
            loss.backward()
    for name, parameter in asking.items():
        if parameter.grad is not None and not parameter.grad.isfinite().all():
            raise Broken(f"the gradient of {name} holds NaN or infinity, expected finite numbers")
    unreached = [name for name, parameter in asking.items() if parameter.grad is None]
    silent = [
        name for name, parameter in asking.items() if parameter.grad is not None and not parameter.grad.any()
    ]
    complaints = [f"no gradient reaches {', '.join(unreached)}"] if unreached else []
    complaints += [f"the gradient is all zero for {', '.join(silent)}"] if silent else []
    if complaints:
        raise Broken(f"{'; '.join(complaints)}, expected one for every parameter over 5 batches of 8")
    frozen = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    found = f"all {len(asking)} parameter tensors that ask for a gradient get one"
    return f"{found}; frozen, and not learnt: {listed(frozen)}" if frozen else found


def _asks(part: Any) -> bool:
    return isinstance(part, Tensor) and part.requires_grad and part.is_leaf


def own_rule(subject: Subject) -> str:
    """``learn`` returns the outputs (B, K), and changes the weights on a mistake, to finite numbers."""
    if not subject.own_rule:
        raise NotApplicable("it learns by gradients")
    model = subject.copy()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    expected = (8, subject.signature.output_size)
    for seed in range(2, 22):
        inputs, targets = subject.batch(8, seed)
        outputs = model.learn(inputs, targets)
        if tuple(outputs.shape) != expected:
            raise Broken(f"learn returned {tuple(outputs.shape)}, expected the outputs {expected}")
        if model.criterion(outputs, targets).item() != 0:
            break
    else:
        raise Broken("the criterion of 20 random batches with random targets was 0, expected mistakes")
    after = list(model.parameters())
    if not all(parameter.isfinite().all() for parameter in after):
        raise Broken("learn made a weight NaN or infinite, expected finite numbers")
    if all(torch.equal(old, new) for old, new in zip(before, after, strict=True)):
        raise Broken("the criterion was above 0 and learn changed no weight, expected a correction")
    return "mistakes change the weights"


def initial_loss(subject: Subject) -> str:
    """An untrained model knows nothing: its loss is about ln(number of classes), within 1.5 nats.

    Outputs of variance v raise the loss by about v / 2, and He's initialisation of the last layer makes
    v = 2 for inputs of variance 1. Batch normalisation has seen no data yet, so it goes by the batch.
    """
    expected = subject.objective.initial_loss()
    if expected is None:
        raise NotApplicable("for real-valued targets the loss of an untrained model is not known")
    if subject.own_rule:
        raise NotApplicable("it does not learn by cross-entropy")
    new = subject.rebuilt()
    model, whose = (subject.raw().to(subject.dtype), "this model") if new is None else (new, "a new model")
    model = _undecided(model)
    with torch.no_grad():
        loss = subject.mean_loss(model, *subject.batch(64)).item()
    measured = f"the loss of {whose} is {loss:.3g}, and ln({subject.signature.output_size}) = {expected:.3g}"
    if not abs(loss - expected) <= LOSS_TOLERANCE:
        raise Broken(f"{measured}, expected a distance of at most {LOSS_TOLERANCE}")
    return measured


def _undecided(model: nn.Module) -> nn.Module:
    """Without dropout, but normalising by the batch where no data has been seen."""
    for module in model.eval().modules():
        if isinstance(module, _BatchNorm) and not module.num_batches_tracked:
            module.train()
    return model


def overfit(subject: Subject) -> str:
    """A few examples are learnt by heart: the loss falls to a tenth of that of the best constant output."""
    inputs, targets = _memorable_batch(subject)
    constant = _loss_of_constant(subject, targets)
    if constant == 0:
        raise NotApplicable("with one class there is nothing to learn")
    if subject.own_rule:
        return _overfit_by_own_rule(subject, inputs, targets, constant)
    loss = float("nan")
    for attempt, learning_rate in enumerate((1e-2, 1e-2, 1e-3)):
        # All rectifiers of a narrow layer may start dead: a new model is another throw of the dice.
        new = subject.rebuilt() if attempt else None
        model = teachable(subject.copy() if new is None else new)
        optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
        for step in range(FIT_STEPS):
            mean_loss = subject.mean_loss(model, inputs, targets)
            loss = mean_loss.item()
            if loss <= FIT_FRACTION * constant:
                return f"{len(inputs)} examples are learnt in {step} steps of Adam (loss {loss:.2g})"
            if not mean_loss.requires_grad:
                raise Broken("the loss does not depend on any parameter that asks for a gradient")
            optimizer.zero_grad()
            mean_loss.backward()
            optimizer.step()
    stuck = f"{len(inputs)} examples still have a loss of {loss:.2g} after {FIT_STEPS} steps of Adam"
    allowed = f"expected at most {FIT_FRACTION * constant:.2g}"
    raise Broken(f"{stuck}, {allowed}; the best constant output has {constant:.2g}")


def _overfit_by_own_rule(subject: Subject, inputs: Tensor, targets: Tensor, constant: float) -> str:
    model = subject.copy()
    for passes in range(1, FIT_STEPS + 1):
        model.learn(inputs, targets)
        outputs = subject.run(model, inputs)
        if subject.signature.is_categorical:
            fits = torch.equal(outputs.argmax(-1), targets)
        else:
            fits = (outputs - targets).square().mean().item() <= FIT_FRACTION * constant
        if fits:
            return f"{len(inputs)} examples are learnt in {passes} passes"
    raise Broken(f"{len(inputs)} separable examples are not learnt in {FIT_STEPS} passes, expected all")


def _memorable_batch(subject: Subject) -> tuple[Tensor, Tensor]:
    """A batch that any model can learn by heart.

    Up to four examples, and no more than a linear model with a bias can always separate: of alternating
    classes, or with random values. For a language model a cycle of tokens, for tags one that the step shows.
    """
    signature = subject.signature
    inputs, targets = subject.batch(min(4, signature.num_features + 1), seed=4)
    rows = torch.arange(len(inputs), device=subject.device)
    if signature.task == "language-model":
        size = min(signature.vocab_size, signature.output_size)
        inputs = (rows.unsqueeze(1) + torch.arange(inputs.shape[1], device=subject.device)) % size
        targets = (inputs + 1) % size
    elif signature.task == "tagging":
        shown = {"tokens": inputs, "characters": inputs[..., 0]}
        of_step = shown.get(signature.inputs, (inputs[..., 0] > 0).long())
        targets = of_step % min(2, signature.output_size)
    elif signature.task == "classification":
        targets = rows % min(2, signature.output_size)
    return inputs, targets


def _loss_of_constant(subject: Subject, targets: Tensor) -> float:
    """The loss of the best output that does not depend on the inputs: entropy, or variance."""
    if subject.signature.is_categorical:
        shares = targets.unique(return_counts=True)[1] / targets.numel()
        return -(shares * shares.log()).sum().item()
    if subject.signature.task == "next-frame":  # bits of chance: as many coins as there are
        shares = targets.flatten(0, 1).mean(0).clamp(1e-6, 1 - 1e-6)
        return -(shares * shares.log() + (1 - shares) * (1 - shares).log()).sum().item()
    variances = targets.var(0, correction=0)
    if subject.signature.task == "reconstruction":  # half the squared error, summed over the image
        return variances.sum().item() / 2
    return variances.mean().item()


def save_load(subject: Subject) -> str:
    """A trained model's weights, saved and loaded into a new model, give bit-equal outputs."""
    trained, unsaved = subject.copy(), unsaved_tensors(subject)
    torch.default_generator.manual_seed(NEW_SEED)
    new, made = subject.rebuilt(), ""
    if new is None:
        if unsaved:
            what = (
                f"forward reads {listed(unsaved)}, neither parameter nor buffer: state_dict does not hold it"
            )
            raise Broken(f"{what} and .to(device) does not move it, expected register_buffer or a parameter")
        new = subject.copy()
        of_new = [name for name, _ in trained.named_buffers() if name not in trained.state_dict()]
        made = f"; {listed(of_new)} is not saved: right if every new model makes the same" if of_new else ""
    _train(subject, trained)
    payload = safetensors.torch.save({name: value.clone() for name, value in trained.state_dict().items()})
    missing, unexpected = new.load_state_dict(safetensors.torch.load(payload), strict=False)
    if missing or unexpected:
        raise Broken(
            f"saved names do not match: missing {missing}, unexpected {unexpected}, expected neither"
        )
    batch = subject.batch(4)
    expected, got = subject.run(trained.eval(), *batch), subject.run(new.eval(), *batch)
    if not torch.equal(expected, got):
        what = f"the outputs after loading differ by {distance(got, expected):.2g}"
        which = f" ({listed(unsaved)})" if unsaved else ""
        raise Broken(f"{what}, expected equal bits: some state is not saved{which}")
    return f"{len(payload):,} bytes of weights give bit-equal outputs in a new model{made}"


def _train(subject: Subject, model: Any) -> None:
    """A few steps, so that everything that training changes has changed."""
    inputs, targets = subject.batch(8, seed=3)
    if subject.own_rule:
        model.learn(inputs, targets)
        return
    optimizer = torch.optim.SGD(teachable(model).parameters(), lr=1e-2)
    for _ in range(2):
        loss = subject.mean_loss(model, inputs, targets)
        if loss.requires_grad:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
