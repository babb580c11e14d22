package io.pagurus.transfer;

import io.pagurus.protocol.FrameConnection;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.trust.Identity;
import io.pagurus.trust.PeerDialer;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;

/**
 * What TLS costs: sends the same incompressible bytes through the runtime's own transport (digest,
 * frames, acknowledgement) over loopback connections with TLS and without, in turns, once as fast
 * as the machine can and once at the rate of a link. {@code benchmarks/tls.sh} runs it.
 *
 * <p>It lies among the tests: production has no way to a connection without TLS.
 */
public final class TlsShare {
  private static final int PIECE_BYTES = 1 << 20;
  private static final int WARM_UP = 6;

  /** Until the ciphers are compiled. */
  private static final int WARM_UP_MEBIBYTES = 2048;

  private static final Duration LIMIT = Duration.ofSeconds(10);

  private final Identity identity;
  private final byte[] noise = new byte[PIECE_BYTES];

  private TlsShare(Path directory) {
    identity = Identity.loadOrCreate(directory);
    new SplittableRandom(1).nextBytes(noise);
  }

  /**
   * @param arguments a directory for a key, MiB per transfer, pairs of transfers, then limits in
   *     Mbit/s (0: none)
   */
  public static void main(String[] arguments) throws IOException {
    var share = new TlsShare(Path.of(arguments[0]));
    int mebibytes = Integer.parseInt(arguments[1]);
    int pairs = Integer.parseInt(arguments[2]);
    System.out.printf(
        "%d pairs of %d MiB each, in turns; medians with the middle half in brackets%n",
        pairs, mebibytes);
    System.out.println("| link | plain, ms | TLS, ms | TLS, ms per GiB | share of the time |");
    System.out.println("|---|---|---|---|---|");
    for (int at = 3; at < arguments.length; at++) {
      long megabits = Long.parseLong(arguments[at]);
      if (megabits > 0) {
        long seconds = 2L * pairs * mebibytes * 8 * (1 << 20) / (megabits * 1_000_000);
        System.err.printf("%d Mbit/s: takes some %d s once ciphers are warm%n", megabits, seconds);
      }
      share.transfers(mebibytes, pairs, megabits);
    }
    share.handshakes(pairs * 10);
  }

  private void transfers(int mebibytes, int pairs, long megabits) throws IOException {
    try (Line plain = Line.plain(Bandwidth.unlimited());
        Line tls = Line.tls(identity, Bandwidth.unlimited())) {
      for (int round = 0; round < WARM_UP_MEBIBYTES / mebibytes + WARM_UP; round++) {
        long _ = send(plain, mebibytes);
        long _ = send(tls, mebibytes);
      }
    }
    try (Line plain = Line.plain(bandwidth(megabits));
        Line tls = Line.tls(identity, bandwidth(megabits))) {
      long _ = send(plain, mebibytes);
      long _ = send(tls, mebibytes);
      long[] without = new long[pairs];
      long[] with = new long[pairs];
      for (int pair = 0; pair < pairs; pair++) {
        // Whoever is second finds a warmer or a hotter machine: so they take turns.
        boolean plainFirst = pair % 2 == 0;
        if (plainFirst) {
          without[pair] = send(plain, mebibytes);
        }
        with[pair] = send(tls, mebibytes);
        if (!plainFirst) {
          without[pair] = send(plain, mebibytes);
        }
      }
      double cost = median(with) - median(without);
      System.out.printf(
          "| %s | %s | %s | %.0f | %.1f %% |%n",
          megabits == 0 ? "loopback, no limit" : megabits + " Mbit/s",
          text(without),
          text(with),
          cost / 1e6 * 1024 / mebibytes,
          100 * cost / median(with));
    }
  }

  /** From dialling to the first byte of the answer: a migration does so three times. */
  private void handshakes(int pairs) {
    long[] without = new long[pairs];
    long[] with = new long[pairs];
    for (int pair = -WARM_UP * 10; pair < pairs; pair++) {
      long plain = time(() -> Line.plain(Bandwidth.unlimited()));
      long tls = time(() -> Line.tls(identity, Bandwidth.unlimited()));
      if (pair >= 0) {
        without[pair] = plain;
        with[pair] = tls;
      }
    }
    System.out.printf(
        "Opening a connection: plain %s ms, TLS with both certificates %s ms; a migration opens three, none of them in the freeze window.%n",
        text(without), text(with));
  }

