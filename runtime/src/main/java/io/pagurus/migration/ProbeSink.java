package io.pagurus.migration;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.transfer.ArtifactSink;
import io.pagurus.transfer.LinkProbe;

/** Throws a probe away, up to its limit. */
final class ProbeSink implements ArtifactSink {
  private long bytes;

  @Override
  public void accept(byte[] chunk, int length) {
    bytes += length;
    if (bytes > LinkProbe.LIMIT_BYTES) {
      throw new MigrationException(
          FailureCode.PROTOCOL,
          "A probe is longer than %d MiB.".formatted(LinkProbe.LIMIT_BYTES >> 20));
    }
  }

  @Override
  public void finish() {}

  @Override
  public void abandon() {}
}
