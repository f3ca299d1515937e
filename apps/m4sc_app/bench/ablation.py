"""`m4sc bench ablation`: what each choice in the model is worth, all variants trained alike."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from m4sc.data.example import Example
    from m4sc.mllm.network import Network
    from m4sc.training.features import Sample
    from m4sc.training.objective import Objective
    from m4sc.training.run import Stage

_BATCH = 24
_ALIGN_STEPS = 5  # to one of instruct: about what a budget of minutes comes to


@dataclass(frozen=True)
class Variant:
    """One entry of the table.

    Attributes:
        name: in the table.
        about: what it is compared in.
        changes: fields of :class:`m4sc.config.ModelConfig` that differ from the base.
        channel: "joint": all parts learn through the noisy channel; "separate": all learn without noise, then
            the channel codec alone learns through it, in half of the time each.
        hears_noise: whether the channel decoder is given the noise variance; if not, always that of 10 dB.
    """

    name: str
    about: str
    changes: dict[str, Any] = field(default_factory=dict)
    channel: str = "joint"
    hears_noise: bool = True


@dataclass(frozen=True)
class Budget:
    """What each variant may spend: minutes, or `steps` of instruct and five times as many of align.

    Minutes are fair between variants of different cost; steps where other programs share the machine.
    """

    minutes: float
    steps: int | None = None
    adapters: Path | None = None  # weights whose language model's adapters training starts from
    bf16: bool | None = None  # of the stages after align; None for what Accelerate finds

    def __str__(self) -> str:
        spent = f"{self.minutes:g} minutes of training"
        if self.steps is not None:
            spent = f"{_ALIGN_STEPS * self.steps} steps of align and {self.steps} of instruct"
        if self.adapters is None:
            return spent
        return f"{spent}, from the language model's adapters of {self.adapters.name} and nothing else"

    def stage(
        self, name: str, share: float, shares: dict[str, float], rates: tuple[float, float], seed: int
    ) -> Stage:
        """A stage with a share of the budget, the whole of which is 1: a third aligns, the rest instructs."""
        from m4sc.training.run import Stage

        steps = None
        if self.steps is not None:
            whole = 3.0 * _ALIGN_STEPS if name == "align" else 1.5
            steps = max(1, round(whole * self.steps * share))
        return Stage(name, self.minutes * share, shares, *rates, seed, steps=steps)


VARIANTS = (
    Variant("base", "RBF-KAN projector, joint training, noise variance given, light path"),
    Variant("bspline", "projector of B-spline KAN layers, as many parameters", {"projector": "bspline"}),
    Variant("mlp", "projector of an MLP, as many parameters", {"projector": "mlp"}),
    Variant("separate", "channel codec trained by itself after the rest", channel="separate"),
    Variant("deaf", "channel decoder not told the noise variance", hears_noise=False),
    Variant("encode", "the transmitter's LLM reads the pictures", {"encode_tasks": ("classify", "mosaic")}),
)
_TASKS = {"classify": 1.0, "mosaic": 2.0}


def ablation(
    data: Annotated[Path, typer.Option(help="Folder that holds the data sets.")],
    features: Annotated[Path, typer.Option(help="Features that `m4sc train features` kept.")],
    out: Annotated[Path, typer.Option(help="Folder of checkpoints, rows and the table.")] = Path(
        "runs/ablation"
    ),
    minutes: Annotated[float, typer.Option("--budget-minutes", min=0.01, help="Of each variant.")] = 20.0,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Steps of instruct, five times as many of align, instead of minutes."),
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(
            help="Weights whose language model's adapters, and nothing else, all variants start from."
        ),
    ] = None,
    bf16: Annotated[bool | None, typer.Option("--bf16/--no-bf16", help="As of `m4sc train`.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Variants by name; all if not given.")] = None,
    n: Annotated[int, typer.Option(min=1, help="Test examples a task.")] = 200,
    snr: Annotated[str, typer.Option(help="Comma-separated Es/N0 in dB.")] = "0,10",
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
) -> None:
    """Train each variant in align and instruct with one budget, score it, and write a Markdown table.

    Finished variants are read from the folder, one that was stopped goes on.

    From scratch a variant needs tens of minutes before it answers anything; from trained weights' adapters
    (--init) a few suffice, and projector and channel codec still begin anew in all of them.

    Example: m4sc bench ablation --data DATA --features runs/default/features --budget-minutes 20
    """
    from m4sc.evaluate.catalogue import test_examples
    from m4sc.training.features import load_features

    unknown = sorted(set(only or ()) - {variant.name for variant in VARIANTS})
    if unknown:
        raise typer.BadParameter(
            f"no variant {', '.join(unknown)}; there are {', '.join(v.name for v in VARIANTS)}"
        )
    chosen = [variant for variant in VARIANTS if not only or variant.name in only]
    cache = Path.home() / ".cache" / "m4sc" / "data"
    tests = {task: test_examples(task, data, n, cache_dir=cache, seed=seed) for task in _TASKS}
    samples = [sample for sample in load_features(features, "train") if sample.task in _TASKS]
    snrs_db = [float(item) for item in snr.split(",")]
    rows, budget = [], Budget(minutes, steps, init, bf16)
    for variant in chosen:
        rows += list(run_variant(variant, samples, tests, out / variant.name, budget, snrs_db, seed))
        (out / "ablation.md").write_text(table(rows, chosen, budget), encoding="utf-8")
    typer.echo((out / "ablation.md").read_text(encoding="utf-8"))


def run_variant(
    variant: Variant,
    samples: list[Sample],
    tests: dict[str, list[Example]],
    out: Path,
    budget: Budget,
    snrs_db: Sequence[float],
    seed: int,
    base: Any = None,
) -> Iterator[dict[str, Any]]:
    """Train and score one variant; rows of the evaluation. base: configuration, None for the default one."""
    from m4sc.config import ModelConfig
    from m4sc.evaluate.harness import run
    from m4sc.evaluate.systems import Semantic
    from m4sc.system import SemanticSystem

    done = out / "rows.json"
    wanted = {"variant": variant.name, "budget": str(budget), "seed": seed}
    if done.exists():
        kept = json.loads(done.read_text(encoding="utf-8"))
        if kept and all(kept[0]["config"].get(key) == value for key, value in wanted.items()):
            yield from kept
            return
    light = replace(base or ModelConfig(), encode_tasks=())
    network = _trained(variant, replace(light, **variant.changes), samples, out, budget, seed)
    network.llm.serve()
    system = Semantic(SemanticSystem(network))
    rows = list(run(system, tests, snrs_db=snrs_db, seeds=(0, 1, 2), config=wanted))
    done.write_text(json.dumps(rows), encoding="utf-8")
    yield from rows


def table(rows: Sequence[dict[str, Any]], variants: Sequence[Variant], budget: Budget) -> str:
    """Markdown: a line a variant, a column a task and SNR, each score with its 95 % interval."""
    from m4sc.tasks import get_task

    whole = [
        row for row in rows if row["kind"] == "all" and row["metric"] == get_task(row["task"]).scorer
    ]  # a task's other figures, such as the error of its confidence, are no scores
    points = list(dict.fromkeys((row["task"], row["snr_db"]) for row in whole))
    lines = [
        f"Each variant: {budget}, AWGN; score with its 95 % interval.",
        "",
        "| variant | what differs | " + " | ".join(f"{task}, {snr:g} dB" for task, snr in points) + " |",
        "|---|---|" + "---|" * len(points),
    ]
    for variant in variants:
        own = {(r["task"], r["snr_db"]): r for r in whole if r["config"]["variant"] == variant.name}
        if not own:
            continue
        cells = [f"{own[p]['score']:.3f} ({own[p]['ci_low']:.3f} to {own[p]['ci_high']:.3f})" for p in points]
        lines.append(f"| {variant.name} | {variant.about} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _trained(
    variant: Variant, config: Any, samples: list[Sample], out: Path, budget: Budget, seed: int
) -> Network:
    """A third of the budget aligns, the rest instructs; before a separate channel codec, half of each."""
    import torch
    from m4sc.training.align import Alignment
    from m4sc.training.channels import LIGHT_CHANNELS, ChannelMix
    from m4sc.training.instruct import Instruction
    from m4sc.training.run import make_accelerator, train
    from m4sc.training.warm_start import take_fitting

    torch.manual_seed(seed)
    network = _network(config, variant.hears_noise)
    if budget.adapters is not None:
        adapters = {key: value for key, value in network.trained_state().items() if key.startswith("llm.")}
        take_fitting(network, adapters, budget.adapters)
    cpu = not torch.cuda.is_available()
    accelerator = make_accelerator(False if cpu else None, cpu)
    network.to(accelerator.device)
    joint = variant.channel == "joint"
    clean = ChannelMix(shares={"awgn": 1.0}, low_db=40.0, high_db=40.0)
    channels, part = (LIGHT_CHANNELS, 1.0) if joint else (clean, 0.5)
    present = {sample.task for sample in samples}
    shares = {task: share for task, share in _TASKS.items() if task in present}
    out.mkdir(parents=True, exist_ok=True)
    objective: Objective = Alignment(network, samples, seed, channels)
    train(objective, budget.stage("align", part / 3, shares, (1e-3, 0.0), seed), out, accelerator)
    accelerator = make_accelerator(budget.bf16, cpu)
    objective = Instruction(network, samples, seed + 1, _BATCH, channels)
    train(objective, budget.stage("instruct", part * 2 / 3, shares, (3e-4, 6e-4), seed), out, accelerator)
    if not joint:
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name.startswith(("encoders.", "decoders.")))
        objective = Instruction(network, samples, seed + 2, _BATCH, LIGHT_CHANNELS)
        train(objective, budget.stage("codec", 1.0 - part, shares, (1e-3, 0.0), seed), out, accelerator)
    return network.to("cpu")


def _network(config: Any, hears_noise: bool) -> Network:
    """The network, or one whose channel decoders take every noise variance for that of 10 dB."""
    import torch
    from m4sc.mllm.network import Network

    class Deaf(Network):
        def receive(self, codec: str, symbols: torch.Tensor, noise_var: torch.Tensor) -> torch.Tensor:
            return super().receive(codec, symbols, torch.full_like(noise_var, 0.1))

    return Network(config) if hears_noise else Deaf(config)