  private interface Opening {
    Line open() throws IOException;
  }

  private static long time(Opening opening) {
    long since = System.nanoTime();
    try (Line line = opening.open()) {
      line.ping();
      return System.nanoTime() - since;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Bandwidth bandwidth(long megabits) {
    return megabits == 0 ? Bandwidth.unlimited() : Bandwidth.of(megabits * 1_000_000 / 8);
  }

  /** Nanoseconds until the receiver has had it all. */
  private long send(Line line, int mebibytes) {
    long since = System.nanoTime();
    line.sender.awaitReceived(
        line.sender.send(
            Kind.CHECKPOINT,
            "",
            artifact -> {
              try (OutputStream out = artifact.stream()) {
                for (int piece = 0; piece < mebibytes; piece++) {
                  out.write(noise);
                }
              }
            }));
    return System.nanoTime() - since;
  }

  private static double median(long[] nanos) {
    return quantile(nanos, 0.5);
  }

  private static double quantile(long[] nanos, double part) {
    long[] sorted = LongStream.of(nanos).sorted().toArray();
    return sorted[(int) Math.round(part * (sorted.length - 1))];
  }

  private static String text(long[] nanos) {
    double milli = TimeUnit.MILLISECONDS.toNanos(1);
    return "%.1f (%.1f–%.1f)"
        .formatted(
            median(nanos) / milli, quantile(nanos, 0.25) / milli, quantile(nanos, 0.75) / milli);
  }

  /** A connection whose other end throws everything away and acknowledges it. */
  private record Line(Socket here, ArtifactSender sender) implements AutoCloseable {

    static Line plain(Bandwidth bandwidth) throws IOException {
      try (var listener = listen()) {
        var here = new Socket(listener.getInetAddress(), listener.getLocalPort());
        here.setTcpNoDelay(true);
        Socket there = listener.accept();
        Thread.ofVirtual().start(() -> drain(there));
        return of(here, bandwidth);
      }
    }

    static Line tls(Identity identity, Bandwidth bandwidth) throws IOException {
      try (var listener = listen()) {
        Thread.ofVirtual().start(() -> drain(secured(listener, identity)));
        return of(
            new PeerDialer(LIMIT, identity)
                .dial((InetSocketAddress) listener.getLocalSocketAddress(), identity.fingerprint()),
            bandwidth);
      }
    }

    private static Socket secured(ServerSocket listener, Identity identity) {
      try {
        return identity.secure(listener.accept());
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    private static ServerSocket listen() throws IOException {
      return new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
    }

    private static Line of(Socket here, Bandwidth bandwidth) throws IOException {
      FrameConnection frames =
          FrameConnection.dialled(here.getInputStream(), here.getOutputStream());
      return new Line(
          here, new ArtifactSender(frames, here, bandwidth, new AtomicInteger(), bytes -> {}));
    }

    private static void drain(Socket socket) {
      try (socket) {
        socket.setTcpNoDelay(true);
        var receiver =
            new ArtifactReceiver(
                FrameConnection.accepted(socket.getInputStream(), socket.getOutputStream()),
                new Nowhere(),
                bytes -> {});
        boolean more = true;
        while (more) {
          more = receiver.receiveNext();
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    void ping() {
      sender.awaitReceived(sender.send(Kind.CHECKPOINT, "", artifact -> {}));
    }

    @Override
    public void close() throws IOException {
      here.close();
    }
  }

  private static final class Nowhere implements ArtifactReceiver.Stage {
    @Override
    public ArtifactSink open(Message.ArtifactBegin begin) {
      return new ArtifactSink() {
        @Override
        public void accept(byte[] bytes, int length) {}

        @Override
        public void finish() {}

        @Override
        public void abandon() {}
      };
    }

    @Override
    public void received(int number, String digest) {}
  }
}
