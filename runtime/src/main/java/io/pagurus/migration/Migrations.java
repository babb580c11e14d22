package io.pagurus.migration;

import io.pagurus.model.Capability;
import io.pagurus.model.Keep;
import io.pagurus.model.MigrationReport;
import io.pagurus.model.MigrationRequest;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.ServiceSummary;
import java.util.List;
import java.util.Optional;

/** What the API and the CLI may ask of this runtime. Every method may be called from any thread. */
public interface Migrations {

  /**
   * Begins a migration and returns at once; follow it with {@link #find} or the events.
   *
   * @return the migration's id
   * @throws io.pagurus.model.MigrationException NOT_FOUND, BUSY or USAGE when it cannot even begin
   */
  String begin(MigrationRequest request);

  /** Runs only preflight and returns a report; touches nothing on either side. */
  MigrationReport dryRun(MigrationRequest request);

  /** Running and ended migrations of both roles, newest first. */
  List<MigrationStatus> list();

  Optional<MigrationStatus> find(String id);

  /**
   * Asks a running migration to stop; it does so unless it has committed.
   *
   * @throws io.pagurus.model.MigrationException NOT_FOUND, or BUSY when it has already committed
   */
  MigrationStatus cancel(String id);

  /**
   * Ends a migration in doubt as an operator decides who has looked at the destination. Deciding
   * the same again has no effect.
   *
   * @throws io.pagurus.model.MigrationException NOT_FOUND, BUSY when it is not in doubt, or
   *     ENGINE_UNAVAILABLE: decided, and carried out later
   */
  MigrationStatus resolve(String id, Keep keep);

  List<ServiceSummary> services();

  /** Probes this side; slow probes are cached. */
  List<Capability> capabilities();

  /** The last lines of a service's log, as the engine has them. */
  List<String> log(String service, int lines);
}
