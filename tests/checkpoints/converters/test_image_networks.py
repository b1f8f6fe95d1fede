"""torchvision's and timm's image networks: in, out, and what is said when they do not fit."""

import json

import pytest
import torch

from anncestry.checkpoints.converters.image_networks import from_torchvision, recognise
from anncestry.checkpoints.importing import import_weights
from anncestry.checkpoints.store import read_tensors, write_tensors
from anncestry.errors import UserError
from anncestry.models.create import create
from anncestry.runs.imported import write_import

SIZES = {
    "densenet": {"growth_rate": 4, "blocks": (2, 3), "stem_channels": 8, "input_shape": (3, 224, 224)},
    "resnet": {"blocks": (2, 1), "channels": 4, "bottleneck": True, "input_shape": (3, 224, 224)},
    "vgg": {"column": "B", "channels": 2, "hidden_size": 6, "grid": 2, "input_shape": (3, 224, 224)},
    "alexnet": {
        "channels": (4, 6, 6, 4, 4), "hidden_size": 6, "grid": 2, "groups": 1,
        "response_norm": False, "input_shape": (3, 224, 224),
    },
}  # fmt: skip
MORE = [
    ("densenet", {"bottleneck": False, "compression": 1.0, "stem": "cifar", "input_shape": (1, 32, 32)}),
    ("resnet", {"bottleneck": False, "shortcut": "A", "stem": "cifar", "input_shape": (3, 32, 32)}),
    ("vgg", {"batch_norm": True}),
    ("alexnet", {"groups": 2, "response_norm": True}),
]
every_net = pytest.mark.parametrize(("name", "more"), [*((name, {}) for name in SIZES), *MORE])


def net(name, more=None, output_size=5):
    torch.manual_seed(0)
    return create(name, output_size=output_size, **{**SIZES[name], **(more or {})}).eval()


@every_net
def test_a_file_comes_in_and_goes_out_byte_for_byte(name, more, tmp_path):
    model = net(name, more)
    theirs, ours = tmp_path / "theirs.safetensors", tmp_path / "ours.safetensors"
    write_tensors(theirs, model.state_dict())
    found = import_weights(theirs)
    assert found.architecture == name
    run = write_import(tmp_path / "run", found, theirs)
    assert run.model.config == model.config
    x = torch.randn(2, *model.config.input_shape)
    with torch.no_grad():
        torch.testing.assert_close(run.model(x), model(x), rtol=1e-4, atol=1e-5)
    write_tensors(ours, run.model.state_dict())
    assert ours.read_bytes() == theirs.read_bytes()


def test_older_names_of_densenet_are_understood():
    model = net("densenet")
    old = {}
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        for part in ("norm1", "norm2", "conv1", "conv2"):
            if "denselayer" in name:
                name = name.replace(f".{part}.", f".{part[:-1]}.{part[-1]}.")
        old[name.replace("norm5", "norm_final")] = tensor
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    found = from_torchvision(old)
    assert found.tensors.keys() == model.state_dict().keys()
    again = create("densenet", **found.config)
    again.load_state_dict(found.tensors)
    x = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.equal(again.eval()(x), model(x))


def test_what_does_not_fit_is_listed_together(tmp_path):
    tensors = dict(net("resnet").state_dict())
    del tensors["layer1.1.bn2.bias"]
    tensors["layer1.1.extra"] = torch.zeros(1)
    tensors["layer2.0.bn1.weight"] = torch.zeros(3)
    found = from_torchvision(tensors)
    with pytest.raises(
        UserError, match=r"missing: layer1.1.bn2.bias; unexpected: layer1.1.extra; wrong shape"
    ) as e:
        write_import(tmp_path / "run", found, tmp_path / "file")
    assert "layer2.0.bn1.weight (3,) for (8,)" in str(e.value)
    assert not (tmp_path / "run").exists()


def test_another_architecture_than_asked_for(tmp_path):
    write_tensors(tmp_path / "w.safetensors", net("vgg").state_dict())
    with pytest.raises(UserError, match=r"w.safetensors holds a VGG. Choices: vgg"):
        import_weights(tmp_path / "w.safetensors", "resnet-18")
    assert import_weights(tmp_path / "w.safetensors", "vgg-13").architecture == "vgg"


