package io.pagurus.migration;

import io.pagurus.model.MigrationReport.Round;
import io.pagurus.model.MigrationRequest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * The rounds of a pre-copy so far, and whether one more is worth it. The rule is the one of virtual
 * machines (Clark et al., "Live migration of virtual machines", NSDI 2005): go on while the rest is
 * too much for the downtime limit and still shrinks.
 */
final class Rounds {
  private static final Duration DEFAULT_DOWNTIME_LIMIT = Duration.ofMillis(300);
  private static final int DEFAULT_MAX_ROUNDS = 8;

  /** What the freeze window takes with nothing left to send, ms; measured, see the benchmarks. */
  private static final long FIXED_MILLIS = 200;

  /** Of that CRIU's dump: so long memory is read and sent beside it, ms. */
  private static final double DUMP_MILLIS = 1000 * Predictor.Costs.MEASURED.dump();

  /** A round that is not smaller than this share of the one before has stopped falling. */
  private static final double FALLING = 0.9;

  private final long downtimeLimitMillis;
  private final int most;
  private final List<Round> rounds = new ArrayList<>();
  private double bytesPerMilli;

  /**
   * How long one look through all the memory takes at most, ms: every round has taken one, and the
   * last one, over the frozen service, is no shorter however little has changed.
   */
  private long scanMillis = Long.MAX_VALUE;

  /** The last round has had so little to send that its time was that of the look. */
  private boolean scanIsKnown;

  /**
   * @param downtimeLimitMillis aim for the downtime, ms
   * @param most rounds at most, at least 1
   */
  Rounds(long downtimeLimitMillis, int most) {
    this.downtimeLimitMillis = downtimeLimitMillis;
    this.most = most;
  }

  /** With the limits that were asked for, or the defaults. */
  static Rounds of(MigrationRequest request) {
    return new Rounds(downtimeLimitMillis(request), most(request));
  }

  static long downtimeLimitMillis(MigrationRequest request) {
    return request.downtimeLimitMillis().orElse(DEFAULT_DOWNTIME_LIMIT.toMillis());
  }

  static int most(MigrationRequest request) {
    return request.maxRounds().orElse(DEFAULT_MAX_ROUNDS);
  }

  /**
   * @param bytes sent, before compression
   * @param nanos from the first look at the memory to the peer's last word, ns
   * @param waitedNanos of that was waited for the pace, which a frozen service is spared, ns
   */
  void add(long bytes, long nanos, long waitedNanos) {
    long millis = Math.max(1, TimeUnit.NANOSECONDS.toMillis(nanos));
    long busy = Math.max(1, TimeUnit.NANOSECONDS.toMillis(nanos - waitedNanos));
    rounds.add(new Round(bytes, millis));
    bytesPerMilli = Math.max(bytesPerMilli, (double) bytes / busy);
    scanMillis = Math.min(scanMillis, busy);
    scanIsKnown = sendingMillis((double) bytes) <= busy / 2.0;
  }

  private double sendingMillis(double bytes) {
    return bytes / Math.max(1, bytesPerMilli);
  }

  List<Round> all() {
    return List.copyOf(rounds);
  }

  /**
   * Downtime if the service froze now, ms: beside the dump all memory is looked through once more,
   * and what has changed is sent.
   */
  long predictedDowntimeMillis() {
    // One look tells nothing about change: as if all of it had changed.
    return rounds.size() == 1
        ? windowMillis((double) rounds.getLast().millis())
        : windowMillis(frozenScan((double) scanMillis, DUMP_MILLIS) + restMillis());
  }

  /**
   * How long the look through frozen memory takes of what it takes in a round: once the dump has
   * ended, a second thread helps, see {@link io.pagurus.transfer.MemorySender}.
   *
   * @param dump in the unit of the scan
   */
  static double frozenScan(double scan, double dump) {
    return Runtime.getRuntime().availableProcessors() > 1
        ? Math.min(scan, dump + Math.max(0, scan - dump) / 2)
        : scan;
  }

  /**
   * How long the rest would take, ms. What a round sent has changed since the round before began;
   * at that rate it went on changing while the last round ran.
   */
  private double restMillis() {
    Round last = rounds.getLast();
    double changedPerMilli = (double) last.bytes() / rounds.get(rounds.size() - 2).millis();
    return sendingMillis(changedPerMilli * last.millis());
  }

  private static long windowMillis(double besideTheDump) {
    return FIXED_MILLIS + Math.round(Math.max(0, besideTheDump - DUMP_MILLIS));
  }

  /** Whether all these rounds did not bring the downtime below its limit. */
  boolean missedTheLimit() {
    return rounds.isEmpty() || predictedDowntimeMillis() > downtimeLimitMillis;
  }

  /** What the rounds so far say about the next one. */
  enum Advice {
    ANOTHER,

    /** The downtime is predicted to be below its limit. */
    GOOD_ENOUGH,

    /** The service changes its memory as fast as it is sent. */
    NOT_FALLING,

    /** Only the last look through all the memory takes too long: no round shortens that. */
    ONLY_THE_SCAN,

    AT_MOST
  }

  Advice advice() {
    if (rounds.size() >= most) {
      return Advice.AT_MOST;
    }
    if (rounds.size() < 2) {
      return Advice.ANOTHER;
    }
    if (predictedDowntimeMillis() <= downtimeLimitMillis) {
      return Advice.GOOD_ENOUGH;
    }
    Round last = rounds.getLast();
    boolean falling = last.bytes() < FALLING * rounds.get(rounds.size() - 2).bytes();
    if (windowMillis(restMillis()) <= downtimeLimitMillis && (scanIsKnown || !falling)) {
      return Advice.ONLY_THE_SCAN;
    }
    return falling ? Advice.ANOTHER : Advice.NOT_FALLING;
  }
}
