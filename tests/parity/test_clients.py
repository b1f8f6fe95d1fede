"""What transformers makes of an exported folder: texts in, figures out, as a person would use it.

Nothing of ours is used on their side: AutoTokenizer, AutoModelFor... and pipeline read the folder alone.
"""

import json

import numpy
import pytest
import torch
import transformers
from safetensors.torch import load_file

from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.importing import import_weights
from anncestry.data.processors import PieceTextProcessor
from anncestry.data.sources.running_text import learn
from anncestry.models.create import create
from anncestry.runs.exports import export_run
from anncestry.runs.imported import write_import
from anncestry.runs.run import load
from anncestry.tokenizers.learning import learn_tokenizer
from anncestry.tokenizers.source import for_a_task
from anncestry.tokenizers.spec import Special
from anncestry.tokenizers.tokenizer import Tokenizer

LINES = [
    "the cat sat on the mat", "a dog, ate the cat", "Time flies like an arrow!", "fruit flies like bananas",
    "It is not so; is it?", "cats and dogs", "naïve café", "one two three four five six seven eight nine",
]  # fmt: skip
TEXTS = ["The cat sat!", "a dog", "Time flies like an arrow; fruit flies like bananas", "naïve  cats?"]
LONG = "one two three four five six seven eight nine " * 9
PAIRS = [("The cat sat!", "a dog"), ("a dog", "Time flies like an arrow; is it?"), ("cats", "dogs")]
LONGEST = 48
CASES = [
    ("bert", "classification"), ("bert", "tagging"), ("bert", "span"),
    ("bert", "embedding"), ("bert", "masked-lm"), ("roberta", "classification"), ("roberta", "masked-lm"),
    ("camembert", "classification"), ("albert", "classification"),
    ("albert", "span"), ("distilbert", "classification"),
    ("electra", "classification"), ("electra", "embedding"), ("xlm", "classification"), ("xlm", "masked-lm"),
    ("flaubert", "regression"), ("xlnet", "classification"), ("xlnet", "embedding"),
    ("mobilebert", "classification"), ("mobilebert", "masked-lm"), ("spanbert", "masked-lm"),
    ("sentence-bert", "embedding"),
]  # fmt: skip
"""Every encoder, and every task."""


POOLERS = ("bert", "sentence-bert", "roberta", "camembert", "albert", "mobilebert")


def pieces(template):
    """SentencePiece's kind of tokenizer, of characters and a few words."""
    letters = sorted({c for line in LINES for c in line if c != " "})
    first, special = {
        "bert": (["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"], Special(0, 1, 2, 3, 3, 4)),
        "roberta": (["<s>NOTUSED", "<pad>", "<unk>", "<s>", "</s>", "<mask>"], Special(1, 2, 3, 4, 4, 5)),
        "xlnet": (["<unk>", "<sep>", "<cls>", "<pad>", "<mask>", "</s>"], Special(3, 0, 2, 1, 5, 4)),
    }[template]
    words = ["▁the", "▁cat", "▁dog", "▁like", "s", "▁", *letters]
    tokens = tuple(dict.fromkeys([*first, *words, *(f"▁{c}" for c in letters)]))
    scores = tuple(-0.1 * place for place in range(len(tokens)))
    return Tokenizer("unigram", tokens, special, template, scores=scores)


def tokenizer_of(architecture):
    """As the architecture was published."""
    if architecture in ("camembert", "albert", "xlnet"):
        return pieces({"camembert": "roberta", "albert": "bert"}.get(architecture, architecture))
    if architecture == "roberta":
        return learn(LINES, "byte-bpe", 300, False)
    if architecture in ("gpt", "gpt2"):
        return for_a_task(learn_tokenizer(LINES, {"gpt": "word-bpe", "gpt2": "byte-bpe"}[architecture], 300))
    return learn_tokenizer(LINES, "wordpiece", 120, lowercase=architecture != "electra")


