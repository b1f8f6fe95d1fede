"""What transformers makes of an exported folder: texts in, figures out, as a person would use it.

Nothing of ours is used on their side: AutoTokenizer, AutoModelFor... and pipeline read the folder alone.
"""

import itertools

import pytest
import torch
import transformers

from anncestry.checkpoints.imported import Imported
from anncestry.data.sources.running_text import learn
from anncestry.data.tokenizer import Special, Tokenizer
from anncestry.data.tokenizer_source import for_a_task
from anncestry.exports import export_run
from anncestry.foreign_runs import write_import
from anncestry.models.create import create

LINES = [
    "the cat sat on the mat", "a dog, ate the cat", "Time flies like an arrow!", "fruit flies like bananas",
    "It is not so; is it?", "cats and dogs", "naïve café", "one two three four five six seven eight nine",
]  # fmt: skip
TEXTS = ["The cat sat!", "a dog", "Time flies like an arrow; fruit flies like bananas", "naïve  cats?"]
LONG = "one two three four five six seven eight nine " * 9
PAIRS = [("The cat sat!", "a dog"), ("a dog", "Time flies like an arrow; is it?"), ("cats", "dogs")]
LONGEST = 40
ANSWERS = ["classification", "regression", "tagging", "span", "embedding", "masked-lm"]
ENCODERS = [
    "bert", "roberta", "camembert", "albert", "distilbert", "electra", "xlm", "flaubert", "xlnet",
    "mobilebert",
]  # fmt: skip


POOLERS = ("bert", "roberta", "camembert", "albert", "mobilebert")


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
        return for_a_task(Tokenizer.learn(LINES, {"gpt": "word-bpe", "gpt2": "byte-bpe"}[architecture], 300))
    return Tokenizer.learn(LINES, "wordpiece", 120, lowercase=architecture != "electra")


def reader(task, tokenizer, longest=LONGEST):
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
    found = Imported(architecture, config, model.state_dict(), reader(task, tokenizer))
    return write_import(folder, found, folder)


def ours(run, texts):
    """Outputs of our model, and how many tokens each has."""
    inputs, lengths = run.processor.encode(texts)
    with torch.no_grad():
        outputs = run.model(inputs, lengths)
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


@pytest.mark.parametrize(("architecture", "task"), [*itertools.product(ENCODERS, ANSWERS)])
def test_an_encoder_answers_alike(tmp_path, architecture, task):
    if (architecture, task) in (("xlnet", "masked-lm"), ("electra", "masked-lm")):
        return
    run = a_run(tmp_path / "run", architecture, task)
    export_run(run, "huggingface", tmp_path / "out")
    pools = {"add_pooling_layer": False} if task == "embedding" and architecture in POOLERS else {}
    tokenizer, model = client(tmp_path / "out", task, **pools)
    for texts in (TEXTS, PAIRS, [LONG], *([text] for text in TEXTS)):
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
