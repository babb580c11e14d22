package io.pagurus.e2e;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A destination whose disk is full, or fills up on the way, gives back what it has taken. */
class FullDiskTest extends BetweenTwo {
  private static final String FILL =
      "dd if=/dev/zero of=/var/lib/docker/filler bs=1M 2> /dev/null || true";

  private static OuterContainer small;

  @BeforeAll
  static void startDestination() {
    small = new OuterContainer().withDiskMebibytes(1600).ready();
  }

  @AfterAll
  static void stopDestination() {
    small.stop();
  }

  @BeforeEach
  void startService() {
    python("counter", "counter.py", "-v", "named:/named");
    awaitLog(a, "counter", 5);
  }

  @AfterEach
  void makeRoom() {
    small.exec("rm", "-f", "/var/lib/docker/filler").ok();
  }

  @Test
  void diskThatIsFullIsSeenBeforeAnythingIsTouched() {
    small.exec("sh", "-c", FILL);
    assertGivenBack(migrate(), "The destination has 0 MiB of disk free");
  }

  @Test
  void diskThatFillsUpWithTheImage() {
    small.docker("image", "rm", "--force", SERVICES);
    var moving = CompletableFuture.supplyAsync(() -> migrate("--bandwidth", "20MiB"));
    awaitAndFill("[ $(du -sm /var/lib/docker/tmp | cut -f1) -gt 20 ]");
    assertGivenBack(moving.join(), "ran out of disk");
    assertEquals("", small.docker("image", "ls", "-q").ok());
    assertEquals("", small.exec("ls", "/var/lib/docker/tmp").ok());
  }

  @Test
  void diskThatFillsUpWithTheServicesFiles() {
    assertCompleted(a.migrate("counter", small)); // so that the image is there
    assertCompleted(small.migrate("counter", a));
    a.in("counter", "head -c 40000000 /dev/urandom > /big");
    String digest = a.in("counter", "sha256sum /big");
    var moving = CompletableFuture.supplyAsync(() -> migrate("--bandwidth", "10MiB"));
    awaitAndFill("[ -n \"$(docker ps -aq)\" ]");
    assertGivenBack(moving.join(), "ran out of ");
    assertEquals(digest, a.in("counter", "sha256sum /big"));
  }

  private static Command migrate(String... options) {
    return a.tryMigrate("counter", small.ticket(), options);
  }

  private static void awaitAndFill(String condition) {
    small.exec("timeout", "60", "sh", "-c", "until " + condition + "; do :; done; " + FILL).ok();
  }

  private static void assertGivenBack(Command refused, String why) {
    assertEquals(8, refused.exitCode(), refused.err());
    JsonNode report = OuterContainer.json(refused.out());
    assertEquals("failed", report.path("outcome").asText(), refused.out());
    assertEquals("NO_ROOM", report.path("error").path("code").asText(), refused.out());
    assertTrue(refused.err().contains(why), refused.err());
    assertTrue(refused.err().contains("counter runs "), refused.err());
    assertCountsOn(a, "counter");
    await().atMost(SOON).until(() -> small.docker("ps", "-aq").ok().isEmpty());
    assertEquals("", small.docker("volume", "ls", "-q").ok());
    assertNothingIsStaged(small);
  }
}
