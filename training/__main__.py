"""``python -m training``: from data to a served model, and what it costs to run it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ferserve.errors import ConfigError, FerserveError
from training.errors import DISK

app = typer.Typer(
    name="python -m training",
    help=__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command("list")
def list_recipes() -> None:
    """Name every recipe and say in a line what it is."""
    from training.recipe import recipe_summaries

    found = recipe_summaries()
    width = max(map(len, found), default=0)
    for name, summary in found.items():
        typer.echo(f"{name:{width}}  {summary}")


@app.command()
def run(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe; `list` names them.")],
    data: Annotated[Path, typer.Option(help="Folder or file with the training data.")],
    out: Annotated[Path | None, typer.Option(help="Folder for everything made; runs/RECIPE by default.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the recipe's own.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most this many images, for a quick try.")] = None,
    weights: Annotated[str | None, typer.Option(help="imagenet, none, or a file; else as the work did.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")] = False,
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.")] = 1,
    balanced: Annotated[bool, typer.Option("--balanced", help="FER2013: six classes, 3,000 images each.")] = False,
    split_by: Annotated[str | None, typer.Option(help="person or image.")] = None,
    task: Annotated[str | None, typer.Option(help="FACES: emotion, age_group, gender or all.")] = None,
    batch: Annotated[int | None, typer.Option(help="Images in a batch, instead of the recipe's own.")] = None,
    init: Annotated[str | None, typer.Option(help="FER2013 study: initial weights, such as he_uniform.")] = None,
    faces: Annotated[Path | None, typer.Option(help="emotion_lite: photographs whose faces need no labels.")] = None,
) -> None:
    """Train RECIPE on --data and export a model that `ferserve serve --model` takes."""
    from training.recipe import RunOptions, get_recipe

    chosen = get_recipe(recipe)
    options = RunOptions(
        data=data, out=out or Path("runs") / recipe, epochs=epochs, limit=limit, weights=weights, resume=resume,
        seed=seed, balanced=balanced, split_by=split_by, task=task, faces=faces, batch=batch, init=init,  # type: ignore[arg-type]
    )  # fmt: skip
    folder = chosen.run(options)
    typer.echo(f"done: {folder}\nserve it: ferserve serve --model {folder}")


@app.command()
def export(
    model: Annotated[Path, typer.Argument(help="Folder of a run, or its .keras file.")],
    out: Annotated[Path | None, typer.Option(help="The ONNX file to write; model.onnx beside it by default.")] = None,
) -> None:
    """Write a trained Keras model as self-describing ONNX again, checked against Keras."""
    from training.common.export import export_run

    path, difference = export_run(model, out)
    typer.echo(f"{path}: equal to Keras within {difference:.1e}")


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx|RUN", help="A model file, or the folder of a run.")],
    data: Annotated[Path, typer.Option(help="FILE.npz with images and labels; for a run, the data it was trained on.")],
    head: Annotated[
        str | None, typer.Option(help="Name of a head or a label set, ferplus by default; not for a run.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Judge by this label set, fer2013 or ferplus; the head's own by default.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="test (default), all, or one split by name; not for a run.")] = None,
    flip: Annotated[bool, typer.Option("--flip", help="Average over both mirror images; not for a run.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    end_to_end: Annotated[bool, typer.Option("--end-to-end", help="Within frames: detector, crop, label.")] = False,
    photographs: Annotated[Path | None, typer.Option(help="Pictures with faces, as surroundings end to end.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many faces end to end.")] = None,
) -> None:
    """Measure MODEL on labelled images, as it is served; a RUN on the test parts it held out."""
    if not end_to_end and (photographs or limit):
        raise ConfigError("photographs and limit need --end-to-end; add it or leave them out")
    if model.is_dir():
        if head or labels or split or flip or end_to_end:
            raise ConfigError(
                f"head, labels, split, flip and end-to-end must be left out for a run, got {model}, a folder"
            )
        _evaluate_run(model, data, json)
    elif end_to_end:
        if flip:
            raise ConfigError("flip must be left out with --end-to-end, which serves each frame once")
        _evaluate_frames(model, data, (head or "ferplus", labels, split or "test", photographs, limit), json)
    else:
        from training.evaluation.evaluate import evaluate as evaluate_file
        from training.evaluation.evaluate import to_json, to_text

        found = evaluate_file(model, data, head or "ferplus", flip, split or "test", labels=labels)
        typer.echo(to_json(found) if json else to_text(found))


def _evaluate_run(run: Path, data: Path, json: bool) -> None:
    from training.classification.manifest import parts_of_run
    from training.evaluation.evaluate_run import evaluate_run, report

    _, parts = parts_of_run(run, data)
    typer.echo(report(evaluate_run(run, parts.tests), json))


def _evaluate_frames(
    model: Path, data: Path, choices: tuple[str, str | None, str, Path | None, int | None], json: bool
) -> None:
    from training.evaluation.end_to_end import evaluate_end_to_end, to_json, to_markdown

    found = evaluate_end_to_end(model, data, *choices)
    typer.echo(to_json(found) if json else "\n".join(to_markdown(found)))


@app.command("gpu-run", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def gpu_run(context: typer.Context) -> None:
    """Train emotion-lite anew within minutes of a GPU: --packed FILE --out DIR --minutes 9; --table, --pack."""
    from training.emotion_lite.gpu.__main__ import main as run_on_gpu

    run_on_gpu(context.args)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
) -> None:
    """Print the tables of RUN as its work shows them: by part, by epoch, mean probability per class."""
    from training.classification.figures import run_tables

    typer.echo(run_tables(run))


@app.command()
def compress(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    data: Annotated[Path, typer.Option(help="The data it was trained on.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the files; RUN/compressed by default.")] = None,
    sparsity: Annotated[float, typer.Option(help="Part of the weights that magnitude pruning takes.")] = 0.5,
    channels: Annotated[float, typer.Option(help="Part of the channels that structured pruning takes.")] = 0.5,
    epochs: Annotated[int, typer.Option(help="Fine-tuning after each pruning.")] = 3,
    limit: Annotated[int | None, typer.Option(help="At most this many training images.")] = None,
    threads: Annotated[int, typer.Option(help="For the timing.")] = 1,
    per_tensor: Annotated[bool, typer.Option("--per-tensor", help="One scale per tensor, as in Light-FER.")] = False,
) -> None:
    """Prune and quantise a run, step by step, with size, speed and accuracy of each."""
    from training.compress.steps import CompressOptions, table
    from training.compress.steps import compress as compress_run

    options = CompressOptions(
        run,
        data,
        out or run / "compressed",
        sparsity,
        channels,
        epochs,
        limit=limit,
        threads=threads,
        per_tensor=per_tensor,
    )
    typer.echo(table(compress_run(options)))


@app.command()
def cost(
    models: Annotated[list[str], typer.Argument(help="Recipes, runs, ONNX or Keras files, or `bundled`.")],
    out: Annotated[Path, typer.Option(help="Folder for tables, plot and files.")] = Path("runs/cost"),
    frameworks: Annotated[str | None, typer.Option(help="Comma-separated; all by default.")] = None,
    precisions: Annotated[str | None, typer.Option(help="Comma-separated of fp32, fp16, int8.")] = None,
    device: Annotated[str, typer.Option(help="cpu, gpu or both with a comma; an idle gpu is an error.")] = "cpu",
    threads: Annotated[int, typer.Option(help="Processor threads.")] = 1,
    seconds: Annotated[float, typer.Option(help="For each cell.")] = 3.0,
    data: Annotated[Path | None, typer.Option(help="For accuracy and calibration.")] = None,
    table: Annotated[str | None, typer.Option(help="Also a work's tables of speed: jaffe or light-fer.")] = None,
    into: Annotated[Path | None, typer.Option(help="Markdown file that shows the tables between its marks.")] = None,
) -> None:
    """What MODELS cost to run here: speed, load, memory, power and size, in every framework."""
    from training.cost.cell import FRAMEWORKS, PRECISIONS
    from training.cost.grid import CostOptions
    from training.cost.run import run_cost

    options = CostOptions(
        models=tuple(models),
        out=out,
        frameworks=tuple(frameworks.split(",")) if frameworks else FRAMEWORKS,
        precisions=tuple(precisions.split(",")) if precisions else PRECISIONS,
        devices=tuple(device.split(",")),
        threads=threads,
        seconds=seconds,
        data=data,
    )
    run_cost(options, table, into)


EXTRA = ("keras", "tensorflow", "onnx", "tf2onnx", "sklearn", "matplotlib", "PIL", "psutil", "torch")
"""What the training extra brings and serving does not need."""


def _extra(package: str | None) -> str:
    return "gpu-training" if package == "torch" else "training"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; an error that was foreseen is one line on stderr and exit code 2."""
    try:
        result = app(args=argv, standalone_mode=False)
    except FerserveError as error:
        typer.echo(f"error: {error}", err=True)
        return 2
    except typer.Abort:
        return 130
    except OSError as error:
        if error.errno not in DISK:
            raise
        typer.echo(
            f"error: {error}: there must be room to write; make some, and go on with a run by --resume", err=True
        )
        return 2
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in EXTRA:
            raise
        typer.echo(
            f"error: package {error.name} must be installed for this, got none: pip install '.[{_extra(error.name)}]'",
            err=True,
        )
        return 2
    except Exception as error:
        if hasattr(error, "exit_code") and hasattr(error, "show"):  # click's usage errors
            error.show()
            return int(error.exit_code)
        raise
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    sys.exit(main())
