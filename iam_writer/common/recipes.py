"""Recipes: the flagfiles that the package holds. `--recipe=quickstart` takes a recipe by its name, from any folder."""

import pathlib
import sys

from absl import flags

FOLDER = pathlib.Path(__file__).parent.parent / "flagfiles"

flags.DEFINE_string(
    "recipe",
    None,
    "The name of a recipe of the package, such as quickstart. Its flags are read. A flag after it replaces the flag of the recipe.",
)


@flags.validator("recipe", "belongs on the command line, as --recipe=NAME, not into a flagfile.")
def _was_taken(recipe):
    return recipe is None


def names() -> list[str]:
    """The names of all recipes, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.flags"))


def take_recipe() -> None:
    """Replaces `--recipe=NAME` in sys.argv by the flagfile of the recipe. Call it before absl reads the flags.

    Exits with status 1 and a message if there is no such recipe.
    """
    arguments = []
    words = iter(sys.argv)
    for word in words:
        name, is_given, recipe = word.partition("=")
        if name not in ("--recipe", "-recipe"):
            arguments.append(word)
            continue
        if not is_given:
            recipe = next(words, "")
        if recipe not in names():
            sys.exit(f"There is no recipe {recipe!r}. Choose one of: {', '.join(names())}.")
        arguments.append(f"--flagfile={FOLDER / recipe}.flags")
    sys.argv[:] = arguments
