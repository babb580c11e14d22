package io.pagurus.benchmarks;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Results as a benchmark could have brought them. */
final class Sample {
  private static final Instant AT = Instant.parse("2026-11-21T12:00:00Z");

  private Sample() {}

  static Trial trial(String contender, int mib) {
    return new Trial(
        1, Case.of(Suite.SIZES, mib + " MiB", mib, Workload.of(mib).withDirtyRate(10)), contender);
  }

  /**
   * A move whose rounds brought everything but what changed, and whose prediction was 20 % high.
   */
  static Run preCopy(int mib, int changedMib, double downtimeMillis) {
    JsonNode report =
        json(
            """
            {"strategy": "pre-copy", "downtime_ms": %1$f, "total_ms": 3000, "bytes_memory": %2$d,
             "time_to_full_speed_ms": 700, "rounds": [{"bytes": %3$d, "ms": 9}],
             "prediction": {"strategy": "pre-copy", "downtime_ms": %4$f, "total_ms": 6000}}
            """
                .formatted(
                    downtimeMillis,
                    (mib + (long) changedMib) << 20,
                    (long) mib << 20,
                    downtimeMillis * 1.2));
    return Run.of(
        trial("pagurus-pre-copy", mib),
        AT,
        0.5,
        new Move(
            3400,
            Optional.of(downtimeMillis),
            Map.of("dump", 90.0),
            Optional.of(new RuntimeMemory(140, Optional.of(12.0), Optional.empty())),
            Optional.of(new RuntimeMemory(260, Optional.of(11.0), Optional.empty())),
            Optional.of(report)));
  }

  static Run link(int mib, double totalMillis) {
    return Run.of(
        trial("link", mib), AT, 0.5, Move.of(totalMillis, Optional.empty(), Map.of("copy", 1.0)));
  }

  static Run failed(int mib) {
    return Run.failed(trial("docker", mib), AT, 0.5, "content already exists");
  }

  static Results results(Run... runs) {
    return new Results(
        Results.FORMAT,
        AT,
        "abc",
        new HostFacts("6.18", "a CPU", 2, 24000, Map.of("criu", "4.2.1")),
        new AtRest(398, List.of(1700.0), List.of(125.0), List.of(350.0)),
        Map.of("pagurus-auto", "this build of pagurus offers no --strategy auto"),
        List.of(
            new Overhead(
                1,
                AT,
                0.5,
                new Overhead.Side(new Footprint(0.2, 128, 0, 0, 1, 0), Map.of("cpu", 500.0)),
                new Overhead.Side(new Footprint(0.4, 260, 0, 0, 0, 0), Map.of("cpu", 495.0)))),
        List.of(runs));
  }

  private static JsonNode json(String text) {
    try {
      return Json.MAPPER.readTree(text);
    } catch (JsonProcessingException malformed) {
      throw new UncheckedIOException(malformed);
    }
  }
}
