"""Workers of the local runner, as threads and as processes, and the gRPC server that they connect to.

Overrides of Beam 2.77; each class states the upstream behaviour. docs/upstream.md has the reports.
"""

import contextlib
import functools
import logging
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import grpc
from apache_beam.portability import python_urns
from apache_beam.portability.api import (
    beam_fn_api_pb2,
    beam_fn_api_pb2_grpc,
    beam_runner_api_pb2,
    endpoints_pb2,
)
from apache_beam.runners.portability import local_job_service
from apache_beam.runners.portability.fn_api_runner import worker_handlers
from apache_beam.runners.worker import data_plane, sdk_worker
from apache_beam.utils import thread_pool_executor
from google.protobuf import json_format, text_format

# Bound to both addresses of the host's own name; no other machine reaches them.
_LOOPBACK = "localhost:0"
# No limit on the size of a message; pings of any frequency are accepted. As in Beam's server.
_SERVER_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
)
# Milliseconds after which a buffer of output is flushed: never, by its size and its end alone. Beam's default of one
# second flushes it in another thread, between reading the buffer and clearing it, or between the parts of an element:
# a step that writes for longer loses elements, reads garbage ("Unknown type tag") or hangs.
_NO_TIMED_FLUSH = 0
_MESSAGE_BYTES = 1 << 20
_PROCESS = "photochrom.jobs.worker_process"
_log = logging.getLogger(__name__)
# Servers that got no thread: to stop one, or to free its memory, waits for ever.
_without_thread: list[grpc.Server] = []


class LoopbackServer(worker_handlers.GrpcServer):  # type: ignore[misc]
    """The runner's gRPC servers for control, data, state and logs, on loopback alone.

    Beam's listen on all addresses without authentication, and also serve any local file as an artifact, which the
    workers here do not need.
    """

    def __init__(self, state: worker_handlers.StateServicer, manager: worker_handlers.WorkerHandlerManager):
        self.state = state
        self.control_handler = worker_handlers.BeamFnControlServicer(manager)
        self.data_plane_handler = data_plane.BeamFnDataServicer(_NO_TIMED_FLUSH)
        with contextlib.ExitStack() as started:
            self.control_server, self.control_port = _serve(
                beam_fn_api_pb2_grpc.add_BeamFnControlServicer_to_server, self.control_handler, started
            )
            self.data_server, self.data_port = _serve(
                beam_fn_api_pb2_grpc.add_BeamFnDataServicer_to_server, self.data_plane_handler, started
            )
            self.state_server, self.state_port = _serve(
                beam_fn_api_pb2_grpc.add_BeamFnStateServicer_to_server,
                worker_handlers.GrpcStateServicer(state),
                started,
            )
            self.logging_server, self.logging_port = _serve(
                beam_fn_api_pb2_grpc.add_BeamFnLoggingServicer_to_server,
                local_job_service.BeamFnLoggingServicer(),
                started,
            )
            started.pop_all()  # else, where one cannot start, the threads of the others would keep the process alive


def _serve(
    add: Callable[[Any, grpc.Server], None], servicer: Any, started: contextlib.ExitStack
) -> tuple[grpc.Server, int]:
    """Starts a server on loopback, which leaving `started` stops; returns it and its port."""
    server = grpc.server(thread_pool_executor.shared_unbounded_instance(), options=_SERVER_OPTIONS)
    port = server.add_insecure_port(_LOOPBACK)
    add(servicer, server)
    try:
        server.start()
    except RuntimeError:
        _without_thread.append(server)
        raise
    started.callback(server.stop, None)
    return server, port


class _Channel:
    """A data channel that sends output in messages of about a megabyte.

    Beam's have ten megabytes: 120 MB more in a job whose first step writes 200 MB (2 worker threads).
    """

    def __init__(self, channel: data_plane.DataChannel):
        self._channel = channel

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def output_stream(self, instruction_id: str, transform_id: str) -> Any:
        stream: Any = self._channel.output_stream(instruction_id, transform_id)
        stream._size_flush_threshold = _MESSAGE_BYTES
        return stream


class _Channels(data_plane.GrpcClientDataChannelFactory):  # type: ignore[misc]
    """One such channel for each of Beam's, whose output has no timed flush, see _NO_TIMED_FLUSH."""

    def __init__(self, credentials: Any, worker_id: str):
        super().__init__(credentials, worker_id, _NO_TIMED_FLUSH)
        self._channels: dict[Any, _Channel] = {}

    def create_data_channel_from_url(self, url: str, data_stream_id: str | None = None) -> Any:
        """Returns the channel to an address, always the same one: Beam groups a step's inputs by it."""
        channel = super().create_data_channel_from_url(url, data_stream_id)
        return channel and self._channels.setdefault(channel, _Channel(channel))


