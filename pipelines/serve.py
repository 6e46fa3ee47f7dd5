r"""Serves patches to other machines: a dispatcher, or a worker, of TensorFlow's tf.data service.

  python -m pipelines.serve --role=dispatcher --port=5050
  python -m pipelines.serve --role=worker --dispatcher=first-machine:5050

Workers may come and go. Who trains reads from them with --data_service=grpc://first-machine:5050, and finds the strips at
the same path as the workers do. Ctrl-C ends either.
"""

import socket

from absl import app, flags

flags.DEFINE_enum("role", None, ["dispatcher", "worker"], "What this process is.", required=True)
flags.DEFINE_integer("port", 0, "Where it listens; 0: any port that is free.", 0, 65535)
flags.DEFINE_string("dispatcher", None, "worker: the dispatcher's host:port.")
flags.DEFINE_string("host", None, "worker: the name under which others reach this machine. Default: its own.")

SILENT_MILLISECONDS = 10_000
"""A worker that has not been heard of for so long is no longer waited for."""


@flags.multi_flags_validator(["role", "dispatcher"], "--role=worker needs --dispatcher=host:port.")
def _knows_its_dispatcher(values):
    return values["role"] != "worker" or values["dispatcher"] is not None


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Unknown argument {argv[1]!r}; flags begin with --.")
    from tensorflow.data.experimental import service  # Takes seconds to load; a wrong flag is told before.

    values = flags.FLAGS
    if values.role == "dispatcher":
        config = service.DispatcherConfig(port=values.port, worker_timeout_ms=SILENT_MILLISECONDS)
        server = service.DispatchServer(config)
        where = server.target
    else:
        # A worker must tell its address before it listens there.
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
        return probe.getsockname()[1]


if __name__ == "__main__":
    app.run(main)
