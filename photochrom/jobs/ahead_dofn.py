"""The base of DoFns that make calls in threads, a few at a time, so that a bucket's latency is waited for once."""

import apache_beam as beam

from photochrom.sources.prefetch import Ahead


class AheadDoFn(beam.DoFn):
    """A DoFn that adds calls to `self._ahead` in `process`, and yields the remaining results in `finish_bundle`."""

    def setup(self) -> None:
        self._ahead = Ahead()

    def teardown(self) -> None:
        self._ahead.close()
