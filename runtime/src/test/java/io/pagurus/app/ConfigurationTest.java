package io.pagurus.app;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.trust.Role;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ConfigurationTest {
  @Test
  void emptyEnvironmentGivesTheDocumentedDefaults() throws Exception {
    var configuration = Configuration.of(Map.of());
    assertEquals(7070, configuration.port());
    assertFalse(configuration.standby());
    assertEquals(Path.of("/var/lib/pagurus"), configuration.stateDirectory());
    assertEquals(Path.of("/run/pagurus"), configuration.runDirectory());
    assertEquals(Path.of("/dev/shm/pagurus"), configuration.stagingDirectory());
    assertEquals(Path.of("/etc/pagurus/tls/ca.pem"), configuration.tlsFiles().authorities());
    assertEquals(64 << 20, configuration.digestBytes());
    assertEquals(
        Files.readString(Path.of("/proc/sys/kernel/hostname")).strip(), configuration.name());
  }

  @Test
  void advertisedAddressesGetThePortWhenTheyHaveNone() {
    var configuration =
        Configuration.of(Map.of("PAGURUS_ADVERTISE", " a.example, b.example:71 ,,[2001:db8::1]"));
    assertEquals(
        List.of("a.example:7070", "b.example:71", "[2001:db8::1]:7070"),
        configuration.addresses(7070));
  }

  @Test
  void withoutAdvertisedAddressesThoseOfTheMachineAreTaken() {
    for (String address : Configuration.of(Map.of()).addresses(7070)) {
      assertTrue(address.endsWith(":7070"), address);
      assertFalse(address.startsWith("127."), address);
    }
  }

  @Test
  void tokenComesFromItsFileAndIsNeverPrinted(@TempDir Path directory) throws Exception {
    Path file = directory.resolve("token");
    Files.writeString(file, "0123456789abcdef\n");
    var configuration = Configuration.of(Map.of("PAGURUS_API_TOKEN_FILE", file.toString()));
    assertEquals(Set.of(Role.ADMIN), configuration.apiTokens().roles("0123456789abcdef"));
    assertFalse(configuration.toString().contains("0123456789abcdef"));

    Files.writeString(file, "short\n");
    var failure =
        assertThrows(
            MigrationException.class,
            () -> Configuration.of(Map.of("PAGURUS_API_TOKEN_FILE", file.toString())));
    assertFalse(failure.getMessage().contains("short"));
  }

  @ParameterizedTest
  @CsvSource({
    "PAGURUS_PORT, 70707",
    "PAGURUS_PORT, -1",
    "PAGURUS_PORT, http",
    "PAGURUS_ROLE, master",
    "PAGURUS_DIGEST_MEMORY, 64",
    "PAGURUS_LAZY_RESTORE, never",
    "PAGURUS_API_TOKEN_FILE, /nowhere/token",
    "PAGURUS_API_TOKENS_FILE, /nowhere/tokens"
  })
  void wrongValuesAreNamed(String variable, String value) {
    var failure =
        assertThrows(MigrationException.class, () -> Configuration.of(Map.of(variable, value)));
    assertEquals(FailureCode.USAGE, failure.code());
    assertTrue(failure.getMessage().contains(variable), failure.getMessage());
  }
}
