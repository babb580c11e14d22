package io.pagurus.engine.docker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ContainerGroupsTest {
  private static final String ID = "3f8c1e0d".repeat(8);
  private static final String OTHER = "a90b77cc".repeat(8);

  @TempDir private Path all;

  @Test
  void findsThoseOfEitherVersionDeeperOnesFirst() throws IOException {
    Path inner = Files.createDirectories(all.resolve("cpu,cpuacct/docker/" + ID + "/init"));
    Path scope = Files.createDirectories(all.resolve("system.slice/docker-%s.scope".formatted(ID)));
    Files.createDirectories(all.resolve("memory/docker/" + OTHER));
    List<Path> found = ContainerGroups.of(all, ID).inner();
    assertEquals(Set.of(inner, inner.getParent(), scope), Set.copyOf(found));
    assertTrue(found.indexOf(inner) < found.indexOf(inner.getParent()), found.toString());
  }

  @Test
  void killsWhoeverIsInThemAndNobodyElse() throws Exception {
    Process inside = new ProcessBuilder("sleep", "600").start();
    Process elsewhere = new ProcessBuilder("sleep", "600").start();
    try {
      write(all.resolve("pids/docker/" + ID), inside);
      write(all.resolve("pids/docker/" + OTHER), elsewhere);
      ContainerGroups.of(all, ID).kill();
      assertTrue(inside.waitFor(10, TimeUnit.SECONDS));
      assertTrue(elsewhere.isAlive());
    } finally {
      inside.destroyForcibly();
      elsewhere.destroyForcibly();
    }
  }

  @Test
  void whatTheKernelDoesNotListIsNotTakenForEmpty() throws IOException {
    Path unlisted = Files.createFile(all.resolve("unlisted"));
    assertThrows(UncheckedIOException.class, () -> ContainerGroups.of(unlisted, ID).kill());
  }

  @ParameterizedTest
  @CsvSource({
    "freezer/docker/%s,freezer.state,FROZEN,true",
    "freezer/docker/%s,freezer.state,FREEZING,true",
    "freezer/docker/%s,freezer.state,THAWED,false",
    "system.slice/docker-%s.scope,cgroup.freeze,1,true",
    "system.slice/docker-%s.scope,cgroup.freeze,0,false",
    // What a service does with its own processes is its affair.
    "freezer/docker/%s/inner,freezer.state,FROZEN,false"
  })
  void theKernelKnowsWhetherTheyAreFrozen(String group, String file, String state, boolean frozen)
      throws IOException {
    Path own = Files.createDirectories(all.resolve(group.formatted(ID)));
    Files.writeString(own.resolve(file), state + "\n");
    assertEquals(frozen, ContainerGroups.of(all, ID).frozen());
    assertFalse(ContainerGroups.of(all, OTHER).frozen());
  }

  @Test
  void removesThem() throws IOException {
    Path group = Files.createDirectories(all.resolve("pids/docker/" + ID + "/init")).getParent();
    ContainerGroups.of(all, ID).remove();
    assertFalse(Files.exists(group));
    assertTrue(Files.exists(group.getParent()));
  }

  private static void write(Path group, Process process) throws IOException {
    Files.writeString(
        Files.createDirectories(group).resolve("cgroup.procs"), process.pid() + "\n0\n");
  }
}
