"""Gives damaged input to everything that reads files, and counts how the programs end.

  python -m tests.fuzz --minutes=10
  python -m tests.fuzz --kind=gallery --number=17     one input again, with all that it says

The outcome of each input must be an answer, or one sentence and status 1. A traceback, more than 20 seconds or 2 GB, and a file
that is written outside of the program's folders are finds. Each find is printed, its input is kept, and the exit status is 1.
"""

import argparse
import collections
import gc
import itertools
import os
import pathlib
import shutil
import sys
import tempfile
import time


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0, help="Another seed gives other damage.")
    parser.add_argument("--kind", action="append", help="Only this kind; may be given several times.")
    parser.add_argument("--number", type=int, help="Only this input of the kind.")
    parser.add_argument("--first", type=int, default=0, help="The number of the first input of each kind.")
    parser.add_argument("--most", type=int, help="At most so many inputs.")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--output", help="Where the inputs of finds are kept. Default: a new temporary folder."
    )
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tests.fuzz import kinds, runner  # It takes seconds to load the libraries.

    root = pathlib.Path(arguments.output or tempfile.mkdtemp(prefix="iam_writer-fuzz-")).absolute()
    (root / "inputs").mkdir(parents=True, exist_ok=True)
    every = kinds.every(root / "corpus")
    chosen = [kind for kind in every if kind.name in (arguments.kind or [kind.name])]
    if not chosen:
        parser.error(f"--kind must be one of {', '.join(kind.name for kind in every)}")
    if arguments.number is not None:
        outcome = runner.run(chosen[0], arguments.number, arguments.seed, root / "inputs")
        print(f"{outcome.verdict}\n{outcome.said}")
        return outcome.verdict not in runner.GOOD
    gc.collect()
    gc.freeze()  # The processes share what is there.
    began = time.monotonic()  # The libraries are loaded: the minutes are for inputs.
    plan = itertools.islice(kinds.in_turn(chosen, arguments.first), arguments.most)
    counts: dict[str, collections.Counter] = {kind.name: collections.Counter() for kind in chosen}
    seconds: collections.Counter = collections.Counter()
    seen: collections.Counter = collections.Counter()
    for outcome in runner.run_all(
        plan, arguments.seed, root / "inputs", arguments.jobs, began + 60 * arguments.minutes
    ):
        counts[outcome.kind][outcome.verdict] += 1
        seconds[outcome.kind] += outcome.seconds
        if outcome.verdict not in runner.GOOD:
            last = [row for row in outcome.said.splitlines() if row.strip()][-1]
            seen[outcome.kind, outcome.verdict, last[:60]] += 1
            if (
                seen[outcome.kind, outcome.verdict, last[:60]] <= 3
            ):  # The same find many times is told a few times.
                print(
                    f"{outcome.verdict}: --kind={outcome.kind} --number={outcome.number} --seed={arguments.seed}: {last[:300]}"
                )
                sys.stdout.flush()
    print(table(counts, seconds, runner))
    finds = sum(
        count for of_kind in counts.values() for name, count in of_kind.items() if name not in runner.GOOD
    )
    total = sum(of_kind.total() for of_kind in counts.values())
    print(f"{total:,} inputs in {(time.monotonic() - began) / 60:.1f} minutes, {finds:,} finds.")
    if finds:
        print(f"Their inputs are in {root / 'inputs'}.")
        return 1
    if not arguments.output:
        shutil.rmtree(root)
    return 0


def table(counts: dict[str, collections.Counter], seconds: collections.Counter, runner) -> str:
    columns = (runner.ANSWER, runner.SENTENCE, runner.TRACEBACK, runner.HANG, runner.MEMORY, runner.OUTSIDE)
    rows = [("kind", "inputs", *columns, "seconds each")]
    rows += [
        (
            name,
            of_kind.total(),
            *(of_kind[column] for column in columns),
            f"{seconds[name] / max(1, of_kind.total()):.2f}",
        )
        for name, of_kind in counts.items()
    ]
    lines = [
        "| " + " | ".join(f"{value:,}" if isinstance(value, int) else value for value in row) + " |"
        for row in rows
    ]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


if __name__ == "__main__":
    sys.exit(main())
