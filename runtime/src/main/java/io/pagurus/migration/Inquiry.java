package io.pagurus.migration;

import static io.pagurus.protocol.Message.Standing.State.RESTORING;
import static io.pagurus.protocol.Message.Standing.State.RESUMED;

import io.pagurus.journal.WayBack;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.Message;
import io.pagurus.trust.PeerDialer;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks the destination of a committed migration how it stands, again and again: the answer alone
 * tells which copy of the service may run.
 */
final class Inquiry {
  private static final Logger log = LoggerFactory.getLogger(Inquiry.class);

  private static final Duration ANSWER = Duration.ofSeconds(5);

  /** A destination that starts again knows more in a moment; one that does not after this won't. */
  private static final Duration RECOVERING = Duration.ofSeconds(30);

  static final Duration FOR_EVER = ChronoUnit.FOREVER.getDuration();

  /** Somebody waits for a service that runs nowhere, and most links are back at once. */
  private static final Duration FIRST_PAUSE = Duration.ofMillis(100);

  /** So long it may take to notice that a link is back; so often a dead one costs a packet. */
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(5);

  private final PeerDialer dialer;
  private final String migration;
  private final WayBack way;
  private String lastWords = "";

  Inquiry(PeerDialer dialer, String migration, WayBack way) {
    this.dialer = dialer;
    this.migration = migration;
    this.way = way;
  }

  /** The same for as long as it takes there. */
  Optional<Message.Standing> ask(Duration patience) throws InterruptedException {
    return ask(patience, FOR_EVER);
  }

  /**
   * Asks until the migration is decided there, or waits for pages that only the source has.
   *
   * @param patience with a destination that does not answer, or cannot tell
   * @param most altogether, with one that says that it is at it
   * @return decided or RESUMED; empty when patience ran out
   */
  Optional<Message.Standing> ask(Duration patience, Duration most) throws InterruptedException {
    long begunAt = System.nanoTime();
    long heardAt = begunAt;
    BackOff backOff = new BackOff(FIRST_PAUSE, LONGEST_PAUSE);
    while (true) {
      Optional<Message.Standing> answer = askOnce();
      if (answer.filter(said -> said.decided() || said.state() == RESUMED).isPresent()) {
        return answer;
      }
      boolean atIt = answer.filter(said -> said.state() == RESTORING).isPresent();
      if (atIt) {
        heardAt = System.nanoTime();
      }
      if (atIt || (answer.isPresent() && since(begunAt).compareTo(RECOVERING) < 0)) {
        backOff.reset();
      }
      if (since(heardAt).compareTo(patience) >= 0 || since(begunAt).compareTo(most) >= 0) {
        return Optional.empty();
      }
      backOff.pause();
    }
  }

  private static Duration since(long nanos) {
    return Duration.ofNanos(System.nanoTime() - nanos);
  }

  private Optional<Message.Standing> askOnce() {
    try (Reconnection destination = Reconnection.open(dialer, migration, way)) {
      Message.Standing standing = destination.standing(ANSWER);
      say("%s %s".formatted(standing.state(), standing.reason()));
      return Optional.of(standing);
    } catch (MigrationException e) {
      say(e.getMessage());
      return Optional.empty();
    }
  }

  /** Only what is new: this may go on for days. */
  private void say(String words) {
    if (!words.equals(lastWords)) {
      log.warn("The destination's answer on migration {}: {}", migration, words);
      lastWords = words;
    }
  }
}
