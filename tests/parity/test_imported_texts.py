"""Texts in, figures out: folders of Hugging Face's through `import`, and the same through transformers."""

import dataclasses
import json

import pytest
import torch
import transformers

from anncestry.checkpoints.importing import import_weights
from anncestry.errors import UserError
from anncestry.models.bert import Bert, BertConfig
from anncestry.runs.imported import write_import
from anncestry.training.starting import Start

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
    with pytest.raises(UserError, match=r"\[SEP\].*would begin the second of two texts.*with a tab"):
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


def tied_gpt():
    config = transformers.OpenAIGPTConfig(
        vocab_size=128, n_embd=16, n_layer=2, n_head=2, n_positions=40, pad_token_id=3, num_labels=3
    )
    return transformers.OpenAIGPTForSequenceClassification(config)


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        (tied_gpt, {"n_layer": 1}, r"got 1; n_layer is another one in the weights. Choices: 2"),
        (
            lambda: transformers.XLNetForMultipleChoice(
                transformers.XLNetConfig(vocab_size=32, d_model=16, n_layer=1, n_head=2, d_inner=24)
            ),
            {},
            "chooses between texts",
        ),
    ],
)
def test_configs_that_say_otherwise_than_the_weights_are_refused(tmp_path, model, changes, message):
    model().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(UserError, match=message):
        import_weights(tmp_path)


def test_a_pooler_that_the_config_turns_off_is_left_out(tmp_path):
    kind, config, tokenizer = HEADS["MobileBert"]
    model = sharp(getattr(transformers, kind)(config()))
    torch.nn.init.zeros_(model.mobilebert.embeddings.word_embeddings.weight[0])
    folder = saved(tmp_path, model, tokenizer())
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"classifier_activation": False}))
    check(folder, type(model).from_pretrained(folder).eval())


def test_a_filler_that_is_not_the_tokenizers_is_noted(tmp_path):
    kind, config, tokenizer = HEADS["Roberta"]
    run = imported(saved(tmp_path, getattr(transformers, kind)(config(pad_token_id=3)), tokenizer()))
    assert any("pad_token_id=3 is not heeded" in note for note in run.config["training"]["notes"])


def test_one_of_two_tied_tables_is_enough(tmp_path):
    config = transformers.OpenAIGPTConfig(vocab_size=128, n_embd=16, n_layer=2, n_head=2, n_positions=40)
    model = transformers.OpenAIGPTDoubleHeadsModel(config).eval()
    model.save_pretrained(tmp_path)
    found = import_weights(tmp_path)
    assert found.config["tie_embeddings"]
    assert torch.equal(found.tensors["embedding.weight"], model.lm_head.weight)


LENGTHS = {"max_position_embeddings": 40, "vocab_size": len(WORDS), "num_labels": 3}
OTHERS = {
    "XLM": {"emb_dim": 16, "n_layers": 2, "n_heads": 2, **LENGTHS},
    "Flaubert": {"emb_dim": 16, "n_layers": 2, "n_heads": 2, **LENGTHS},
    "XLNet": {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 24, "vocab_size": 40, "num_labels": 3},
}


@pytest.mark.parametrize("head", ["ForSequenceClassification", "ForTokenClassification"])
@pytest.mark.parametrize("family", OTHERS)
def test_xlm_flaubert_and_xlnet(tmp_path, family, head):
    """Several labels of one text; labels of words where no file says what the head is for."""
    config = getattr(transformers, f"{family}Config")(
        **OTHERS[family], problem_type="multi_label_classification"
    )
    model = sharp(getattr(transformers, family + head)(config))
    if family == "XLNet":
        special = ("<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>")
        tokenizer = transformers.XLNetTokenizer(vocab=[*((s, 0.0) for s in special), *PIECES[4:-1]])
    else:
        tokenizer = wordpieces(model_input_names=["input_ids", "attention_mask"])
    folder = saved(tmp_path, model, tokenizer)
    if head == "ForTokenClassification":
        path = folder / "config.json"
        said = json.loads(path.read_text())
        del said["architectures"]
        path.write_text(json.dumps(said))
        assert imported(folder).processor.kind == "packed-tags"
        return
    run = check(folder, model)
    assert run.signature.task == "multi-label"
    assert set(run.predict(TEXTS[0])[0]) >= {"probabilities", "labels"}


