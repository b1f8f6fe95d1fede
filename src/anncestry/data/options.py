"""The options of a data source, as the command line shows them. Imports no torch."""

from dataclasses import dataclass, fields
from typing import Literal

from anncestry.rules import Checked, Size

CSV_TASKS = ("classification", "regression", "forecasting", "multi-label")
IMAGE_TASKS = ("classification", "reconstruction")
RUNNING_TEXT_TASKS = ("language-model", "masked-lm", "denoising")


@dataclass(frozen=True, kw_only=True)
class DataOptions(Checked):
    """How to read the data. Each source heeds some of them: see `anncestry.data.sources.catalogue`.

    >>> from pathlib import Path
    >>> _ = Path("plants.csv").write_text("id,height,kind\\n" + "1,10,moss\\n2,90,fern\\n" * 20)
    >>> plants = anncestry.load_data("csv:plants.csv", anncestry.DataOptions(target="kind", drop="id"))
    >>> plants.signature.shape, plants.signature.output_size
    ((1,), 2)

    Attributes:
        target: csv, jsonl and hf: the column to predict, by name or by position (1 is the first); default:
            the last. Several with commas between them hold 0 or 1 each and are labels: multi-label.
        drop: csv: columns to leave out (an identifier, say), by name or position, with commas between them.
        task: what to predict. Tables: default: what the target column says; `forecasting` predicts the target
            from the rows before it; `multi-label` reads any number of labels in the target's cells, with
            | ; or , between them. Images: `reconstruction` takes the image itself as the target. Running
            text: the next token, `language-model`, masked tokens, `masked-lm`, or the text before it was
            corrupted, `denoising` (BART); default: what the architecture fits.
        window: forecasting: past values a prediction sees. Text: tokens over which gradients go back; of
            masked-lm and denoising, tokens of an input; default: 128.
        horizon: forecasting: how many steps ahead.
        header: csv: whether the first row holds names; default: found out.
        image_size: images: height and width everything is resized to; default: that of the first image, and
            64 for captions.
        max_chars: text: read at most so many characters.
        level: what a token is: a `char`, a `word` between blanks, or a subword: `byte-bpe` as GPT-2's,
            `word-bpe` as GPT's, `wordpiece` as BERT's, `bpe` for translations and captions; `characters` has
            words as rows of characters, for ELMo. Default: char; byte-bpe for denoising; word for labelled
            sentences in a file, translations and captions.
        vocab_size: words: keep so many of the most frequent words; the others become <unk>. Subwords: at most
            so many; default: 8,000.
        min_count: translations and captions: how often a token must occur in training to be one; default: 2
            for words.
        lowercase: translations, captions, masked-lm and denoising: read and generate lower case.
        joint: translations: one vocabulary for both languages.
        max_tokens: translations: longer pairs are left out of training, truncated elsewhere; default: 256.
        batch_tokens: translations and captions: fill batches up to so many tokens, with padding, in place of
            `batch_size` rows.
        hold_out: dates: languages to be left out of training and evaluated apart, as in `fr,fi`.
        split: text: `tail` keeps the last 10 % for validation and test; `tail-10` takes the last 10 % for
            both (nanoGPT's); `char-rnn` cuts the text into 50 streams and takes the last 5 % of each.
        tags: conllu: which column holds the tags; a file of two columns has but one.
        lag: copy-memory and adding: steps over which something is to be remembered; default: 100 and 200.
        order: idx: `image`, or `pixels` one after the other as a series, or `permuted` in one fixed order.
        skip_bad: images: leave out unreadable files instead of stopping.
        tokenizer: texts: a run folder, or a folder with the files of a tokenizer, to read them with.
        text: csv, jsonl and hf: the column with the texts, or two with a comma between them for pairs of
            texts.
        masking: masked-lm: what is masked: 15 % of the `tokens` (BERT), `whole-words`, `spans` (SpanBERT),
            `n-grams` (ALBERT); `word-order` also shuffles trigrams (StructBERT); for `permutation` a sixth is
            predicted and nothing is masked (XLNet).
        pairs: masked-lm: `none` fills inputs with sentences, a line each, over the borders of documents,
            which blank lines part; `next`: next-sentence prediction (BERT); `order`: sentence-order
            prediction (ALBERT); `three`: whether the second sentence follows, precedes, or neither
            (StructBERT).
        cache: masked-lm and denoising: the folder where the tokens of a text are cached, so that it is
            tokenized once; default: the user's cache folder for texts of more than a million characters.
        cut: texts in subwords: truncate those that are too long instead of stopping.
    """

    target: str | None = None
    drop: str | None = None
    task: (
        Literal[
            "classification",
            "regression",
            "forecasting",
            "multi-label",
            "reconstruction",
            "language-model",
            "masked-lm",
            "denoising",
        ]
        | None
    ) = None
    window: Size | None = None
    horizon: Size = 1
    header: bool | None = None
    image_size: Size | None = None
    max_chars: Size | None = None
    level: Literal["char", "word", "bpe", "byte-bpe", "word-bpe", "wordpiece", "characters"] | None = None
    vocab_size: Size | None = None
    min_count: Size | None = None
    lowercase: bool = False
    joint: bool = False
    max_tokens: Size | None = None
    batch_tokens: Size | None = None
    hold_out: str | None = None
    split: Literal["tail", "tail-10", "char-rnn"] = "tail"
    tags: Literal["upos", "xpos", "deprel"] = "upos"
    lag: Size | None = None
    order: Literal["image", "pixels", "permuted"] = "image"
    skip_bad: bool = False
    tokenizer: str | None = None
    text: str | None = None
    masking: Literal["tokens", "whole-words", "spans", "n-grams", "permutation", "word-order"] = "tokens"
    pairs: Literal["none", "next", "order", "three"] = "none"
    cache: str | None = None
    cut: bool = False

    def words(self) -> list[str]:
        """What sets these options on the command line; nothing for one that is at its default."""
        words = []
        for field in fields(self):
            value, flag = getattr(self, field.name), f"--{field.name.replace('_', '-')}"
            if value != field.default:
                # A switch that is off by default takes no value.
                words += [flag] if field.default is False else [flag, str(value)]
        return words
