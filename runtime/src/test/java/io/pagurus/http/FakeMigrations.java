package io.pagurus.http;

import io.pagurus.event.Events;
import io.pagurus.migration.Migrations;
import io.pagurus.model.Capability;
import io.pagurus.model.FailureCode;
import io.pagurus.model.Keep;
import io.pagurus.model.MigrationException;
import io.pagurus.model.MigrationReport;
import io.pagurus.model.MigrationRequest;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.Outcome;
import io.pagurus.model.Phase;
import io.pagurus.model.ServiceSummary;
import io.pagurus.model.Strategy;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;

/**
 * One running service {@code web}; migrations go on only when the test says so, by {@link #advance}
 * and {@link #end}.
 */
public final class FakeMigrations implements Migrations {
  public final Events events = new Events();
  private final Map<String, MigrationStatus> statuses = new ConcurrentSkipListMap<>();
  private volatile Optional<MigrationRequest> last = Optional.empty();

  /** What {@code pagurus check} asks for. */
  public volatile List<Capability> capabilities =
      List.of(
          new Capability("kernel", "userfaultfd", Capability.Status.OK, "6.18", ""),
          new Capability("criu", "criu", Capability.Status.MISSING, "none", "Install CRIU 4.2."));

  /** What the last begin or dry run asked for. */
  public Optional<MigrationRequest> lastRequest() {
    return last;
  }

  @Override
  public String begin(MigrationRequest request) {
    last = Optional.of(request);
    requireWeb(request.service());
    String id = "m" + (statuses.size() + 1);
    put(status(id, Phase.PREFLIGHT, 0, Optional.empty(), Optional.empty()));
    return id;
  }

  /** The next status of a running migration. */
  public void advance(String id, Phase phase, long bytesDone) {
    put(status(id, phase, bytesDone, Optional.empty(), Optional.empty()));
  }

  /** Ends a migration; any outcome but COMPLETED comes with an error. */
  public void end(String id, Outcome outcome) {
    Optional<MigrationReport.Failure> error =
        outcome == Outcome.COMPLETED
            ? Optional.empty()
            : Optional.of(
                new MigrationReport.Failure(
                    FailureCode.CANCELLED, "Cancelled. web goes on at here."));
    put(
        status(
            id, Phase.RETIRE, 100, Optional.of(outcome), Optional.of(report(id, outcome, error))));
  }

  private void put(MigrationStatus status) {
    statuses.put(status.id(), status);
    events.publish(status);
  }

  private static MigrationStatus status(
      String id,
      Phase phase,
      long bytesDone,
      Optional<Outcome> outcome,
      Optional<MigrationReport> report) {
    return new MigrationStatus(
        id,
        MigrationStatus.Role.SOURCE,
        "web",
        "there",
        phase,
        bytesDone,
        100,
        Instant.parse("2030-01-01T00:00:00Z"),
        "as the test says",
        outcome,
        report);
  }

  private static MigrationReport report(
      String id, Outcome outcome, Optional<MigrationReport.Failure> error) {
    return new MigrationReport(
        id,
        "web",
        Strategy.STOP_AND_COPY,
        outcome,
        "here",
        "there",
        outcome == Outcome.COMPLETED && !id.equals("dry") ? 350 : 0,
        1200,
        400,
        4096,
        1024,
        512,
        3000,
        Map.of("freeze", 40L, "restore", 200L),
        List.of(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        List.of(),
        Optional.empty(),
        new MigrationReport.CriuStatistics(Map.of("frozen_time", 9L), Map.of()),
        List.of("One odd thing."),
        error);
  }

  @Override
  public MigrationReport dryRun(MigrationRequest request) {
    last = Optional.of(request);
    requireWeb(request.service());
    return report("dry", Outcome.COMPLETED, Optional.empty());
  }

  @Override
  public List<MigrationStatus> list() {
    return List.copyOf(statuses.values());
  }

  @Override
  public Optional<MigrationStatus> find(String id) {
    return Optional.ofNullable(statuses.get(id));
  }

  @Override
  public MigrationStatus cancel(String id) {
    if (!statuses.containsKey(id)) {
      throw new MigrationException(FailureCode.NOT_FOUND, "There is no migration " + id + ".");
    }
    if (statuses.get(id).ended()) {
      throw new MigrationException(FailureCode.BUSY, "It has committed.");
    }
    end(id, Outcome.ABORTED);
    return statuses.get(id);
  }

  @Override
  public MigrationStatus resolve(String id, Keep keep) {
    if (!statuses.containsKey(id)) {
      throw new MigrationException(FailureCode.NOT_FOUND, "There is no migration " + id + ".");
    }
    end(id, keep == Keep.SOURCE ? Outcome.FAILED : Outcome.COMPLETED);
    return statuses.get(id);
  }

  @Override
  public List<ServiceSummary> services() {
    return List.of(
        new ServiceSummary(
            "0123456789abcdef", "web", "nginx:1", "running", 3 << 20, Optional.empty(), List.of()),
        new ServiceSummary(
            "fedcba9876543210",
            "db",
            "postgres:17",
            "exited",
            0,
            Optional.of("m7"),
            List.of("it has a bind mount /data")));
  }

  @Override
  public List<Capability> capabilities() {
    return capabilities;
  }

  @Override
  public List<String> log(String service, int lines) {
    requireWeb(service);
    return List.of("first", "second").subList(0, Math.min(2, lines));
  }

  private static void requireWeb(String service) {
    if (!service.equals("web")) {
      throw new MigrationException(
          FailureCode.NOT_FOUND, "There is no service '%s' here.".formatted(service));
    }
  }
}
