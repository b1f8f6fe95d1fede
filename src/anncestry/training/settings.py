"""How a model is trained. Imports no torch, so that the command line can show it at once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Annotated, Literal

from anncestry.amounts import check_seed
from anncestry.errors import require
from anncestry.rules import (
    Checked,
    Count,
    NotNegative,
    Portion,
    Positive,
    Share,
    Size,
    above,
    accepted_by,
    at_most,
    relation,
)

RUNNING_TEXT = ("masked-lm", "language-model", "bidirectional-lm", "embedding")
"""Tasks that are learnt from any text, before another task."""
HEEDED_BY_OWN_RULES = frozenset(
    {"epochs", "max_steps", "max_seconds", "batch_size", "average", "patience", "evaluations", "save_seconds"}
    | {"seed", "devices", "accelerator", "select"}
)
"""Settings of the loop itself, which act on models that learn without gradients too."""
AUGMENTATIONS = ("shift", "flip", "cutout")


def kinds_of(augment: str) -> tuple[str, ...]:
    """The kinds of augmentation in a text with commas.

    Raises:
        UserError: one of them is not known.
    """
    kinds = tuple(kind.strip() for kind in augment.split(",") if kind.strip())
    for kind in kinds:
        require(kind in AUGMENTATIONS, "augment", kind, "is not known", AUGMENTATIONS)
    return kinds


Schedule = Literal["constant", "cosine", "linear", "inverse-sqrt", "steps"]
DIVISIBLE = relation(
    lambda s: s.batch_size % s.num_parts == 0, "must be divisible by accumulate * devices = {num_parts}"
)
NEEDS_MOMENTUM = relation(
    lambda s: not s.nesterov or (s.optimizer == "sgd" and s.momentum > 0), "needs sgd with momentum"
)
NEEDS_WARMUP = relation(
    lambda s: s.schedule != "inverse-sqrt" or s.warmup_steps > 0,
    "falls from the warm-up on, so it needs warmup_steps",
)


@dataclass(frozen=True, kw_only=True)
class TrainingSettings(Checked):
    """The hyper-parameters of the loop.

    >>> settings = anncestry.TrainingSettings(max_steps=20, learning_rate=0.1, optimizer="sgd")
    >>> run, fit = anncestry.train("mlp", "toy2d:circles", settings=settings)
    >>> anncestry.TrainingSettings(learning_rate=0)
    Traceback (most recent call last):
        ...
    anncestry.errors.UserError: learning_rate: got 0; must be above 0.

    Attributes:
        epochs: passes over the training split; default: as many as steps or seconds allow.
        max_steps: stop after so many steps.
        max_seconds: stop after so many seconds of training, without evaluating and saving (`--max-time 5m`).
        batch_size: examples in one step over all devices and accumulated parts; streams of a text.
        optimizer: `adam`, `adamw`, `bert-adam` (BERT's: AdamW without a correction of its first steps),
            `lamb` (AdamW with steps as long as the weights are, for large batches), `sgd` (with momentum) or
            `rmsprop`.
        learning_rate: its step size.
        momentum: of `sgd`.
        nesterov: whether `sgd` looks ahead along its momentum (Nesterov's form).
        beta2: of the Adam family: how slowly the mean of squared gradients forgets.
        epsilon: of the Adam family: added to its root.
        weight_decay: decoupled for `adamw`, `bert-adam` and `lamb`, an L2 penalty for the others.
        decay_on: what weight decay acts on: `all` parameters, or `matrices` alone, which spares biases and
            the gains of normalisations.
        schedule: the learning rate after the warm-up: `constant`, `cosine` to zero, `linear` to zero,
            `inverse-sqrt`: falling with the root of the step, or `steps`: a tenth from half of the budget on,
            a hundredth from three quarters.
        warmup_steps: steps over which the learning rate rises from zero.
        warmup: the share of the run over which it does, without `warmup_steps`; the first step is zero then.
        decay: what the learning rate is multiplied by after every epoch from `decay_after` on.
        decay_after: how many epochs come before the first decay.
        augment: images: `shift`, `flip`, `cutout`, or several with commas between them; default: none.
        clip_norm: largest norm of all gradients together; 0 for no limit.
        clip_value: largest absolute value of any gradient entry; 0 for no limit.
        label_smoothing: the share of the target probability that is spread evenly over all classes, of
            classes or words (Szegedy et al., 1512.00567); figures are reported without it.
        average: mean of the weights at so many last even evaluations, taken at the end where it scores better
            than the best; 0 for none.
        accumulate: parts in which a batch is computed, to save memory.
        precision: `32`, `bf16` for mixed precision, or `auto`: `bf16` where a new run's steps are clearly
            faster with it on this machine, and its answers are no numbers.
        compile: whether PyTorch compiles the model first: minutes before the first step, with a C++ compiler;
            for long runs alone.
        patience: stop after so many evaluations (even and early ones) without a better validation score; 0
            for never.
        evaluations: how often the validation split is evaluated, evenly over the whole run; besides, it is
            evaluated after each of the first eight passes, and then whenever a quarter more is done.
        select: which figure of the validation split says what the best weights are; default: the task's own,
            and the loss where one class has three quarters of the examples. Ties go by the loss.
        save_seconds: longest time between two checkpoints.
        seed: fixes initial weights, data order and dropout.
        devices: how many processes share each batch.
        accelerator: `auto`, `cpu` or `cuda`.
    """

    epochs: Annotated[int, above(0)] | None = None
    max_steps: Annotated[int, above(0)] | None = None
    max_seconds: Positive | None = None
    batch_size: Annotated[Size, DIVISIBLE] = 64
    optimizer: Literal["adam", "adamw", "bert-adam", "lamb", "sgd", "rmsprop"] = "adam"
    learning_rate: Positive = 1e-3
    momentum: Share = 0.9
    nesterov: Annotated[bool, NEEDS_MOMENTUM] = False
    beta2: Share = 0.999
    epsilon: Positive = 1e-8
    weight_decay: NotNegative = 0.0
    decay_on: Literal["all", "matrices"] = "all"
    schedule: Annotated[Schedule, NEEDS_WARMUP] = "constant"
    warmup_steps: Count = 0
    warmup: Share = 0.0
    decay: Portion = 1.0
    decay_after: Count = 0
    augment: Annotated[str, accepted_by(kinds_of)] = ""
    clip_norm: NotNegative = 0.0
    clip_value: NotNegative = 0.0
    label_smoothing: Share = 0.0
    average: Annotated[Count, at_most("evaluations")] = 0
    accumulate: Size = 1
    precision: Literal["auto", "32", "bf16"] = "auto"
    compile: bool = False
    patience: Count = 0
    evaluations: Size = 20
    select: str | None = None
    save_seconds: float = 60.0
    seed: Annotated[int, accepted_by(check_seed)] = 0
    devices: Size = 1
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"

    @property
    def num_parts(self) -> int:
        """Parts of a step: of one device after the other, over all devices."""
        return self.accumulate * self.devices

    def augmentations(self) -> tuple[str, ...]:
        """The kinds that ``augment`` names."""
        return kinds_of(self.augment)

    def check_effects(self, given: Iterable[str]) -> None:
        """Refuse a setting that could have no effect with the others.

        Args:
            given: names of the fields that a person set.

        Raises:
            UserError: names the field and what it needs.
        """
        for name in given:
            if name in _NEEDS:
                has_effect, rule = _NEEDS[name]
                require(has_effect(self), name, getattr(self, name), f"has no effect without {rule}")

    def check_own_rule(self, model: str) -> None:
        """Refuse settings of gradient descent for a model that learns by its own rule.

        Args:
            model: its name, for the message.

        Raises:
            UserError: a setting other than the default one that the rule does not heed.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            usual = field.name in HEEDED_BY_OWN_RULES or value == field.default or value == "32"
            rule = f"has no effect: {model} learns by its own rule and not by gradients"
            require(usual, field.name, value, rule)


def _of_adams(settings: TrainingSettings) -> bool:
    return settings.optimizer in ("adam", "adamw", "bert-adam", "lamb")


_NEEDS: dict[str, tuple[Callable[[TrainingSettings], bool], str]] = {
    "momentum": (lambda settings: settings.optimizer == "sgd", "`optimizer=sgd`"),
    "beta2": (_of_adams, "an optimizer of the Adam family"),
    "epsilon": (_of_adams, "an optimizer of the Adam family"),
    "decay_on": (lambda settings: settings.weight_decay > 0, "`weight_decay`"),
    "decay_after": (lambda settings: settings.decay < 1, "`decay`"),
    "warmup": (lambda settings: settings.warmup_steps == 0, "`warmup_steps=0`"),
}
