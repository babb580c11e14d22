package io.pagurus.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Destinations that cannot take a service say so before anything is touched. */
class RefusalTest {
  private static OuterContainer source;

  @BeforeAll
  static void startSource() {
    source = new OuterContainer().withServices().ready();
    source.docker("run", "-d", "--name", "still", "pagurus-e2e/services:1", "sleep", "1000").ok();
  }

  @AfterAll
  static void stopSource() {
    source.stop();
  }

  private static void assertRefused(OuterContainer destination, int exitCode, String words) {
    try (destination) {
      destination.ready();
      long pid = source.inspect("still").path("State").path("Pid").asLong();
      Command refused = source.tryMigrate("still", destination.ticket());
      assertEquals(exitCode, refused.exitCode(), refused.err());
      assertTrue(refused.err().contains(words), refused.err());
      assertTrue(refused.err().contains("still runs on"), refused.err());
      assertEquals(pid, source.inspect("still").path("State").path("Pid").asLong());
      assertEquals("", destination.docker("ps", "-aq").ok());
    }
  }

  @Test
  void stagingWithoutRoom() {
    assertRefused(new OuterContainer().withShmBytes(16L << 20), 8, "--shm-size");
  }

  @Test
  void memoryWithoutRoom() {
    OuterContainer small = new OuterContainer();
    small.withCreateContainerCmdModifier(
        command -> command.getHostConfig().withMemory(300L << 20).withMemorySwap(300L << 20));
    source.docker("rm", "-f", "still").ok();
    source
        .docker(
            "run",
            "-d",
            "--name",
            "still",
            "pagurus-e2e/services:1",
            "python3",
            "-c",
            "import time; held = bytearray(200 << 20); time.sleep(1000)")
        .ok();
    org.awaitility.Awaitility.await()
        .until(
            () ->
                source
                    .pagurus("ps", "--output", "json")
                    .ok()
                    .matches("(?s).*memory_bytes\":\\s*2\\d{8}.*"));
    assertRefused(small, 8, "memory");
  }

  @Test
  void cpuWithoutAFlag() {
    assertRefused(new OuterContainer().withEnv("PAGURUS_CPU_HIDE", "sse4_2,avx2"), 7, "CPU lacks");
  }

  @Test
  void anotherProtocolVersion() {
    assertRefused(
        new OuterContainer().withEnv("JAVA_TOOL_OPTIONS", "-Dpagurus.protocol.version=9"),
        7,
        "protocol version");
  }

  @Test
  void outerContainersHaveOnlyTheDocumentedPrivileges() {
    List<String> flags = OuterContainer.flags();
    assertTrue(flags.stream().noneMatch(flag -> flag.equals("--privileged") || flag.equals("ALL")));
    Set<String> capabilities = new TreeSet<>();
    for (int i = 0; i + 1 < flags.size(); i++) {
      if (flags.get(i).equals("--cap-add")) {
        capabilities.add(flags.get(i + 1));
      }
    }
    capabilities.remove("SYS_RESOURCE");
    assertEquals(
        Set.of("IPC_OWNER", "NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE", "SYS_TIME"), capabilities);
  }
}
