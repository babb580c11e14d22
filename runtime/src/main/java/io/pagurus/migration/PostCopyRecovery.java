package io.pagurus.migration;

import static io.pagurus.model.FailureCode.PEER_UNREACHABLE;

import io.pagurus.journal.WayBack;
import io.pagurus.model.MigrationException;
import io.pagurus.model.Phase;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Message.Standing;
import io.pagurus.transfer.ArtifactSender;
import io.pagurus.transfer.Bandwidth;
import io.pagurus.trust.PeerDialer;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A post-copy that lost its link after the commit: paused, then taken up again (QEMU's
 * postcopy-paused and postcopy-recover). The frozen processes here still hold every page that is
 * missing there, and a restored process that needs one waits for it.
 */
final class PostCopyRecovery {
  private static final Logger log = LoggerFactory.getLogger(PostCopyRecovery.class);

  /** On the silence before a destination says how it stands. */
  static final Duration ANSWER = Duration.ofSeconds(10);

  /** On silence: a destination that lives says so each second. */
  private static final Duration SILENCE_LIMIT = Duration.ofSeconds(5);

  private static final Duration FIRST_PAUSE = Duration.ofMillis(200);
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(10);

  private final PeerDialer dialer;
  private final String migration;
  private final WayBack way;
  private final AtomicInteger artifacts;
  private final FollowingMemory rest;
  private final Bandwidth bandwidth;
  private final Progress progress;

  /**
   * @param artifacts numbers of the migration's artifacts so far
   * @param rest what the destination lacks
   */
  PostCopyRecovery(
      PeerDialer dialer,
      String migration,
      WayBack way,
      AtomicInteger artifacts,
      FollowingMemory rest,
      Bandwidth bandwidth,
      Progress progress) {
    this.dialer = dialer;
    this.migration = migration;
    this.way = way;
    this.artifacts = artifacts;
    this.rest = rest;
    this.bandwidth = bandwidth;
    this.progress = progress;
  }

  /**
   * Returns when the destination has said how it ends; tries for as long as it takes.
   *
   * @param lost how the link broke
   * @return SETTLED or ABORTED
   * @throws InterruptedException when this runtime ends first
   */
  Standing untilDecided(MigrationException lost) throws InterruptedException {
    MigrationException why = lost;
    BackOff backOff = new BackOff(FIRST_PAUSE, LONGEST_PAUSE);
    while (true) {
      rest.pause();
      log.warn("Migration {} is paused: {}", migration, why.getMessage());
      progress.pause(
          "%s The service runs at the destination and waits for up to %d MiB that are still here; trying to reach it again."
              .formatted(why.getMessage(), rest.bytes() >> 20));
      backOff.pause();
      try (Reconnection back = Reconnection.open(dialer, migration, way)) {
        Standing standing = back.standing(ANSWER);
        if (standing.decided() || goOn(back, standing)) {
          return standing.decided() ? standing : Standing.at(Standing.State.SETTLED);
        }
        why = new MigrationException(PEER_UNREACHABLE, standing.reason());
      } catch (MigrationException e) {
        why = e;
      }
    }
  }

  /** Serves the destination over its new connection to the end; false: it can't tell yet. */
  private boolean goOn(Reconnection back, Standing standing) {
    if (standing.state() == Standing.State.UNKNOWN) {
      return false;
    }
    try (ArtifactSender push = back.openBulk(bandwidth, artifacts, progress::moved);
        ArtifactSender urgent = back.openBulk(bandwidth, artifacts, progress::moved)) {
      progress.enter(
          Phase.POST_COPY, "The service runs at the destination; its memory follows again.");
      rest.start(push, urgent, back::close);
      back.expect(Message.Settled.class, SILENCE_LIMIT, rest::wanted);
      return true;
    }
  }
}
