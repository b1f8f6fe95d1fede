"""The multi-layer perceptron: hidden layers of differentiable units, trained by the chain rule.

Paper: D. Rumelhart, G. Hinton & R. Williams, "Learning representations by back-propagating errors",
Nature 323 (1986).

    a_l = W_l h_{l-1} + b_l        h_l = f(a_l)

Differs from the perceptron: hidden layers between input and output, and a unit with a derivative.

Departures from the paper: ReLU with He's initialisation by default where the paper has the logistic
function (``activation="sigmoid", init="glorot"``); cross-entropy in place of squared error for classes.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.layers.activations import ACTIVATIONS, activation
from anncestry.layers.dropout import Dropout
from anncestry.layers.initialisation import INITIALISATIONS, initialise
from anncestry.rules import Checked, Rate, Rule, Size, one_of
from anncestry.signature import EVERY_STEP, InputKind, Signature, Task

AT_ONCE = Rule(lambda task, _: task not in EVERY_STEP, "an MLP has no order in time; it fits the other tasks")


@dataclass(frozen=True, kw_only=True)
class MLPConfig(Checked):
    """Sizes and units.

    Attributes:
        task: what is asked.
        inputs: ``vector``, ``image`` or ``series``; every input is flattened.
        input_shape: the shape of one input.
        hidden_sizes: units of each hidden layer, first to last; empty for a linear model.
        output_size: K, classes or target values.
        activation: a name of `anncestry.layers.activations.ACTIVATIONS`.
        init: ``lecun``, ``glorot``, ``he`` or ``heuristic``; biases start at zero.
        dropout: probability of zeroing a hidden unit.
    """

    task: Annotated[Task, AT_ONCE] = "classification"
    inputs: InputKind = "vector"
    input_shape: tuple[Size, ...]
    hidden_sizes: tuple[Size, ...] = (128,)
    output_size: Size
    activation: Annotated[str, one_of(ACTIVATIONS)] = "relu"
    init: Annotated[str, one_of(INITIALISATIONS)] = "he"
    dropout: Rate = 0.0

    @classmethod
    def for_signature(
        cls, signature: Signature, *, width: int | None = None, **overrides: Any
    ) -> "MLPConfig":
        """The config for a data set; ``width`` sets the units of the one hidden layer."""
        fields = {
            "task": signature.task,
            "inputs": signature.inputs,
            "input_shape": signature.shape,
            "hidden_sizes": (width or 128,),
            "output_size": signature.output_size,
        }
        return cls(**{**fields, **overrides})

    @property
    def signature(self) -> Signature:
        """The learning problem this config is made for."""
        return Signature(self.task, self.inputs, self.input_shape, self.output_size)


class MLP(nn.Module):
    """Linear layers with an activation after each but the last."""

    def __init__(self, config: MLPConfig) -> None:
        super().__init__()
        self.config = config
        size = config.signature.num_features
        layers: list[nn.Module] = [nn.Flatten()]
        for hidden_size in config.hidden_sizes:
            unit = activation(config.activation)
            pieces = 2 if config.activation == "maxout" else 1
            layers += [nn.Linear(size, pieces * hidden_size), unit]
            if config.dropout:
                layers.append(Dropout(config.dropout))
            size = hidden_size
        layers.append(nn.Linear(size, config.output_size))
        self.layers = nn.Sequential(*layers)
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                initialise(layer.weight, config.init)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Float[Tensor, "B ..."]) -> Float[Tensor, "B K"]:
        """The logits, or of regression the values: inputs of any shape (B, ...) -> (B, K)."""
        return self.layers(x)
