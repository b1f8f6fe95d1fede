"""`--compile`: another way to run the same steps."""

import shutil

import pytest
import torch

from anncestry.data import load_data
from anncestry.models.create import create
from anncestry.training.fit import fit
from anncestry.training.settings import TrainingSettings

has_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="PyTorch compiles with g++")


@has_compiler
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_compiled_steps_lead_to_the_same_weights_under_the_same_names():
    data = load_data("toy2d:xor")
    found = []
    for compiled in (False, True):
        torch.manual_seed(0)
        model = create("mlp", inputs="vector", input_shape=(2,), output_size=2)
        settings = TrainingSettings(max_steps=3, batch_size=32, evaluations=1, compile=compiled)
        found.append(fit(model, data, settings).model.state_dict())
    assert found[0].keys() == found[1].keys()
    for name, value in found[0].items():
        torch.testing.assert_close(found[1][name], value, rtol=1e-5, atol=1e-6)