# ---- heads ----------------------------------------------------------------------------------------------

LETTERS = [chr(place) for place in range(33, 127)]
BYTES = {token: place for place, token in enumerate(["Ġ", "<|endoftext|>", "ab", *LETTERS])}
SMALL = {"num_labels": 3, "max_position_embeddings": 40, **SIZES}
HEADS = {
    "Bert": ("BertForSequenceClassification", lambda **more: bert(**more), wordpieces),
    "Roberta": (
        "RobertaForSequenceClassification",
        lambda **more: transformers.RobertaConfig(vocab_size=len(PIECES), type_vocab_size=1, **SMALL | more),
        sentencepieces,
    ),
    "DistilBert": (
        "DistilBertForSequenceClassification",
        lambda **more: transformers.DistilBertConfig(
            vocab_size=len(WORDS), dim=16, n_layers=2, n_heads=2, hidden_dim=24,
            max_position_embeddings=40, **{"num_labels": 3} | more,
        ),
        lambda: wordpieces(transformers.DistilBertTokenizer),
    ),
    "Electra": (
        "ElectraForSequenceClassification",
        lambda **more: transformers.ElectraConfig(vocab_size=len(WORDS), embedding_size=8, **SMALL | more),
        wordpieces,
    ),
    "MobileBert": (
        "MobileBertForSequenceClassification",
        lambda **more: transformers.MobileBertConfig(
            vocab_size=len(WORDS), intra_bottleneck_size=8, embedding_size=6, num_feedforward_networks=2,
            **SMALL | more,
        ),
        wordpieces,
    ),
    "GPT2": (
        "GPT2ForSequenceClassification",
        lambda **more: transformers.GPT2Config(
            vocab_size=128, n_embd=16, n_layer=2, n_head=2, n_positions=40, pad_token_id=1,
            bos_token_id=1, eos_token_id=1, **{"num_labels": 3} | more,
        ),
        lambda: transformers.GPT2Tokenizer(vocab=BYTES, merges=[("a", "b")], pad_token="<|endoftext|>"),
    ),
}  # fmt: skip
NAMES = {"id2label": {0: "x", 1: "y", 2: "z"}, "label2id": {"x": 0, "y": 1, "z": 2}}


@pytest.mark.parametrize("problem", ["multi_label_classification", "regression", None])
@pytest.mark.parametrize("family", HEADS)
def test_heads_answer_what_their_problem_says(tmp_path, family, problem):
    kind, config, tokenizer = HEADS[family]
    model = sharp(getattr(transformers, kind)(config(problem_type=problem, **NAMES)))
    if family == "MobileBert":  # beyond the last word is nothing, as in training
        torch.nn.init.zeros_(model.mobilebert.embeddings.word_embeddings.weight[0])
    run = check(saved(tmp_path, model, tokenizer()), model, pairs=family != "GPT2")
    (row,) = run.predict(TEXTS[0])
    peer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    with torch.no_grad():
        (scores,) = model(**peer(TEXTS[0], return_tensors="pt")).logits
    chances = {"regression": scores, None: scores.softmax(-1)}.get(problem, scores.sigmoid()).tolist()
    found = row if problem == "regression" else row["probabilities"]
    assert [found[name] for name in "xyz"] == pytest.approx(chances, abs=1e-5)
    wanted = {"regression": "regression", None: "classification"}.get(problem, "multi-label")
    assert run.signature.task == wanted


def xlnet(**more):
    return transformers.XLNetConfig(vocab_size=len(XLNET), d_model=16, n_layer=2, n_head=2, d_inner=24,
                                    num_labels=3, **more)  # fmt: skip


