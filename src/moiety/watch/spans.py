"""Spans for OpenTelemetry, where somebody wants them: nothing of it is imported unless `begin` is called.

A span has a constant name and values of the same shapes as a log line. No event, no exception and no link is ever put
on one, and nothing about a trace goes over the wire to another part.
"""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from moiety.foundation.errors import BadInput, Refusal
from moiety.watch.closed import OK
from moiety.watch.origins import kind_of
from moiety.watch.shapes import Withheld, clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

PREFIX = "moiety."
# A request to the gate; a question to another part; an answer to one.
NAMES = frozenset({"http", "ask", "answer"})
OTHER = "other"
_provider: TracerProvider | None = None


class Mark:
    """What may still be put onto a span while it is open."""

    def __init__(self, span: Any) -> None:
        """Write onto `span`, or onto none."""
        self._span = span

    def put(self, **given: object) -> None:
        """Put values of the known keys and shapes onto the span; all others are left out."""
        if self._span is None:
            return
        for key, value in given.items():
            with contextlib.suppress(Withheld):
                self._span.set_attribute(PREFIX + key, clean(key, value))


_NONE = Mark(None)


def begin(part: str, processor: SpanProcessor) -> None:
    """Hand spans of this process to `processor` from now on."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra: only who asks for spans has it
    from opentelemetry.sdk.trace import SpanLimits, TracerProvider  # noqa: PLC0415 - as above

    global _provider  # noqa: PLW0603 - one for the process, like its loggers
    # Not `Resource.create`: it would add what the environment and the machine say of themselves.
    about = Resource({"service.name": f"moiety-{part}"})
    _provider = TracerProvider(resource=about, span_limits=SpanLimits(max_events=0, max_links=0))
    _provider.add_span_processor(processor)


def send_to(part: str, address: str) -> None:
    """Send spans of this process to a collector (OTLP over HTTP, such as `http://localhost:4318`).

    Raises:
        BadInput: the extra is not installed, or the address is none.

    """
    if not address.startswith(("http://", "https://")):
        raise BadInput("MOIETY_TRACES must be the address of a collector, such as http://localhost:4318.")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - as above
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above
    except ImportError:
        raise BadInput("Traces need the extra moiety[otel]: pip install 'moiety[otel]'.") from None
    begin(part, BatchSpanProcessor(OTLPSpanExporter(f"{address.rstrip('/')}/v1/traces")))


def end() -> None:
    """Hand over what is left."""
    global _provider  # noqa: PLW0603 - as above
    if _provider is not None:
        _provider.shutdown()
    _provider = None


def span(name: str, /, **given: object) -> AbstractContextManager[Mark]:
    """Open a span around a block; without `begin` it costs nothing. `name` is one of `NAMES`."""
    return contextlib.nullcontext(_NONE) if _provider is None else _open(_provider, name, given)


@contextmanager
def _open(provider: TracerProvider, name: str, given: dict[str, object]) -> Iterator[Mark]:
    """Open a real span; an error leaves its class or slug on it, and nothing else."""
    tracer = provider.get_tracer("moiety")
    with tracer.start_as_current_span(
        name if name in NAMES else OTHER, record_exception=False, set_status_on_exception=False
    ) as real:
        mark = Mark(real)
        mark.put(**given)
        try:
            yield mark
        except Refusal as refusal:
            mark.put(slug=refusal.slug)
            raise
        except BaseException as error:
            mark.put(error=kind_of(error))
            raise
        else:
            mark.put(slug=OK)
