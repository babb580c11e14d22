package io.pagurus.e2e;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.pagurus.trust.Identity;
import io.pagurus.trust.PeerDialer;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;

/**
 * Sits between two runtimes with the keys of both, so that it can read what they say, and loses the
 * link right before or right after a message.
 */
final class LosingProxy implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** The magic of a connection, and the header of a frame; {@code protocol/Frame.java}. */
  private static final int MAGIC_BYTES = 4;

  private static final int HEADER_BYTES = 12;
  private static final int MESSAGE = 1;

  /** Until a message that went through has surely been read. */
  private static final Duration READ = Duration.ofMillis(100);

  private static final Duration LIMIT = Duration.ofSeconds(5);

  /**
   * What is to be lost.
   *
   * @param arrives whether only what follows it is lost, its reply among that
   * @param away so long no new connection gets through
   */
  record Loss(Word word, boolean arrives, Duration away) {}

  private final Identity source;
  private final Identity destination;
  private final InetSocketAddress target;
  private final ServerSocket server;
  private final Queue<Loss> losses;
  private final Set<String> said = new HashSet<>();
  private Cable cable = new Cable();
  private long lostAt = System.nanoTime();
  private Duration away = Duration.ZERO;

  /**
   * @param source whose certificate the destination sees
   * @param destination whose certificate the source sees
   * @param losses one after the other, each at the next such message
   */
  LosingProxy(Identity source, Identity destination, InetSocketAddress target, List<Loss> losses) {
    this.source = source;
    this.destination = destination;
    this.target = target;
    this.losses = new ArrayDeque<>(losses);
    try {
      server = new ServerSocket(0);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Thread.ofVirtual().name("losing proxy").start(this::accept);
  }

  int port() {
    return server.getLocalPort();
  }

  /** When the link was lost last, System.nanoTime; nothing while a loss is still to come. */
  synchronized Optional<Long> lostAt() {
    return losses.isEmpty() ? Optional.of(lostAt) : Optional.empty();
  }

  /** All connections between two losses. */
  private static final class Cable {
    private final Set<Socket> ends = new HashSet<>();
    private boolean lost;

    /** Whether what is on it still counts. */
    synchronized boolean carries() {
      return !lost;
    }

    synchronized void add(Socket end) throws IOException {
      if (lost) {
        end.close();
      }
      ends.add(end);
    }

    synchronized void lose() {
      lost = true;
    }

    synchronized void close() {
      ends.forEach(LosingProxy::close);
    }
  }

  /** At once, whoever writes to it. */
  private static void close(Socket socket) {
    try (socket) {
      socket.setSoLinger(true, 0);
    } catch (IOException e) {
      // Closed either way.
    }
  }

  private void accept() {
    try {
      while (true) {
        Socket client = server.accept();
        Optional<Cable> over = present();
        over.ifPresentOrElse(
            some -> Thread.ofVirtual().start(() -> join(client, some)), () -> close(client));
      }
    } catch (IOException e) {
      // Closed.
    }
  }

  private synchronized Optional<Cable> present() {
    return System.nanoTime() - lostAt < away.toNanos() ? Optional.empty() : Optional.of(cable);
  }

  private void join(Socket client, Cable over) {
    try {
      over.add(client);
      Socket from = destination.secure(client);
      byte[] magic = from.getInputStream().readNBytes(MAGIC_BYTES);
      Socket to = new PeerDialer(LIMIT, source).dial(target, destination.fingerprint());
      over.add(to);
      to.getOutputStream().write(magic);
      Thread.ofVirtual().start(() -> pass(to, from, over));
      pass(from, to, over);
    } catch (IOException | RuntimeException e) {
      close(client);
    }
  }

  private void pass(Socket from, Socket to, Cable over) {
    try (from;
        to) {
      var in = new DataInputStream(from.getInputStream());
      while (true) {
        byte[] header = in.readNBytes(HEADER_BYTES);
        if (header.length < HEADER_BYTES) {
          return;
        }
        int length = ByteBuffer.wrap(header).getInt(8);
        byte[] frame = Arrays.copyOf(header, HEADER_BYTES + length);
        in.readFully(frame, HEADER_BYTES, length);
        pass(frame, to.getOutputStream(), over);
      }
    } catch (IOException e) {
      // One side hung up, or the link is lost.
    }
  }

  private void pass(byte[] frame, OutputStream to, Cable over) throws IOException {
    Optional<Loss> due = due(frame, over);
    if (due.isEmpty()) {
      if (over.carries()) {
        to.write(frame);
      }
      return;
    }
    if (due.get().arrives()) {
      to.write(frame);
      try {
        Thread.sleep(READ);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
    over.close();
  }

  /** Whether this is the message to lose; from then on nothing else gets through. */
  private synchronized Optional<Loss> due(byte[] frame, Cable over) {
    String type = type(frame);
    Optional<Loss> due =
        Optional.ofNullable(losses.peek())
            .filter(loss -> over.carries() && type.equals(loss.word().type()))
            .filter(
                loss ->
                    loss.word()
                        .since()
                        .map(Word::type)
                        .filter(one -> !said.contains(one))
                        .isEmpty());
    said.add(type);
    due.ifPresent(
        loss -> {
          losses.remove();
          over.lose();
          cable = new Cable();
          lostAt = System.nanoTime();
          away = loss.away();
        });
    return due;
  }

  private static String type(byte[] frame) {
    if (frame[0] != MESSAGE) {
      return "";
    }
    try {
      return JSON.readTree(frame, HEADER_BYTES, frame.length - HEADER_BYTES).path("type").asText();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public synchronized void close() {
    try {
      server.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    cable.close();
  }
}
