"""Beam's local runner, made fit for archives of any size; what Beam 2.77 does otherwise is said at each place."""

import copy
import functools
import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from apache_beam.metrics import monitoring_infos
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner import execution, fn_runner
from apache_beam.runners.worker import data_plane
from apache_beam.utils import thread_pool_executor

from photochrom.jobs import spill

_BUNDLE_BYTES = 1 << 20
# As many for each worker, where there is enough: so that none waits long for the others at the end.
_BUNDLES = 8
_Bundle = dict[str, Any]  # encoded elements for each of a step's inputs
_beams_manager = fn_runner.FnApiRunner._get_bundle_manager


def adapt() -> None:
    """Changes the local runner for this process."""
    data_plane.ClosableOutputStream.create = staticmethod(_output_stream)  # type: ignore[method-assign, assignment]
    execution.ListBuffer = fn_runner.ListBuffer = spill.Elements  # type: ignore[misc]
    execution.GroupingBuffer = spill.Groups  # type: ignore[misc]
    fn_runner.FnApiRunner._get_bundle_manager = _manager  # type: ignore[method-assign,assignment]


def _output_stream(close: Any, flush: Any, _: int) -> data_plane.ClosableOutputStream:
    """Returns what the output of a step goes through: in messages of a megabyte, sent by whoever writes it.

    Beam's have ten; and once a second another thread empties its buffer, without a lock: between the parts of an
    element, or between reading the buffer and clearing it. A step that writes for longer loses elements, reads garbage
    ("Unknown type tag") or hangs.
    """
    return data_plane.SizeBasedBufferingClosableOutputStream(close, flush, _BUNDLE_BYTES)


def _manager(runner: fn_runner.FnApiRunner, stage: execution.BundleContextManager) -> fn_runner.BundleManager:
    if stage.stage.is_stateful() or stage.split_managers:  # none of ours: Beam knows how these are to be cut
        return _beams_manager(runner, stage)
    tokens = runner.get_cache_token_generator(static=False)
    return SmallBundles(stage, runner._progress_frequency, cache_token_generator=tokens)


class SmallBundles(fn_runner.ParallelBundleManager):  # type: ignore[misc]
    """Runs a step on its input: each worker takes a bundle, and when it is through with that the next.

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
        """Gives one worker bundle after bundle until none waits; where one fails, no worker begins another."""
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
    """Bundles for whoever asks, of several threads."""

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
    """Yields bundles of a step's inputs: of little, one for each worker; at least one."""
    size = sum(buffer.size for buffer in inputs.values())
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
        for piece in buffer.pieces():
            bundle.append(piece)
            room -= len(piece)
            if room <= 0:
                yield nothing | {name: bundle}
                bundle, room = [], size
        if bundle:
            yield nothing | {name: bundle}


def _merged(responses: Iterable[beam_fn_api_pb2.InstructionResponse]) -> beam_fn_api_pb2.InstructionResponse:
    """Returns the response of one bundle for those of many: their counters added up, and what steps put off."""
    bundles = [response.process_bundle for response in responses]
    return beam_fn_api_pb2.InstructionResponse(
        process_bundle=beam_fn_api_pb2.ProcessBundleResponse(
            monitoring_infos=monitoring_infos.consolidate(
                itertools.chain.from_iterable(bundle.monitoring_infos for bundle in bundles)
            ),
            residual_roots=itertools.chain.from_iterable(bundle.residual_roots for bundle in bundles),
        )
    )
