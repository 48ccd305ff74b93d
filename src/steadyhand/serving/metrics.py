"""What a server counts, for Prometheus. It says how much and how long, and nothing of what."""

from typing import Any

from steadyhand.errors import library
from steadyhand.serving.batching import Batch

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Metrics:
    """Counters of one server; `text()` is what Prometheus reads."""

    def __init__(self) -> None:
        kept: Any = library("prometheus_client")
        self._text, self.content_type = kept.generate_latest, kept.CONTENT_TYPE_LATEST
        self._registry = registry = kept.CollectorRegistry()
        by = {"labelnames": ["policy"], "registry": registry}
        self.requests = kept.Counter(
            "steadyhand_requests",
            "Requests by what became of them: answered, refused, failed, replaced, unread.",
            ["policy", "outcome"],
            registry=registry,
        )
        self.batches = kept.Histogram(
            "steadyhand_batch_size", "Requests answered together.", buckets=SIZES, **by
        )
        self.queued = kept.Histogram(
            "steadyhand_queue_seconds", "From request to inference.", buckets=SECONDS, **by
        )
        self.inference = kept.Histogram(
            "steadyhand_inference_seconds", "Inference of one batch.", buckets=SECONDS, **by
        )
        self.connections = kept.Gauge("steadyhand_connections", "Open connections.", **by)
        self.reloads = kept.Counter(
            "steadyhand_reloads", "Reloads.", ["policy", "outcome"], registry=registry
        )
        self.turned_away = kept.Counter(
            "steadyhand_turned_away",
            "Connections that were not opened, by the HTTP status they were told.",
            ["status"],
            registry=registry,
        )

    def batch(self, policy: str, batch: Batch) -> None:
        """One run of a policy."""
        self.batches.labels(policy).observe(batch.requests)
        self.inference.labels(policy).observe(batch.inference_s)
        queued = self.queued.labels(policy)
        for seconds in batch.queued_s:
            queued.observe(seconds)

    def text(self) -> bytes:
        """All of it as it stands, in Prometheus' own format."""
        return self._text(self._registry)


SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
