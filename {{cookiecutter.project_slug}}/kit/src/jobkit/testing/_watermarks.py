"""Watermarks that do not race the input: after each record comes the watermark that it allows, and the last comes slowly.

Flink asks a strategy for a watermark every 200 ms, so that in a short run the only one is the last. What is late would
be chance. So the job's own strategy is wrapped in one that asks after each record too. Python sees that watermark
before the next record only if each record is a bundle of its own (`python.fn-execution.bundle.size: 1`). But then a
timer that `on_timer` registers waits for the next watermark, and at the end of the input there is none: Flink forgets it.
So the last watermark is preceded by others, one for each link of such a chain.

Both take classes of Java: Janino, the compiler that Flink's own SQL runs on, makes them from the source below.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

_PACKAGE = "jobkit.testing"
_SOURCE = """\
package jobkit.testing;

import org.apache.flink.api.common.eventtime.*;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

public class AfterEachRecord implements WatermarkStrategy {
    private final WatermarkStrategy strategy;

    public AfterEachRecord(WatermarkStrategy strategy) {
        this.strategy = strategy;
    }

    public WatermarkGenerator createWatermarkGenerator(WatermarkGeneratorSupplier.Context context) {
        return new Generator(strategy.createWatermarkGenerator(context));
    }

    public TimestampAssigner createTimestampAssigner(TimestampAssignerSupplier.Context context) {
        return strategy.createTimestampAssigner(context);
    }

    public static class Generator implements WatermarkGenerator {
        private final WatermarkGenerator generator;

        public Generator(WatermarkGenerator generator) {
            this.generator = generator;
        }

        public void onEvent(Object event, long timestamp, WatermarkOutput output) {
            generator.onEvent(event, timestamp, output);
            generator.onPeriodicEmit(output);
        }

        public void onPeriodicEmit(WatermarkOutput output) {
            generator.onPeriodicEmit(output);
        }
    }

    public static class SlowEnd extends AbstractStreamOperator implements OneInputStreamOperator {
        public void processElement(StreamRecord element) {
            output.collect(element);
        }

        public void processWatermark(org.apache.flink.streaming.api.watermark.Watermark watermark) throws Exception {
            if (watermark.getTimestamp() == Long.MAX_VALUE) {
                for (long before = LINKS; before > 0; before--) {
                    super.processWatermark(new org.apache.flink.streaming.api.watermark.Watermark(Long.MAX_VALUE - before));
                }
            }
            super.processWatermark(watermark);
        }
    }
}
"""

_LINKS = 1000
"""How many timers, each registered by the one before, fire at the end of the input."""


class Watermarks:
    """The compiled classes.

    Attributes:
        jar: The jar that holds them, for the job's class path.
    """

    _compiled: Watermarks | None = None

    def __init__(self, gateway: Any) -> None:
        self._gateway = gateway
        compiler = gateway.jvm.org.codehaus.janino.SimpleCompiler()
        compiler.cook(_SOURCE.replace("LINKS", str(_LINKS)))
        self._loader = compiler.getClassLoader()
        folder = Path(tempfile.mkdtemp(prefix="jobkit-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        self.jar = folder / "watermarks.jar"
        classes = compiler.getBytecodes()
        with zipfile.ZipFile(self.jar, "w") as jar:
            for name in classes:
                jar.writestr(f"{name.replace('.', '/')}.class", bytes(classes[name]))

    @classmethod
    def of(cls, gateway: Any) -> Watermarks:
        """Return the classes for a JVM; they are compiled once."""
        if cls._compiled is None or cls._compiled._gateway is not gateway:
            cls._compiled = cls(gateway)
        return cls._compiled

    def after_each_record(self, j_strategy: Any) -> Any:
        """Return a Java watermark strategy that does what another does, and after each record too."""
        return self._new("AfterEachRecord", j_strategy)

    def slow_end(self, j_stream: Any) -> Any:
        """Return a Java stream whose last watermark is preceded by others."""
        return j_stream.transform("Watermarks", j_stream.getType(), self._new("AfterEachRecord$SlowEnd"))

    def _new(self, name: str, *values: Any) -> Any:
        arguments = self._gateway.new_array(self._gateway.jvm.Object, len(values))
        for index, value in enumerate(values):
            arguments[index] = value
        return self._loader.loadClass(f"{_PACKAGE}.{name}").getConstructors()[0].newInstance(arguments)
