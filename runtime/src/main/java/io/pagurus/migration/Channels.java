package io.pagurus.migration;

import static io.pagurus.model.FailureCode.NOT_FOUND;
import static io.pagurus.model.FailureCode.PROTOCOL;
import static io.pagurus.model.FailureCode.UNAUTHORIZED;

import io.pagurus.model.MigrationException;
import io.pagurus.protocol.FrameConnection;
import io.pagurus.protocol.Message;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The connections of an arriving migration that outlive their links: what has arrived stays, and
 * waits for the source to go on with it. Until the commit, and no longer than the source wished.
 */
final class Channels {
  /** Whatever a source wishes: what it has left half sent holds memory here. */
  private static final Duration LONGEST = Duration.ofMinutes(15);

  /** A source opens three. */
  private static final int MOST = 16;

  private final Outage outage;
  private final Map<Integer, Channel> channels = new HashMap<>();
  private Duration longest = Duration.ZERO;
  private Optional<String> released = Optional.empty();

  private static final class Channel {
    final FrameConnection connection;
    long attempt;

    Channel(FrameConnection connection) {
      this.connection = connection;
    }
  }

  Channels(Progress progress) {
    this.outage = new Outage(progress, "Waiting for the source; what has arrived stays.");
  }

  /**
   * Keeps a connection, if its source wishes so.
   *
   * @throws MigrationException PROTOCOL when there is one of that number, or too many
   */
  synchronized void keep(Message.Hello hello, FrameConnection connection) {
    if (hello.keepMillis() <= 0 || released.isPresent()) {
      return;
    }
    if (channels.size() >= MOST
        || channels.putIfAbsent(hello.channel(), new Channel(connection)) != null) {
      throw new MigrationException(
          PROTOCOL, "There is a connection of this number already, or too many.");
    }
    Duration limit = Duration.ofMillis(Math.min(hello.keepMillis(), LONGEST.toMillis()));
    longest = limit.compareTo(longest) > 0 ? limit : longest;
    connection.keep((kept, how) -> await(kept, how, limit));
  }

  private void await(FrameConnection connection, MigrationException how, Duration limit) {
    outage.lost(how.getMessage());
    boolean back = connection.awaitLink(limit);
    outage.over(back);
    if (!back) {
      throw how;
    }
  }

  /** How long the source may say nothing. */
  synchronized Duration patience() {
    return longest.isZero() || released.isPresent()
        ? Heartbeat.PATIENT
        : longest.plus(Heartbeat.SUSPICIOUS.multipliedBy(2));
  }

  /**
   * Goes on with a connection over a new link; returns when that one is lost as well.
   *
   * @param fresh let in by a proof for this attempt
   * @throws MigrationException NOT_FOUND when there is nothing to go on with, UNAUTHORIZED for an
   *     attempt that is not newer than the last
   */
  void resume(Message.Resume resume, FrameConnection fresh) {
    channel(resume)
        .connection
        .adopt(
            fresh,
            resume.heard(),
            held ->
                Optional.of(new Message.Continued(held.frames(), held.artifact(), held.bytes())));
    fresh.awaitLost();
  }

  private synchronized Channel channel(Message.Resume resume) {
    released.ifPresent(
        why -> {
          throw new MigrationException(NOT_FOUND, why);
        });
    Channel channel = channels.get(resume.channel());
    if (channel == null) {
      throw new MigrationException(NOT_FOUND, "This migration has no connection of that number.");
    }
    if (resume.attempt() <= channel.attempt) {
      throw new MigrationException(UNAUTHORIZED, "This attempt has been made before.");
    }
    channel.attempt = resume.attempt();
    return channel;
  }

  /** Lets go of links that seem dead, so that others can take their place. */
  synchronized void drop() {
    channels.values().forEach(channel -> channel.connection.drop());
  }

  /**
   * From here on each ends with its link.
   *
   * @param why a sentence for a source that returns nevertheless
   */
  synchronized void release(String why) {
    if (released.isEmpty()) {
      released = Optional.of(why);
      channels.values().forEach(channel -> channel.connection.release());
    }
  }
}
