"""Modules that own tensors which are computed from their sizes and so are never saved.

PyTorch leaves such buffers unfilled where a model is built on the meta device and given memory afterwards
(``to_empty``, then ``load_state_dict``): nothing in a checkpoint would fill them. Here they are made again
whenever the module gets new memory.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Tensor


class Computed(nn.Module):
    """A module whose buffer `made` is computed, not learnt and not saved.

    A class says ``compute``, and calls ``refill`` in its constructor once its sizes are known.
    """

    made: Tensor

    def compute(self) -> Tensor:
        """The buffer's values, on PyTorch's default device."""
        raise NotImplementedError

    def refill(self, device: torch.device | str | None = None) -> None:
        """Compute the buffer; on the device where it is, in the type it has, unless others are given."""
        before = self._buffers.get("made")
        if before is None:
            self.register_buffer("made", self.compute(), persistent=False)
            return
        with torch.device(device or before.device), torch.inference_mode(False):
            values = self.compute()
        self.made = values.to(before.dtype) if values.is_floating_point() else values

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        super()._apply(fn, recurse)  # of to_empty, to, cuda, double ...
        self.refill()
        return self

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, local_metadata: dict[str, Any], *others: Any
    ) -> None:
        # load_state_dict(assign=True) puts real tensors in the place of those without memory
        if self.made.is_meta and local_metadata.get("assign_to_params_buffers"):
            devices = {value.device for value in state_dict.values() if isinstance(value, Tensor)}
            self.refill(devices.pop() if len(devices) == 1 else torch.get_default_device())
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *others)
