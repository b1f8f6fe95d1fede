"""Models of the timeline for Hugging Face's ``Trainer``, ``AutoModel`` and ``save_pretrained``.

    import anncestry.hf                                                 # registers them
    config = anncestry.hf.AnncestryConfig("bert", hidden_size=64, ...)  # fields of the architecture's config
    model = AutoModel.from_config(config)
    model(input_ids=..., attention_mask=..., labels=...)["loss"]

A thin wrapper: weights are those of the model within (``network.``), and losses are the objectives that
``anncestry train`` learns by. What models of transformers can do beside that is missing, generation for one.
"""

from dataclasses import asdict
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from anncestry.errors import UserError, require
from anncestry.layers.computed import Computed
from anncestry.models.create import build, configure
from anncestry.objectives import objective_for
from anncestry.protocols import IGNORED, outputs_of
from anncestry.signature import GENERATION_TASKS, Signature

try:
    from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, PretrainedConfig
    from transformers.modeling_utils import PreTrainedModel
    from transformers.utils import ModelOutput
except ImportError as error:
    hint = "Install it: pip install transformers"
    raise UserError("anncestry.hf", error.name, "needs transformers", hint=hint) from None


class AnncestryConfig(PretrainedConfig):
    """An architecture and its sizes, as transformers keeps configs; whatever transformers adds can be set.

    Args:
        architecture: its id on the timeline.
        network: fields of its own config; they may also be given by name.
        options: fields of its own config, or of transformers (``use_cache``, ``id2label``, ...).
    """

    model_type = "anncestry"
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["state"]

    def __init__(self, architecture: str = "", network: dict[str, Any] | None = None, **options: Any) -> None:
        self.architecture = architecture
        self.network = dict(network or {})
        if architecture:
            from anncestry.timeline import find

            known = find(architecture).config_class().__dataclass_fields__
            self.network |= {name: options.pop(name) for name in list(options) if name in known}
            self.network = asdict(configure(architecture, self.network))
        self.use_cache = options.pop("use_cache", False)
        self.hidden_size = self.network.get("hidden_size", 0)  # which wrappers of training ask for
        super().__init__(**options)


class AnncestryModel(PreTrainedModel):
    """Any architecture that reads tokens and generates no text; ``forward`` with transformers' arguments."""

    network: Any
    signature: Signature
    objective: Any
    config_class = AnncestryConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    supports_gradient_checkpointing = False
    _no_split_modules: ClassVar[list[str]] = ["Block"]

    def __init__(self, config: AnncestryConfig) -> None:
        super().__init__(config)
        require(bool(config.architecture), "architecture", config.architecture, "must be on the timeline")
        self.network = build(configure(config.architecture, config.network))
        signature = self.network.config.signature
        fits = signature.inputs == "tokens" and signature.task not in GENERATION_TASKS
        what = f"{signature.inputs} with the task {signature.task}"
        require(
            fits, "architecture", config.architecture, f"must read tokens and generate no text, not {what}"
        )
        self.signature, self.objective = signature, objective_for(signature)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Weights have been drawn by their own modules; what is computed is made again."""
        if isinstance(module, Computed):
            module.refill()

    def get_input_embeddings(self) -> nn.Module:
        return next(module for module in self.network.modules() if isinstance(module, nn.Embedding))

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        **unused: Any,
    ) -> ModelOutput:
        """
        Args:
            input_ids: (B, T).
            attention_mask: (B, T) ones, and behind a text's end zeros.
            labels: (B,) classes or (B, K) values; (B, T) tags, or the masked tokens, `IGNORED`
                (-100) elsewhere; for a language model the text itself (B, T), which is moved here; of a span
                (B, 2).

        Returns:
            ``loss`` where there are labels, and ``logits``.

        Raises:
            UserError: the mask has zeros before a text's end, or there is an argument that the model cannot
                heed.
        """
        for name, value in unused.items():
            heeded = value is None or value is False or name in ("return_dict", "num_items_in_batch")
            require(heeded, name, "given", "is nothing that this wrapper heeds")
        lengths = None if attention_mask is None else lengths_of(attention_mask)
        targets = labels
        if labels is not None and self.signature.task == "language-model":
            targets = nn.functional.pad(labels[:, 1:], (0, 1), value=IGNORED)
        if targets is not None and lengths is not None and self.signature.every_step and targets.dim() > 1:
            beyond = torch.arange(input_ids.shape[1], device=input_ids.device) >= lengths[:, None]
            targets = targets if targets.shape[:2] != beyond.shape else targets.masked_fill(beyond, IGNORED)
        asked = self.training and self.signature.task == "masked-lm"
        outputs, _ = outputs_of(self.network, input_ids, None, lengths, targets, asked_only=asked)
        found: dict[str, Any] = {}
        if targets is not None:
            moved = self.signature.task == "language-model"
            count = int((targets != IGNORED).sum()) if moved else self.objective.count(targets)
            found["loss"] = self.objective.loss(outputs, targets) / max(1, count)
        return ModelOutput(**found, logits=outputs if isinstance(outputs, Tensor) else outputs[0])


def lengths_of(mask: Tensor) -> Tensor:
    """(B,) how many tokens of each row the mask shows.

    Raises:
        UserError: it shows others than the first ones.
    """
    lengths = mask.long().sum(1)
    first = torch.arange(mask.shape[1], device=mask.device) < lengths[:, None]
    if not torch.compiler.is_compiling():
        right = bool((first == mask.bool()).all())
        require(right, "attention_mask", "with zeros before ones", "texts are padded behind their end")
    return lengths


AutoConfig.register("anncestry", AnncestryConfig, exist_ok=True)
AutoModel.register(AnncestryConfig, AnncestryModel, exist_ok=True)
AutoModelForSequenceClassification.register(AnncestryConfig, AnncestryModel, exist_ok=True)
