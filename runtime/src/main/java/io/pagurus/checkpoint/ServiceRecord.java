package io.pagurus.checkpoint;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import io.pagurus.model.StartOptions;
import io.pagurus.trust.PrivateFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What outlives the runtime about one kept service, beside its archives.
 *
 * @param options set by command; empty: the labels hold, if there are any
 * @param ignored whether it is not kept in spite of its labels
 * @param restartPolicy what the engine's was; empty: it had none
 * @param takenOver whether the engine's was taken away
 * @param passphrase whether new archives are sealed with a passphrase
 * @param frozen it stands still for a checkpoint, or did so when the runtime ended
 * @param returning its files are aside, or were so when the runtime ended
 * @param next number of the next checkpoint
 */
record ServiceRecord(
    Optional<StartOptions> options,
    boolean ignored,
    String restartPolicy,
    boolean takenOver,
    boolean passphrase,
    boolean frozen,
    boolean returning,
    long next) {
  static final ServiceRecord NEW =
      new ServiceRecord(Optional.empty(), false, "", false, false, false, false, 1);

  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .addModule(new Jdk8Module())
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .build();

  ServiceRecord options(StartOptions set) {
    return new ServiceRecord(
        Optional.of(set), false, restartPolicy, takenOver, passphrase, frozen, returning, next);
  }

  ServiceRecord takenOver(String policy) {
    return new ServiceRecord(options, ignored, policy, true, passphrase, frozen, returning, next);
  }

  ServiceRecord forgotten() {
    return new ServiceRecord(Optional.empty(), true, "", false, false, frozen, returning, next);
  }

  ServiceRecord sealedByPassphrase() {
    return new ServiceRecord(
        options, ignored, restartPolicy, takenOver, true, frozen, returning, next);
  }

  ServiceRecord frozen(boolean now) {
    return new ServiceRecord(
        options, ignored, restartPolicy, takenOver, passphrase, now, returning, next);
  }

  ServiceRecord returning(boolean now) {
    return new ServiceRecord(
        options, ignored, restartPolicy, takenOver, passphrase, frozen, now, next);
  }

  ServiceRecord counted() {
    return new ServiceRecord(
        options, ignored, restartPolicy, takenOver, passphrase, frozen, returning, next + 1);
  }

  static ServiceRecord read(Path file) throws IOException {
    return Files.exists(file) ? JSON.readValue(file.toFile(), ServiceRecord.class) : NEW;
  }

  /** By one rename, mode 0600, on the disk when it returns. */
  void write(Path file) throws IOException {
    PrivateFiles.write(file, JSON.writeValueAsBytes(this));
  }
}