XLNET = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), ("<cls>", 0.0), ("<sep>", 0.0), ("<pad>", 0.0),
         ("<mask>", 0.0), ("<eod>", 0.0), ("<eop>", 0.0), *PIECES[4:-1]]  # fmt: skip


@pytest.mark.parametrize("names", [None, ["input_ids", "token_type_ids", "attention_mask"]])
@pytest.mark.parametrize("projects", [True, False])
def test_xlnet_answers_as_its_config_says(tmp_path, names, projects):
    model = sharp(transformers.XLNetForSequenceClassification(xlnet(summary_use_proj=projects)))
    options = {"model_input_names": names} if names else {}
    run = check(saved(tmp_path, model, transformers.XLNetTokenizer(vocab=XLNET, **options)), model)
    assert run.model.config.separator == (4 if names else -1)


SUMMARIES = [
    ("XLNet", {"summary_type": "mean"}), ("XLNet", {"summary_activation": None}),
    ("XLM", {"summary_type": "last"}), ("XLM", {"summary_activation": "tanh"}),
    ("XLM", {"summary_use_proj": False}), ("Flaubert", {"summary_proj_to_labels": False}),
]  # fmt: skip


@pytest.mark.parametrize(("family", "changes"), SUMMARIES)
def test_other_summaries_are_refused_by_name(tmp_path, family, changes):
    sizes = {"vocab_size": 20, "emb_dim": 16, "n_layers": 1, "n_heads": 2, "num_labels": 3}
    config = xlnet() if family == "XLNet" else getattr(transformers, f"{family}Config")(**sizes)
    getattr(transformers, f"{family}ForSequenceClassification")(config).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(UserError, match=f"{next(iter(changes))} makes another network than ours"):
        import_weights(tmp_path)


def test_a_problem_that_is_not_known_is_refused(tmp_path):
    transformers.BertForSequenceClassification(bert()).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"problem_type": "ranking"}))
    with pytest.raises(UserError, match=r"'ranking'; is an unknown problem_type\. Choices: regression"):
        import_weights(tmp_path)


# ---- what else a folder says ----------------------------------------------------------------------------


def test_how_answers_are_searched_is_noted(tmp_path):
    model = transformers.GPT2LMHeadModel(HEADS["GPT2"][1]())
    folder = saved(tmp_path, model, HEADS["GPT2"][2]())
    said = {"num_beams": 4, "do_sample": False, "forced_bos_token_id": 0, "top_p": 1.0}
    (folder / "generation_config.json").write_text(json.dumps(said))
    (told,) = imported(folder).config["training"]["notes"]
    assert told.endswith("num_beams=4, forced_bos_token_id=0")


def test_gpt_in_shards_with_what_a_wrapper_prefixed(tmp_path):
    model = sharp(transformers.GPT2ForSequenceClassification(HEADS["GPT2"][1](**NAMES)))
    folder = saved(tmp_path, model, HEADS["GPT2"][2]())
    model.save_pretrained(folder, max_shard_size="10kB")
    (folder / "model.safetensors").unlink(missing_ok=True)
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    check(folder, model, pairs=False)


def test_a_task_begins_from_a_table_with_rows_that_no_word_has(tmp_path):
    """Fine-tuning from it keeps the rows of words, and says nothing of another size."""
    model = transformers.BertForMaskedLM(bert(vocab_size=16))
    run = imported(saved(tmp_path, model, wordpieces()))
    start = Start(run.folder, "csv:any.csv")
    assert not start.goes_on
    sizes = start.sizes(BertConfig, dataclasses.replace(run.signature, task="classification"))
    config = BertConfig(**{**sizes, "task": "classification", "output_size": 2, "input_size": len(WORDS)})
    network = Bert(config)
    assert start.load(network) == ["head", "pooler"]
    assert torch.equal(network.embeddings.words.weight, run.model.embeddings.words.weight[: len(WORDS)])
