package io.pagurus.transfer;

import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.transfer.ArtifactSender.Sent;
import java.io.OutputStream;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;

/**
 * What a bulk connection carries, found by sending noise that the peer throws away. It passes
 * through the same digest, encryption and bandwidth limit as memory does, so on a fast link it is
 * these that are measured, which is what counts.
 *
 * @param roundTripNanos from an empty artifact to its acknowledgement, ns
 * @param bytesPerSecond of bytes that do not shrink
 */
public record LinkProbe(long roundTripNanos, double bytesPerSecond) {
  private static final int FIRST_BYTES = 128 << 10;
  private static final int MOST_BYTES = 8 << 20;
  private static final int GROWTH = 4;

  /** How long it should take: beyond a token bucket's burst, and a slow start, on usual links. */
  private static final long AIM_NANOS = TimeUnit.MILLISECONDS.toNanos(60);

  /** A link that needs this long for the first pieces is slow, and need not be measured better. */
  private static final long LONGEST_NANOS = TimeUnit.SECONDS.toNanos(1);

  /** One stall of a busy machine must not decide. */
  private static final int PIECES = 3;

  private static final int PINGS = 3;

  /**
   * What may wait in a queue before a page that is wanted at once: so long, beyond a round trip.
   */
  private static final double QUEUE_SECONDS = 0.002;

  private static final int LEAST_QUEUE_BYTES = 64 << 10;

  /** For a link that nobody has measured: 2 ms at 1 Gbit/s. */
  public static final int USUAL_QUEUE_BYTES = 256 << 10;

  /** The most that one piece may be; a peer refuses more. */
  public static final long LIMIT_BYTES = MOST_BYTES;

  /**
   * Measures with pieces that grow, of which the last one counts, sent twice; takes some 0.15 s.
   */
  public static LinkProbe of(ArtifactSender sender) {
    long roundTrip = Long.MAX_VALUE;
    for (int ping = 0; ping < PINGS; ping++) {
      roundTrip = Math.min(roundTrip, send(sender, 0));
    }
    long taken = 0;
    double rate = 0;
    int bytes = FIRST_BYTES;
    int last = bytes;
    for (int piece = 1; taken < (piece <= PIECES ? LONGEST_NANOS : AIM_NANOS); piece++) {
      long nanos = send(sender, bytes);
      taken += nanos;
      rate = rate(bytes, nanos, roundTrip);
      last = bytes;
      bytes = Math.min(MOST_BYTES, GROWTH * bytes);
    }
    if (taken < LONGEST_NANOS) {
      // A busy machine makes a link seem slower, never faster.
      rate = Math.max(rate, rate(last, send(sender, last), roundTrip));
    }
    return new LinkProbe(roundTrip, rate);
  }

  /**
   * How much may be on its way at once without keeping the link idle: more would only stand in a
   * queue, and let whatever else uses the link wait. Bytes, at least 64 KiB.
   */
  public int queueBytes() {
    double seconds = (double) roundTripNanos / TimeUnit.SECONDS.toNanos(1) + QUEUE_SECONDS;
    return (int) Math.clamp(bytesPerSecond * seconds, LEAST_QUEUE_BYTES, MOST_BYTES);
  }

  private static double rate(int bytes, long nanos, long roundTrip) {
    long onTheWay = Math.max(nanos - roundTrip, nanos / 4);
    return (double) bytes * TimeUnit.SECONDS.toNanos(1) / Math.max(1, onTheWay);
  }

  /** Nanoseconds until the peer had them. */
  private static long send(ArtifactSender sender, int bytes) {
    byte[] noise = new byte[Math.min(bytes, ArtifactSender.CHUNK_BYTES)];
    new SplittableRandom(bytes).nextBytes(noise);
    long since = System.nanoTime();
    Sent sent =
        sender.send(
            Kind.PROBE,
            "",
            artifact -> {
              try (OutputStream out = artifact.stream()) {
                for (int left = bytes; left > 0; left -= noise.length) {
                  out.write(noise, 0, Math.min(left, noise.length));
                }
              }
            });
    sender.awaitReceived(sent);
    return System.nanoTime() - since;
  }
}
