"""Dilated networks beside the implementation most people find: zalandoresearch/pytorch-dilated-rnn.

It is not a package: put its ``drnn.py`` somewhere and name it,

    PYTORCH_DILATED_RNN=/path/to/drnn.py python -m benchmarks.dilated

Its rows are left out where it is missing. It computes the same function (dilations 1, 2, 4, ...), which is
checked before anything is timed. All contestants run on two threads with our float32 setting.
"""

import importlib.util
import os
import time
from pathlib import Path

import torch
from torch import nn

from anncestry.engine.precision import fast_float32
from anncestry.engine.prediction import inference
from anncestry.layers.cell_names import make_cell
from anncestry.layers.dilated import Dilated, exponential
from anncestry.layers.wirings import Stacked
from benchmarks.recurrent import CPU, THREADS, naive_steps, predicted, threads, trained
from benchmarks.timing import interleave, table

VARIABLE = "PYTORCH_DILATED_RNN"
D, H, LAYERS = 1, 50, 9
B, T = 128, 784  # MNIST, pixel by pixel
