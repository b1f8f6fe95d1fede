"""`anncestry.hf`: models of the timeline in the hands of transformers."""

import pytest
import torch

from anncestry.errors import UserError

transformers = pytest.importorskip("transformers", reason="needs transformers")
from anncestry import hf  # noqa: E402
from anncestry.timeline import find  # noqa: E402

SIZES = {"input_size": 20, "hidden_size": 8, "seq_len": 6}
ENCODER = {**SIZES, "num_layers": 1, "num_heads": 2, "num_positions": 12}
NETS = {
    "bert": {**ENCODER, "task": "classification", "output_size": 3},
    "xlnet": {**ENCODER, "task": "tagging", "output_size": 3},
    "gpt": {**ENCODER, "task": "language-model", "output_size": 20},
    "lstm": {**SIZES, "task": "classification", "output_size": 3, "inputs": "tokens"},
    "electra": {**ENCODER, "task": "masked-lm", "output_size": 20, "generator_divisor": 1},
}


def made(name, **options):
    torch.manual_seed(0)
    config = hf.AnncestryConfig(name, **NETS[name], **options)
    return transformers.AutoModel.from_config(config)


def batch(model):
    """Two texts, the second of 4 tokens, and what is asked about them."""
    tokens = torch.randint(1, 20, (2, 6))
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])
    if model.signature.task == "classification":
        labels = torch.tensor([0, 2])
    elif model.signature.task == "tagging":
        labels = torch.randint(3, (2, 6))
    else:
        labels = tokens.masked_fill(mask == 0, -100)
    return {"input_ids": tokens, "attention_mask": mask, "labels": labels}


@pytest.mark.parametrize("name", NETS)
def test_it_learns_and_comes_back_as_it_was_saved(name, tmp_path):
    model = made(name, use_cache=True, id2label={0: "a", 1: "b", 2: "c"})
    given = batch(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(8):
        found = model.train()(**given)
        found.loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(found.loss.item())
    assert losses[-1] < losses[0]
    model.eval().save_pretrained(tmp_path)
    again = transformers.AutoModel.from_pretrained(tmp_path)
    assert type(again) is hf.AnncestryModel
    assert again.config.use_cache is True
    assert again.config.id2label[2] == "c"
    with torch.no_grad():
        wanted, got = (net(given["input_ids"], given["attention_mask"]).logits for net in (model, again))
    assert torch.equal(got, wanted)


def test_padding_is_not_read():
    model = made("bert").eval()
    given = batch(model)
    with torch.no_grad():
        together = model(given["input_ids"], given["attention_mask"]).logits
        alone = model(given["input_ids"][1:, :4]).logits
    torch.testing.assert_close(together[1:], alone)


def test_a_language_model_is_asked_for_the_token_behind_each():
    model = made("gpt").eval()
    tokens = torch.randint(1, 20, (2, 6))
    with torch.no_grad():
        found = model(tokens, labels=tokens)
    wanted = torch.nn.functional.cross_entropy(found.logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    torch.testing.assert_close(found.loss, wanted)


def test_what_it_cannot_heed_is_refused():
    model, tokens = made("bert"), torch.ones(2, 3, dtype=torch.long)
    with pytest.raises(UserError, match=r"attention_mask: .* padded behind their end"):
        model(tokens, torch.tensor([[0, 1, 1], [1, 1, 1]]))
    with pytest.raises(UserError, match="inputs_embeds: got 'given'; is nothing that this wrapper heeds"):
        model(tokens, inputs_embeds=tokens)
    sizes = {"input_size": 20, "output_size": 20, "hidden_size": 8, "num_layers": 1, "num_heads": 2}
    with pytest.raises(UserError, match="must read tokens and generate no text"):
        hf.AnncestryModel(hf.AnncestryConfig("transformer", sizes))
    with pytest.raises(UserError, match="is not on the timeline"):
        hf.AnncestryConfig("no-such-net")
    assert find("bert").config_class()(**NETS["bert"]).signature == model.signature


def test_the_trainer_trains_it(tmp_path):
    pytest.importorskip("accelerate", reason="transformers' Trainer needs accelerate")
    model = made("bert")
    rows = [{"input_ids": [1 + i % 3, 5, 6], "attention_mask": [1, 1, 1], "labels": i % 3} for i in range(24)]
    arguments = transformers.TrainingArguments(
        str(tmp_path / "out"), max_steps=20, learning_rate=1e-2, per_device_train_batch_size=12,
        report_to=[], use_cpu=True, save_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    trainer = transformers.Trainer(model, arguments, train_dataset=rows, eval_dataset=rows)
    before = trainer.evaluate()["eval_loss"]
    trainer.train()
    assert trainer.evaluate()["eval_loss"] < before
    trainer.save_model(tmp_path / "kept")
    assert transformers.AutoModel.from_pretrained(tmp_path / "kept").config.architecture == "bert"
