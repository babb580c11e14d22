package io.pagurus.protocol;

import static io.pagurus.model.FailureCode.PEER_UNREACHABLE;
import static io.pagurus.model.FailureCode.TIMEOUT;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/**
 * Listens on a connection whatever its owner does meanwhile: only who listens hears
 * acknowledgements, and notices that a link is lost.
 */
public final class Ear implements AutoCloseable {
  private final FrameConnection connection;
  private final Predicate<Message> aside;
  private final BlockingQueue<Heard> heard = new LinkedBlockingQueue<>();
  private final Thread thread;

  /** What the peer said, or how its connection ended. */
  private sealed interface Heard {
    record Said(Message message) implements Heard {}

    record Ended(MigrationException how) implements Heard {}
  }

  private Ear(FrameConnection connection, String name, Predicate<Message> aside) {
    this.connection = connection;
    this.aside = aside;
    this.thread = Thread.ofVirtual().name("ear-" + name).unstarted(this::listen);
  }

  /**
   * Begins to listen; nobody else may read from here on.
   *
   * @param aside takes a message that nobody expects; false: it is none
   */
  public static Ear on(FrameConnection connection, String name, Predicate<Message> aside) {
    Ear ear = new Ear(connection, name, aside);
    ear.thread.start();
    return ear;
  }

  private void listen() {
    try {
      while (true) {
        Message message = connection.receive();
        switch (message) {
          // Nothing is worth coming back for after that.
          case Message.Refused(FailureCode code, String why) ->
              connection.release(new MigrationException(code, why));
          case Message.Aborted(FailureCode code, String why) ->
              connection.release(new MigrationException(code, why));
          default -> {}
        }
        if (!aside.test(message)) {
          heard.add(new Heard.Said(message));
        }
      }
    } catch (MigrationException e) {
      heard.add(new Heard.Ended(e));
    }
  }

  /** Lets whoever waits wait no longer. */
  public void end(MigrationException why) {
    heard.add(new Heard.Ended(why));
  }

  /**
   * Waits for this message.
   *
   * @throws MigrationException what the peer refused or why it gave up, or TIMEOUT
   */
  public <M extends Message> M expect(Class<M> type, Duration limit) {
    return connection.require(type, next(type, limit));
  }

  /**
   * Waits for the peer's word that it gave up or refused, whatever it has said before.
   *
   * @param limit for all of that: a service may stand still meanwhile
   * @return why it gave up
   * @throws MigrationException what it refused, how the connection ended, or TIMEOUT
   */
  public Message.Aborted expectTheEnd(Duration limit) {
    long since = System.nanoTime();
    Message message = next(Message.Aborted.class, limit);
    while (!(message instanceof Message.Aborted || message instanceof Message.Refused)) {
      Duration left = limit.minusNanos(System.nanoTime() - since);
      message = next(Message.Aborted.class, left);
    }
    return connection.require(Message.Aborted.class, message);
  }

  private Message next(Class<? extends Message> type, Duration limit) {
    try {
      return switch (heard.poll(limit.toMillis(), TimeUnit.MILLISECONDS)) {
        case Heard.Said(Message message) -> message;
        case Heard.Ended ended -> {
          // It ended for whoever asks next, too.
          heard.add(ended);
          throw new MigrationException(ended.how().code(), ended.how().getMessage(), ended.how());
        }
        case null ->
            throw new MigrationException(
                TIMEOUT,
                "The destination did not say %s within %d s."
                    .formatted(type.getSimpleName(), limit.toSeconds()));
      };
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new MigrationException(PEER_UNREACHABLE, "Interrupted.", e);
    }
  }

  @Override
  public void close() {
    connection.release();
    thread.interrupt();
  }
}