def reader(task, tokenizer, longest):
    kinds = {
        "classification": {"kind": "packed-classes", "classes": ["bad", "good", "so so"], "pairs": None},
        "regression": {"kind": "packed-values", "name": "likeness", "pairs": None},
        "tagging": {"kind": "packed-tags", "tags": ["O", "B-x", "I-x"]},
        "span": {"kind": "packed-span"},
        "embedding": {"kind": "packed-vectors"},
        "masked-lm": {"kind": "packed-masked"},
    }
    return {**kinds[task], "tokenizer": tokenizer.to_json(), "max_tokens": longest, "cut": True}


def a_run(folder, architecture, task, tokenizer=None, **config):
    """A run of a tiny net with sharp scores, which reads texts."""
    torch.manual_seed(0)
    tokenizer = tokenizer or tokenizer_of(architecture)
    size, separator = len(tokenizer), tokenizer.special.separator
    outputs = {"masked-lm": size, "regression": 1, "span": 2, "embedding": 16}.get(task, 3)
    sizes = {"hidden_size": 16, "num_layers": 2, "num_heads": 2, "num_positions": 48, "seq_len": 16}
    if architecture == "mobilebert":
        sizes |= {"bottleneck_size": 8, "embed_dim": 8}
    if architecture in ("albert", "electra"):
        sizes["embed_dim"] = 8
    if architecture == "electra":
        sizes["generator_divisor"] = 2
    if architecture not in ("gpt", "gpt2", "xlm", "flaubert"):
        sizes["separator"] = separator
    config = {"task": task, "input_size": size, "output_size": outputs, **sizes, **config}
    model = create(architecture, **config).eval()
    for name, parameter in model.named_parameters():
        spread = 0.15 if architecture == "mobilebert" else 0.3  # which brings nothing back to length 1
        torch.nn.init.normal_(parameter, float("norm" in name and "weight" in name), spread)
    longest = 512 if architecture == "xlnet" else LONGEST  # which has no positions
    found = Imported(architecture, config, model.state_dict(), reader(task, tokenizer, longest))
    return write_import(folder, found, folder)


def ours(run, texts):
    """Outputs of our model, and how many tokens each has."""
    inputs, lengths = run.processor.encode(texts)
    with torch.no_grad():
        outputs = run.model(inputs, lengths=lengths)
    return (outputs[0] if isinstance(outputs, tuple) else outputs), inputs, lengths


CLASSES = {
    "classification": "AutoModelForSequenceClassification",
    "regression": "AutoModelForSequenceClassification",
    "tagging": "AutoModelForTokenClassification", "span": "AutoModelForQuestionAnswering",
    "embedding": "AutoModel", "masked-lm": "AutoModelForMaskedLM",
}  # fmt: skip


def client(folder, task, **options):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    kind = getattr(transformers, CLASSES[task])
    if json.loads((folder / "config.json").read_text())["architectures"] == ["XLNetLMHeadModel"]:
        kind = transformers.XLNetLMHeadModel
    model, told = kind.from_pretrained(folder, output_loading_info=True, **options)
    assert not any(told[what] for what in ("missing_keys", "unexpected_keys", "mismatched_keys")), told
    return tokenizer, model.eval()


