"""Texts in, figures out: folders of Hugging Face's through `import`, and the same through transformers."""

import json

import pytest
import torch
import transformers

from anncestry.checkpoints.importing import import_weights
from anncestry.errors import UserError
from anncestry.foreign_runs import write_import

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "film", "was", "good", "bad", "a", "##s", ","]
PIECES = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0),
          *((c, -3.0) for c in "abdefghilmostw"), ("▁the", -1.0), ("<mask>", 0.0)]  # fmt: skip
TEXTS = ["the film was good", "bad", "a film was bad, the film"]
PAIRS = [("the film", "was good, a film"), ("bad", "the")]
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}


def wordpieces(kind=transformers.BertTokenizer, **options):
    return kind(vocab={word: place for place, word in enumerate(WORDS)}, **options)


def sentencepieces():
    return transformers.XLMRobertaTokenizer(vocab=PIECES)


def sharp(model):
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


def saved(folder, model, tokenizer):
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def imported(folder, out="run"):
    return write_import(folder / out, import_weights(folder), folder)


def check(folder, model, tokenizer=None, pairs=True):
    """Every text alone, all in one padded batch, and pairs, have the client's figures."""
    run = imported(folder)
    peer = tokenizer or transformers.AutoTokenizer.from_pretrained(folder)
    for batch in [*([text] for text in TEXTS), TEXTS, *((PAIRS[:1], PAIRS) if pairs else ())]:
        theirs = peer(batch, padding=len(batch) > 1, return_tensors="pt")
        inputs, lengths = run.processor.encode(batch)
        with torch.no_grad():
            found = run.model(inputs, lengths=lengths)
            wanted = model(**theirs).logits
        found = found[0] if isinstance(found, tuple) else found
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    return run


def roberta(types):
    return transformers.RobertaConfig(
        vocab_size=len(PIECES), type_vocab_size=types, max_position_embeddings=40, num_labels=3, **SIZES
    )


def bert(**changes):
    changes = {"vocab_size": len(WORDS), "max_position_embeddings": 40, "num_labels": 3, **SIZES, **changes}
    return transformers.BertConfig(**changes)


def test_types_are_those_that_the_tokenizer_sends(tmp_path):
    """Not those that separators would make."""
    model = sharp(transformers.RobertaForSequenceClassification(roberta(types=2)))
    run = check(saved(tmp_path / "a", model, sentencepieces()), model)
    assert run.model.config.separator == -1
    model = sharp(transformers.BertForSequenceClassification(bert(vocab_size=len(PIECES))))
    check(saved(tmp_path / "b", model, sentencepieces()), model)
    model = sharp(transformers.BertForSequenceClassification(bert()))
    run = check(saved(tmp_path / "c", model, wordpieces()), model)
    assert run.model.config.separator == WORDS.index("[SEP]")
    folder = saved(tmp_path / "d", model, wordpieces())
    path = folder / "tokenizer_config.json"
    names = {"model_input_names": ["input_ids", "attention_mask"]}
    path.write_text(json.dumps(json.loads(path.read_text()) | names))
    run = check(folder, model)
    assert any("tells no texts apart" in note for note in run.config["training"]["notes"])


def test_types_that_separators_cannot_make_are_refused(tmp_path):
    model = transformers.BertForSequenceClassification(bert())
    folder = saved(tmp_path, model, wordpieces())
    path = folder / "tokenizer.json"
    whole = json.loads(path.read_text())
    whole["post_processor"]["pair"][2]["SpecialToken"]["type_id"] = 1
    path.write_text(json.dumps(whole))
    path = folder / "tokenizer_config.json"
    said = {"tokenizer_class": "PreTrainedTokenizerFast",
            "model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}  # fmt: skip
    path.write_text(json.dumps(json.loads(path.read_text()) | said))
    with pytest.raises(UserError, match=r"tells the parts of two texts apart as \(0, 0, 1, 1, 1\)"):
        imported(folder)


def test_special_tokens_that_somebody_typed(tmp_path):
    """They are read as the client reads them; the token between two texts cannot be."""
    model = sharp(transformers.BertForSequenceClassification(bert()))
    folder = saved(tmp_path / "bert", model, wordpieces())
    run, peer = imported(folder), transformers.AutoTokenizer.from_pretrained(folder)
    text = "the [MASK] was [UNK]"
    inputs, lengths = run.processor.encode([text])
    assert inputs[0].tolist() == peer(text)["input_ids"]
    with torch.no_grad():
        wanted = model(**peer(text, return_tensors="pt")).logits
        torch.testing.assert_close(run.model(inputs, lengths=lengths), wanted, atol=1e-5, rtol=1e-5)
    with pytest.raises(UserError, match=r"\[SEP\].*would begin its second text.*with a tab"):
        run.processor.encode(["the film [SEP] was good"])
    model = sharp(transformers.RobertaForSequenceClassification(roberta(types=1)))
    folder = saved(tmp_path / "roberta", model, sentencepieces())
    run, peer = imported(folder), transformers.AutoTokenizer.from_pretrained(folder)
    text = "the</s>film <mask>was"
    assert run.processor.encode([text])[0][0].tolist() == peer(text)["input_ids"]


def test_the_longest_text_is_the_tokenizers(tmp_path):
    model = transformers.BertForSequenceClassification(bert())
    run = imported(saved(tmp_path, model, wordpieces(model_max_length=6)))
    assert run.processor.max_tokens == 6
    with pytest.raises(UserError, match="has 5 tokens, and the model reads 4"):
        run.processor.encode(["the film was good bad"])


def test_tables_with_more_rows_than_words(tmp_path):
    model = sharp(transformers.BertForSequenceClassification(bert(vocab_size=64)))
    check(saved(tmp_path, model, wordpieces()), model)
