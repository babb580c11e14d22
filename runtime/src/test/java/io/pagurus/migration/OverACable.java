package io.pagurus.migration;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.pagurus.engine.FakeEngine.Copy;
import java.io.IOException;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** Two nodes, a service at the first, and a cable to the second that can be pulled. */
abstract class OverACable {
  @TempDir(factory = OnTmpfs.class)
  Path directory;

  Process process;
  TestNode a;
  TestNode b;
  CuttingProxy cable;
  Copy web;

  @BeforeEach
  void start() throws IOException {
    process = new ProcessBuilder("sleep", "600").start();
    a = new TestNode("a", directory, process, InstantSource.system());
    b = new TestNode("b", directory, process, InstantSource.system());
    cable = new CuttingProxy(b.port());
    web = a.engine.run("web");
  }

  @AfterEach
  void stop() {
    cable.close();
    a.close();
    b.close();
    process.destroyForcibly();
    assertEquals(List.of(), a.engine.violations);
    assertEquals(List.of(), b.engine.violations);
  }
}
