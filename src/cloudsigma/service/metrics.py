"""The numbers of a scan as metrics of Prometheus; the only module that imports prometheus_client.

`docs/reference/metrics.md` describes each metric and label; a test compares the two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from cloudsigma.scanning.monitor import HistogramCounts, Monitor, Numbers
from cloudsigma.version import __version__


class Metrics:
    """Renders the latest numbers of a monitor.

    Args:
        monitor: The monitor.
        by_rule: Whether matches are counted by rule, too: one time series for each rule that has matched.
    """

    def __init__(self, monitor: Monitor, *, by_rule: bool = False) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Numbers(lambda: monitor.numbers, by_rule=by_rule))
        ProcessCollector(registry=self._registry)

    def render(self, accept: str) -> tuple[str, bytes]:
        """Content type and text, in the format that an `Accept` header asks for."""
        encode, kind = choose_encoder(accept)
        return kind, encode(self._registry)


class _Numbers(Collector):
    def __init__(self, numbers: Callable[[], Numbers | None], *, by_rule: bool) -> None:
        self._numbers = numbers
        self._by_rule = by_rule

    def describe(self) -> Iterable[Metric]:
        """No metric in advance: the registry need not look for clashes."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The metrics; none before the first round has ended."""
        numbers = self._numbers()
        if numbers is None:
            return
        yield from _messages(numbers)
        yield from _files(numbers)
        yield _matches(numbers, by_rule=self._by_rule)
        yield _histogram(
            "delivery_delay_seconds", "From the time of an event until its match is written", numbers.delays
        )
        yield _histogram("round_seconds", "Duration of a round in which something was read", numbers.rounds)
        yield from _correlations(numbers)
        yield from _rules(numbers)
        yield _gauge("checkpoint_bytes", "Size of the checkpoint", numbers.around.checkpoint_bytes)


def _messages(numbers: Numbers) -> Iterator[Metric]:
    counts = numbers.around.messages
    if counts is None:
        return
    yield _counter("messages_received", "Deliveries of messages", counts.received)
    yield _counter("messages_deleted", "Messages that were done", counts.deleted)
    yield _counter("messages_returned", "Messages that were put back, to come again", counts.returned)
    yield _counter("messages_dead", "Messages written to the file of dead messages", counts.dead)
    if counts.waiting is not None and counts.in_flight is not None:
        yield _gauge("queue_messages", "Messages that wait in the queue, about", counts.waiting)
        yield _gauge("queue_messages_in_flight", "Messages received and not deleted, about", counts.in_flight)


def _files(numbers: Numbers) -> Iterator[Metric]:
    yield _counter("files_read", "Files that were read, wholly or in part", numbers.files)
    lost = CounterMetricFamily(
        "cloudsigma_files_lost", "Files and messages that were not wholly read", labels=["reason"]
    )
    for reason, count in numbers.lost.items():
        lost.add_metric([reason], count)
    yield lost
    yield _counter("files_repeated", "Notifications of files that were named before", numbers.around.repeated_files)
    yield _counter("records", "Records that were read", numbers.records)
    yield _counter("read_bytes", "Stored bytes that were read", numbers.bytes)
    yield _gauge("buckets_paused", "Buckets that deny access and wait", numbers.around.paused_buckets)


def _matches(numbers: Numbers, *, by_rule: bool) -> Metric:
    counts: Counter[tuple[str, ...]] = Counter()
    for (level, rule_id), count in numbers.matches.items():
        counts[(level, rule_id) if by_rule else (level,)] += count
    labels = ["level", "rule_id"] if by_rule else ["level"]
    family = CounterMetricFamily("cloudsigma_matches", "Matches that were reported", labels=labels)
    for values, count in sorted(counts.items()):
        family.add_metric(values, count)
    return family


def _correlations(numbers: Numbers) -> Iterator[Metric]:
    around = numbers.around
    yield _gauge("correlation_entries", "Matches in open time frames", around.correlation_entries)
    yield _counter("correlation_late", "Matches that came too late", around.correlation_losses.late)
    yield _counter("correlation_evicted", "Matches in frames closed early", around.correlation_losses.closed_early)
    if around.watermark is not None:
        yield _gauge("correlation_watermark_timestamp_seconds", "The latest time that counts", around.watermark)


def _rules(numbers: Numbers) -> Iterator[Metric]:
    around = numbers.around
    yield _gauge("rules", "Rules in use", around.rules)
    reloads = CounterMetricFamily("cloudsigma_reloads", "Attempts to reload the rules", labels=["result"])
    for result, count in around.reloads.items():
        reloads.add_metric([result], count)
    yield reloads
    if around.last_reload is not None:
        yield _gauge("last_reload_success_timestamp_seconds", "When rules were last swapped", around.last_reload)
    info = GaugeMetricFamily(
        "cloudsigma_build_info", "Version and rules; always 1", labels=["version", "rules_digest"]
    )  # fmt: skip
    info.add_metric([__version__, around.rules_digest], 1)
    yield info


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"cloudsigma_{name}", text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"cloudsigma_{name}", text, value=value)


def _histogram(name: str, text: str, counts: HistogramCounts) -> Metric:
    bounds = [*map(str, counts.bounds), "+Inf"]
    buckets = [(bound, float(count)) for bound, count in zip(bounds, counts.counts, strict=True)]
    return HistogramMetricFamily(f"cloudsigma_{name}", text, buckets=buckets, sum_value=counts.total)
