"""OpenAI's own files: GPT's flat vector in slices, GPT-2's checkpoint of TensorFlow."""

import json

import numpy as np
import pytest
import torch

from anncestry.checkpoints.importing import import_weights
from anncestry.errors import UserError
from anncestry.models.create import build, configure
from anncestry.runs.imported import write_import

V, D, P, LAYERS = 9, 64, 6, 2


def original(folder, slices=3, seed=0):
    """Files as those of GPT, with random numbers; the arrays by name."""
    random = np.random.default_rng(seed)
    arrays = {"positions": random.normal(size=(P, D)), "tokens": random.normal(size=(V, D))}
    for layer in range(LAYERS):
        for name, shape in {
            "c_attn.w": (1, D, 3 * D), "c_attn.b": (3 * D,), "c_proj.w": (1, D, D), "c_proj.b": (D,),
            "ln_1.g": (D,), "ln_1.b": (D,), "c_fc.w": (1, D, 4 * D), "c_fc.b": (4 * D,),
            "out.w": (1, 4 * D, D), "out.b": (D,), "ln_2.g": (D,), "ln_2.b": (D,),
        }.items():  # fmt: skip
            arrays[f"{layer}.{name}"] = 0.1 * random.normal(size=shape)
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    folder.mkdir(exist_ok=True)
    (folder / "params_shapes.json").write_text(json.dumps([array.shape for array in arrays.values()]))
    vector = np.concatenate([array.ravel() for array in arrays.values()])
    for number, part in enumerate(np.array_split(vector, slices)):
        np.save(folder / f"params_{number}.npy", part)
    return arrays


def by_hand(arrays, text):
    """The scores of a text, from the equations, in float64."""
    a = {name: array.astype(np.float64) for name, array in arrays.items()}

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        return (
            centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * a[f"{name}.g"] + a[f"{name}.b"]
        )

    def gelu(x):
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

    x = a["tokens"][text] + a["positions"][: len(text)]
    for layer in range(LAYERS):
        q, k, v = np.split(x @ a[f"{layer}.c_attn.w"][0] + a[f"{layer}.c_attn.b"], 3, axis=-1)
        scores = np.where(np.tri(len(text)), q @ k.T / np.sqrt(D), -np.inf)  # one head
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        seen = weights / weights.sum(-1, keepdims=True) @ v
        x = norm(x + seen @ a[f"{layer}.c_proj.w"][0] + a[f"{layer}.c_proj.b"], f"{layer}.ln_1")
        inner = gelu(x @ a[f"{layer}.c_fc.w"][0] + a[f"{layer}.c_fc.b"])
        x = norm(x + inner @ a[f"{layer}.out.w"][0] + a[f"{layer}.out.b"], f"{layer}.ln_2")
    return x @ a["tokens"].T


@pytest.mark.parametrize("inside", [False, True])
def test_gpt_as_published(tmp_path, inside):
    """Whether the folder is named, or the one above, as in the authors' repository."""
    folder = tmp_path / "model"
    arrays = original(folder)
    found = import_weights(folder if inside else tmp_path)
    assert found.architecture == "gpt"
    assert any("num_heads=1 is assumed" in note for note in found.notes)
    model = build(configure("gpt", found.config))
    model.load_state_dict(found.tensors)
    text = [3, 1, 8, 8, 0]
    with torch.no_grad():
        scores = model.double().eval()(torch.tensor([text]))[0][0]
    np.testing.assert_allclose(scores.numpy(), by_hand(arrays, text), atol=1e-10)


def test_bad_files_of_gpt(tmp_path):
    original(tmp_path)
    np.save(tmp_path / "params_3.npy", np.zeros(4, np.float32))
    with pytest.raises(
        UserError, match=r"params_\*\.npy.*have [0-9,]+ numbers together, and the shapes ask for"
    ):
        import_weights(tmp_path)
    np.save(tmp_path / "params_3.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match=r"params_3\.npy.*must be a vector of float32"):
        import_weights(tmp_path)
    np.save(tmp_path / "params_3.npy", np.zeros((0, 2)))
    with pytest.raises(UserError, match=r"params_3\.npy.*must be a vector of float32"):
        import_weights(tmp_path)
    (tmp_path / "params_shapes.json").write_text("[[2, 3], [4, 3], [1]]")
    with pytest.raises(UserError, match="two shapes of tables, and 12 for each layer"):
        import_weights(tmp_path)
    (tmp_path / "params_shapes.json").write_text("{")
    with pytest.raises(UserError, match="is not readable JSON"):
        import_weights(tmp_path)


def test_gpt2_of_tensorflow(shared, tmp_path):
    """The scores that come with the fixture."""
    folder = shared.parent / "fixtures" / "gpt2-tf-toy"
    if not folder.is_dir():
        pytest.skip("needs the real files in ../shared/fixtures")
    found = import_weights(folder)
    assert found.architecture == "gpt2"
    assert (found.config["num_heads"], found.config["num_layers"]) == (5, 3)
    run = write_import(tmp_path / "run", found, folder)
    expected = json.loads((folder / "expected_forward.json").read_text())
    model = run.model.double()
    with torch.no_grad():
        text = torch.tensor([expected["input_ids"]])
        features, scores = model.read(text)[0], model(text)[0][0]
    torch.testing.assert_close(scores, torch.tensor(expected["logits"]).double(), atol=1e-6, rtol=1e-5)
    assert features.shape == (8, 15)
    for name in ("model.ckpt.index", "model.ckpt"):  # its files name it too
        assert import_weights(folder / name).config == found.config
