package io.pagurus.http;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.pagurus.event.Events;
import io.pagurus.model.MigrationReport;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.Outcome;
import io.pagurus.transfer.DigestStore;
import io.pagurus.trust.Identity;
import java.io.IOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryMXBean;
import java.lang.management.MemoryType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** What Prometheus scrapes, in base units; the names are documented in {@code docs/http-api.md}. */
final class Metrics implements AutoCloseable {
  private final PrometheusMeterRegistry registry =
      new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
  private final Events.Subscription ends;
  private final Thread counting;

  Metrics(Backend backend) {
    Gauge.builder("pagurus.engine.up", backend, b -> b.readiness().engineUp() ? 1 : 0)
        .description("Whether the inner engine answers")
        .register(registry);
    Gauge.builder("pagurus.ready", backend, b -> b.readiness().missing().isEmpty() ? 1 : 0)
        .description("Whether this runtime takes migrations")
        .register(registry);
    Gauge.builder("pagurus.migrations.running", backend, Metrics::running)
        .description("Migrations that have not ended, both roles")
        .register(registry);
    Gauge.builder("pagurus.migrations.doubtful", backend, Metrics::doubtful)
        .description("Migrations that are in doubt now: committed, and not confirmed")
        .register(registry);
    Gauge.builder("pagurus.build.info", () -> 1)
        .tag("version", backend.build().version())
        .description("Constant 1; the label tells the version")
        .register(registry);
    certificates(backend.identity());
    memory();
    ends = backend.events().subscribeAll();
    counting = Thread.ofVirtual().name("metrics").start(this::countEnds);
  }

  /** What nobody renews in time cuts runtimes off from each other. */
  private void certificates(Identity identity) {
    Gauge.builder("pagurus.certificate.expiry", identity, i -> i.ownExpiry().getEpochSecond())
        .description("When this runtime's certificate expires, seconds since 1970")
        .tag("kind", "own")
        .baseUnit("seconds")
        .register(registry);
    if (identity.hasAuthority()) {
      Gauge.builder(
              "pagurus.certificate.expiry",
              identity,
              i -> i.authorityExpiry().orElseThrow().getEpochSecond())
          .description("When this runtime's certificate expires, seconds since 1970")
          .tag("kind", "authority")
          .baseUnit("seconds")
          .register(registry);
    }
  }

  /** Of this process: what the heap holds, and what lies outside of it. */
  private void memory() {
    MemoryMXBean memory = ManagementFactory.getMemoryMXBean();
    Gauge.builder("jvm.memory.used", memory, m -> m.getHeapMemoryUsage().getUsed())
        .tag("area", "heap")
        .baseUnit("bytes")
        .register(registry);
    Gauge.builder("jvm.memory.used", memory, m -> m.getNonHeapMemoryUsage().getUsed())
        .tag("area", "nonheap")
        .baseUnit("bytes")
        .register(registry);
    Gauge.builder("jvm.memory.peak", Metrics::heapPeak)
        .description("Sum of the peaks of the heap's parts since the start: never below the truth")
        .tag("area", "heap")
        .baseUnit("bytes")
        .register(registry);
    Gauge.builder("jvm.buffer.memory.used", Metrics::directBuffers)
        .description("Direct buffers")
        .tag("id", "direct")
        .baseUnit("bytes")
        .register(registry);
    Gauge.builder("pagurus.digest.memory", DigestStore::takenBytes)
        .description("Digests of what migrations under way have sent, off the heap")
        .baseUnit("bytes")
        .register(registry);
    for (String kind : List.of("anon", "file", "shmem")) {
      Gauge.builder("process.resident.memory", () -> resident(kind))
          .description("By kind: anon is the heap and everything native, shmem staged memory")
          .tag("kind", kind)
          .baseUnit("bytes")
          .register(registry);
    }
  }

  private static long heapPeak() {
    return ManagementFactory.getMemoryPoolMXBeans().stream()
        .filter(pool -> pool.getType() == MemoryType.HEAP)
        .mapToLong(pool -> pool.getPeakUsage().getUsed())
        .sum();
  }

  private static long directBuffers() {
    return ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
        .filter(pool -> pool.getName().equals("direct"))
        .mapToLong(BufferPoolMXBean::getMemoryUsed)
        .sum();
  }

  /** Bytes; proc_pid_status(5) names RssAnon, RssFile and RssShmem, in kB of 1024 bytes. */
  private static double resident(String kind) {
    try (Stream<String> status = Files.lines(Path.of("/proc/self/status"))) {
      return status
          .filter(line -> line.regionMatches(true, 0, "Rss" + kind + ":", 0, kind.length() + 4))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
          .sum();
    } catch (IOException e) {
      return Double.NaN;
    }
  }

  private static double running(Backend backend) {
    return backend.migrations().list().stream().filter(status -> !status.ended()).count();
  }

  private static double doubtful(Backend backend) {
    return backend.migrations().list().stream()
        .filter(status -> status.outcome().equals(Optional.of(Outcome.IN_DOUBT)))
        .count();
  }

  String scrape() {
    return registry.scrape();
  }

  private void countEnds() {
    try {
      while (true) {
        ends.next(Duration.ofDays(1)).filter(MigrationStatus::ended).ifPresent(this::count);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // closed
    }
  }

  private void count(MigrationStatus status) {
    Optional<MigrationReport> report = status.report();
    String strategy = report.map(ended -> ended.strategy().label()).orElse("unknown");
    Counter.builder("pagurus.migrations")
        .description("Ended migrations")
        .tags(
            Tags.of("role", status.role().name().toLowerCase(Locale.ROOT))
                .and("strategy", strategy)
                .and("outcome", status.outcome().orElseThrow().label()))
        .register(registry)
        .increment();
    report.ifPresent(ended -> count(ended, strategy));
  }

  private void count(MigrationReport report, String strategy) {
    if (report.downtimeMillis() > 0) {
      Timer.builder("pagurus.migration.downtime")
          .description("From the freeze to the first instruction at the destination")
          .tag("strategy", strategy)
          .register(registry)
          .record(Duration.ofMillis(report.downtimeMillis()));
    }
    Map<String, Long> bytes =
        Map.of(
            "memory", report.bytesMemory(),
            "files", report.bytesFiles(),
            "images", report.bytesImages(),
            "sent", report.bytesSent());
    bytes.forEach(
        (kind, count) ->
            DistributionSummary.builder("pagurus.migration")
                .description("Bytes moved per migration, by kind; sent is after compression")
                .baseUnit("bytes")
                .tag("kind", kind)
                .register(registry)
                .record(count));
    report
        .phases()
        .forEach(
            (phase, millis) ->
                Timer.builder("pagurus.migration.phase")
                    .description("Time per phase; phases in the downtime window overlap")
                    .tag("phase", phase)
                    .register(registry)
                    .record(Duration.ofMillis(millis)));
  }

  @Override
  public void close() {
    counting.interrupt();
    ends.close();
    registry.close();
  }
}
