package io.pagurus.migration;

import io.pagurus.migration.Rounds.Advice;
import io.pagurus.model.Prediction;
import io.pagurus.model.Strategy;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * What each strategy would take, and which one is best. It calculates only: what is measured comes
 * as a {@link Situation}, and what does not depend on the service is in {@link Costs}.
 */
final class Predictor {
  private final Situation situation;
  private final Costs costs;
  private final Experience experience;
  private final long downtimeLimitMillis;
  private final int maxRounds;

  private static final double LAZY_FROM = 24 << 20;

  /** As the destination has it: memory is read as it comes where reading costs this share. */
  private static final double TOLERABLE = 0.1;

  /**
   * What does not depend on the service; seconds and bytes per second. See docs/adr/0012 for where
   * the values come from.
   *
   * @param setUp from the request until files may travel
   * @param window of an empty service: from the freeze to its first instruction there
   * @param lazy what it takes longer where memory is put in place later
   * @param dump of an empty service, within the window: other things may be done beside it
   * @param restore what of the restore is done beside memory that is read as it comes
   * @param scan how fast memory is read and digested
   * @param pages how fast memory is read, digested, sent and stored where the link is no limit
   * @param compressed the same for memory of which compression leaves nothing
   * @param shared how fast CRIU writes shared memory, and it is sent and restored
   * @param follow what the window takes longer when memory follows the restore
   * @param walk how fast CRIU looks through the page tables of memory that follows
   * @param daemon from the first page that a lazy restore puts in place later to the last but for
   *     their number
   * @param settle how fast such pages are put in place
   * @param eager how fast they are where that has to happen before it runs
   * @param ending from the last page to the end
   */
  record Costs(
      double setUp,
      double window,
      double lazy,
      double dump,
      double restore,
      double scan,
      double pages,
      double compressed,
      double shared,
      double follow,
      double walk,
      double daemon,
      double settle,
      double eager,
      double ending) {
    private static final double MIB = 1 << 20;

    static final Costs MEASURED =
        new Costs(
            0.3,
            0.135,
            0.02,
            0.08,
            0.04,
            2600 * MIB,
            330 * MIB,
            700 * MIB,
            250 * MIB,
            0.018,
            14_000 * MIB,
            0.18,
            1300 * MIB,
            900 * MIB,
            0.03);
  }

  /**
   * @param downtimeLimitMillis aim for the downtime, ms
   * @param maxRounds most rounds of a pre-copy
   */
  Predictor(
      Situation situation,
      Costs costs,
      Experience experience,
      long downtimeLimitMillis,
      int maxRounds) {
    this.experience = experience;
    this.situation = situation;
    this.costs = costs;
    this.downtimeLimitMillis = downtimeLimitMillis;
    this.maxRounds = maxRounds;
  }

  /** One for each strategy that is possible and allowed. */
  List<Prediction> all() {
    List<Prediction> all = new ArrayList<>();
    all.add(predict(Strategy.STOP_AND_COPY));
    all.add(predict(Strategy.PRE_COPY));
    if (situation.lazy()) {
      all.add(predict(Strategy.POST_COPY));
    }
    return all;
  }

  /**
   * The best of those that lose nothing when a side is lost, if its downtime is below the limit:
   * the one that ends first. Otherwise the one with the least downtime; only then, and only where
   * it is allowed, may memory follow the restore.
   */
  Prediction best() {
    List<Prediction> candidates =
        all().stream()
            .filter(
                prediction ->
                    prediction.strategy() != Strategy.POST_COPY || situation.postCopyAllowed())
            .toList();
    return candidates.stream()
        .filter(prediction -> prediction.strategy() != Strategy.POST_COPY)
        .filter(prediction -> prediction.downtimeMillis() <= downtimeLimitMillis)
        .min(Comparator.comparingLong(Prediction::totalMillis))
        .or(
            () ->
                candidates.stream()
                    .min(
                        Comparator.comparingLong(Prediction::downtimeMillis)
                            .thenComparingLong(Prediction::totalMillis)))
        .orElseThrow();
  }

  Prediction predict(Strategy strategy) {
    return switch (strategy) {
      case STOP_AND_COPY -> experience.corrected(stopAndCopy());
      case PRE_COPY -> experience.corrected(preCopy());
      case POST_COPY ->
          experience.corrected(postCopy(Strategy.POST_COPY, situation.memoryBytes(), 0, 0));
      case AUTO -> best();
    };
  }

  private Prediction stopAndCopy() {
    double sending = sending(situation.memoryBytes());
    double meanwhile = readMeanwhile(sending);
    double saved = Math.min(meanwhile, costs.restore() + placing());
    return ended(
        Strategy.STOP_AND_COPY,
        window(sending, sharedWhileFrozen(false)) + placing() - saved,
        0,
        Math.max(0, placingLater() - (meanwhile - saved)));
  }

