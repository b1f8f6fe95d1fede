"""PLACEHOLDER being written now: the loop. See the signatures below.

@dataclass(frozen=True)
class Progress:            # what a watcher is told, several times a second at most
    step: int
    epoch: int
    seconds: float         # of training alone
    fraction: float        # 0..1 of the budget used
    loss: float            # mean training loss since the last report
    metrics: dict          # the latest validation metrics ({} before the first)
    throughput: float      # examples (tokens) per second

@dataclass
class Fit:
    model: nn.Module       # with the best validation weights loaded
    step: int
    epochs: float
    seconds: float         # of training alone
    history: list[dict]    # rows {"step","epoch","seconds","split": "train"|"validation", "loss", <metrics>}
    best: dict             # validation metrics of the best weights
    stopped: str           # "epochs" | "max_steps" | "max_seconds" | "converged" | "patience" | "interrupted"

def fit(model, dataset, settings, *, folder: Path | None = None, resume: bool = False,
        watch: Callable[[Progress], None] | None = None) -> Fit
    # KeyboardInterrupt/SIGTERM: finishes the step, saves a checkpoint if folder is given, returns stopped="interrupted"
    # NaN loss: raises anncestry.training.fit.Diverged(UserError), names step and batch; history kept on the exception

def evaluate(model, split, objective, batch_size=256) -> dict[str, float]
"""
