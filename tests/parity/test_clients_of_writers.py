"""What other programs make of exported nets that write texts: the same ids, and the same tokens written."""

import json

import pytest
import torch
import transformers
from safetensors.torch import load_file

from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.importing import import_weights
from anncestry.data.processors import DenoisingProcessor
from anncestry.data.processors.sentences import pad
from anncestry.data.sources.running_text import learn
from anncestry.decoding import Search
from anncestry.inference.generation import generate
from anncestry.models.create import create
from anncestry.runs.exports import export_run
from anncestry.runs.imported import write_import
from anncestry.tokenizers.files import write_tokenizer
from anncestry.tokenizers.learning import learn_tokenizer
from anncestry.tokenizers.spec import Special
from anncestry.tokenizers.tokenizer import Tokenizer

LINES = ["the cat sat on the mat", "a dog, ate the cat", "Time flies like an arrow!", "café so-so"]
TEXTS = ["the cat sat", "a <mask>, dog flies like", "so<mask>", "Café!"]
LONGEST = 12  # tokens that are written
SEARCHED = {"num_beams": 1, "do_sample": False, "max_new_tokens": LONGEST, "forced_eos_token_id": None}


def sharp(model):
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, float("norm" in name and "weight" in name), 0.3)
    return model.eval()


def bart_folder(folder):
    """As BART was published: <s> is 0, and a text is written from </s> on, which is 2."""
    torch.manual_seed(0)
    learnt = learn_tokenizer(LINES, "byte-bpe", 280)
    tokens = ("<s>", "<pad>", "</s>", "<unk>", *learnt.tokens[:-1], "<mask>")
    special = Special(1, 3, 0, 2, 2, len(tokens) - 1)
    sides = {
        f"{side}_{name}": size
        for side in ("encoder", "decoder")
        for name, size in (("layers", 1), ("attention_heads", 2), ("ffn_dim", 32))
    }
    sizes = {"vocab_size": len(tokens), "d_model": 16, "max_position_embeddings": 48, **sides}
    model = sharp(transformers.BartForConditionalGeneration(transformers.BartConfig(**sizes)))
    model.save_pretrained(folder)
    write_tokenizer(Tokenizer("byte-bpe", tokens, special, "roberta", merges=learnt.merges), folder, 48)
    return folder


def bart_run(folder):
    """One of ours."""
    torch.manual_seed(0)
    processor = DenoisingProcessor.of(learn(LINES, "byte-bpe", 300, False), 40)
    size = len(processor.tokenizer)
    sizes = {"hidden_size": 16, "num_layers": 1, "num_heads": 2, "num_positions": 48}
    config = {"input_size": size, "output_size": size, **sizes}
    model = sharp(create("bart", **config))
    return write_import(folder, Imported("bart", config, model.state_dict(), processor.to_json()), folder)


def same_files(first, second, *names):
    ours, back = (load_file(folder / "model.safetensors") for folder in (first, second))
    assert ours.keys() == back.keys()
    assert all(torch.equal(ours[name], back[name]) for name in ours)
    for name in names:
        assert json.loads((first / name).read_bytes()) == json.loads((second / name).read_bytes())


def sources(run):
    """Our tokens of `TEXTS`, and how many there are."""
    return pad([run.processor.whole(row) for row in run.processor.cut(TEXTS)], 0)


def written(run, source, lengths):
    found = generate(run.model, source, lengths, Search(max_length=LONGEST))
    return [list(best.tokens) for best, *_ in found]


def test_a_bart_keeps_its_numbers_and_its_tokenizer(tmp_path):
    folder = bart_folder(tmp_path / "theirs")
    run = write_import(tmp_path / "run", import_weights(folder), folder)
    export_run(run, "huggingface", tmp_path / "out")
    same_files(folder, tmp_path / "out", "tokenizer.json", "tokenizer_config.json")
    before, after = (json.loads((f / "config.json").read_text()) for f in (folder, tmp_path / "out"))
    assert all(after[key] == before[key] for key in before if key.endswith(("_token_id", "_size")))
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    source, lengths = sources(run)
    numbers = run.processor.source.numbers
    for text, row, n in zip(TEXTS, source, lengths, strict=True):
        assert tokenizer(text)["input_ids"] == [numbers[token] for token in row[:n]]
    model = transformers.BartForConditionalGeneration.from_pretrained(tmp_path / "out").eval()
    made = model.generate(**tokenizer(TEXTS, padding=True, return_tensors="pt"), **SEARCHED)
    for row, tokens in zip(made.tolist(), written(run, source, lengths), strict=True):
        assert row[1 : len(tokens) + 1] == [numbers[token] for token in tokens]


def test_what_was_learnt_anew_gets_a_number_behind_all_others(tmp_path):
    """The beginning is a copy of the end until training moves it."""
    folder = bart_folder(tmp_path / "theirs")
    found = import_weights(folder)
    found.tensors["embedding.weight"][2] += 1
    run = write_import(tmp_path / "run", found, folder)
    export_run(run, "huggingface", tmp_path / "out")
    size = json.loads((folder / "config.json").read_text())["vocab_size"]
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (config["vocab_size"], config["eos_token_id"]) == (size + 1, 2)
    assert config["decoder_start_token_id"] == size
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    assert tokenizer.convert_ids_to_tokens([2, size]) == ["</s>", "<begin>"]