  /**
   * How long the destination restores while memory comes that comes only once, seconds. It counts
   * from where the destination begins to do so: a slower link should never seem to help.
   */
  private double readMeanwhile(double sending) {
    double reading = situation.presentBytes() / (2 * costs.eager());
    return Math.max(
        0, sending - Math.max(costs.dump(), situation.lazy() ? reading / TOLERABLE : 0));
  }

  /** Before the start, where it cannot be later, seconds. */
  private double placing() {
    return situation.lazy() ? 0 : situation.presentBytes() / costs.eager();
  }

  /** After it, seconds. */
  private double placingLater() {
    return placedLater() ? costs.daemon() + situation.presentBytes() / costs.settle() : 0;
  }

  private Prediction preCopy() {
    Rounds rounds = new Rounds(downtimeLimitMillis, maxRounds);
    double taken = 0;
    double scan = situation.presentBytes() / costs.scan();
    double left = situation.memoryBytes();
    double changed = left;
    while (rounds.advice() == Advice.ANOTHER) {
      double seconds = Math.max(scan, sending(changed)) + situation.roundTripSeconds();
      rounds.add(Math.round(changed), Math.round(seconds * 1e9), 0);
      taken += seconds;
      changed = Math.min(left, situation.dirty().changedBytes(seconds));
    }
    if (situation.postCopyAllowed() && situation.lazy() && rounds.missedTheLimit()) {
      return postCopy(Strategy.PRE_COPY, changed, taken, scan);
    }
    return ended(
        Strategy.PRE_COPY,
        window(Rounds.frozenScan(scan, costs.dump()) + sending(changed), sharedWhileFrozen(true))
            + placing(),
        taken + sharedBefore(),
        placingLater());
  }

  /** What is shared on its way while the service runs, in strategies that send any so, seconds. */
  private double sharedBefore() {
    return situation.sharedTravelsBefore() ? sending(situation.sharedBytes()) : 0;
  }

  /**
   * What is shared on its way within the window, seconds: looked through once more where it has
   * travelled before, else written, sent and restored.
   */
  private double sharedWhileFrozen(boolean inRounds) {
    double perSecond =
        inRounds && situation.sharedTravelsBefore()
            ? costs.scan()
            : Math.min(costs.shared(), situation.linkBytesPerSecond());
    return situation.sharedBytes() / perSecond;
  }

  /**
   * Memory follows the restore: no part of the window but of the total.
   *
   * @param scan to find what of the memory that was sent before has changed, seconds
   */
  private Prediction postCopy(Strategy strategy, double following, double before, double scan) {
    Prediction ended =
        ended(
            strategy,
            window(scan, sharedWhileFrozen(true)) + placing(),
            before + sharedBefore(),
            placingLater());
    double longer = placedLater() ? costs.follow() + situation.presentBytes() / costs.walk() : 0;
    // What has come is put in place while the rest is on its way.
    double behind = Math.max(0, sending(following) - placingLater());
    return Prediction.of(
        strategy,
        ended.downtimeMillis() + 1000 * longer + 4000 * situation.roundTripSeconds(),
        ended.totalMillis() + 1000 * (longer + behind));
  }

  /**
   * From the freeze to the first instruction, without placing memory, seconds.
   *
   * @param memory sent beside the dump and after it, seconds
   * @param shared memory on its way before the restore, seconds
   */
  private double window(double memory, double shared) {
    return costs.window()
        + (placedLater() ? costs.lazy() : 0)
        - costs.dump()
        + Math.max(costs.dump(), memory)
        + shared
        + 3 * situation.roundTripSeconds();
  }

  private Prediction ended(Strategy strategy, double window, double before, double placing) {
    double total =
        costs.setUp()
            + (situation.fileBytes() + situation.imageBytes()) / situation.linkBytesPerSecond()
            + before
            + window
            + placing
            + costs.ending();
    return Prediction.of(strategy, 1000 * window, 1000 * total);
  }

  /** Whether the destination will restore lazily: as its own first guess has it. */
  private boolean placedLater() {
    return situation.lazy() && situation.presentBytes() > LAZY_FROM;
  }

  /** How long so many bytes of memory take on their way, seconds. */
  private double sending(double bytes) {
    double share = situation.compressedShare();
    double wire = situation.linkBytesPerSecond() / Math.max(0.01, share);
    double working = 1 / (share / costs.pages() + (1 - share) / costs.compressed());
    return bytes / Math.min(wire, working);
  }
}
