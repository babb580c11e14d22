package io.pagurus.criu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.criu.FeatureStatus.Support;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CriuToolTest {
  private static final Duration PATIENT = Duration.ofSeconds(20);

  @TempDir private Path directory;

  /** A program that answers as CRIU 4.2.1 does, and notes each call. */
  private String criu(String body) throws IOException {
    Path script = directory.resolve("criu");
    Files.writeString(script, "#!/bin/sh\necho \"$*\" >> '%s'\n%s".formatted(calls(), body));
    Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwx------"));
    return script.toString();
  }

  private Path calls() {
    return directory.resolve("calls");
  }

  private static final String CRIU =
      """
      case "$*" in
        --version) echo 'Version: 4.2.1';;
        *mem_dirty_track) echo 'Warn  (criu/cr-check.c:824): Dirty tracking is OFF.' >&2; exit 1;;
        *timer_cr_ids) echo 'Error (criu/cr-check.c:1901): Unknown feature timer_cr_ids' >&2; exit 1;;
        *) echo "$3 is supported";;
      esac
      """;

  @Test
  void versionAndFeaturesAreCriusOwnAnswers() throws IOException {
    CriuTool criu = new CriuTool(criu(CRIU), PATIENT);

    assertEquals(Optional.of(new CriuVersion(4, 2, 1)), criu.version());
    Map<CriuFeature, FeatureStatus> features = criu.features();
    assertEquals(CriuFeature.values().length, features.size());
    assertTrue(features.get(CriuFeature.USERFAULTFD).supported());
    assertEquals(
        new FeatureStatus(Support.MISSING, "Warn  (criu/cr-check.c:824): Dirty tracking is OFF."),
        features.get(CriuFeature.DIRTY_TRACKING));
    assertEquals(Support.UNKNOWN, features.get(CriuFeature.POSIX_TIMERS).support());
    assertEquals(List.of(CriuFeature.values()), List.copyOf(features.keySet()));
  }

  @Test
  void answersAreKept() throws IOException {
    CriuTool criu = new CriuTool(criu(CRIU), PATIENT);
    for (int round = 0; round < 3; round++) {
      criu.version();
      criu.features();
    }
    assertEquals(1 + CriuFeature.values().length, Files.readAllLines(calls()).size());
  }

  @Test
  void aMachineWithoutCriuIsAnAnswer() {
    CriuTool criu = new CriuTool(directory.resolve("nowhere").toString(), PATIENT);
    assertEquals(Optional.empty(), criu.version());
    criu.features().values().forEach(s -> assertEquals(Support.UNKNOWN, s.support()));
  }

  @Test
  void aBrokenCriuHasNoVersion() throws IOException {
    assertEquals(Optional.empty(), new CriuTool(criu("exit 127"), PATIENT).version());
  }

  @Test
  void aProbeThatHangsIsCutShort() throws IOException {
    CriuTool criu =
        new CriuTool(
            criu("case \"$*\" in *uffd) exec sleep 60;; *) ;; esac"), Duration.ofMillis(300));
    FeatureStatus hung = criu.features().get(CriuFeature.USERFAULTFD);
    assertEquals(new FeatureStatus(Support.UNKNOWN, "No answer in 300 ms"), hung);
  }

  @Test
  void versionsAreFoundAndCompared() {
    CriuVersion release = CriuVersion.find("Version: 4.2.1\nGitID: v4.2.1").orElseThrow();
    assertEquals("4.2.1", release.toString());
    assertEquals("4.2", CriuVersion.find("Version: 4.2").orElseThrow().toString());
    assertTrue(release.compareTo(new CriuVersion(4, 2, 0)) > 0);
    assertTrue(release.compareTo(new CriuVersion(4, 10, 0)) < 0);
    assertTrue(release.compareTo(new CriuVersion(3, 19, 5)) > 0);
    assertEquals(Optional.empty(), CriuVersion.find("command not found"));
  }
}
