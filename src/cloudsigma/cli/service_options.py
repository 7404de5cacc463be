"""The options of a scan that runs as a service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click

from cloudsigma.cli.option_groups import Decorator, option, option_value
from cloudsigma.cli.screen import screen
from cloudsigma.scanning.monitor import Monitor

_OPTIONS = (
    option(
        "--listen",
        metavar="ADDRESS",
        help="Serve /healthz, /readyz and /metrics at HOST:PORT while following, such as 127.0.0.1:9464.",
    ),
    option("--metrics-by-rule", is_flag=True, help="Count matches by rule in /metrics, too."),
)


def service_options() -> Decorator:
    """Add the options to a command, which is given `service`."""
    return option_value("Service", "service", ServiceOptions, *_OPTIONS)


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """How to watch a scan from outside."""

    listen: str | None
    metrics_by_rule: bool

    def check(self, *, follow: bool) -> None:
        """Refuse options that make no sense together; raises `click.UsageError`."""
        if self.listen is not None and not follow:
            raise click.UsageError("--listen is for --follow.")
        if self.metrics_by_rule and self.listen is None:
            raise click.UsageError("--metrics-by-rule is for --listen.")

    @contextmanager
    def monitor(self) -> Iterator[Monitor | None]:
        """The monitor of the scan, with its health served meanwhile, if that was asked for.

        Raises:
            UsageError: The address is malformed, or the extra `service` is not installed.
            CloudSigmaError: The address cannot be listened on.
        """
        if self.listen is None:
            yield None
            return
        try:
            from cloudsigma.service.health import HealthServer, parse_address
        except ModuleNotFoundError as error:
            raise click.UsageError(
                "--listen needs a package: pip install 'cloudsigma-rules[service]'"
            ) from error  # fmt: skip
        monitor = Monitor()
        server = HealthServer(parse_address(self.listen), monitor, by_rule=self.metrics_by_rule)
        if not server.address.is_loopback:
            text = f"warning: anyone who reaches {server.address} can read the metrics; there is no password"
            screen().tell(text, problem=True)
        screen().tell(f"health and metrics at http://{server.address}/metrics")
        try:
            yield monitor
        finally:
            server.close()