@pytest.mark.parametrize("lost", ["conv1.weight", "fc.weight"])
def test_half_a_network_is_refused(lost):
    tensors = {name: tensor for name, tensor in net("resnet").state_dict().items() if name != lost}
    with pytest.raises(UserError, match="not those of one resnet"):
        from_torchvision(tensors)


def test_other_names_are_nobodys():
    assert recognise({"weight": torch.zeros(1)}) is None
    with pytest.raises(UserError, match="torchvision"):
        from_torchvision({"weight": torch.zeros(1)})
    tensors = dict(net("vgg").state_dict())
    tensors["features.0.weight"] = tensors["features.0.weight"][:, :, :1, :1]
    with pytest.raises(UserError, match="no column"):
        from_torchvision(tensors)


def test_reading_what_was_exported(tmp_path):
    write_tensors(tmp_path / "w.safetensors", net("vgg").state_dict())
    assert recognise(read_tensors(tmp_path / "w.safetensors")[0]) == "vgg"


def test_dense_layers_of_vgg_under_old_names_and_timms(tmp_path):
    model = net("vgg", {"batch_norm": True})
    x = torch.randn(2, 3, 224, 224)
    old = {"classifier.0": "classifier.1", "classifier.3": "classifier.4"}
    timm = {"classifier.0": "pre_logits.fc1", "classifier.3": "pre_logits.fc2", "classifier.6": "head.fc"}
    for names in (old, timm):
        theirs = {}
        for name, tensor in model.state_dict().items():
            layer, _, part = name.rpartition(".")
            if names is timm and layer in ("classifier.0", "classifier.3") and part == "weight":
                side = 2 if layer == "classifier.0" else 1
                tensor = tensor.view(len(tensor), -1, side, side)
            theirs[f"{names.get(layer, layer)}.{part}"] = tensor
        found = from_torchvision(theirs)
        assert found.architecture == "vgg"
        again = create("vgg", **found.config).eval()
        again.load_state_dict(found.tensors)
        with torch.no_grad():
            torch.testing.assert_close(again(x), model(x), rtol=1e-4, atol=1e-5)


def timm_folder(path, config):
    path.mkdir()
    write_tensors(path / "model.safetensors", net("resnet").state_dict())
    (path / "config.json").write_text(json.dumps(config))
    return path


def test_timms_config_is_heeded(tmp_path):
    published = {"input_size": [3, 160, 160], "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}
    said = {"architecture": "resnet50", "num_classes": 5, "global_pool": "avg", "pretrained_cfg": published}
    found = import_weights(timm_folder(tmp_path / "a", {**said, "novel": 1}))
    assert found.config["input_shape"] == (3, 160, 160)
    told = "\n".join(found.notes)
    assert "mean [0.5, 0.5, 0.5]" in told
    assert "novel=1" in told


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture": "resnetblur50"}, "architecture: got 'resnetblur50'; computes something else"),
        ({"architecture": "resnetaa50.a1h_in1k"}, "resnetaa50"),
        ({"architecture": "resnet50d"}, "resnet50d"),
        ({"architecture": "seresnet50"}, "seresnet50"),
        ({"architecture": ["resnet50"]}, "architecture"),
        ({"global_pool": "max"}, "global_pool: got 'max'"),
        ({"num_classes": 0}, "got 0; num_classes is another number in the weights"),
        ({"pretrained_cfg": {"input_size": "big"}}, "input_size: got 'big'"),
    ],
)
def test_relatives_that_compute_something_else_are_refused_by_name(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        import_weights(timm_folder(tmp_path / "a", {"architecture": "resnet50", **change}))


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("layer1.0.conv2.weight", (4, 1, 3, 3), "of a ResNeXt"),
        ("layer1.0.conv3.weight", (16, 8, 1, 1), "of a wide ResNet"),
        ("layer1.0.se.fc1.weight", (1, 16, 1, 1), "squeeze and excitation"),
        ("layer1.0.downsample.2.weight", (16,), "ResNet-D"),
        ("layer1.0.convs.0.weight", (1, 1, 3, 3), "Res2Net"),
        ("conv1.0.weight", (4, 3, 3, 3), "ResNet-C"),
    ],
)
def test_relatives_that_their_tensors_tell_are_refused_by_name(name, shape, message):
    with pytest.raises(UserError, match=message):
        from_torchvision({**net("resnet").state_dict(), name: torch.zeros(shape)})
