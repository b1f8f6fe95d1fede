"""Series to be forecast: windows over rows in the order of time, and the Mackey-Glass series."""

from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from anncestry.data.options import DataOptions
from anncestry.data.processors.common import Layout, expect, mean_and_scale
from anncestry.data.processors.series import SeriesProcessor
from anncestry.data.splits.dataset import Dataset, Examples, Processor
from anncestry.errors import UserError
from anncestry.signature import Signature
from anncestry.user_files import check_memory

WINDOW = 24
ENDS = (0.70, 0.85)  # where the training part of the time ends, and the validation part


def learn_series(values: np.ndarray, layout: Layout, options: DataOptions) -> SeriesProcessor:
    """The processor of a series (N, D), standardised with its training part; see `series_dataset`."""
    mean, scale = mean_and_scale(values[: max(1, round(ENDS[0] * len(values)))])
    window = options.window or WINDOW
    return SeriesProcessor(layout, tuple(mean.tolist()), tuple(scale.tolist()), window, options.horizon)


def series_dataset(
    values: np.ndarray, processor: SeriesProcessor, options: DataOptions, **about: Any
) -> Dataset:
    """Windows (T, D) and the target ``horizon`` rows after each, the parts in the order of time.

    A target belongs to the part its own time is in; a window may reach back into the part before, since
    by then those values are known.

    Args:
        values: (N, D) float64, one column for each input of the processor.
        processor: has the window, the horizon, means and deviations.
        options: those the data were opened with.
        about: the other fields of `Dataset`.
    """
    window, horizon, num_rows = processor.window, processor.horizon, len(values)
    ends = [round(share * num_rows) for share in ENDS]
    first = window + horizon - 1  # the row of the first target
    if not (first < ends[0] < ends[1] < num_rows):
        rule = f"a window of {window} and a horizon of {horizon} leave no forecast for each of the splits"
        raise UserError("rows", num_rows, rule, hint="Give more rows or a smaller window.")
    parts = [(first, ends[0]), (ends[0], ends[1]), (ends[1], num_rows)]
    splits = [forecasts(values, processor, *part) for part in parts]
    sizes = " / ".join(str(len(split)) for split in splits)
    note = f"split in the order of time: {sizes} forecasts for training, validation, test"
    return Dataset(
        options=asdict(options),
        signature=Signature("forecasting", "series", (window, values.shape[1]), 1),
        processor=processor,
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        notes=(note, *about.pop("notes", ())),
        **about,
    )


def forecasts(
    values: np.ndarray, processor: SeriesProcessor, start: int = 0, end: int | None = None
) -> Examples:
    """The forecasts of the rows from ``start`` to ``end`` of a series (N, D), as far as they have a window.

    Raises:
        UserError: no row has one.
    """
    window, first = processor.window, processor.window + processor.horizon - 1
    start, end = max(start, first), len(values) if end is None else end
    if start >= end:
        rule = f"a forecast needs {first + 1} rows: a window of {window} and a horizon of {processor.horizon}"
        raise UserError("rows", len(values), rule)
    check_memory(8 * len(values) * window * values.shape[1], "window", window, "Set a smaller window.")
    standardised = torch.from_numpy(processor.standardise(values))
    windows = standardised.unfold(0, window, 1).transpose(1, 2)  # (N - T + 1, T, D), a view
    targets = standardised[start:end, processor.target_input, None]
    return Examples(windows[start - first : end - first].contiguous(), targets.contiguous())


def mackey_glass(num_values: int, tau: int = 17, steps: int = 10, washout: int = 500) -> np.ndarray:
    """The series of Mackey and Glass, sampled once per unit of time, (num_values,) float64.

        dx/dt = 0.2 x(t - tau) / (1 + x(t - tau)^10) - 0.1 x(t)        x(t) = 1.2 for t <= 0

    M. Mackey & L. Glass, "Oscillation and chaos in physiological control systems", Science 197 (1977).
    Integrated with the classical Runge-Kutta method of order 4 in ``steps`` steps per unit of time. Half
    way through a step the delayed value is that of the cubic through the stored values and slopes, which
    is of order 4 as well. The first ``washout`` units of time are dropped.
    """
    h, lag = 1 / steps, tau * steps
    x = [1.2] * (lag + 1)  # at the steps
    between = [1.2] * lag  # half way from one to the next

    def change(now: float, delayed: float) -> float:
        return 0.2 * delayed / (1 + delayed**10) - 0.1 * now

    k1 = change(x[-1], x[0])
    for _ in range((washout + num_values) * steps):
        now, middle, end = x[-1], between[-lag], x[-lag]
        k2 = change(now + h / 2 * k1, middle)
        k3 = change(now + h / 2 * k2, middle)
        k4 = change(now + h * k3, end)
        x.append(now + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
        slope, k1 = k1, change(x[-1], end)
        between.append((now + x[-1]) / 2 + h / 8 * (slope - k1))
    return np.array(x[lag + washout * steps :: steps][:num_values])


def load_mackey_glass(
    argument: str, options: DataOptions, seed: int, processor: Processor | None = None
) -> Dataset:
    """``mackey-glass``: 4,000 values, the same for every seed."""
    values = mackey_glass(4000)[:, None]
    if processor is None:
        processor = learn_series(values, Layout(("x",), True, 0, (0,)), options)
    processor = expect(processor, SeriesProcessor, "mackey-glass")
    if len(processor.layout.inputs) != 1:
        raise UserError(
            "data", "mackey-glass", f"has one column; the model reads {processor.layout.input_names}"
        )
    note = "tau = 17, Runge-Kutta of order 4 with a step of 0.1, one value per unit of time"
    return series_dataset(values, processor, options, name="mackey-glass", notes=(note,))
