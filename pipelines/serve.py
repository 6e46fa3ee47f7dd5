"""Makes batches of patches for a training on another machine. Starts a dispatcher or a worker of TensorFlow's tf.data service.

  python -m pipelines.serve --role=dispatcher --port=5050
  python -m pipelines.serve --role=worker --dispatcher=first-machine:5050

Start one dispatcher and any number of workers. Workers may start and stop at any time. Then train with
--data_service=grpc://first-machine:5050. The strips must have the same path on all machines. Ctrl-C ends a dispatcher or a
worker.
"""

import socket
from typing import Any

from absl import flags

from pipelines.system import command_line
from pipelines.system.quiet import load_tensorflow_quietly

flags.DEFINE_enum(
    "role",
    None,
    ["dispatcher", "worker"],
    "Whether this process is the dispatcher or a worker.",
    required=True,
)
flags.DEFINE_integer("port", 0, "The port to listen on. 0 takes any free port.", 0, 65535)
flags.DEFINE_string("dispatcher", None, "For a worker: the host:port of its dispatcher.")
flags.DEFINE_string(
    "host", None, "For a worker: the name by which others reach this machine. Default: its host name."
)

SILENT_MILLISECONDS = 10_000
"""The dispatcher removes a worker that has not answered for this time."""


def _knows_its_dispatcher(values: dict[str, Any]) -> bool:
    return values["role"] != "worker" or values["dispatcher"] is not None


flags.register_multi_flags_validator(  # type: ignore[no-untyped-call]
    ["role", "dispatcher"], _knows_its_dispatcher, "--role=worker needs --dispatcher=host:port."
)


def main(argv: list[str]) -> None:
    command_line.check_no_arguments(argv)
    load_tensorflow_quietly()
    from tensorflow.data.experimental import service  # Loading it takes seconds, so flags are checked first.

    values = flags.FLAGS
    if values.role == "dispatcher":
        config = service.DispatcherConfig(port=values.port, worker_timeout_ms=SILENT_MILLISECONDS)
        server = service.DispatchServer(config)
        where = server.target
    else:
        # A worker must give its address to the dispatcher before it listens there.
        port = values.port or _free_port()
        where = f"{values.host or socket.gethostname()}:{port}"
        server = service.WorkerServer(
            service.WorkerConfig(
                values.dispatcher, worker_address=where, port=port, heartbeat_interval_ms=2000
            )
        )
    print(f"tf.data service: {values.role} at {where}", flush=True)
    server.join()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    command_line.start(main)
