"""The local runner: Beam 2.77's FnApiRunner with bounded bundles, buffers that spill, and workers on loopback alone.

Subclasses only: nothing of Beam's is replaced. Each override states the upstream behaviour; docs/upstream.md has the
reports. Private names of Beam are overridden, so beam_job.py takes this runner for the versions in TESTED alone.
"""

import copy
import functools
import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from apache_beam.metrics import monitoring_infos
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner import execution, fn_runner
from apache_beam.runners.runner import PipelineState
from apache_beam.utils import thread_pool_executor

from photochrom.jobs import local_workers, spill

_BUNDLE_BYTES = 1 << 20
# Per worker, where there is enough input: so that no worker waits long for the others at the end.
_BUNDLES = 8
_Bundle = dict[str, Any]  # encoded elements for each of a step's inputs


class LocalRunner(fn_runner.FnApiRunner):  # type: ignore[misc]
    """Runs a pipeline in this process and its children."""

    def run_stages(self, stage_context: Any, stages: list[Any]) -> fn_runner.RunnerResult:
        """Runs the stages in order, as Beam's does, with the classes of this module."""
        workers = local_workers.Workers(stage_context.components.environments, self._provision_info)
        try:
            context = _Context(
                stages,
                workers,
                stage_context.components,
                stage_context.safe_coders,
                stage_context.data_channel_coders,
                self._num_workers,
                split_managers=self._split_managers,
            )
            with self.maybe_profile():
                context.setup()
                counters = self._run_until_idle(context)
        finally:
            workers.close_all()
        return fn_runner.RunnerResult(PipelineState.DONE, counters)

    def _run_until_idle(self, context: "_Context") -> dict[str, list[Any]]:
        """Runs whatever stage is ready until none waits; returns the counters of each."""
        counters: dict[str, list[Any]] = {}
        queues = context.queues
        while len(queues.ready_inputs):
            name, bundle = queues.ready_inputs.deque()
            stage = context.bundle_manager_for(context.stages[name])
            done = self._execute_bundle(context, stage, bundle).process_bundle
            counters[name] = _added([*counters.get(name, ()), *done.monitoring_infos])
            if not len(queues.ready_inputs):
                self._schedule_ready_bundles(context)
        waiting = len(queues.watermark_pending_inputs) + len(queues.time_pending_inputs)
        assert not waiting, f"{waiting} bundles did not run"
        return counters

    def _get_bundle_manager(self, stage: execution.BundleContextManager) -> fn_runner.BundleManager:
        if stage.stage.is_stateful() or stage.split_managers:  # no step of this project: Beam knows how to cut these
            return super()._get_bundle_manager(stage)
        tokens = self.get_cache_token_generator(static=False)
        return SmallBundles(stage, self._progress_frequency, cache_token_generator=tokens)


class _Context(execution.FnApiRunnerExecutionContext):  # type: ignore[misc]
    """The state of a run, whose stages write to buffers that spill."""

    def bundle_manager_for(self, stage: Any, num_workers: int | None = None) -> execution.BundleContextManager:
        if stage.name not in self._stage_managers:
            self._stage_managers[stage.name] = _Stage(self, stage, num_workers or self.num_workers, self.split_managers)
        return self._stage_managers[stage.name]


class _Stage(execution.BundleContextManager):  # type: ignore[misc]
    """One fused stage; Beam's holds all that it writes in memory."""

    def get_buffer(self, buffer_id: bytes, transform_id: str) -> Any:
        """Returns the buffer of an output; of a new one with elements, Beam's is replaced while it is empty."""
        buffers = self.execution_context.pcoll_buffers
        is_new = buffer_id not in buffers
        buffer = super().get_buffer(buffer_id, transform_id)
        if is_new and buffer_id in buffers:  # timers are kept elsewhere
            buffer = buffers[buffer_id] = spill.spilling(buffer)
        return buffer


