package io.pagurus.migration;

import io.pagurus.transfer.ArtifactSender;
import io.pagurus.transfer.LinkProbe;
import java.util.concurrent.Future;

/**
 * The two connections that a service travels on. They are opened side by side, and the second one
 * measures the link, while the destination still looks at the plan.
 */
final class BulkConnections implements AutoCloseable {
  private final Future<ArtifactSender> first;
  private final Future<ArtifactSender> second;
  private final Future<LinkProbe> link;

  BulkConnections(String migration, Reading<ArtifactSender> opening) {
    first = Reading.begin("bulk-1-" + migration, opening);
    second = Reading.begin("bulk-2-" + migration, opening);
    link = Reading.begin("probe-" + migration, () -> LinkProbe.of(second()));
  }

  /** What memory travels on. */
  ArtifactSender first() {
    return Reading.join(first);
  }

  /** What everything else travels on. */
  ArtifactSender second() {
    return Reading.join(second);
  }

  /** What the link carries; takes some 0.1 s from the beginning. */
  Future<LinkProbe> link() {
    return link;
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
