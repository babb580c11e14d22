package io.pagurus.migration;

import io.pagurus.transfer.ArtifactSender;
import io.pagurus.transfer.LinkProbe;
import java.util.concurrent.Future;

/**
 * The two connections that a service travels on, opened side by side while the destination still
 * looks at the plan.
 */
final class BulkConnections implements AutoCloseable {
  private final Future<ArtifactSender> first;
  private final Future<ArtifactSender> second;
  private final String migration;

  BulkConnections(String migration, Reading<ArtifactSender> opening) {
    this.migration = migration;
    first = Reading.begin("bulk-1-" + migration, opening);
    second = Reading.begin("bulk-2-" + migration, opening);
  }

  /** What memory travels on. */
  ArtifactSender first() {
    return Reading.join(first);
  }

  /** What everything else travels on. */
  ArtifactSender second() {
    return Reading.join(second);
  }

  /**
   * Begins to measure what the link carries, on the second one; takes some 0.1 s. Not while both
   * sides are busy with connecting and planning: on a small machine that halves the figure.
   */
  Future<LinkProbe> probe() {
    return Reading.begin("probe-" + migration, () -> LinkProbe.of(second()));
  }

  /** Returns when nobody uses them any more. */
  @Override
  public void close() {
    close(first);
    close(second);
  }

  private static void close(Future<ArtifactSender> connection) {
    try {
      Reading.join(connection).close();
    } catch (RuntimeException e) {
      // It was never opened, which whoever needed it has heard.
    }
  }
}
