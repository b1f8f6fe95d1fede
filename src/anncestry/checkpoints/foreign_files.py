"""What an import was given, opened once: the listing of its folder, its JSON files, its tensors."""

import functools
from collections.abc import Collection
from pathlib import Path
from typing import Any

from anncestry.checkpoints.weights import Weights, open_weights
from anncestry.fields import Fields
from anncestry.formats.tensorflow_bundle import list_bundle
from anncestry.stored import read_object

CONFIG = "config.json"
_OF_A_FOLDER = (".safetensors", ".bin", ".json")
BOOKKEEPING = frozenset({
    "architectures", "model_type", "torch_dtype", "dtype", "transformers_version", "_name_or_path",
    "name_or_path", "initializer_range", "use_cache", "gradient_checkpointing", "output_attentions",
    "output_hidden_states", "output_past", "return_dict", "use_return_dict", "torchscript", "id2label",
    "label2id", "num_labels", "_num_labels", "problem_type", "finetuning_task", "task_specific_params",
    "pad_token_id", "bos_token_id", "eos_token_id", "sep_token_id", "cls_token_id", "mask_token_id",
    "unk_token_id", "decoder_start_token_id", "tokenizer_class", "language", "name", "prefix",
    "chunk_size_feed_forward", "is_encoder_decoder", "tie_word_embeddings", "tie_encoder_decoder",
    "cross_attention_hidden_size", "pruned_heads", "attn_implementation", "_attn_implementation",
    "_attn_implementation_autoset", "use_bfloat16", "tf_legacy_loss",
})  # fmt: skip
"""Fields of a config.json that change nothing in what a body computes."""


GENERATION = "generation_config.json"
_SEARCHES: dict[str, tuple[Any, ...]] = {  # of transformers' generate, and what changes nothing
    "num_beams": (1,), "do_sample": (False,), "temperature": (1,), "top_k": (0, 50), "top_p": (1,),
    "length_penalty": (1,), "no_repeat_ngram_size": (0,), "repetition_penalty": (1,), "min_length": (0,),
    "max_length": (20,), "early_stopping": (False,), "max_new_tokens": (), "forced_bos_token_id": (),
    "encoder_no_repeat_ngram_size": (0,), "num_beam_groups": (1,), "diversity_penalty": (0,),
    "suppress_tokens": ([],), "begin_suppress_tokens": ([],), "typical_p": (1,),
}  # fmt: skip


class ForeignFiles:
    """A file, or a folder.

    Attributes:
        path: as it was given.
        folder: it, or the one the file lies in.
        name: of both in messages.
        names: the files in the folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.is_folder = self.path.is_dir()
        self.folder = self.path if self.is_folder else self.path.parent
        self.name = str(path)
        try:
            listed = [entry.name for entry in self.folder.iterdir() if entry.is_file()]
        except OSError:  # of a folder that is not there; who asks for the file says so
            listed = []
        self.names = frozenset(listed)
        self._objects: dict[str, Fields] = {}

    @property
    def of_folder(self) -> bool:
        """Whether the folder's config speaks for it: it is the folder, or one of the files that it names."""
        return self.is_folder or (self.path.is_file() and self.path.suffix in _OF_A_FOLDER)

    @functools.cached_property
    def config(self) -> Fields:
        """config.json; empty where there is none."""
        return self.json(CONFIG, BOOKKEEPING) if CONFIG in self.names else Fields({}, CONFIG)

    @property
    def model_type(self) -> str | None:
        """Which network Hugging Face's config.json says it is."""
        found = self.config.get("model_type") if self.of_folder else None
        return found if isinstance(found, str) else None

    @functools.cached_property
    def weights(self) -> Weights:
        """The tensors: of the file, where it is one of tensors; else the folder's."""
        path = self.path
        if path.suffix == ".json" and not path.name.endswith(".index.json"):
            path = self.folder
        return open_weights(path)

    @functools.cached_property
    def bundle(self) -> Path | None:
        """A checkpoint of TensorFlow: its folder, its prefix or one of its files; None for anything else."""
        if self.is_folder:
            found = [name for name in self.names if name.endswith(".index")]
            if "checkpoint" in self.names:
                return self.path
            return self.path / found[0] if len(found) == 1 else None
        name = self.path.name
        if name.endswith((".index", ".meta")) or ".data-" in name or f"{name}.index" in self.names:
            return self.path
        return None

    @functools.cached_property
    def bundled(self) -> Collection[str]:
        """The names in the checkpoint of TensorFlow."""
        return () if self.bundle is None else list_bundle(self.bundle)

    def searches(self) -> tuple[str, ...]:
        """A note on how a folder says that answers are searched, which is told by options here."""
        told = self.json(GENERATION) if GENERATION in self.names else Fields({}, GENERATION)
        said = {name: told.get(name, self.config.get(name)) for name in _SEARCHES}
        odd = [f"{n}={v!r}" for n, v in said.items() if v is not None and v not in _SEARCHES[n]]
        if not odd:
            return ()
        return (f"how answers are searched is told by options here, not by its files: {', '.join(odd)}",)

    def json(self, name: str, idle: Collection[str] = ()) -> Fields:
        """The object of a JSON file of the folder, read once.

        Args:
            idle: fields that change nothing.

        Raises:
            UserError: there is no such file, or it holds something else.
        """
        if name not in self._objects:
            self._objects[name] = Fields(read_object(self.folder / name), name)
        self._objects[name].ignore(*idle)
        return self._objects[name]
