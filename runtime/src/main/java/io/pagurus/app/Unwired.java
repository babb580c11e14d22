package io.pagurus.app;

import io.pagurus.migration.Migrations;
import io.pagurus.model.Capability;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.model.MigrationReport;
import io.pagurus.model.MigrationRequest;
import io.pagurus.model.MigrationStatus;
import io.pagurus.model.ServiceSummary;
import io.pagurus.protocol.PeerEndpoint;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.List;
import java.util.Optional;

/** Stands where the migration service will stand, until it is wired in. */
final class Unwired implements Migrations, PeerEndpoint {
  private static MigrationException missing() {
    return new MigrationException(FailureCode.INTERNAL, "Migration is not wired in yet.");
  }

  @Override
  public String begin(MigrationRequest request) {
    throw missing();
  }

  @Override
  public MigrationReport dryRun(MigrationRequest request) {
    throw missing();
  }

  @Override
  public List<MigrationStatus> list() {
    return List.of();
  }

  @Override
  public Optional<MigrationStatus> find(String id) {
    return Optional.empty();
  }

  @Override
  public MigrationStatus cancel(String id) {
    throw missing();
  }

  @Override
  public List<ServiceSummary> services() {
    return List.of();
  }

  @Override
  public List<Capability> capabilities() {
    return List.of();
  }

  @Override
  public List<String> log(String service, int lines) {
    return List.of();
  }

  @Override
  public void serve(InputStream in, OutputStream out, String remote) throws IOException {
    throw new IOException("Migration is not wired in yet.");
  }
}
