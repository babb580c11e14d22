package io.pagurus.transfer;

import static io.pagurus.model.FailureCode.PROTOCOL;

import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Feeds an artifact to a consumer that wants to read a stream, on a thread of its own. */
public final class StreamSink implements ArtifactSink {
  private static final Logger log = LoggerFactory.getLogger(StreamSink.class);

  private static final byte[] END = new byte[0];
  private static final int DEPTH = 4;
  private static final Duration ABANDON_LIMIT = Duration.ofSeconds(10);

  /** Docker fills an archive up to 10 KiB; a chunk of it may be read ahead. */
  private static final long MAX_PADDING = 1 << 20;

  private final String name;
  private final BlockingQueue<byte[]> queue = new ArrayBlockingQueue<>(DEPTH);
  private final FutureTask<Void> consuming;
  private final Thread thread;
  private volatile boolean abandoned;

  /** Reads the stream to its end. */
  @FunctionalInterface
  public interface Consumer {
    void read(InputStream in) throws IOException;
  }

  public StreamSink(String name, Consumer consumer) {
    this.name = name;
    consuming =
        new FutureTask<>(
            () -> {
              QueueStream in = new QueueStream();
              consumer.read(in);
              in.drain();
              return null;
            });
    thread = Thread.ofVirtual().name("apply-" + name).start(consuming);
  }

  @Override
  public void accept(byte[] bytes, int length) throws IOException {
    put(java.util.Arrays.copyOf(bytes, length));
  }

  @Override
  public void finish() throws IOException {
    put(END);
    await();
  }

  /** Returns when the consumer has let go: what it writes to may be removed then. */
  @Override
  public void abandon() {
    abandoned = true;
    thread.interrupt();
    try {
      if (!thread.join(ABANDON_LIMIT)) {
        log.warn("{} does not stop", thread.getName());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void put(byte[] bytes) throws IOException {
    try {
      // The consumer may have failed: then nobody takes, and its failure is what matters.
      while (!queue.offer(bytes, 100, java.util.concurrent.TimeUnit.MILLISECONDS)) {
        if (consuming.isDone()) {
          await();
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("Interrupted while applying an artifact", e);
    }
  }

  private void await() throws IOException {
    try {
      consuming.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("Interrupted while applying an artifact", e);
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case IOException io -> throw io;
        case RuntimeException runtime -> throw runtime;
        default -> throw new IOException(e.getCause());
      }
    }
  }

  private final class QueueStream extends InputStream {
    private byte[] current = END;
    private int position;
    private boolean ended;

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
      if (length == 0) {
        return 0;
      }
      if (position == current.length && !next()) {
        return -1;
      }
      int part = Math.min(length, current.length - position);
      System.arraycopy(current, position, target, offset, part);
      position += part;
      return part;
    }

    private boolean next() throws IOException {
      if (ended) {
        return false;
      }
      try {
        current = queue.take();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException(abandoned ? "The artifact was abandoned" : "Interrupted", e);
      }
      position = 0;
      ended = current == END;
      return !ended;
    }

    /** A consumer may stop before the end (tar's padding); the rest must still be taken. */
    void drain() throws IOException {
      long rest = (long) current.length - position;
      while (next()) {
        rest += current.length;
        position = current.length;
        if (rest > MAX_PADDING) {
          throw new MigrationException(
              PROTOCOL,
              "The %s goes on for more than %d KiB after its end."
                  .formatted(name, MAX_PADDING >> 10));
        }
      }
    }
  }
}
