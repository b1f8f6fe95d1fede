"""What kind foreign files are of, and what is said where they are of none, or not of the one asked for."""

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from anncestry.checkpoints.importing import import_weights
from anncestry.errors import UserError

SIZES = {"vocab_size": 23, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
CONFIG = transformers.BertConfig(**SIZES, intermediate_size=24, max_position_embeddings=12, num_labels=3)


def test_another_architecture_than_was_asked_for(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(torch.nn.LSTM(2, 3).state_dict(), path)
    with pytest.raises(
        UserError, match=r"architecture: got 'gru'; .* holds 1 LSTM layer.*Choices: lstm, stacked-lstm"
    ):
        import_weights(path, "gru")
    assert import_weights(path, "stacked_lstm").architecture == "stacked-lstm"


@pytest.mark.parametrize("name", ["model.pt", "model.keras", "model"])
def test_a_pickle_is_refused_whatever_its_name(tmp_path, name):
    torch.save(torch.nn.LSTM(2, 3).state_dict(), tmp_path / name)
    with pytest.raises(UserError, match="a pickle can run code and is never loaded"):
        import_weights(tmp_path / name)
    with pytest.raises(UserError, match="there is no such file"):
        import_weights(tmp_path / "none")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return transformers.BertForSequenceClassification(CONFIG).eval()


def test_a_file_that_is_named_is_the_one_that_is_read(model, tmp_path):
    model.save_pretrained(tmp_path)
    other = {name: tensor + 1 for name, tensor in load_file(tmp_path / "model.safetensors").items()}
    save_file(other, tmp_path / "other.safetensors")
    found = import_weights(tmp_path / "other.safetensors").tensors["head.bias"]
    assert torch.equal(found, model.classifier.bias + 1)


@pytest.mark.parametrize("config", [transformers.T5Config(), transformers.DebertaV2Config()])
@pytest.mark.parametrize("weights", ["tensors", "pickle", "none"])
def test_a_type_that_is_not_known_is_named_with_those_that_are(tmp_path, config, weights):
    config.save_pretrained(tmp_path)
    if weights == "tensors":
        save_file({"encoder.block.0.weight": torch.ones(2, 2)}, tmp_path / "model.safetensors")
    if weights == "pickle":
        (tmp_path / "pytorch_model.bin").write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match=f"model_type: got '{config.model_type}'.*bert, roberta.*gpt2"):
        import_weights(tmp_path)
