"""Models from outside and from inside: costs, summaries, differences, hidden states, feature maps, attention
weights, and whether a model keeps the promises of its kind."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.inspection.attention_maps import AttentionMaps
    from anncestry.inspection.conformance import CheckResult, Report, check_model
    from anncestry.inspection.costs import Costs, LayerCost
    from anncestry.inspection.data_flow import Flow
    from anncestry.inspection.differences.diff import Diff
    from anncestry.inspection.feature_maps import FeatureMaps
    from anncestry.inspection.layer_costs import LayerKind
    from anncestry.inspection.path_length import path_lengths
    from anncestry.inspection.receptive_field import measured_field
    from anncestry.inspection.summary import Summary
    from anncestry.inspection.traces import Trace

__all__ = [
    "AttentionMaps",
    "CheckResult",
    "Costs",
    "Diff",
    "FeatureMaps",
    "Flow",
    "LayerCost",
    "LayerKind",
    "Report",
    "Summary",
    "Trace",
    "check_model",
    "measured_field",
    "path_lengths",
]
__getattr__, __dir__ = hand_on(__name__)
