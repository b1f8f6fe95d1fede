"""A run and what can be done with it: predict, generate, embed, evaluate, inspect and export."""

import warnings
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.data import DataOptions, Whole
from anncestry.data.processors import VectorProcessor
from anncestry.data.processors.given import Given, Text
from anncestry.decoding import Sampling, Search
from anncestry.engine.progress import Progress
from anncestry.errors import require
from anncestry.inference import continuation
from anncestry.inference.embedding import Embedded, embed_texts, embed_words
from anncestry.inference.generation import generate_rows
from anncestry.inference.options import (
    check_options,
    check_task,
    settings_of_continuation,
    settings_of_search,
)
from anncestry.inference.text_stream import TextStream
from anncestry.protocols import State
from anncestry.report.page import Page
from anncestry.runs import prediction
from anncestry.runs.evaluation import Evaluation, evaluate_run, examples_of
from anncestry.runs.folder import RunFolder
from anncestry.runs.inside.alignments import check_alignment
from anncestry.signature import GENERATION_TASKS


class Run(RunFolder):
    """A trained (or half-trained) model in its folder, and what can be done with it.

    Everything is read when it is first asked for. Long work tells its ``progress``: a function that is called
    with how many parts of it are done, and how many there are.

    Args:
        folder: a run folder.
        precision: of predictions and scores: ``32``, ``bf16``, or ``int8`` for Transformers.

    Raises:
        UserError: there is no such folder, it is not a run folder, it is of a newer format than is known, or
            there is no such precision.

    >>> run, _ = anncestry.train("mlp", "toy2d:moons", max_steps=20)
    >>> run.predict([[0.5, 0.25]])[0]["class"] in ("0", "1")
    True
    >>> sorted(run.evaluate())
    ['accuracy', 'balanced_accuracy', 'loss', 'macro_f1', 'roc_auc']
    >>> run.architecture.name, run.signature.task, run.config["data"]["name"]
    ('Multi-layer perceptron', 'classification', 'toy2d:moons')
    """

    def predict(
        self,
        inputs: Given,
        batch_size: int = 256,
        search: Search | None = None,
        progress: Progress | None = None,
    ) -> list[dict[str, Any]]:
        """The predictions for inputs.

        Args:
            inputs: an input as text, which is read as it stands and never opened; a `Path` to a file with
                inputs (``Path("-")`` is standard input); or a list of inputs. A pair of texts is a tuple.
                Rows of a table may also be dictionaries, lists, arrays or frames
                (`anncestry.data.processors.given.table_of`). Images are files, or folders of them.
            batch_size: how many inputs are computed at once; it changes the speed alone.
            search: tasks that generate a text: how it is searched; default: greedy search.
            progress: called with how many inputs are done, and how many there are.

        Returns:
            One row per input, in their order: ``{"input": its name, ...}``, and a ``note`` where there is
            something odd about it, or where it is blank. With ``class`` (or ``labels``: those with a
            probability above a half) and ``probabilities`` (or raw ``scores`` where the model knows no
            probabilities), or the target values in their units, or how well an image was reconstructed (the
            metrics of the task), or the most probable next tokens of a language model. Tasks that generate a
            text: see `generate`.

        Raises:
            UserError: an input cannot be read, or is blank; ``search`` has no effect on this task.

        Example:
            >>> import anncestry, tempfile
            >>> run, _ = anncestry.train("perceptron", "toy2d:xor", out=tempfile.mkdtemp(), epochs=1)
            >>> sorted(run.predict("0.5, -0.25")[0])
            ['class', 'input', 'scores']
        """
        require(batch_size >= 1, "batch_size", batch_size, "must be at least 1")
        if self.signature.task in GENERATION_TASKS:
            return self.generate(inputs, search=search, progress=progress)
        rule = f"has no effect on a run whose task is {self.signature.task}"
        require(search is None, "search", search, rule)
        return prediction.predict_rows(self, inputs, batch_size, progress)

    def generate(
        self,
        inputs: Given,
        *,
        length: int | None = None,
        samples: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | torch.Generator | None = None,
        beam: int | None = None,
        n_best: int | None = None,
        alpha: float | None = None,
        unfinished: str | None = None,
        search: Search | Sampling | None = None,
        alignments: bool = False,
        progress: Progress | None = None,
    ) -> list[dict[str, Any]]:
        """Texts: continuations of a language model, or what an encoder-decoder makes of its source.

        A language model samples by default; with ``beam`` or ``n_best`` it gives the most probable
        continuation that a beam search finds. Encoder-decoders (translation, captions, denoising) search
        greedily by default.

        Args:
            inputs: as for `predict`: prompts to continue, texts to translate or restore, images.
            length: language models: how many tokens to generate; default: 200.
            samples: language models: how many continuations of each prompt; default: 1.
            temperature: language models: 0 takes the most probable token each time, 1 samples as the model
                believes; default: 0.8.
            top_k: language models: sample from so many of the most probable tokens; default: 0, from all.
            top_p: language models: sample from the fewest tokens that have this probability together;
                default: 1, from all.
            seed: language models: fixes what is sampled, be it a generator that goes on where it is;
                default: 0.
            beam: the width of the beam search; 1 is greedy search.
            n_best: how many texts to give for each input, with their scores; default: 1.
            alpha: encoder-decoders: the length penalty of a beam search, 0 for none; default: 0.6.
            unfinished: encoder-decoders: what becomes of texts that a beam search cuts at the greatest
                length: ``compared`` with finished ones by score, which is the default, or put ``last``.
            search: settings of decoding in place of these options (`anncestry.Search`); for language models
                also `anncestry.decoding.Sampling`.
            alignments: encoder-decoders with attention: whether rows have the ``hypothesis`` with its
                attention weights (T, S) (`anncestry.decoding.Hypothesis`), of which
                `anncestry.runs.inside.alignments.alignment_page` makes a page.
            progress: called with how much is done, and how much there is: tokens of language models, inputs
                of others.

        Returns:
            Of a language model a row ``{"input", "continuation", "text"}`` for each sample, ``text`` being
            the prompt with its continuation; with beams also the ``score``: the log probability. Else a row
            ``{"input", "translation" or "caption", "score"}`` for each input. With ``n_best`` above 1 each
            row has ``n_best``: rows of text and score, best first. A ``note`` says what is odd about it.

        Raises:
            UserError: the run's task generates no text; an option does not apply to it, or not together with
                another one; an option is out of range; an input cannot be read.

        Example:
            >>> import anncestry, tempfile
            >>> data = anncestry.DataOptions(max_chars=2000)
            >>> folder = tempfile.mkdtemp()
            >>> run, _ = anncestry.train("rnn", "pydoc", out=folder, width=8, data_options=data, max_steps=1)
            >>> len(run.generate("The value of", samples=3, top_p=0.9, length=5))
            3
            >>> len(run.generate("The value of", beam=4, n_best=2, length=5)[0]["n_best"])
            2
        """
        check_task(self.signature)
        options = {
            "length": length, "samples": samples, "temperature": temperature, "top_k": top_k, "top_p": top_p,
            "seed": seed, "beam": beam, "n_best": n_best, "alpha": alpha, "unfinished": unfinished,
        }  # fmt: skip
        check_options(self.signature, options)
        if self.signature.task == "language-model":
            rule = "has no effect on a run whose task is language-model"
            require(not alignments, "alignments", alignments, rule)
            settings, length = settings_of_continuation(options, search)
            about = (settings, length, samples or 1, seed, self.prediction, progress)
            return continuation.continue_prompts(self.predictor, self.processor, inputs, *about)
        settings = settings_of_search(self.signature, options, search)
        if alignments:
            check_alignment(self)
        about = (inputs, settings, alignments, self.prediction, progress)
        return generate_rows(self.predictor, self.processor, *about)

    def stream(
        self,
        prompt: str | Path,
        *,
        length: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | torch.Generator | None = None,
    ) -> TextStream:
        """A language model's continuation of a prompt in pieces of text, each as soon as it is known.

        Args:
            prompt: a text, or a `Path` to a file with one.
            length, temperature, top_k, top_p, seed: as for `generate`.

        Returns:
            An iterator over the prompt and then pieces of its continuation; joined they are the ``text`` of
            `generate`. Its ``note`` says what is odd about the prompt.

        Raises:
            UserError: as for `generate`.

        Example:
            >>> import anncestry, tempfile
            >>> data = anncestry.DataOptions(max_chars=2000)
            >>> folder = tempfile.mkdtemp()
            >>> run, _ = anncestry.train("rnn", "pydoc", out=folder, width=8, data_options=data, max_steps=1)
            >>> len(list(run.stream("The value of", length=5)))
            6
        """
        options = {
            "length": length, "temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed,
        }  # fmt: skip
        rule = f"continues no text; its task is {self.signature.task}"
        require(self.signature.task == "language-model", "run", str(self.folder), rule)
        check_options(self.signature, options)
        settings, length = settings_of_continuation(options)
        assert isinstance(settings, Sampling)
        read = continuation.read_given(self.model, self.processor, prompt)
        about = (read, settings, length, continuation.generator_of(seed), self.prediction)
        return TextStream(self.predictor, self.processor, *about)

    @property
    def embeds_texts(self) -> bool:
        """Whether it gives a vector for each text."""
        return self.signature.task == "embedding" and isinstance(self.processor, VectorProcessor)

    def embed(
        self,
        texts: Sequence[Text],
        *,
        state: State = None,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> Float[Tensor, "N D"] | Embedded:
        """The vectors of texts: of encoders without a head one for each text, of ELMo those of every word.

        Args:
            texts: texts, or pairs of texts as tuples; for ELMo words between blanks.
            state: ELMo: behind the texts of an earlier call, of as many; each text then goes on where the one
                in its place ended, as the authors' code always does.
            batch_size: ELMo: how many texts are read at once; default: 32.
            progress: called with how many texts are done, and how many there are.

        Returns:
            (N, D) float32: a vector for each text. Of ELMo an `Embedded`: its ``vectors`` are
            (T, L + 1, D) for each text, of every word the vector of its own, then those of the L layers; its
            ``state`` is behind each text.

        Raises:
            UserError: the run is of another task; an option does not apply; a text holds nothing.

        Example:
            >>> import anncestry
            >>> run = anncestry.load("runs/minilm")                              # doctest: +SKIP
            >>> run.embed(["a dog runs", "a cat sleeps"]).shape                  # doctest: +SKIP
            torch.Size([2, 384])
        """
        if self.architecture.id == "elmo":
            chars = self.processor.num_chars  # pyright: ignore[reportAttributeAccessIssue]
            size = 32 if batch_size is None else batch_size
            require(size >= 1, "batch_size", size, "must be at least 1")
            return embed_words(self.model, chars, texts, self.prediction, state, size, progress)  # pyright: ignore[reportArgumentType]
        rule = f"gives no vectors of texts; its task is {self.signature.task}"
        require(self.embeds_texts, "run", str(self.folder), rule, ["embedding", "a run of elmo"])
        for name, value in (("state", state), ("batch_size", batch_size)):
            require(value is None, name, value, "has no effect but on a run of elmo")
        if not texts:
            return torch.empty(0, self.signature.output_size)
        vectors = embed_texts(self.predictor, self.processor, texts, self.prediction, progress)
        return prediction.finite(self, vectors)

    def evaluate(
        self,
        data: str | Whole | None = None,
        split: str | None = None,
        options: DataOptions | None = None,
        search: Search | None = None,
        progress: Progress | None = None,
    ) -> Evaluation:
        """The metrics on a split of the run's own data, or on other data read with the run's own processor.

        Args:
            data: a data name as for training, all of which is scored, or what `examples` found; default: the
                run's own.
            split: ``train``, ``validation``, ``test`` or ``held-out`` of its own data; default: test.
            options: how other data are read, as far as the processor does not decide it; default: the run's
                own options.
            search: tasks that generate a text: how it is searched; default: greedy search.
            progress: called with how many batches are scored, and how many there are; then likewise with the
                sources for which texts are generated.

        Returns:
            Metrics by their names, a dictionary that also knows how many examples were scored, how often
            each class was predicted, and the generated texts (`anncestry.runs.evaluation.Evaluation`).

        Raises:
            UserError: the data cannot be read as the run's own were; an option does not apply; the model
                computes NaN.

        Example:
            >>> import anncestry, tempfile
            >>> run, _ = anncestry.train("perceptron", "toy2d:xor", out=tempfile.mkdtemp(), epochs=1)
            >>> run.evaluate(split="validation") == run.scores()["validation"]
            True
        """
        return evaluate_run(self, examples_of(self, data, split, options), search, progress)

    def examples(
        self, data: str | Whole | None = None, split: str | None = None, options: DataOptions | None = None
    ) -> Whole:
        """What `evaluate` scores: one split of the run's own data, or all of other data.

        Its own data are known by what is in them, whatever they are called: of these it is the split, since
        the rest was trained on.

        Args:
            data, split, options: as for `evaluate`.

        Raises:
            UserError: the data cannot be read as the run's own were, or a split is asked of other data.
        """
        return examples_of(self, data, split, options)

    def inspect(self, input: Given, **options: Any) -> Page:
        """What goes on inside the model while it reads an input, as one HTML page.

        Hidden states and gates of a recurrent net, feature maps of a convolutional net, attention heads of a
        Transformer.

        Args:
            input: a text, rows of a series, or the `Path` of a file; of several inputs the first is shown.
            options: ``layer``, ``head``, ``answer``, ``units`` and ``max_steps``, as far as the page heeds
                them (`anncestry.runs.inside.options.InspectOptions`).

        Returns:
            A page with ``facts`` (what stands out, in sentences) and ``write(path)``; a notebook shows it.

        Raises:
            UserError: the run has no page; an option has no effect on it or is out of range; the input cannot
                be read.

        Example:
            >>> import anncestry, tempfile
            >>> data = anncestry.DataOptions(max_chars=2000)
            >>> folder = tempfile.mkdtemp()
            >>> run, _ = anncestry.train("rnn", "pydoc", out=folder, width=8, data_options=data, max_steps=1)
            >>> run.inspect("The value", units=4).write(folder + "/inside.html").name
            'inside.html'
        """
        from anncestry.runs.inside.inspecting import inspect_run  # loads matplotlib

        return inspect_run(self, input, **options)

    def export(self, to: str, out: str | Path, **options: Any) -> tuple[str, ...]:
        """Write the run in another program's form.

        Args:
            to: ``torch``, ``keras``, ``marian``, ``huggingface``, ``elmo`` or ``onnx``
                (`anncestry.runs.exports.EXPORTERS`).
            out: a new file or folder, as the form asks; a folder that is there must be empty.
            options: of the form: ``int8=True`` of ``onnx``.

        Returns:
            Notes for a person: what is not quite the same there.

        Raises:
            UserError: the run has no such form; ``out`` exists; an option is of another form; the disk is
                full.

        Example:
            >>> import anncestry, tempfile
            >>> data = anncestry.DataOptions(max_chars=2000)
            >>> folder = tempfile.mkdtemp()
            >>> run, _ = anncestry.train("rnn", "pydoc", out=folder, width=8, data_options=data, max_steps=1)
            >>> run.export("torch", folder + "/rnn.safetensors")
            ()
        """
        from anncestry.runs.exports import export_run  # loads every converter

        return export_run(self, to, Path(out).expanduser(), **options)

    def outputs(
        self,
        inputs: Tensor,
        lengths: Int[Tensor, "N"] | None = None,
        targets: Int[Tensor, "N T"] | None = None,
    ) -> Float[Tensor, "N ..."] | Float[Tensor, "M V"]:
        """The model's raw outputs for a batch of inputs, without gradients.

        Args:
            inputs: (N, \\*shape) as the signature says.
            lengths: of the inputs, where they are padded.
            targets: where tokens are masked, and logits are wanted of those M alone: (M, V).

        Raises:
            UserError: some outputs are NaN or infinite.
        """
        return prediction.outputs(self, inputs, lengths, targets)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}: {self.config['architecture']}, {self.source})"

    def _repr_html_(self) -> str:
        """What it is, in a table, for notebooks: architecture, data, size, metrics."""
        architecture, scores = self.architecture, self.scores()
        finished = (self.folder / "model.safetensors").is_file()
        size = (
            f"{sum(weight.numel() for weight in self.model.parameters()):,}" if finished else "not finished"
        )
        rows = {
            "architecture": f"{architecture.name} ({architecture.year}), {architecture.paper}",
            "task": f"{self.signature.task} of {self.signature.inputs} {self.signature.shape}",
            "weights": self.source,
            "parameters": size,
            **{split: ", ".join(f"{n} {v:.4g}" for n, v in row.items()) for split, row in scores.items()},
            "folder": str(self.folder),
        }
        lines = (f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows.items())
        return f"<table>{''.join(lines)}</table>"


def load(folder: str | Path, precision: str = "32") -> Run:
    """Open a run folder.

    >>> _ = anncestry.train("mlp", "toy2d:moons", max_steps=20)
    >>> anncestry.load("runs/mlp-toy2d-moons")
    Run('runs/mlp-toy2d-moons': mlp, trained on toy2d:moons)

    Args:
        folder: of a run, or of an import.
        precision: of predictions and scores: ``32``, ``bf16``, or ``int8`` for Transformers.

    Returns:
        The run; its weights and data are read when they are first used.

    Raises:
        UserError: it is no run folder, or there is no such precision.
    """
    return Run(folder, precision)


def embed(run: Run, texts: Sequence[str], state: State = None, batch_size: int = 32) -> Embedded:
    """As `Run.embed` of a run of ELMo, which takes its place; kept for one release."""
    warnings.warn("anncestry.embed(run, texts) is run.embed(texts) now", DeprecationWarning, stacklevel=2)
    return run.embed(texts, state=state, batch_size=batch_size)  # pyright: ignore[reportReturnType]
