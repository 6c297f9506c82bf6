"""What /metrics tells, in the text format of Prometheus."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.process_collector import ProcessCollector

_SECONDS = (.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The numbers of one service.

    Attributes:
        requests: by path and status; the path of one that does not exist is "other", the status
            of one whose client has left before it was whole is "left".
        seconds: from the first byte of a request that was read to the end of its answer, by path.
        rows: answered.
        batch_rows: texts in a batch.
        batch_seconds: of the model's work on a batch.
        queue_rows: waiting now.
    """

    def __init__(self) -> None:
        disable_created_metrics()  # a second line for each number, of no use here
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)  # memory, processor time, open files
        self.requests = Counter("classifier_requests_total", "Requests answered.",
                                ("path", "status"), registry=registry)
        self.seconds = Histogram("classifier_request_seconds", "Time of a request.", ("path",),
                                 buckets=_SECONDS, registry=registry)
        self.rows = Counter("classifier_rows_total", "Texts answered.", registry=registry)
        self.batch_rows = Histogram("classifier_batch_rows", "Texts in a batch.", buckets=_ROWS,
                                    registry=registry)
        self.batch_seconds = Histogram("classifier_batch_seconds", "Time of the model for a batch.",
                                       buckets=_SECONDS, registry=registry)
        self.queue_rows = Gauge("classifier_queue_rows", "Texts that wait for the model.",
                                registry=registry)

    def text(self) -> bytes:
        """Returns all numbers as Prometheus reads them."""
        return generate_latest(self._registry)
