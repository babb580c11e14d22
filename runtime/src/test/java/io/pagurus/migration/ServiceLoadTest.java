package io.pagurus.migration;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.pagurus.engine.CpuTime;
import io.pagurus.engine.Departure;
import io.pagurus.engine.FakeEngine;
import io.pagurus.model.MigrationReport.PreCopy;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ServiceLoadTest {
  @TempDir private Path directory;

  private static CpuTime seconds(long ran, long waited) {
    return new CpuTime(TimeUnit.SECONDS.toNanos(ran), TimeUnit.SECONDS.toNanos(waited));
  }

  @Test
  void beforeTheRoundsIsSinceTheMigrationBeganNotSinceTheServiceDid() throws IOException {
    Process process = new ProcessBuilder("sleep", "600").start();
    try {
      FakeEngine engine = new FakeEngine(directory, process);
      engine.run("web");
      Departure service = engine.depart("web", List.of());
      engine.cpuTime = seconds(100, 900);
      ServiceLoad.Look look = ServiceLoad.Look.at(service);
      engine.cpuTime = seconds(104, 901);
      ServiceLoad load = look.watch();
      engine.cpuTime = seconds(105, 902);
      PreCopy cost = load.sum(List.of(), List.of());
      assertEquals(20, cost.serviceWaitingPercentBefore());
      assertEquals(50, cost.serviceWaitingPercent());
    } finally {
      process.destroyForcibly();
    }
  }
}
