"""What a service takes, and how it makes batches."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds, each a positive number; whoever passes one is told what is allowed.

    Attributes:
        text_characters: of one text.
        request_rows: texts in a request.
        body_bytes: of a request.
        body_seconds: until a request's headers have come in whole, and then its body.
        queue_rows: texts that may wait for the model.
        batch_rows: texts computed at a time; a request with more is a batch of its own.
        batch_wait_ms: how long a batch that is not full waits for more.
        connections: open at a time.
    """

    text_characters: int = 100_000
    request_rows: int = 256
    body_bytes: int = 2_000_000
    body_seconds: float = 10.0
    queue_rows: int = 2048
    batch_rows: int = 64
    batch_wait_ms: float = 2.0
    connections: int = 1000

    def problems(self) -> list[str]:
        """Returns which bounds cannot be kept."""
        found = [f"--{name}={value}: must be above 0"
                 for name, value in dataclasses.asdict(self).items()
                 if not value > 0 and name != "batch_wait_ms"]
        if not self.batch_wait_ms >= 0:
            found.append(f"--batch_wait_ms={self.batch_wait_ms}: must be 0 or more")
        if self.request_rows > self.queue_rows:
            found.append(f"--request_rows={self.request_rows}: a request of so many could never "
                         f"wait in --queue_rows={self.queue_rows}")
        return found
