package io.pagurus.http;

import io.pagurus.checkpoint.Keeping;
import io.pagurus.model.FailureCode;
import io.pagurus.model.KeptService;
import io.pagurus.model.MigrationException;
import io.pagurus.model.StartOptions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Knows one service, {@code web}. */
public final class FakeKeeping implements Keeping {
  public static final String SERVICE = "web";
  private final Map<String, StartOptions> options = new TreeMap<>();
  private final List<String> passphrases = new ArrayList<>();
  private long checkpoints;

  public List<String> passphrases() {
    return passphrases;
  }

  @Override
  public List<KeptService> list() {
    return options.keySet().stream().map(this::find).toList();
  }

  @Override
  public KeptService find(String service) {
    if (!options.containsKey(service)) {
      throw new MigrationException(FailureCode.NOT_FOUND, "No start options.");
    }
    List<KeptService.Checkpoint> kept =
        checkpoints == 0
            ? List.of()
            : List.of(
                new KeptService.Checkpoint(
                    checkpoints,
                    Instant.parse("2026-01-02T03:04:05Z"),
                    2048,
                    Optional.of(120L),
                    Optional.of(300L)));
    return new KeptService(
        service,
        "c0ffee",
        options.get(service),
        "command",
        !passphrases.isEmpty(),
        "running",
        kept,
        Optional.empty(),
        Optional.empty(),
        "Its start options were changed.");
  }

  @Override
  public KeptService change(
      String service, StartOptions.Change change, Optional<String> passphrase) {
    if (!service.equals(SERVICE)) {
      throw new MigrationException(FailureCode.NOT_FOUND, "No such service.");
    }
    passphrase.ifPresent(passphrases::add);
    options.put(service, StartOptions.changed(Optional.ofNullable(options.get(service)), change));
    return find(service);
  }

  @Override
  public void forget(String service) {
    options.remove(service);
  }

  @Override
  public KeptService checkpoint(String service) {
    checkpoints++;
    return find(service);
  }
}
