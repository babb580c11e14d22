package io.pagurus.migration;

import io.pagurus.engine.CpuTime;
import io.pagurus.engine.Departure;
import io.pagurus.model.MigrationReport.PreCopy;
import io.pagurus.model.MigrationReport.Round;
import io.pagurus.model.MigrationReport.Slowed;
import java.util.List;

/** What a service does with its CPU time, and what it waits for, while its memory is read. */
final class ServiceLoad {
  private final Departure service;
  private final long begunAt = System.nanoTime();
  private final long ownAtBegin = CpuTime.ownNanos();
  private final CpuTime before;
  private final CpuTime atBegin;
  private CpuTime lap;
  private long lapAt = begunAt;

  private ServiceLoad(Departure service, CpuTime before, CpuTime now) {
    this.service = service;
    this.before = before;
    this.atBegin = now;
    this.lap = now;
  }

  /** What the service did before its memory is read, to compare with: not long, but lately. */
  record Look(Departure service, CpuTime at) {
    static Look at(Departure service) {
      return new Look(service, Reading.attempt(service::cpuTime));
    }

    /** Its memory is read from here on. */
    ServiceLoad watch() {
      CpuTime now = Reading.attempt(service::cpuTime);
      return new ServiceLoad(service, now.since(at), now);
    }
  }

  /** Cores that it has used since the last lap, or since the beginning. */
  double lap() {
    CpuTime now = Reading.attempt(service::cpuTime);
    long at = System.nanoTime();
    double cores = now.since(lap).cores(at - lapAt);
    lap = now;
    lapAt = at;
    return cores;
  }

  /** What has happened since the beginning. */
  PreCopy sum(List<Round> sharedRounds, List<Slowed> slowed) {
    CpuTime spent = Reading.attempt(service::cpuTime).since(atBegin);
    long nanos = Math.max(1, System.nanoTime() - begunAt);
    return new PreCopy(
        round(100.0 * (CpuTime.ownNanos() - ownAtBegin) / nanos, 10),
        round(spent.cores(nanos), 100),
        round(spent.waitingPercent(), 10),
        round(before.waitingPercent(), 10),
        slowed,
        sharedRounds);
  }

  static double round(double value, int parts) {
    return (double) Math.round(value * parts) / parts;
  }
}
