package io.pagurus.checkpoint;

import io.pagurus.model.KeptService;
import io.pagurus.model.StartOptions;
import java.util.List;
import java.util.Optional;

/** What the API may ask about services in their normal life. Every method from any thread. */
public interface Keeping {
  /** All services with start options, by name. */
  List<KeptService> list();

  /**
   * One service with start options.
   *
   * @param service name or id
   * @throws io.pagurus.model.MigrationException NOT_FOUND when there is no such service, or it has
   *     none
   */
  KeptService find(String service);

  /**
   * Sets options, which hold from now on instead of the container's labels.
   *
   * @param passphrase that seals its checkpoints from now on; kept in memory only. Empty: no change
   * @throws io.pagurus.model.MigrationException NOT_FOUND, USAGE, or NOT_MIGRATABLE for a service
   *     that the engine removes when it ends
   */
  KeptService change(String service, StartOptions.Change change, Optional<String> passphrase);

  /**
   * Takes the options and the checkpoints of a service away and gives it back to the engine.
   *
   * @throws io.pagurus.model.MigrationException NOT_FOUND
   */
  void forget(String service);

  /**
   * Takes a checkpoint now and waits for it.
   *
   * @throws io.pagurus.model.MigrationException NOT_FOUND, BUSY while it migrates, or why it cannot
   *     be taken
   */
  KeptService checkpoint(String service);
}
