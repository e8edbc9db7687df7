"""The outputs of ``ferserve stream`` beside what it shows: a table, a clip, a broker."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ferserve.rendering.json import print_error
from ferserve.sinks.several import SeveralSinks
from ferserve.sinks.sink import Sink

if TYPE_CHECKING:
    from ferserve.client import Client
    from ferserve.local import LocalClient
    from ferserve.options import FrameOptions
    from ferserve.sinks.mqtt_address import MqttAddress


@dataclass(frozen=True)
class Outputs:
    """What the flags ask for; None for what they leave out."""

    csv: Path | None = None
    save: Path | None = None
    mqtt: MqttAddress | None = None
    overwrite: bool = False

    @classmethod
    def of(cls, csv: Path | None, save: Path | None, mqtt: str | None, overwrite: bool) -> Outputs:
        """The outputs of flags; raises :class:`ConfigError` if ``mqtt`` is no address."""
        from ferserve.sinks.mqtt_address import MqttAddress

        return cls(csv, save, None if mqtt is None else MqttAddress.parse(mqtt), overwrite)

    def opened(self, shown: Sink, client: Client | LocalClient, options: FrameOptions) -> SeveralSinks:
        """``shown`` and all outputs as one sink; an output that fails later is told on stderr.

        Raises :class:`ConfigError` if one cannot be made, and none is left open then.
        """
        with contextlib.ExitStack() as opening:
            others: dict[str, Sink] = {}
            if self.csv is not None:
                from ferserve.sinks.csv_file import CsvSink

                others[str(self.csv)] = opening.enter_context(
                    CsvSink(self.csv, _heads(client, options), overwrite=self.overwrite)
                )
            if self.save is not None:
                from ferserve.sinks.clip import ClipSink

                others[str(self.save)] = opening.enter_context(ClipSink(self.save, overwrite=self.overwrite))
            if self.mqtt is not None:
                from ferserve.sinks.mqtt import MqttSink

                others[str(self.mqtt)] = opening.enter_context(MqttSink(self.mqtt))
            opening.pop_all()
        return SeveralSinks(shown, others, print_error)


def _heads(client: Client | LocalClient, options: FrameOptions) -> Mapping[str, Sequence[str]]:
    """Labels by head of the models that answer; equal names get their model before them, as in results."""
    heads: dict[str, Sequence[str]] = {}
    for name in options.models or (options.model,):
        model = client.model(name)
        heads |= {f"{model.name}/{head}" if head in heads else head: labels for head, labels in model.heads.items()}
    return heads