class SmallBundles(fn_runner.ParallelBundleManager):  # type: ignore[misc]
    """Runs a step on its input: each worker takes a bundle, and the next when that is done.

    Beam's cuts the input into as many bundles as there are workers, and sends each in one message: which is in memory
    many times, in queues, in gRPC and in the steps' output buffers.
    """

    def process_bundle(
        self,
        inputs: Mapping[str, Any],
        expected_outputs: Any,
        fired_timers: Mapping[Any, Any],
        expected_output_timers: Any,
        dry_run: bool = False,
    ) -> Any:
        waiting = _Waiting(_cut(inputs, self._num_workers))
        run = functools.partial(self._run, waiting, expected_outputs, expected_output_timers, dry_run)
        try:
            with thread_pool_executor.shared_unbounded_instance() as threads:
                done = list(threads.map(run, self.bundle_context_manager.worker_handlers))
        finally:
            waiting.stop()
        return _merged(itertools.chain(*done)), []

    def _run(
        self, waiting: "_Waiting", outputs: Any, timers: Any, dry_run: bool, worker: Any
    ) -> list[beam_fn_api_pb2.InstructionResponse]:
        """Gives one worker bundle after bundle until none waits; after a failure no worker starts another."""
        stage = copy.copy(self.bundle_context_manager)
        stage._worker_handlers = [worker]
        done: list[beam_fn_api_pb2.InstructionResponse] = []
        try:
            for bundle in waiting:
                one = fn_runner.BundleManager(
                    stage, self._progress_frequency, cache_token_generator=self._cache_token_generator
                )
                result, _ = one.process_bundle(bundle, outputs, {}, timers, dry_run)
                done = [_merged([*done, result])]
        finally:
            waiting.stop()
        return done


class _Waiting(Iterator[_Bundle]):
    """Thread-safe bundle iterator."""

    def __init__(self, bundles: Iterator[_Bundle]):
        self._bundles = bundles
        self._lock = threading.Lock()

    def __next__(self) -> _Bundle:
        with self._lock:
            return next(self._bundles)

    def stop(self) -> None:
        with self._lock:
            self._bundles = iter(())


def _cut(inputs: Mapping[str, Any], workers: int) -> Iterator[_Bundle]:
    """Yields bundles of a step's inputs: one for each worker where there is little; at least one."""
    size = sum(map(spill.size, inputs.values()))
    if size > workers * _BUNDLE_BYTES:
        yield from _cut_by_size(inputs, min(size // workers // _BUNDLES, _BUNDLE_BYTES))
        return
    parts = {name: buffer.partition(workers) for name, buffer in inputs.items()}
    for index in range(workers):
        bundle = {name: part[index] for name, part in parts.items()}
        if index == 0 or any(map(any, bundle.values())):
            yield bundle


def _cut_by_size(inputs: Mapping[str, Any], size: int) -> Iterator[_Bundle]:
    nothing: _Bundle = {name: [] for name in inputs}
    for name, buffer in inputs.items():
        bundle: list[bytes] = []
        room = size
        for piece in spill.pieces(buffer):
            bundle.append(piece)
            room -= len(piece)
            if room <= 0:
                yield nothing | {name: bundle}
                bundle, room = [], size
        if bundle:
            yield nothing | {name: bundle}


def _added(infos: Iterable[Any]) -> list[Any]:
    """Returns counters with those of one name added up."""
    return list(monitoring_infos.consolidate(infos))


def _merged(responses: Iterable[beam_fn_api_pb2.InstructionResponse]) -> beam_fn_api_pb2.InstructionResponse:
    """Returns the response of one bundle for those of many: counters added up, and the residuals of all."""
    bundles = [response.process_bundle for response in responses]
    return beam_fn_api_pb2.InstructionResponse(
        process_bundle=beam_fn_api_pb2.ProcessBundleResponse(
            monitoring_infos=_added(itertools.chain.from_iterable(bundle.monitoring_infos for bundle in bundles)),
            residual_roots=itertools.chain.from_iterable(bundle.residual_roots for bundle in bundles),
        )
    )
