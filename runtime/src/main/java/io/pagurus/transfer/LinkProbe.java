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
  private static final int FIRST_BYTES = 512 << 10;
  private static final int MOST_BYTES = 12 << 20;

  /** How long the measurement proper should take: beyond a token bucket's burst on usual links. */
  private static final long AIM_NANOS = TimeUnit.MILLISECONDS.toNanos(80);

  private static final int PINGS = 3;

  /** The most that one probe may be; a peer refuses more. */
  public static final long LIMIT_BYTES = MOST_BYTES;

  /** Measures; takes some 100 ms. */
  public static LinkProbe of(ArtifactSender sender) {
    long roundTrip = Long.MAX_VALUE;
    for (int ping = 0; ping < PINGS; ping++) {
      roundTrip = Math.min(roundTrip, send(sender, 0));
    }
    long first = send(sender, FIRST_BYTES);
    double rate = rate(FIRST_BYTES, first, roundTrip);
    int bytes =
        (int) Math.clamp(rate * AIM_NANOS / TimeUnit.SECONDS.toNanos(1), FIRST_BYTES, MOST_BYTES);
    return new LinkProbe(roundTrip, rate(bytes, send(sender, bytes), roundTrip));
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
