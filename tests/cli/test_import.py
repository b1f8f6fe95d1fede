"""Foreign weights through the front door, and back out of it."""

import numpy as np
import torch
from torch import nn

import anncestry
from anncestry.checkpoints.store import read_tensors, write_tensors
from anncestry.cli.main import main


def test_torch_weights_in_and_out(tmp_path, capsys):
    peer = nn.Module()
    peer.lstm, peer.head = nn.LSTM(5, 7, 2, batch_first=True), nn.Linear(7, 3)
    write_tensors(tmp_path / "peer.safetensors", peer.state_dict())
    assert main(["import", str(tmp_path / "peer.safetensors"), str(tmp_path / "ours")]) == 0
    assert "Stacked LSTM" in capsys.readouterr().out
    model = anncestry.load(tmp_path / "ours").model
    x = torch.randn(4, 6, 5)
    with torch.no_grad():
        wanted = peer.head(peer.lstm(x)[0][:, -1])
        torch.testing.assert_close(model(x)[0], wanted, atol=1e-6, rtol=1e-6)
    out = tmp_path / "back.safetensors"
    assert main(["export", str(tmp_path / "ours"), "--out", str(out)]) == 0
    back = nn.LSTM(5, 7, 2, batch_first=True)
    names = {
        name.removeprefix("rnn."): t for name, t in read_tensors(out)[0].items() if name.startswith("rnn.")
    }
    back.load_state_dict(names)
    torch.testing.assert_close(back(x)[0], peer.lstm(x)[0], atol=1e-6, rtol=1e-6)
    assert main(["export", str(tmp_path / "ours"), "--out", str(tmp_path / "k.npz"), "--to", "keras"]) == 0
    assert any(name.endswith("recurrent_kernel") for name in np.load(tmp_path / "k.npz"))


def test_an_imported_model_says_that_it_cannot_read_data(tmp_path, capsys):
    write_tensors(tmp_path / "peer.safetensors", nn.GRU(2, 3).state_dict())
    assert main(["import", str(tmp_path / "peer.safetensors"), str(tmp_path / "ours")]) == 0
    for words in (["predict", str(tmp_path / "ours"), "1,2"], ["evaluate", str(tmp_path / "ours")]):
        assert main(words) == 2
        assert "was imported from weights alone; it cannot read data" in capsys.readouterr().err
    assert main(["show", str(tmp_path / "ours")]) == 0


def test_a_pickle_is_never_loaded(tmp_path, capsys):
    torch.save(nn.LSTM(2, 3).state_dict(), tmp_path / "peer.pt")
    assert main(["import", str(tmp_path / "peer.pt"), str(tmp_path / "ours")]) == 2
    assert "never loaded" in capsys.readouterr().err
    assert not (tmp_path / "ours").exists()
