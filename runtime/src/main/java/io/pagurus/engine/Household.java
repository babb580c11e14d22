package io.pagurus.engine;

import io.pagurus.protocol.Message;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * The services of an engine in their normal life: whether they run, how they ended, and how they
 * begin again. Methods throw {@link io.pagurus.model.MigrationException} with ENGINE_UNAVAILABLE
 * when the engine does not answer.
 */
public interface Household {
  /** Everybody, running or not, in one call that waits for nobody. */
  List<Inhabitant> inhabitants();

  /**
   * A service.
   *
   * @param state the engine's word: running, paused, exited, created, ...
   */
  record Inhabitant(String id, String name, Map<String, String> labels, String state) {
    /** Whether its processes have ended. */
    public boolean ended() {
      return state.equals("exited") || state.equals("dead");
    }
  }

  /** How a service ended whose processes have ended. */
  Ending ending(String containerId);

  /**
   * How a service ended.
   *
   * @param onPurpose somebody told the engine to stop or kill it, and it did not run since
   * @param run names this run of it: another one ends with another word
   * @param livedMs how long it had run, ms
   */
  record Ending(boolean onPurpose, int exitCode, String run, long livedMs) {}

  /**
   * Keeps the engine from starting it again by itself.
   *
   * @return what its restart policy was, for {@link #release}; empty when it had none
   * @throws io.pagurus.model.MigrationException NOT_MIGRATABLE for a service that the engine
   *     removes when it ends
   */
  String takeOver(String containerId);

  /** Gives a service its restart policy back. */
  void release(String containerId, String restartPolicy);

  /** Starts it as the engine would. */
  void start(String containerId);

  /** Volumes of this service that others have mounted too, running or not. */
  List<String> sharedVolumes(String containerId);

  /**
   * Prepares the return of a service, whose processes have ended, to an earlier state: the same
   * container, its files as they were. Until {@link Arrival#settle} the files that it has now are
   * kept aside, and {@link Arrival#abandon} puts them back.
   *
   * @param plan as it was then
   */
  Arrival comeBack(Message.ServicePlan plan, String containerId, Path staging);

  /** Takes back a return that an earlier run of this runtime left in the middle. */
  void undoReturn(String containerId);
}
