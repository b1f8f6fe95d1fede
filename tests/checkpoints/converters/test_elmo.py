"""ELMo's published files: in, with the outputs that belong to them, and out again."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from anncestry.checkpoints.converters.elmo import elmo_bytes, find_elmo, from_elmo, to_elmo
from anncestry.checkpoints.foreign_files import ForeignFiles
from anncestry.checkpoints.importing import import_weights
from anncestry.cli.main import main
from anncestry.data.processors.characters import CharacterProcessor
from anncestry.errors import UserError
from anncestry.models.create import build, configure
from anncestry.runs.run import load

LISTS = 3


@pytest.fixture(scope="module")
def files(request) -> Path:
    """The authors' tiny net with its expected outputs."""
    folder = Path(__file__).resolve().parents[4] / "shared" / "fixtures" / "elmo"
    if not folder.is_dir():
        pytest.skip("needs the fixtures in ../shared/fixtures/elmo")
    return folder


@pytest.fixture(scope="module")
def imported(files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("imported") / "run"
    assert main(["import", str(files), str(folder)]) == 0
    return load(folder)


def expected(files: Path, column: int, batch: int) -> np.ndarray:
    """(T, 2 N) of the highest layer."""
    with h5py.File(files / f"lm_embeddings_{column}.hdf5") as file:
        return np.concatenate(np.asarray(file[str(batch)]), axis=1)


def sentences(files: Path) -> list[list[str]]:
    """Ten batches of a sentence of each list."""
    return [list(batch) for batch in zip(*json.loads((files / "sentences.json").read_text()), strict=True)]


def test_texts_one_after_the_other_give_the_published_vectors(files, imported):
    state, worst = None, 0.0
    for number, batch in enumerate(sentences(files)):
        found = imported.embed(batch, state=state)
        state = found.state
        for column, vectors in enumerate(found.vectors):
            wanted = expected(files, column, number)
            assert vectors.shape == (len(wanted), 3, wanted.shape[1])
            worst = max(worst, np.abs(vectors[:, -1].numpy() - wanted).max())
    assert worst < 1.5e-6  # ours and theirs are float32


def test_in_double_precision_they_are_as_near_as_float32_can_be(files):
    found = import_weights(files)
    model = build(configure("elmo", found.config))
    model.load_state_dict(found.tensors)
    model = model.double().eval()
    inputs, lengths = CharacterProcessor().encode([text.split() for text in sentences(files)[0]])
    layers, _ = model.layer_representations(inputs, None, lengths)
    for column, length in enumerate(lengths.tolist()):
        got = layers[-1][column, :length].detach().numpy()
        np.testing.assert_allclose(got, expected(files, column, 0), atol=1.2e-6)


def test_only_with_its_shortcut_and_limits_it_is_that_net(files):
    found = import_weights(files)
    assert (found.config["skip"], found.config["cell_clip"], found.config["proj_clip"]) == (True, 3.0, 3.0)
    inputs, _ = CharacterProcessor().encode([sentences(files)[0][0].split()])
    outputs = []
    for changes in ({}, {"skip": False}, {"proj_clip": 0.5}, {"cell_clip": 0.5}):
        model = build(configure("elmo", found.config | changes))
        model.load_state_dict(found.tensors)
        outputs.append(model.eval().layer_representations(inputs)[0][-1])
    for other in outputs[1:]:
        assert (other - outputs[0]).abs().max() > 0.01


def test_a_fresh_state_gives_other_vectors_than_one_that_goes_on(files, imported):
    _, second = sentences(files)[:2]
    fresh = imported.embed(second).vectors[0][:, -1].numpy()
    assert np.abs(fresh - expected(files, 0, 1)).max() > 1e-3


def test_words_have_the_published_vectors_of_their_own(files, imported):
    words = (files / "vocab_test.txt").read_text().split("\n")
    words = [word for word in words if word]
    with h5py.File(files / "elmo_token_embeddings.hdf5") as file:
        wanted = np.asarray(file["embedding"])
    plain = [place for place, word in enumerate(words) if word not in ("<S>", "</S>")]
    found = imported.embed([words[place] for place in plain]).vectors
    own = torch.stack([vectors[0, 0] for vectors in found]).numpy()
    np.testing.assert_allclose(own, np.concatenate([wanted[plain]] * 2, axis=1), atol=1e-6)


def test_out_and_in_again(files, imported, tmp_path):
    folder = tmp_path / "out"
    assert main(["export", str(imported.folder), "--to", "elmo", "--out", str(folder)]) == 0
    with h5py.File(files / "lm_weights.hdf5") as theirs, h5py.File(folder / "lm_weights.hdf5") as ours:
        names = []
        theirs.visititems(lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None)
        assert len(names) == 33
        for name in names:
            assert ours[name].dtype == np.float32
            np.testing.assert_allclose(np.asarray(ours[name]), np.asarray(theirs[name]), atol=1e-6)
    published, options = (json.loads((path / "options.json").read_text()) for path in (files, folder))
    assert options["lstm"] == published["lstm"]
    assert options["char_cnn"] == published["char_cnn"]
    again = import_weights(folder)
    assert again.config == import_weights(files).config
    for name, tensor in imported.model.state_dict().items():
        torch.testing.assert_close(again.tensors[name], tensor, atol=1e-6, rtol=0)


def test_a_net_of_ours_goes_out_and_comes_back(tmp_path):
    sizes = {"hidden_size": 5, "proj_size": 3, "filter_widths": (1, 2), "filter_counts": (2, 3)}
    changes = {"num_highways": 0, "num_layers": 1, "cell_clip": 0.0, "skip": False, "activation": "tanh"}
    config = configure("elmo", {"task": "tagging", "output_size": 2, **sizes, **changes})
    model = build(config)
    options, arrays = to_elmo(model.state_dict(), config)
    (tmp_path / "my_options.json").write_text(json.dumps(options))
    (tmp_path / "my_weights.hdf5").write_bytes(elmo_bytes(arrays))
    found = import_weights(tmp_path / "my_weights.hdf5", "elmo")
    assert found.config["task"] == "embedding"
    assert {key: found.config[key] for key in (sizes | changes)} == sizes | changes
    state = {name: t for name, t in model.state_dict().items() if name.startswith("bilm.")}
    assert found.tensors.keys() == state.keys()
    for name, tensor in state.items():
        torch.testing.assert_close(found.tensors[name], tensor, atol=1e-6, rtol=0)
    with pytest.raises(UserError, match=r"architecture: got .lstm.; .* holds a ELMo"):
        import_weights(tmp_path, "lstm")


def damaged(files: Path, folder: Path, change=None, options=None) -> Path:
    """A copy with something changed."""
    folder.mkdir()
    shutil.copyfile(files / "lm_weights.hdf5", folder / "lm_weights.hdf5")
    described = json.loads((files / "options.json").read_text())
    if options is not None:
        options(described)
    (folder / "options.json").write_text(json.dumps(described))
    if change is not None:
        with h5py.File(folder / "lm_weights.hdf5", "a") as file:
            change(file)
    return folder


def drop(file):
    del file["CNN_proj/b_proj"]


def add(file):
    file["softmax/W"] = np.zeros((2, 3), np.float32)


def misshape(file):
    del file["CNN/b_cnn_1"]
    file["CNN/b_cnn_1"] = np.zeros(9, np.float32)


def claim(file):
    file.create_dataset("huge", (10**6, 10**4), np.float32)


def outside(file):
    del file["CNN/b_cnn_1"]
    file.create_dataset("CNN/b_cnn_1", (8,), np.float32, external=[("/etc/hostname", 0, 32)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop, "got .32 arrays.; .*missing: CNN_proj/b_proj"),
        (add, "unexpected: softmax/W"),
        (misshape, r"got \(9,\); the options make CNN/b_cnn_1 \(8,\)"),
        (claim, "claims to hold more than 8 times its size"),
        (outside, "keeps CNN/b_cnn_1 in another file"),
    ],
)
def test_weights_that_are_not_those_of_the_options(files, tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        import_weights(damaged(files, tmp_path / "net", change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda o: o.pop("char_cnn"), "must hold the options of a net that reads words by their characters"),
        (lambda o: o["lstm"].pop("dim"), "KeyError: 'dim'"),
        (lambda o: o["char_cnn"].update(n_characters=300), "n_characters: got 300; .* Choices: 261, 262"),
        (lambda o: o["lstm"].update(dim=65), r"the options make .*W_0 \(32, 260\)"),
    ],
)
def test_options_that_cannot_be(files, tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        import_weights(damaged(files, tmp_path / "net", options=change))


def test_options_of_training_are_read_too(files, tmp_path):
    folder = damaged(files, tmp_path / "net", options=lambda o: o["char_cnn"].update(n_characters=261))
    assert import_weights(folder).config == import_weights(files).config


def found_in(path):
    with ForeignFiles(path) as files:
        return find_elmo(files)


def test_which_files_belong_together(files, tmp_path):
    folder = damaged(files, tmp_path / "net")
    pair = ("options.json", "lm_weights.hdf5")
    assert found_in(folder) == found_in(folder / pair[0]) == found_in(folder / pair[1]) == pair
    (folder / pair[1]).rename(folder / "weights")
    assert found_in(folder) == found_in(folder / "weights") == (pair[0], "weights")
    (folder / "weights").rename(folder / pair[1])
    (folder / "options.json").rename(folder / "small_options.json")
    shutil.copyfile(folder / "lm_weights.hdf5", folder / "small_weights.hdf5")
    with pytest.raises(UserError, match="holds several nets; name one of"):
        found_in(folder)
    assert found_in(folder / "small_weights.hdf5").options == "small_options.json"
    (folder / "large_options.json").write_text("{}")
    assert found_in(folder / "small_weights.hdf5").options == "small_options.json"
    with pytest.raises(UserError, match=r"needs one file beside it whose name ends with options\.json"):
        found_in(folder / "lm_weights.hdf5")
    assert found_in(files / "lm_embeddings_0.hdf5") is None
    assert found_in(tmp_path / "nowhere") is None


def test_a_file_that_is_cut_short(files, tmp_path):
    folder = damaged(files, tmp_path / "net")
    whole = (folder / "lm_weights.hdf5").read_bytes()
    (folder / "lm_weights.hdf5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError):
        import_weights(folder)


def test_the_processor_that_comes_with_it(files):
    with ForeignFiles(files) as opened:
        found = from_elmo(opened)
    assert found.processor == {"kind": "character-words", "vocabulary": [], "num_chars": 50}


def test_options_that_are_not_heeded_are_noted(files, tmp_path):
    folder = damaged(files, tmp_path / "net")
    path = folder / "options.json"
    said = json.loads(path.read_text())
    path.write_text(
        json.dumps({**said, "batch_size": 128, "temperature": 2, "lstm": {**said["lstm"], "x": 1}})
    )
    told = import_weights(folder).notes
    assert [note.partition(" says")[0] for note in told] == ["options.json", "lstm in options.json"]
    assert "temperature=2" in told[0]
    assert "batch_size" not in told[0]
    path.write_text(json.dumps({**said, "bidirectional": False}))
    with pytest.raises(UserError, match="bidirectional makes another network"):
        import_weights(folder)
