package io.pagurus.migration;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.transfer.ArtifactSink;
import io.pagurus.transfer.LinkProbe;

/** Throws probes of one migration away, up to their limits. */
final class Probes {
  /**
   * A measurement takes some dozens on the fastest of links, and there is one per migration, or one
   * more after each of a few lost connections.
   */
  private static final int MOST = 4096;

  /** What the fastest of links carries in some measurements. */
  private static final long MOST_BYTES = 16L << 30;

  private int count;
  private long all;

  /**
   * The place of the next one.
   *
   * @throws MigrationException PROTOCOL when there were too many
   */
  synchronized ArtifactSink next() {
    count++;
    if (count > MOST) {
      throw new MigrationException(
          FailureCode.PROTOCOL, "More than %d probes came.".formatted(MOST));
    }
    return new Sink();
  }

  private synchronized void count(int length) {
    all += length;
    if (all > MOST_BYTES) {
      throw new MigrationException(
          FailureCode.PROTOCOL, "All probes are longer than %d GiB.".formatted(MOST_BYTES >> 30));
    }
  }

  private final class Sink implements ArtifactSink {
    private long bytes;

    @Override
    public void accept(byte[] chunk, int length) {
      bytes += length;
      if (bytes > LinkProbe.LIMIT_BYTES) {
        throw new MigrationException(
            FailureCode.PROTOCOL,
            "A probe is longer than %d MiB.".formatted(LinkProbe.LIMIT_BYTES >> 20));
      }
      count(length);
    }

    @Override
    public void finish() {}

    @Override
    public void abandon() {}
  }
}
