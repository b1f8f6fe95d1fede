"""What the configuration of a Keras model says: every layer and option is heeded, noted, or refused by name.

Read are chains: inputs, perhaps masking or an embedding, recurrent layers, perhaps one ``Dense`` and the
activation of what it puts out. What changes training alone is passed over; of options that are not known
here a note is made.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from anncestry.errors import UserError, require

RECURRENT = ("SimpleRNN", "LSTM", "GRU", "CuDNNLSTM", "CuDNNGRU")
_INPUT, _TOKENS, _RECURRENT, _DENSE, _OUTPUT = range(5)  # in which order layers may stand
_OF_TRAINING = (
    "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
    "ActivityRegularization",
)  # fmt: skip
_MODELS = ("Sequential", "Functional", "Model")
_OUTPUTS = ("linear", "softmax", "sigmoid")
_IDLE = {  # options that change no prediction
    "name", "trainable", "dtype", "units", "seed", "implementation", "unroll", "use_bias", "unit_forget_bias",
    "dropout", "recurrent_dropout", "rate", "noise_shape", "stddev", "l1", "l2", "input_dim", "output_dim",
    "batch_input_shape", "batch_shape", "input_shape", "input_length", "sparse", "ragged", "optional",
    "use_cudnn", "layer", "backward_layer", "axis", "mask_value", "stateful", "return_sequences",
    "activation", "mask_zero", "zero_output_for_mask",
}  # fmt: skip
_IDLE_ENDS = ("_initializer", "_regularizer", "_constraint")
_USUAL: dict[str, Any] = {  # options that make another function where they are not this, or None
    "return_state": False, "time_major": False, "go_backwards": False, "lora_rank": None,
    "quantization_config": None, "gptq_unpacked_column_size": None,
}  # fmt: skip
_CROSS_ENTROPY = re.compile(r"crossentropy|hinge|focal|nll")
_OF_VALUES = re.compile(r"squared|absolute|huber|logcosh|poisson|^mse$|^mae$|^mape$|^msle$")


class KerasModel(NamedTuple):
    """What a configuration says of a network.

    Attributes:
        activation: of SimpleRNN layers; None where there are none.
        every_step: whether the last recurrent layer puts out every step; None where no configuration says it.
        output: the activation above the ``Dense``: linear, softmax or sigmoid; None where there is no Dense.
        loss: ``classes``, ``labels`` (each holds or not) or ``values`` where it was trained with a loss of
            these; else empty.
        seq_len: the steps of an input; 0 where they are not said.
        notes: what a person must know.
    """

    activation: str | None = None
    every_step: bool | None = None
    output: str | None = None
    loss: str = ""
    seq_len: int = 0
    notes: tuple[str, ...] = ()


def read_model(config: Mapping[str, Any], source: str) -> KerasModel:
    """The network that a model's configuration describes.

    Raises:
        UserError: a layer, or an option of one, computes what ours do not; it has no recurrent layer; its
            layers are no chain.
    """
    try:
        return _read(config, source)
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        rule = f"the configuration of the Keras model is damaged ({type(error).__name__}: {error})"
        raise UserError("file", source, rule) from error


def _read(config: Mapping[str, Any], source: str) -> KerasModel:
    layers = list(_layers(config, source))
    names = [name for name, _ in layers]
    if not any(name in RECURRENT or name == "Bidirectional" for name in names):
        rule = "a Keras model is read where it is a chain of recurrent layers; it has none"
        raise UserError(source, ", ".join(dict.fromkeys(names)) or "no layers", rule, RECURRENT)
    found, notes, stage = KerasModel(loss=_loss(config)), [], _INPUT
    idle = [name for name in names if name in _OF_TRAINING]
    if idle:
        notes.append(f"{', '.join(dict.fromkeys(idle))}: act in training alone and were left out")
    last = max(place for place, name in enumerate(names) if name in RECURRENT or name == "Bidirectional")
    for place, (name, options) in enumerate(layers):
        if name in _OF_TRAINING:
            continue
        reader, wanted = _reader(name, source)
        in_order = wanted > stage or (wanted == stage and stage in (_INPUT, _RECURRENT))
        rule = "stands where no such layer is read (inputs, an embedding, recurrent layers, one Dense)"
        require(in_order, f"{source}: layer {options.get('name', place)}", name, rule)
        stage = wanted
        found = reader(found, name, options, source, notes, place == last)
        notes += _unknown_options(name, options)
    return found._replace(notes=tuple(dict.fromkeys(notes)))


def _reader(name: str, source: str) -> tuple[Any, int]:
    if name in RECURRENT:
        return _recurrent, _RECURRENT
    if name not in _READERS:
        rule = "is a layer that is not read here: what it computes would be lost"
        choices = [*_READERS, *RECURRENT, *_OF_TRAINING]
        raise UserError(f"{source}: layer", name, rule, choices)
    return _READERS[name]


def _input(found: KerasModel, name: str, options: Mapping[str, Any], *_: Any) -> KerasModel:
    shape = options.get("batch_shape") or options.get("batch_input_shape") or ()
    steps = shape[1] if len(shape) > 1 else None
    return found._replace(seq_len=steps) if isinstance(steps, int) and 0 < steps < 2**31 else found


def _embedding(
    found: KerasModel, name: str, options: Mapping[str, Any], source: str, notes: list[str], _: bool
) -> KerasModel:
    if options.get("mask_zero"):
        notes.append(
            "Embedding: mask_zero=True: Keras passes over token 0 wherever it stands; here the lengths of "
            "sequences do so for zeros behind a sequence, and a 0 before or within one is read as any token"
        )
    return _input(found, name, options)


def _masking(
    found: KerasModel, name: str, options: Mapping[str, Any], source: str, notes: list[str], _: bool
) -> KerasModel:
    notes.append(
        f"Masking: mask_value={options.get('mask_value', 0.0)}: Keras passes over such steps wherever they "
        "stand; here the lengths of sequences do so for those behind a sequence, and others are read"
    )
    return _input(found, name, options)


def _recurrent(
    found: KerasModel,
    name: str,
    options: Mapping[str, Any],
    source: str,
    notes: list[str],
    last: bool,
    half: bool = False,
) -> KerasModel:
    usual: dict[str, tuple] = {"activation": ("tanh",), "recurrent_activation": ("sigmoid",)}
    usual |= {"reset_after": (True,), "go_backwards": (False, True) if half else (False,)}
    if name == "SimpleRNN":
        usual["activation"] = ("tanh", "relu")
        activation = _activation(options.get("activation", "tanh"))
        rule = "the recurrent layers of one network have one activation"
        require(found.activation in (None, activation), f"{source}: SimpleRNN", activation, rule)
        found = found._replace(activation=activation)
    for option, accepted in usual.items():
        value = options.get(option, accepted[0])
        value = _activation(value) if option.endswith("activation") else value
        if value not in accepted:
            raise UserError(f"{name}: {option}", value, "makes another function of it", accepted)
    every = bool(options.get("return_sequences", False))
    if not last:
        rule = "only the last recurrent layer may put out its last step alone"
        require(every, f"{source}: {name}: return_sequences", every, rule)
    else:
        found = found._replace(every_step=every)
    if options.get("stateful"):
        notes.append(
            f"{name}: stateful=True: Keras goes on with the state of the batch before; here every call "
            "begins anew unless it is given a state"
        )
    return found


def _bidirectional(
    found: KerasModel, name: str, options: Mapping[str, Any], source: str, notes: list[str], last: bool
) -> KerasModel:
    mode = options.get("merge_mode", "concat")
    if mode != "concat":
        raise UserError("Bidirectional: merge_mode", mode, "makes another function of it", ["concat"])
    kinds = []
    for part in ("layer", "backward_layer"):
        inner = options.get(part)
        if inner is None:
            continue
        kind, of = _class(inner), inner["config"]
        require(kind in RECURRENT, f"{source}: Bidirectional: {part}", kind, "is not read here", RECURRENT)
        backwards = bool(of.get("go_backwards", False))
        rule = "the first half must read forwards, and the second one backwards"
        require(backwards == (part == "backward_layer"), f"{name}: {part}: go_backwards", backwards, rule)
        found = _recurrent(found, kind, of, source, notes, last, half=True)
        notes += _unknown_options(kind, of)
        kinds.append(kind.removeprefix("CuDNN"))
    require(len(set(kinds)) == 1, f"{source}: Bidirectional", kinds, "both halves must be of one kind")
    return found


def _dense(found: KerasModel, name: str, options: Mapping[str, Any], source: str, *_: Any) -> KerasModel:
    output = _activation(options.get("activation", "linear"))
    rule = "a Dense layer is read as what is put out, whose activation must be one of these"
    require(output in _OUTPUTS, f"{source}: {name}: activation", output, rule, _OUTPUTS)
    return found._replace(output=output)


def _distributed(
    found: KerasModel, name: str, options: Mapping[str, Any], source: str, notes: list[str], _: bool
) -> KerasModel:
    inner = options["layer"]
    kind = _class(inner)
    require(kind == "Dense", f"{source}: TimeDistributed", kind, "of this layer is not read here", ["Dense"])
    rule = "needs a recurrent layer below that puts out every step (return_sequences=True)"
    require(found.every_step is True, f"{source}: TimeDistributed", "Dense", rule)
    notes += _unknown_options(kind, inner["config"])
    return _dense(found, "TimeDistributed(Dense)", inner["config"], source)


def _output(found: KerasModel, name: str, options: Mapping[str, Any], source: str, *_: Any) -> KerasModel:
    given = "softmax" if name == "Softmax" else _activation(options.get("activation"))
    rule = "of what a linear Dense puts out is read where it is one of these"
    fits = found.output == "linear" and given in _OUTPUTS
    require(fits, f"{source}: {name}", given, rule, _OUTPUTS)
    axis = options.get("axis", -1)
    require(axis == -1, f"{source}: {name}: axis", axis, "must be the last")
    return found._replace(output=given)


_READERS: dict[str, tuple[Any, int]] = {
    "InputLayer": (_input, _INPUT),
    "Embedding": (_embedding, _TOKENS),
    "Masking": (_masking, _TOKENS),
    "Bidirectional": (_bidirectional, _RECURRENT),
    "Dense": (_dense, _DENSE),
    "TimeDistributed": (_distributed, _DENSE),
    "Activation": (_output, _OUTPUT),
    "Softmax": (_output, _OUTPUT),
}


def _unknown_options(name: str, options: Mapping[str, Any]) -> list[str]:
    """Notes on options that nobody knows; raises where one makes another function."""
    heeded = {"recurrent_activation", "reset_after", "merge_mode", "go_backwards"}
    notes = []
    for option, value in options.items():
        if option in _USUAL and option not in heeded:
            fits = value is None or value == _USUAL[option]
            require(fits, f"{name}: {option}", value, "makes another function of it", [_USUAL[option]])
        elif option == "dtype" and _dtype(value) not in ("float32", "None"):
            notes.append(f"{name}: dtype={_dtype(value)}: Keras computes in it; here in float32")
        elif option not in _IDLE | heeded and not option.endswith(_IDLE_ENDS):
            notes.append(f"{name}: {option}={str(value)[:40]} is not known here and was not heeded")
    return notes


def _dtype(value: Any) -> str:
    inner = value.get("config") if isinstance(value, Mapping) else None
    return str(inner.get("name")) if isinstance(inner, Mapping) else str(value)


def _activation(value: Any) -> str:
    """Its name; of an object that of its class or function."""
    if isinstance(value, Mapping):
        inner = value.get("config")
        value = inner.get("name", value.get("class_name")) if isinstance(inner, Mapping) else inner
    return "linear" if value is None else str(value).lower()


def _class(layer: Any) -> str:
    return str(layer["class_name"])


def _layers(config: Mapping[str, Any], source: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(class, options) of every layer from below; a model's layers must be a chain."""
    name, inside = _class(config), config["config"]
    if name not in _MODELS:
        yield name, inside
        return
    listed = inside if isinstance(inside, list) else inside["layers"]  # Keras before 2.2 had a list alone
    before: str | None = None
    for layer in listed:
        options = layer["config"]
        if name != "Sequential":
            feeds = sorted(_feeds(layer.get("inbound_nodes", [])))
            called = str(layer.get("name", options.get("name")))
            rule = "is wired otherwise than in a chain, one layer behind the other"
            require(feeds == ([before] if before is not None else []), f"{source}: layer", called, rule)
            before = called
        rule = "is a model within a model, which is not read"
        require(_class(layer) not in _MODELS, f"{source}: layer", _class(layer), rule)
        yield _class(layer), options


def _feeds(node: Any) -> set[str]:
    """The layers that a call takes its inputs from, in Keras 2's lists or Keras 3's objects."""
    if isinstance(node, Mapping):
        if "keras_history" in node:
            return {str(node["keras_history"][0])}
        return set().union(*(_feeds(part) for part in node.values()))
    if isinstance(node, list):
        if len(node) >= 3 and isinstance(node[0], str) and isinstance(node[1], int):
            return {node[0]} | set().union(*(_feeds(part) for part in node[3:]))
        return set().union(*(_feeds(part) for part in node))
    return set()


def _loss(config: Mapping[str, Any]) -> str:
    compiled = config.get("compile_config") or config.get("training_config") or {}
    loss = compiled.get("loss") if isinstance(compiled, Mapping) else None
    if isinstance(loss, list) and len(loss) == 1:
        loss = loss[0]
    if isinstance(loss, Mapping):
        inner = loss.get("config")
        loss = loss.get("class_name") if not isinstance(inner, str) else inner
    name = str(loss or "").lower().replace("_", "")
    if name.startswith("binary"):
        return "labels"
    return "classes" if _CROSS_ENTROPY.search(name) else "values" if _OF_VALUES.search(name) else ""
