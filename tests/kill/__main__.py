"""Kills programs at random moments, and fills their disk. What they leave must be whole, and the same command must end as if undisturbed.

  python -m tests.kill --times=20
  python -m tests.kill --job=strips --times=100 --seed=3
  python -m tests.kill --full_disk          as root: it mounts small disks in memory

A moment is a share of the processor time that the undisturbed job takes, drawn by --seed, so a busy machine changes nothing. After
the kill, each file that has its final name must be whole. Then the same command is given again, and its result is compared with that
of the undisturbed job: weights and figures, a dataset's shards, the bytes of strips and of a gallery.

With --full_disk, the job runs on disks of 5, 50 and 95 % of what it writes. It must end with one sentence and status 1, leave no incomplete
file, and end as usual when there is room. The exit status of this program is 1 if anything is wrong.
"""

import argparse
import os
import pathlib
import random
import shutil
import sys
import tempfile

SHARES = (0.05, 0.5, 0.95)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=20, help="Kills of each job.")
    parser.add_argument("--seed", type=int, default=0, help="Another seed gives other moments.")
    parser.add_argument("--job", action="append", help="Only this job; may be given several times.")
    parser.add_argument("--full_disk", action="store_true", help="Fill the disk instead.")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    from tests.kill import jobs, running  # It takes seconds to load the libraries.

    _load_libraries()
    root = pathlib.Path(tempfile.mkdtemp(prefix="iam_writer-kill-"))
    try:
        every = jobs.every(root / "corpus")
        if arguments.full_disk:
            every |= jobs.other_writers(root / "corpus")
            jobs.train_for_other_writers(root / "corpus")
        unknown = set(arguments.job or []) - set(every)
        if unknown:
            parser.error(f"--job must be one of {', '.join(every)}")
        chosen = {name: job for name, job in every.items() if name in (arguments.job or every)}
        failed = 0
        print(
            "| job | seconds of the processor | "
            + ("told of the full disk" if arguments.full_disk else "kills")
            + " | as undisturbed |"
        )
        print("|---|---|---|---|")
        for name, job in chosen.items():
            whole = root / f"{name}-undisturbed"
            seconds = running.undisturbed(job, whole)
            expected, bytes = job.result(whole), running.size(whole)
            running.remove(whole)
            good = told = times = 0
            if arguments.full_disk:
                for share in SHARES:
                    is_told, wrong = running.on_full_disk(job, root / "disk", bytes, share, expected)
                    told, times = told + is_told, times + 1
                    good += _good(wrong, f"{name} on a disk of {share:.0%}")
            else:
                chance = random.Random(f"{arguments.seed} {name}")
                for number in range(arguments.times):
                    share, folder = chance.random(), root / f"{name}-{number}"
                    wrong = running.killed_once(job, folder, seconds, share)
                    if not running.same(job.result(folder), expected):
                        wrong.append("the result is another one")
                    running.remove(folder)
                    told, times = told + 1, times + 1
                    good += _good(wrong, f"{name} killed at {share:.0%}")
            print(f"| {name} | {sum(seconds):.1f} | {told} | {good} of {times} |", flush=True)
            failed += good < times
        return int(failed > 0)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _good(wrong: list[str], where: str) -> bool:
    for sentence in wrong:
        print(f"{where}: {sentence}", file=sys.stderr, flush=True)
    return not wrong


def _load_libraries() -> None:
    """What the forks need. Nothing is computed with TensorFlow here, because a fork must not inherit its threads."""
    import cv2
    import keras  # noqa: F401
    import tensorflow as tf  # noqa: F401
    import tensorflow_datasets as tfds  # noqa: F401

    import iam_writer.training.experiment  # noqa: F401

    cv2.setNumThreads(1)


if __name__ == "__main__":
    sys.exit(main())
