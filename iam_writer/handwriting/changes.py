"""What has changed in a folder of handwriting since a dataset was made from it, in words. Does not import TensorFlow."""

from collections.abc import Iterable, Sequence

from iam_writer.handwriting.line import Handwriting


def forms(handwriting: Handwriting) -> list[str]:
    """'<writer>: <page>' of each page, sorted."""
    return sorted({f"{line.writer}: {line.form}" for line in handwriting.lines})


def in_words(before: Sequence[str], now: Sequence[str]) -> str:
    """What has changed, such as ' (new writers: dora; pages gone: ada/x)'; nothing if only the content of files has."""
    said = []
    writers = [{form.partition(": ")[0] for form in forms} for forms in (before, now)]
    for what, names in (("new writers", writers[1] - writers[0]), ("writers gone", writers[0] - writers[1])):
        if names:
            said.append(f"{what}: {_some(names)}")
    stay = writers[0] & writers[1]
    for what, forms in (("new pages", set(now) - set(before)), ("pages gone", set(before) - set(now))):
        pages = {form for form in forms if form.partition(": ")[0] in stay}
        if pages:
            said.append(f"{what}: {_some(form.partition(': ')[2] for form in pages)}")
    return f" ({'; '.join(said)})" if said else ""


def _some(names: Iterable[str]) -> str:
    names = sorted(names)
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
