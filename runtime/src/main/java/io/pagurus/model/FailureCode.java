package io.pagurus.model;

/**
 * What kind of failure ended a request. Each kind has its own process exit code (documented in
 * {@code docs/cli.md}) and HTTP status, so that scripts can tell them apart.
 */
public enum FailureCode {
  /** The request itself is malformed. */
  USAGE(2, 400),
  /** No such service, migration or checkpoint here. */
  NOT_FOUND(3, 404),
  /** Preflight found something about the service that cannot move. */
  NOT_MIGRATABLE(4, 409),
  /** The destination could not be reached or stopped answering. */
  PEER_UNREACHABLE(5, 502),
  /** A ticket or certificate was missing, wrong, used or expired. */
  UNAUTHORIZED(6, 401),
  /** The destination runs a version, CPU or kernel that cannot continue the service. */
  INCOMPATIBLE_PEER(7, 409),
  /** The destination lacks memory or disk for the service. */
  NO_ROOM(8, 507),
  /** The service is already migrating, or the name is taken over there. */
  BUSY(9, 409),
  /** An operator cancelled the migration. */
  CANCELLED(10, 409),
  /** A deadline passed. */
  TIMEOUT(11, 504),
  /** CRIU or runc could not dump the service. */
  DUMP_FAILED(12, 500),
  /** Data was damaged or lost on the way. */
  TRANSFER_FAILED(13, 502),
  /** CRIU, runc or the inner engine could not restore the service. */
  RESTORE_FAILED(14, 500),
  /** After the commit the destination's answer is unknown. */
  IN_DOUBT(15, 500),
  /** The inner engine does not answer. */
  ENGINE_UNAVAILABLE(16, 503),
  /** A peer broke the wire protocol. */
  PROTOCOL(17, 502),
  /** Credentials were right, but the policy or their role does not allow it. */
  FORBIDDEN(18, 403),
  /** A bug in Pagurus. */
  INTERNAL(70, 500);

  private final int exitCode;
  private final int httpStatus;

  FailureCode(int exitCode, int httpStatus) {
    this.exitCode = exitCode;
    this.httpStatus = httpStatus;
  }

  /** The exit code of the CLI, 1 to 125. */
  public int exitCode() {
    return exitCode;
  }

  /** The status code of an HTTP response that reports this failure. */
  public int httpStatus() {
    return httpStatus;
  }
}
