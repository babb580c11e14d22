package io.pagurus.engine;

import io.pagurus.model.Belongings;
import io.pagurus.model.Capability;
import io.pagurus.model.ServiceSummary;
import io.pagurus.policy.Policy;
import io.pagurus.protocol.Features;
import io.pagurus.protocol.Message;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * An engine that runs services. Every method throws {@link io.pagurus.model.MigrationException}
 * with ENGINE_UNAVAILABLE when the engine does not answer.
 */
public interface ContainerEngine {

  /** All services, running or not, without the migration that owns them. */
  List<ServiceSummary> services();

  /** The last lines of a service's log. */
  List<String> log(String service, int lines);

  /** What this machine offers; cheap enough for every preflight. */
  Features features();

  /**
   * Where memory may lie, sealed, that the staging tmpfs has no room for; empty: nowhere, since
   * what is restored must lie in plain files.
   */
  default Optional<PageSpill> spill() {
    return Optional.empty();
  }

  /**
   * A place for sealed memory.
   *
   * @param disk a directory there
   * @param keptBytes what stays free in the tmpfs for files that must be plain
   */
  record PageSpill(Path disk, long keptBytes) {}

  /** Everything that migration needs or profits from, probed now. */
  List<Capability> capabilities();

  /**
   * What may arrive here, as it holds now: whoever asks twice may hear two answers.
   *
   * @throws io.pagurus.model.MigrationException FORBIDDEN when the operator's file has a mistake
   */
  Policy policy();

  /**
   * Looks a running service up in order to move it away; touches nothing.
   *
   * @param service name or id
   * @param skipBinds destinations of bind mounts that may stay behind
   * @throws io.pagurus.model.MigrationException NOT_FOUND when there is no such service
   */
  Departure depart(String service, List<String> skipBinds);

  /**
   * Everything that would keep the service from arriving here, the {@link #policy} first; touches
   * nothing. A plan comes from anybody: one that the policy refuses is not looked at any further.
   *
   * @return whether it could, and what is here already
   */
  Message.Verdict check(Message.ServicePlan plan);

  /** Prepares the arrival of a service; nothing is created before {@link Arrival#prepare}. */
  Arrival arrive(Message.ServicePlan plan, Path staging);

  /**
   * Writes those layers of an image that the other side lacks.
   *
   * @param chainIds what the other side has
   * @return bytes written
   */
  long exportImage(String imageId, Set<String> chainIds, OutputStream out) throws IOException;

  /** Loads what {@link #exportImage} wrote; the image must be there afterwards. */
  void importImage(String imageId, InputStream in) throws IOException;

  /** Ends what an earlier run of this runtime left in the middle of a start or of a dump. */
  void sweep();

  /**
   * Thaws a service that an earlier run of this runtime left frozen; does nothing where it runs.
   * One whose processes died with this outer container is started afresh if its restart policy says
   * so.
   *
   * @return since when it runs; empty when it does not
   */
  Optional<Instant> thawLeftover(String containerId);

  /** Removes a service that has left, with what only it used; does nothing once it is gone. */
  void retireLeftover(String containerId);

  /**
   * Ends whatever runs of an arrival of an earlier run, or is about to; returns when nothing does.
   *
   * @throws java.io.UncheckedIOException when something goes on
   */
  void stopLeftover(String containerId);

  /**
   * Removes what an arrival of an earlier run left behind, even if it runs.
   *
   * @param migration that it arrived by
   * @param containerId empty when it is not known
   */
  void removeLeftover(String migration, String containerId, Belongings belongings);

  /**
   * Keeps a container that an earlier run restored, if it runs: writes its files to the disk.
   *
   * @return whether it runs
   */
  boolean adoptLeftover(String containerId);

  /** Names the present life of all processes here: another one after they were killed together. */
  String epoch();
}
