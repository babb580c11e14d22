package io.pagurus.migration;

import io.pagurus.model.Forecast;
import io.pagurus.model.MigrationReport;
import io.pagurus.model.MigrationReport.CriuStatistics;
import io.pagurus.model.MigrationReport.Part;
import io.pagurus.model.MigrationReport.PreCopy;
import io.pagurus.model.MigrationReport.Round;
import io.pagurus.model.MigrationRequest;
import io.pagurus.model.Outcome;
import io.pagurus.model.Phase;
import io.pagurus.model.Placement;
import io.pagurus.model.Prediction;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.transfer.ArtifactSender;
import io.pagurus.transfer.ArtifactSender.Sent;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What a migration at the source has done so far: the numbers that its report is made of. */
final class Tally {
  private final Stopwatch clock = new Stopwatch();
  private final List<Sent> sent = new ArrayList<>();
  private final List<String> warnings = new ArrayList<>();
  private List<Round> rounds = List.of();
  private Optional<PreCopy> precopy = Optional.empty();
  private Optional<Prediction> prediction = Optional.empty();
  private Optional<Forecast> forecast = Optional.empty();
  private final List<Part> window = new ArrayList<>();
  private long bytesImages;
  private long bytesSent;
  private volatile long frozenAt;
  private long downtimeMillis;
  private long fullSpeedMillis;
  private Optional<Long> totalMillis = Optional.empty();
  private Map<String, Long> dumpStatistics = Map.of();
  private Map<String, Long> restoreStatistics = Map.of();
  private Optional<Placement> placement = Optional.empty();

  /** Adds the time from {@code since} (System.nanoTime) to now to a phase. */
  void took(Phase phase, long since) {
    clock.add(phase, since);
  }

  /** Waits until the peer has applied these artifacts; from then on they count. */
  void received(ArtifactSender sender, List<Sent> parts) {
    parts.forEach(part -> received(sender, part));
  }

  /** The same for one; may be called by several threads, one for each sender. */
  void received(ArtifactSender sender, Sent part) {
    sender.awaitReceived(part);
    synchronized (sent) {
      sent.add(part);
    }
  }

  void image(long bytes) {
    bytesImages = bytes;
  }

  /** Bytes on the wire, over all connections. */
  void wire(long bytes) {
    bytesSent = bytes;
  }

  /**
   * Says that links were lost and replaced, if they were.
   *
   * @param bytesAgain that travelled twice
   */
  void resumed(int times, long bytesAgain) {
    if (times > 0) {
      warn(
          List.of(
              "The connection was lost and went on over another one %d times; %d KiB travelled again."
                  .formatted(times, bytesAgain >> 10)));
    }
  }

  void warn(List<String> sentences) {
    warnings.addAll(sentences);
  }

  /** The downtime begins; returns the moment, System.nanoTime. */
  long frozen() {
    frozenAt = System.nanoTime();
    return frozenAt;
  }

  /** A part of the freeze window has ended, which began at {@code since} (System.nanoTime). */
  void part(String name, long since) {
    part(name, since, System.nanoTime());
  }

  void part(String name, long since, long until) {
    synchronized (window) {
      window.add(new Part(name, millis(since - frozenAt), millis(until - since)));
    }
  }

  /** A part of the freeze window has ended that is a phase, or belongs to one. */
  void took(Phase phase, String part, long since) {
    took(phase, since);
    part(part, since);
  }

  /** Does a part of the freeze window; of one that fails nothing is noted. */
  <T> T timed(String part, Reading<T> work) throws IOException {
    long since = System.nanoTime();
    T result = work.read();
    part(part, since);
    return result;
  }

  /** The same for a part that is a phase. */
  <T> T timed(Phase phase, String part, Reading<T> work) throws IOException {
    long since = System.nanoTime();
    T result = timed(part, work);
    took(phase, since);
    return result;
  }

  private static double millis(long nanos) {
    return Math.round(nanos / 1e5) / 10.0;
  }

  /** Whether the service was ever frozen. */
  boolean wasFrozen() {
    return frozenAt != 0;
  }

  /** The downtime ends. */
  void resumed() {
    downtimeMillis = Stopwatch.millis(frozenAt, System.nanoTime());
  }

  /** The last page is in place: the old copy may go, which ends the total time. */
  void settled() {
    totalMillis = Optional.of(clock.totalMillis());
    fullSpeedMillis = Stopwatch.millis(frozenAt, System.nanoTime());
  }

  void foreseen(Prediction expected, Forecast all) {
    prediction = Optional.of(expected);
    forecast = Optional.of(all);
  }

  /** Lets later predictions profit; once it has completed. */
  void teach(Experience experience) {
    prediction.ifPresent(expected -> experience.learn(expected, downtimeMillis, totalMillis()));
  }

  /** Until the old copy may go; of a migration that did not get there, until its end. */
  private long totalMillis() {
    return totalMillis.orElseGet(clock::totalMillis);
  }

  void preCopied(List<Round> passes, PreCopy cost) {
    rounds = passes;
    precopy = Optional.of(cost).filter(_ -> !passes.isEmpty() || !cost.sharedRounds().isEmpty());
  }

  void dumped(Map<String, Long> criu) {
    dumpStatistics = criu;
  }

  void restored(Message.Restored how) {
    restoreStatistics = how.statistics();
    placement = Optional.of(how.placement());
  }

  /** Digests of everything received, by artifact number. */
  Map<Integer, String> digests() {
    Map<Integer, String> digests = new HashMap<>();
    synchronized (sent) {
      sent.forEach(artifact -> digests.put(artifact.number(), artifact.digest()));
    }
    return digests;
  }

  /**
   * @param source name of this outer container
   * @param destination name of the other one, or its address
   */
  MigrationReport report(
      String id,
      String service,
      MigrationRequest request,
      String source,
      String destination,
      Outcome outcome,
      Optional<MigrationReport.Failure> failure) {
    return new MigrationReport(
        id,
        service,
        prediction.map(Prediction::strategy).orElse(request.strategy()),
        outcome,
        source,
        destination,
        downtimeMillis,
        totalMillis(),
        fullSpeedMillis,
        bytes(Kind.MEMORY) + bytes(Kind.TMPFS),
        bytes(Kind.ROOTFS) + bytes(Kind.VOLUME) + bytes(Kind.LOG) + bytes(Kind.CHECKPOINT),
        bytesImages,
        bytesSent,
        clock.phases(),
        rounds,
        precopy,
        outcome == Outcome.COMPLETED && downtimeMillis > 0
            ? prediction.map(expected -> expected.beside(downtimeMillis, totalMillis()))
            : prediction,
        forecast,
        parts(),
        placement,
        new CriuStatistics(dumpStatistics, restoreStatistics),
        List.copyOf(warnings),
        failure);
  }

  private List<Part> parts() {
    synchronized (window) {
      return window.stream().sorted(Comparator.comparingDouble(Part::fromMillis)).toList();
    }
  }

  private long bytes(Kind kind) {
    synchronized (sent) {
      return sent.stream().filter(part -> part.kind() == kind).mapToLong(Sent::bytes).sum();
    }
  }
}
