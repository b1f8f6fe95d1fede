"""The README of a run folder: what it holds, for people."""

from torch import nn

from anncestry.objectives.text_metrics import TextScores
from anncestry.runs.folder import RunFolder


def card(
    run: RunFolder,
    model: nn.Module,
    scores: dict[str, dict[str, float]],
    command: str,
    generated: dict[str, TextScores] | None = None,
) -> str:
    """The README of a run folder."""
    architecture, training = run.architecture, run.config["training"]
    parameters = sum(parameter.numel() for parameter in model.parameters())
    limits = [f"{name} {training[name]}" for name in ("epochs", "max_steps", "max_seconds") if training[name]]
    lines = [
        f"# {architecture.name} on {run.config['data']['name']}",
        "",
        f"{architecture.paper} ({architecture.year}). {parameters:,} parameters.",
        "",
        f"- task: {run.signature.task} of {run.signature.inputs} inputs {run.signature.shape}",
        f"- budget: {', '.join(limits)}; batch {training['batch_size']}; {training['optimizer']}, "
        f"learning rate {training['learning_rate']:g}; seed {training['seed']}",
        *([f"- weights: {run.kept()}"] if run.kept() else []),
        f"- versions: anncestry {run.config['anncestry']}, torch {run.config['torch']}",
        "",
        "| split | " + " | ".join(scores["test"]) + " |",
        "| --- |" + " --- |" * len(scores["test"]),
    ]
    lines += [
        f"| {split} | " + " | ".join(f"{row[k]:.4g}" if k in row else "" for k in scores["test"]) + " |"
        for split, row in scores.items()
    ]
    for split, found in (generated or {}).items():
        lines += ["", *(f"- {split}, {name}: `{how}`" for name, how in found.signatures.items())]
        shares = ", ".join(f"{group} {share:.1%}" for group, share in found.groups.items())
        lines += [f"- {split}, exact matches: {shares}"] if shares else []
    lines += ["", "Made with:", "", f"    {command}", ""]
    lines += [
        "Use it:",
        "",
        f"    anncestry predict {run.folder} INPUT",
        f"    anncestry evaluate {run.folder}",
        "",
    ]
    return "\n".join(lines)