class Harness(sdk_worker.SdkHarness):  # type: ignore[misc]
    """Runs a worker's instructions; Beam's prints the trace of a failed one to stderr as well as logging it."""

    def __init__(self, control_address: str, worker_id: str, **settings: Any):
        super().__init__(control_address, worker_id=worker_id, **settings)
        self._data_channel_factory = self._bundle_processor_cache.data_channel_factory = _Channels(None, worker_id)

    def _execute(self, task: Callable[[], Any], request: Any) -> None:
        super()._execute(functools.partial(_answer, task, request.instruction_id), request)


def _answer(task: Callable[[], Any], instruction_id: str) -> Any:
    try:
        return task()
    except BaseException:  # as Beam does: the runner raises it
        trace = traceback.format_exc()
        _log.error("Error processing instruction %s. Original traceback is\n%s\n", instruction_id, trace)
        return beam_fn_api_pb2.InstructionResponse(instruction_id=instruction_id, error=trace)


class ThreadWorker(worker_handlers.EmbeddedGrpcWorkerHandler):  # type: ignore[misc]
    """A worker in a thread of this process; Beam's is one whose output has a timed flush."""

    def start_worker(self) -> None:
        self.worker = Harness(
            self.control_address,
            worker_id=self.worker_id,
            state_cache_size=self._state_cache_size,
            runner_capabilities=worker_handlers.FNAPI_RUNNER_CAPABILITIES,
        )
        self.worker_thread = threading.Thread(name="run_worker", target=self.worker.run, daemon=True)
        self.worker_thread.start()


class ProcessWorker(worker_handlers.SubprocessSdkWorkerHandler):  # type: ignore[misc]
    """A worker in a process of its own; Beam's adds a log server on all addresses for each, and prints every trace."""

    def start_worker(self) -> None:
        self.worker_thread = threading.Thread(name="run_worker", target=self._run)
        self.worker_thread.start()

    def _run(self) -> None:
        with worker_handlers.SUBPROCESS_LOCK:
            process = subprocess.Popen([sys.executable, "-m", _PROCESS], env=self._environment())
        status = process.wait()
        if status:
            self._fail(f"Worker subprocess exited with return code {status}")

    def _fail(self, message: str) -> None:
        """Answers the instructions of a dead process; Beam's handler waits forever for one that never connected."""
        for number, future in list(self.control_conn._futures_by_id.items()):
            future.set(beam_fn_api_pb2.InstructionResponse(instruction_id=number, error=message))

    def _environment(self) -> dict[str, str]:
        """Returns the variables by which Beam's worker program finds the runner."""
        return {
            **os.environ,
            "WORKER_ID": self.worker_id,
            "CONTROL_API_SERVICE_DESCRIPTOR": _text(self.control_api_service_descriptor()),
            "LOGGING_API_SERVICE_DESCRIPTOR": _text(self.logging_api_service_descriptor()),
            "PIPELINE_OPTIONS": json_format.MessageToJson(self.provision_info.provision_info.pipeline_options),
        }


def _text(descriptor: endpoints_pb2.ApiServiceDescriptor) -> str:
    return str(text_format.MessageToString(descriptor))


_KINDS = {python_urns.EMBEDDED_PYTHON_GRPC: ThreadWorker, python_urns.SUBPROCESS_SDK: ProcessWorker}


class Workers(worker_handlers.WorkerHandlerManager):  # type: ignore[misc]
    """Starts and keeps the workers of a job: threads or processes, by its --direct_running_mode."""

    def __init__(self, environments: Any, provision_info: Any):
        super().__init__(environments, provision_info)
        self._grpc_server: worker_handlers.GrpcServer = LoopbackServer(self.state_servicer, self)

    def get_worker_handlers(self, environment_id: str | None, num_workers: int) -> list[worker_handlers.WorkerHandler]:
        """Returns that many workers for an environment, started."""
        environment_id = environment_id or next(iter(self._environments))
        environment = self._environments[environment_id]
        if environment.urn not in _KINDS:  # within this thread, by --direct_running_mode=in_memory
            return super().get_worker_handlers(environment_id, num_workers)
        workers = self._cached_handlers[environment_id]
        while len(workers) < num_workers:
            workers.append(self._start(environment))
        return workers[:num_workers]

    def _start(self, environment: beam_runner_api_pb2.Environment) -> worker_handlers.WorkerHandler:
        provision_info = self._job_provision_info.for_environment(environment)
        kind = _KINDS[environment.urn]
        worker = kind(environment.payload, self.state_servicer, provision_info, self._grpc_server)
        self._workers_by_id[worker.worker_id] = worker
        worker.start_worker()
        return worker