def theirs(tokenizer, model, texts):
    """Their outputs, and their input."""
    parts = ([a for a, _ in texts], [b for _, b in texts]) if isinstance(texts[0], tuple) else (texts,)
    read = tokenizer(*parts, padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        return model(**read), read


def close(found, wanted):
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def rows(read):
    """The ids that are no padding, in lists."""
    pairs = zip(read["input_ids"], read["attention_mask"], strict=True)
    return [ids[visible.bool()].tolist() for ids, visible in pairs]


def and_back(folder, beside):
    """What was exported comes in again, and goes out again as it was: weights, config and tokenizer."""
    again = write_import(beside / "again", import_weights(folder), folder)
    export_run(again, "huggingface", beside / "back")
    first, second = (load_file(place / "model.safetensors") for place in (folder, beside / "back"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    names = sorted(path.relative_to(folder) for path in folder.rglob("*.json"))
    assert names == sorted(path.relative_to(beside / "back") for path in (beside / "back").rglob("*.json"))
    for name in names:
        assert json.loads((folder / name).read_bytes()) == json.loads((beside / "back" / name).read_bytes())


@pytest.mark.parametrize(("architecture", "task"), CASES)
def test_an_encoder_answers_alike_and_comes_back(tmp_path, architecture, task):
    run = a_run(tmp_path / "run", architecture, task)
    export_run(run, "huggingface", tmp_path / "out")
    pools = {"add_pooling_layer": False} if task == "embedding" and architecture in POOLERS else {}
    tokenizer, model = client(tmp_path / "out", task, **pools)
    for texts in (TEXTS, PAIRS, [LONG], TEXTS[:1], PAIRS[1:2]):
        wanted, inputs, lengths = ours(run, texts)
        outputs, read = theirs(tokenizer, model, texts)
        assert rows(read) == [row[:n].tolist() for row, n in zip(inputs, lengths, strict=True)]
        if task == "embedding":
            wanted = run.model.encode(inputs, lengths)
            outputs = outputs.last_hidden_state
        elif task == "span":
            outputs = torch.stack([outputs.start_logits, outputs.end_logits], -1)
        else:
            outputs = outputs.logits
        if outputs.ndim == 3:  # at every token
            outputs = outputs[read["attention_mask"].bool()]
            wanted = torch.cat([row[:n] for row, n in zip(wanted, lengths, strict=True)])
        close(outputs, wanted.detach())
    and_back(tmp_path / "out", tmp_path)


@pytest.mark.parametrize("architecture", ["gpt", "gpt2"])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_decoder_answers_alike(tmp_path, architecture, task):
    """There answers have no biases, and the last token is the last that is no filler."""
    run = a_run(tmp_path / "run", architecture, task)
    assert run.model.answer.linear.bias.any()
    notes = export_run(run, "huggingface", tmp_path / "out")
    assert "the biases of the head are in the last normalisation there" in notes[0]
    tokenizer, model = client(tmp_path / "out", task)
    for texts in (TEXTS, PAIRS, [LONG], *([text] for text in TEXTS)):
        wanted, inputs, lengths = ours(run, texts)
        outputs, read = theirs(tokenizer, model, texts)
        assert rows(read) == [row[:n].tolist() for row, n in zip(inputs, lengths, strict=True)]
        close(outputs.logits, wanted)
    and_back(tmp_path / "out", tmp_path)


def test_pipelines_name_their_answers(tmp_path):
    run = a_run(tmp_path / "run", "bert", "classification")
    export_run(run, "huggingface", tmp_path / "out")
    classify = transformers.pipeline("text-classification", model=str(tmp_path / "out"))
    for row, text in zip(classify(TEXTS, batch_size=4), TEXTS, strict=True):
        wanted = run.predict(text)[0]
        assert row["label"] == wanted["class"]
        assert row["score"] == pytest.approx(wanted["probabilities"][wanted["class"]], abs=1e-5)


def test_a_masked_word_is_one_token_whatever_stands_beside_it(tmp_path):
    for architecture in ("bert", "roberta", "camembert"):
        run = a_run(tmp_path / architecture, architecture, "masked-lm")
        export_run(run, "huggingface", tmp_path / f"{architecture}-out")
        tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / f"{architecture}-out")
        text = "the [MASK] sat,[MASK] a [MASK]".replace("[MASK]", tokenizer.mask_token)
        own = run.processor.tokenizer
        assert tokenizer(text)["input_ids"] == own.pack(own.encode(text, special=True))


@pytest.mark.parametrize(
    ("architecture", "changes"),
    [
        ("sentence-bert", {"pooling": "max"}),
        ("bert", {"pooling": "first", "unit_length": True}),
        ("xlnet", {"pooling": "first"}),
    ],
)
def test_sentence_transformers_gives_the_same_vectors(tmp_path, architecture, changes):
    theirs = pytest.importorskip("sentence_transformers", reason="needs sentence-transformers (extra test)")
    run = a_run(tmp_path / "run", architecture, "embedding", **changes)
    export_run(run, "huggingface", tmp_path / "out")
    found = theirs.SentenceTransformer(str(tmp_path / "out"), device="cpu")
    texts = [*TEXTS, LONG]
    close(torch.tensor(found.encode(texts)), run.embed(texts))


def test_what_compares_two_vectors_is_left_out_and_reported(tmp_path):
    for task, lost in (("classification", "was left out"), ("regression", "are cosines of two vectors")):
        run = a_run(tmp_path / task, "sentence-bert", task)
        assert lost in " ".join(export_run(run, "huggingface", tmp_path / f"{task}-out"))
        _, model = client(tmp_path / f"{task}-out", "embedding", add_pooling_layer=False)
        tokens, lengths = run.processor.encode(TEXTS)
        visible = (torch.arange(tokens.shape[1]) < lengths[:, None]).long()
        with torch.no_grad():
            x = model(tokens, attention_mask=visible).last_hidden_state
            close(run.model.pool(x, lengths), run.model.vectors(tokens, lengths))


def test_what_has_no_place_in_a_bert_is_reported(tmp_path):
    """SpanBERT's second head, StructBERT's third relation."""
    for architecture, relations, lost in (
        ("spanbert", 0, "span-boundary objective was left out"),
        ("structbert", 3, "head for sentence order were left out"),
    ):
        run = a_run(tmp_path / architecture, architecture, "masked-lm", num_relations=relations)
        assert lost in " ".join(export_run(run, "huggingface", tmp_path / f"{architecture}-out"))
        tokenizer, model = client(tmp_path / f"{architecture}-out", "masked-lm")
        outputs, read = theirs(tokenizer, model, TEXTS)
        wanted, _, _ = ours(run, TEXTS)
        close(outputs.logits[read["attention_mask"].bool()], wanted[read["attention_mask"].bool()])


@pytest.mark.parametrize(
    ("architecture", "task"),
    [("bert", "classification"), ("roberta", "embedding"), ("distilbert", "span")],
)
def test_ctranslate2_converts_it(tmp_path, architecture, task):
    ctranslate2 = pytest.importorskip("ctranslate2", reason="needs ctranslate2 (extra test)")
    from ctranslate2.converters import TransformersConverter

    run = a_run(tmp_path / "run", architecture, task)
    export_run(run, "huggingface", tmp_path / "out")
    TransformersConverter(str(tmp_path / "out")).convert(str(tmp_path / "converted"))
    inputs, lengths = run.processor.encode(TEXTS)
    read = [row[:n].tolist() for row, n in zip(inputs, lengths, strict=True)]
    outputs = ctranslate2.Encoder(str(tmp_path / "converted")).forward_batch(read).last_hidden_state
    found, wanted = torch.tensor(numpy.array(outputs)), run.model.encode(inputs, lengths)
    for row, n in enumerate(lengths):
        torch.testing.assert_close(found[row, :n], wanted[row, :n].detach(), atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("architecture", ["bert", "roberta", "xlnet", "gpt2"])
def test_a_text_may_have_several_labels(tmp_path, architecture):
    a_run(tmp_path / "run", architecture, "classification")
    for name, change in (("config.json", ("signature", "task", "multi-label")), ("processor.json", None)):
        described = json.loads((tmp_path / "run" / name).read_text())
        if change:
            described[change[0]][change[1]] = change[2]
        else:
            described["kind"] = "packed-labels"
        (tmp_path / "run" / name).write_text(json.dumps(described))
    run = load(tmp_path / "run")
    export_run(run, "huggingface", tmp_path / "out")
    tokenizer, model = client(tmp_path / "out", "classification")
    assert model.config.problem_type == "multi_label_classification"
    assert model.config.id2label == {0: "bad", 1: "good", 2: "so so"}
    outputs, _ = theirs(tokenizer, model, TEXTS)
    close(outputs.logits, ours(run, TEXTS)[0])
    classify = transformers.pipeline("text-classification", model=str(tmp_path / "out"), top_k=None)
    found = {row["label"]: row["score"] for row in classify(TEXTS[:1])[0]}
    wanted = run.predict(TEXTS[0])[0]["probabilities"]
    assert found == {label: pytest.approx(chance, abs=1e-5) for label, chance in wanted.items()}
    and_back(tmp_path / "out", tmp_path)


@pytest.mark.parametrize("architecture", ["bert", "gpt", "xlm"])
def test_values_are_in_their_units(tmp_path, architecture):
    a_run(tmp_path / "run", architecture, "regression")
    path = tmp_path / "run" / "processor.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"mean": 40.0, "scale": 5.0}))
    run = load(tmp_path / "run")
    export_run(run, "huggingface", tmp_path / "out")
    tokenizer, model = client(tmp_path / "out", "regression")
    outputs, _ = theirs(tokenizer, model, TEXTS)
    wanted = [row["likeness"] for text in TEXTS for row in run.predict(text)]
    assert outputs.logits[:, 0].tolist() == pytest.approx(wanted, abs=1e-4)
    and_back(tmp_path / "out", tmp_path)


@pytest.mark.parametrize("architecture", ["bert", "roberta", "camembert"])
def test_words_that_are_already_split(tmp_path, architecture):
    run = a_run(tmp_path / "run", architecture, "tagging")
    export_run(run, "huggingface", tmp_path / "out")
    tokenizer, _ = client(tmp_path / "out", "tagging")
    words = ["The", "cat", "sat", "!", "naïve"]
    own = run.processor.tokenizer
    pieces = own.encode_words(words)
    read = tokenizer(words, is_split_into_words=True)
    assert read["input_ids"] == own.pack([token for row in pieces for token in row])
    wanted = [word for word, row in enumerate(pieces) for _ in row]
    assert read.word_ids() == [None, *wanted, None]


@pytest.mark.parametrize(("architecture", "level"), [("gpt", "word-bpe"), ("gpt2", "byte-bpe")])
def test_a_language_model_goes_on_alike(tmp_path, architecture, level):
    torch.manual_seed(0)
    tokenizer = learn_tokenizer(LINES, level, 290)
    size = len(tokenizer)
    sizes = {"hidden_size": 16, "num_layers": 2, "num_heads": 2, "num_positions": 48, "seq_len": 48}
    config = {"input_size": size, "output_size": size, **sizes}
    model = create(architecture, **config).eval()
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, float("norm" in name and "weight" in name), 0.3)
    processor = PieceTextProcessor.of(tokenizer).to_json()
    found = Imported(architecture, config, model.state_dict(), processor)
    run = write_import(tmp_path / "run", found, tmp_path)
    export_run(run, "huggingface", tmp_path / "out")
    client_tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    client_model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
    for text in ("the cat sat", "Time flies; like", "one two three four five six " * 12):
        tokens = tokenizer.encode(text)[:48]
        read = client_tokenizer(text, truncation=True, return_tensors="pt")
        assert read["input_ids"][0].tolist() == tokens
        with torch.no_grad():
            close(client_model(**read).logits, model(torch.tensor([tokens]))[0])
    and_back(tmp_path / "out", tmp_path)


def test_hidden_words_of_xlnet_come_back(tmp_path):
    run = a_run(tmp_path / "run", "xlnet", "masked-lm")
    export_run(run, "huggingface", tmp_path / "out")
    client(tmp_path / "out", "masked-lm")
    and_back(tmp_path / "out", tmp_path)


def test_a_run_without_a_tokenizer_says_so(tmp_path):
    torch.manual_seed(0)
    config = {"task": "masked-lm", "input_size": 9, "output_size": 9, "hidden_size": 8, "num_layers": 1,
              "num_heads": 2}  # fmt: skip
    found = Imported("bert", config, create("bert", **config).state_dict())
    run = write_import(tmp_path / "run", found, tmp_path)
    assert export_run(run, "huggingface", tmp_path / "out")[-1] == (
        "no tokenizer is written: the run takes tokens"
    )
