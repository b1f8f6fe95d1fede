"""What an import was given, opened once: the listing of its folder, its JSON files, its tensors.

Every kind of foreign files is recognised and read through a `ForeignFiles`, which opens a file when it is
first asked for and keeps it: of a file of HDF5 or a zip archive the open file, of a checkpoint of TensorFlow
its index, of JSON the value.
"""

import functools
import zipfile
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
from torch import Tensor

from anncestry.checkpoints.weights import Weights, open_weights
from anncestry.errors import UserError
from anncestry.fields import Fields
from anncestry.formats.hdf5 import open_hdf5
from anncestry.formats.keras import open_archive
from anncestry.formats.tensorflow_bundle import Bundle, open_bundle
from anncestry.stored import object_in, read_json

CONFIG = "config.json"
_OF_A_FOLDER = (".safetensors", ".bin", ".json")
_NO_CONTAINER = (".safetensors", ".json", ".txt", ".npy", ".spm", ".model", ".md", ".py")
"""Endings of names of files that hold neither HDF5 nor an archive."""
_ARCHIVES = (".keras", ".npz", ".zip")
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
_GENERATION_DEFAULTS: dict[str, tuple[Any, ...]] = {  # of transformers' generate, and what changes nothing
    "num_beams": (1,), "do_sample": (False,), "temperature": (1,), "top_k": (0, 50), "top_p": (1,),
    "length_penalty": (1,), "no_repeat_ngram_size": (0,), "repetition_penalty": (1,), "min_length": (0,),
    "max_length": (20,), "early_stopping": (False,), "max_new_tokens": (), "forced_bos_token_id": (),
    "encoder_no_repeat_ngram_size": (0,), "num_beam_groups": (1,), "diversity_penalty": (0,),
    "suppress_tokens": ([],), "begin_suppress_tokens": ([],), "typical_p": (1,),
}  # fmt: skip


class ForeignFiles:
    """A file, or a folder.

    Use it in a ``with``: what was opened is closed behind it.

    Args:
        path: of the file or folder.

    Attributes:
        path: as it was given.
        is_folder: whether that is a folder.
        folder: it, or the one the file lies in.
        name: of both in messages.
        names: the files in the folder.
        folders: the folders in the folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.is_folder = self.path.is_dir()
        self.folder = self.path if self.is_folder else self.path.parent
        self.name = str(path)
        try:
            listed = list(self.folder.iterdir())
        except OSError:  # of a folder that is not there; who asks for the file says so
            listed = []
        self.names = frozenset(entry.name for entry in listed if entry.is_file())
        self.folders = frozenset(entry.name for entry in listed if entry.is_dir())
        self._values: dict[str, Any] = {}
        self._objects: dict[str, Fields] = {}
        self._hdf5: dict[str, h5py.File | None] = {}
        self._inside: dict[Path, ForeignFiles] = {}
        self._opened = ExitStack()

    def __enter__(self) -> "ForeignFiles":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def inside(self, folder: str) -> "ForeignFiles":
        """A folder in the folder; this one where it is the same."""
        path = self.folder / folder
        if path == self.path:
            return self
        if path not in self._inside:
            self._inside[path] = self._opened.enter_context(ForeignFiles(path))
        return self._inside[path]

    # ---- what is said in JSON ----

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

    def generation_notes(self) -> tuple[str, ...]:
        """A note on the settings of generation that a folder names, which are options here."""
        given = self.json(GENERATION) if GENERATION in self.names else Fields({}, GENERATION)
        said = {name: given.get(name, self.config.get(name)) for name in _GENERATION_DEFAULTS}
        odd = [f"{n}={v!r}" for n, v in said.items() if v is not None and v not in _GENERATION_DEFAULTS[n]]
        if not odd:
            return ()
        return (f"how texts are generated is set by options here, not by its files: {', '.join(odd)}",)

    def value(self, name: str) -> Any:
        """The value in a JSON file of the folder, read once.

        Raises:
            UserError: there is no such file, or it is no JSON.
        """
        if name not in self._values:
            self._values[name] = read_json(self.folder / name)
        return self._values[name]

    def json(self, name: str, idle: Collection[str] = ()) -> Fields:
        """The object of a JSON file of the folder, read once.

        Args:
            idle: fields that change nothing.

        Raises:
            UserError: there is no such file, or it holds something else.
        """
        if name not in self._objects:
            self._objects[name] = Fields(object_in(self.folder / name, self.value(name)), name)
        self._objects[name].ignore(*idle)
        return self._objects[name]

    # ---- tensors ----

    @functools.cached_property
    def weights(self) -> Weights:
        """The tensors: of the file, where it is one of tensors; else the folder's.

        Raises:
            UserError: as `open_weights`.
        """
        path = self.path
        if path.suffix == ".json" and not path.name.endswith(".index.json"):
            path = self.folder
        return open_weights(path)

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The same, to be recognised by their names; none where they cannot be read and a config says of
        what type they are: then the type is what has to be said."""
        try:
            return self.weights
        except UserError:
            if self.model_type is None:
                raise
            return {}

    def hdf5(self, name: str) -> h5py.File | None:
        """A file of the folder, opened; None where it is not HDF5.

        Raises:
            UserError: it is damaged.
        """
        if not self.is_folder and name == self.path.name:
            return self.container if isinstance(self.container, h5py.File) else None
        if name not in self._hdf5:
            self._hdf5[name] = (
                None if name.endswith(_NO_CONTAINER) else self._kept(open_hdf5(self.folder / name))
            )
        return self._hdf5[name]

    @functools.cached_property
    def container(self) -> h5py.File | zipfile.ZipFile | None:
        """The file that was named, opened, where it is HDF5, or a zip archive without a pickle.

        Raises:
            UserError: it is damaged.
        """
        if self.is_folder or self.path.suffix in _NO_CONTAINER or not self.path.is_file():
            return None
        likely, other = open_hdf5, open_archive
        if self.path.suffix in _ARCHIVES:
            likely, other = other, likely
        return self._kept(likely(self.path) or other(self.path))

    def _kept(self, opened: Any) -> Any:
        """The same, to be closed at the end."""
        return None if opened is None else self._opened.enter_context(opened)

    @functools.cached_property
    def bundle(self) -> Bundle | None:
        """A checkpoint of TensorFlow, given by its folder, its prefix or one of its files; its index is read.
        None for anything else.

        Raises:
            UserError: the index is damaged, or of a big-endian machine.
        """
        name = self.path.name
        if self.is_folder:
            found = [name for name in self.names if name.endswith(".index")]
            if "checkpoint" in self.names:
                return open_bundle(self.path)
            return open_bundle(self.path / found[0]) if len(found) == 1 else None
        if name.endswith((".index", ".meta")) or ".data-" in name or f"{name}.index" in self.names:
            return open_bundle(self.path)
        return None

    @property
    def bundled(self) -> Collection[str]:
        """The names in the checkpoint of TensorFlow; none where it is something else."""
        return () if self.bundle is None else self.bundle.listed
