"""``python -m training``: from data to a served model, and what it costs to run it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from ferserve.errors import FerserveError

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
    from training.recipe import find_recipes

    found = find_recipes()
    width = max(map(len, found), default=0)
    for name, recipe in found.items():
        typer.echo(f"{name:{width}}  {recipe.summary}")


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
) -> None:
    """Train RECIPE on --data and export a model that `ferserve serve --model` takes."""
    from training.recipe import RunOptions, get_recipe

    chosen = get_recipe(recipe)
    options = RunOptions(
        data=data, out=out or Path("runs") / recipe, epochs=epochs, limit=limit, weights=weights, resume=resume,
        seed=seed, balanced=balanced, split_by=split_by, task=task,  # type: ignore[arg-type]
    )  # fmt: skip
    folder = chosen.run(options)
    typer.echo(f"done: {folder}\nserve it: ferserve serve --model {folder}")


PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@app.command(context_settings=PASS_ON)
def evaluate(context: typer.Context) -> None:
    """Measure MODEL.onnx on --data FILE.npz (--head ferplus|fer2013, --flip, --json)."""
    evaluator = importlib.import_module("training.evaluate")
    raise typer.Exit(evaluator.main(context.args))


def main(argv: list[str] | None = None) -> int:
    """Run the command line; an error that was foreseen is one line on stderr and exit code 2."""
    try:
        result = app(args=argv, standalone_mode=False)
    except FerserveError as error:
        typer.echo(f"error: {error}", err=True)
        return 2
    except typer.Abort:
        return 130
    except Exception as error:
        if hasattr(error, "exit_code") and hasattr(error, "show"):  # click's usage errors
            error.show()
            return int(error.exit_code)
        raise
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    sys.exit(main())
