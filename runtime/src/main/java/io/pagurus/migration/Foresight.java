package io.pagurus.migration;

import io.pagurus.engine.Departure;
import io.pagurus.model.Forecast;
import io.pagurus.model.MigrationRequest;
import io.pagurus.model.Prediction;
import io.pagurus.model.Strategy;
import io.pagurus.protocol.Features;
import io.pagurus.protocol.Message;
import io.pagurus.transfer.LinkProbe;
import io.pagurus.transfer.MemorySurvey;
import io.pagurus.transfer.ProcessMemory;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** Measures service and link while the service runs, predicts, and settles the strategy. */
final class Foresight {
  private final MigrationRequest request;
  private final LinkProbe link;
  private final Situation situation;
  private final Predictor predictor;

  private Foresight(
      MigrationRequest request, LinkProbe link, Situation situation, Experience experience) {
    this.request = request;
    this.link = link;
    this.situation = situation;
    this.predictor =
        new Predictor(
            situation,
            Predictor.Costs.MEASURED,
            experience,
            Rounds.downtimeLimitMillis(request),
            Rounds.most(request));
  }

  /** Begins to look at the memory of a running service; takes 0.2 s, of which little is work. */
  static Future<MemorySurvey> survey(Departure service) {
    return Reading.begin("survey-" + service.name(), () -> surveyNow(service));
  }

  /**
   * Waits for both measurements.
   *
   * @param there what the destination offers
   */
  static Foresight look(
      MigrationRequest request,
      Future<MemorySurvey> survey,
      Message.ServicePlan plan,
      boolean imagePresent,
      Features there,
      Experience experience,
      Future<LinkProbe> probe) {
    LinkProbe link = Reading.join(probe);
    MemorySurvey memory = Reading.join(survey);
    double present = (double) memory.bytes();
    double moving = present * (1 - memory.zeroShare());
    return new Foresight(
        request,
        link,
        new Situation(
            moving,
            present,
            Math.max(0, plan.memoryBytes() - present),
            there.sharedMemory(),
            plan.fileBytes(),
            imagePresent ? 0 : plan.imageBytes(),
            DirtyCurve.through(
                seconds(memory.first().nanos()),
                (double) memory.first().bytes(),
                seconds(memory.second().nanos()),
                (double) memory.second().bytes(),
                present,
                memory.second().pages()),
            memory.compressedShare(),
            bytesPerSecond(link, request),
            seconds(link.roundTripNanos()),
            there.lazyPages(),
            request.allowPostCopy()),
        experience);
  }

  private static MemorySurvey surveyNow(Departure service) throws IOException {
    Map<Integer, ProcessMemory> processes = ProcessMemory.open(service.processes());
    try {
      return MemorySurvey.of(processes);
    } finally {
      processes.values().forEach(ProcessMemory::close);
    }
  }

  /** A probe is too short to spend what a limit lets through at once. */
  private static double bytesPerSecond(LinkProbe link, MigrationRequest request) {
    return Math.min(
        link.bytesPerSecond(),
        request.bandwidthBytesPerSecond().map(Long::doubleValue).orElse(Double.MAX_VALUE));
  }

  private static double seconds(long nanos) {
    return (double) nanos / TimeUnit.SECONDS.toNanos(1);
  }

  /** What the link carried. */
  LinkProbe link() {
    return link;
  }

  /** The strategy that was asked for, or the best one, with what it is expected to take. */
  Prediction chosen() {
    return predictor.predict(possible(request.strategy()));
  }

  /** Post-copy to where no memory can follow is one that sends all of it before the restore. */
  private Strategy possible(Strategy asked) {
    return switch (asked) {
      case POST_COPY -> situation.lazy() ? Strategy.POST_COPY : Strategy.STOP_AND_COPY;
      case AUTO, STOP_AND_COPY, PRE_COPY -> asked;
    };
  }

  Forecast forecast() {
    return new Forecast(
        reason(),
        new Forecast.Measured(
            Math.round(situation.memoryBytes()),
            Math.round(situation.sharedBytes()),
            Math.round(situation.dirty().bytesPerSecond()),
            Math.round(situation.dirty().setBytes()),
            Math.round(100 * situation.compressedShare()),
            Math.round(situation.linkBytesPerSecond()),
            Math.round(situation.roundTripSeconds() * 1e6)),
        predictor.all());
  }

  private String reason() {
    Prediction chosen = chosen();
    String asked = request.strategy().label() + " was asked for";
    return switch (request.strategy()) {
      case AUTO -> reasonOf(chosen);
      case POST_COPY ->
          situation.lazy()
              ? asked + "."
              : "%s, but the destination cannot let memory follow the restore: %s."
                  .formatted(asked, chosen.strategy().label());
      case PRE_COPY ->
          request.allowPostCopy() && !situation.lazy()
              ? asked + "; no memory will follow the restore: the destination cannot let it."
              : asked + ".";
      case STOP_AND_COPY -> asked + ".";
    };
  }

  private String reasonOf(Prediction chosen) {
    long limit = Rounds.downtimeLimitMillis(request);
    return chosen.downtimeMillis() <= limit
        ? "%s ends first of those that stay below %d ms of downtime."
            .formatted(chosen.strategy().label(), limit)
        : "%s has the least downtime; none stays below %d ms."
            .formatted(chosen.strategy().label(), limit);
  }
}