def test_a_bart_of_ours(tmp_path):
    run = bart_run(tmp_path / "run")
    export_run(run, "huggingface", tmp_path / "out")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    model = transformers.BartForConditionalGeneration.from_pretrained(tmp_path / "out").eval()
    source, lengths = sources(run)
    read = tokenizer(TEXTS, padding=True, return_tensors="pt")
    assert read["input_ids"].tolist() == source.tolist()
    wanted = written(run, source, lengths)
    for row, tokens in zip(model.generate(**read, **SEARCHED).tolist(), wanted, strict=True):
        assert row[1 : len(tokens) + 1] == tokens
    again = write_import(tmp_path / "again", import_weights(tmp_path / "out"), tmp_path)
    assert sources(again)[0].tolist() == source.tolist()
    export_run(again, "huggingface", tmp_path / "back")
    same_files(tmp_path / "out", tmp_path / "back", "config.json", "tokenizer.json", "tokenizer_config.json")

    ctranslate2 = pytest.importorskip("ctranslate2", reason="needs ctranslate2 (extra test)")
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(str(tmp_path / "out")).convert(str(tmp_path / "converted"))
    pieces = [tokenizer.convert_ids_to_tokens(row) for row in tokenizer(TEXTS)["input_ids"]]
    translator = ctranslate2.Translator(str(tmp_path / "converted"))
    found = translator.translate_batch(pieces, beam_size=1, max_decoding_length=LONGEST)
    assert [row.hypotheses[0] for row in found] == [tokenizer.convert_ids_to_tokens(row) for row in wanted]


def pieces(*words):
    """SentencePiece's: words, and the letters of all of them."""
    letters = sorted({letter for word in words for letter in word} - {"▁", *words})
    return [("<unk>", 0.0), *((word, -1.0 - place) for place, word in enumerate(words)),
            *((letter, -20.0 - place) for place, letter in enumerate(["▁", *letters]))]  # fmt: skip


def marian_run(folder, architecture="transformer"):
    """A Transformer as Marian's, with SentencePiece's pieces on both sides."""
    torch.manual_seed(0)
    source, target = pieces("▁the", "▁cat", "▁sat", "s"), pieces("▁die", "▁Katze", "▁saß")
    tokens = ["<pad>", "<unk>", "<begin>", "<end>"]
    tokens += dict.fromkeys(piece for piece, _ in (*source[1:], *target[1:]))
    sides = [
        {"kind": "unigram", "tokens": tokens, "lowercase": False, "pieces": [list(p) for p in listed]}
        for listed in (source, target)
    ]
    processor = {"kind": "translation", "source": sides[0], "target": sides[1], "max_tokens": 30,
                 "source_end": True}  # fmt: skip
    size = len(tokens)
    config = {
        "input_size": size, "output_size": size, "hidden_size": 16, "num_layers": 1, "num_heads": 2,
        "norm": "post", "positions": "concatenated", "tie": "all", "attention_bias": True,
        "output_bias": True, "norm_eps": 1e-5,
    }  # fmt: skip
    model = sharp(create("transformer", **config))
    with torch.no_grad():
        model.embedding.weight[[0, 2]] = 0.0  # a text is written from the filler on, whose vector is zero
        model.readout.bias[:] = 0.0
        model.readout.bias[[0, 2]] = -1e4
    return write_import(folder, Imported("transformer", config, model.state_dict(), processor), folder)


@pytest.mark.filterwarnings("ignore:Recommended")  # of Moses, whose marks our texts keep
def test_marian_with_its_sentencepiece_files(tmp_path):
    pytest.importorskip("sentencepiece", reason="needs sentencepiece (extra test)")
    run = marian_run(tmp_path / "run")
    assert export_run(run, "marian", tmp_path / "out") == ()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    assert isinstance(tokenizer, transformers.MarianTokenizer)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "out").eval()
    texts = ["the cat sat", "the  cats", "cat", "teach the cat?"]
    source, lengths = pad([run.processor.whole(row) for row in run.processor.cut(texts)], 0)
    vocab = json.loads((tmp_path / "out" / "vocab.json").read_text())
    assert (vocab["</s>"], vocab["<unk>"], vocab["<pad>"]) == (0, 1, len(vocab) - 1)
    number = [vocab.get({"<end>": "</s>"}.get(token, token), -1) for token in run.processor.source.tokens]
    read = tokenizer(texts, padding=True, return_tensors="pt")
    assert read["input_ids"].tolist() == [[number[token] for token in row] for row in source.tolist()]
    made = model.generate(**read, **SEARCHED)
    wanted = written(run, source, lengths)
    for row, tokens in zip(made.tolist(), wanted, strict=True):
        assert row[1 : len(tokens) + 1] == [number[token] for token in tokens]
    texts = [run.processor.target.decode(tokens) for tokens in wanted]
    assert tokenizer.batch_decode(made, skip_special_tokens=True) == texts

    ctranslate2 = pytest.importorskip("ctranslate2", reason="needs ctranslate2 (extra test)")
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(str(tmp_path / "out")).convert(str(tmp_path / "converted"))
    read = [tokenizer.convert_ids_to_tokens(row[row != number[0]].tolist()) for row in read["input_ids"]]
    translator = ctranslate2.Translator(str(tmp_path / "converted"))
    found = translator.translate_batch(read, beam_size=1, max_decoding_length=LONGEST)
    cut = [[number[token] for token in tokens] for tokens in wanted]
    assert [row.hypotheses[0] for row in found] == [tokenizer.convert_ids_to_tokens(row) for row in cut]

    again = write_import(tmp_path / "again", import_weights(tmp_path / "out"), tmp_path)
    assert export_run(again, "marian", tmp_path / "back") == ()
    same_files(tmp_path / "out", tmp_path / "back", "config.json", "vocab.json", "tokenizer_config.json")
    for name in ("source.spm", "target.spm"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "back" / name).read_bytes()
