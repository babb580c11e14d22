package io.pagurus.engine.docker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class CpuQuotaTest {
  private static final List<String> V1 =
      List.of("9:name=systemd:/docker/c1", "2:cpuacct:/docker/c1", "1:cpu:/docker/c1", "0::/");
  private static final List<String> V2 = List.of("0::/docker/c1");

  @TempDir private Path directory;
  private Path cgroups;
  private Path notes;

  @BeforeEach
  void prepare() {
    cgroups = directory.resolve("cgroup");
    notes = directory.resolve("notes");
  }

  private Path file(String path, String content) throws IOException {
    Path file = cgroups.resolve(path);
    Files.createDirectories(file.getParent());
    return Files.writeString(file, content + "\n");
  }

  private Path quotaOfVersion1(String quota) throws IOException {
    file("cpu/docker/c1/cpu.cfs_period_us", "50000");
    return file("cpu/docker/c1/cpu.cfs_quota_us", quota);
  }

  private static void assertHolds(String content, Path file) throws IOException {
    assertEquals(content, Files.readString(file).strip());
  }

  @Test
  void aLimitIsSetAndLiftedInVersion1() throws IOException {
    Path quota = quotaOfVersion1("-1");
    CpuQuota limit = CpuQuota.of(cgroups, notes, "c1", V1);
    limit.limit(0.5);
    assertHolds("25000", quota);
    limit.limit(0.001);
    assertHolds("1000", quota);
    limit.lift();
    assertHolds("-1", quota);
    assertFalse(Files.exists(notes.resolve("c1")));
  }

  @Test
  void aLimitIsSetAndLiftedInVersion2() throws IOException {
    Path quota = file("docker/c1/cpu.max", "max 100000");
    CpuQuota limit = CpuQuota.of(cgroups, notes, "c1", V2);
    limit.limit(1.5);
    assertHolds("150000 100000", quota);
    limit.lift();
    assertHolds("max 100000", quota);
  }

  @Test
  void theUsersOwnLimitIsNeverExceededAndComesBack() throws IOException {
    Path quota = quotaOfVersion1("20000");
    CpuQuota limit = CpuQuota.of(cgroups, notes, "c1", V1);
    limit.limit(3);
    assertHolds("20000", quota);
    limit.limit(0.1);
    assertHolds("5000", quota);
    limit.lift();
    assertHolds("20000", quota);
  }

  @Test
  void aLimitThatAKilledRuntimeLeftIsLiftedByTheNextOne() throws IOException {
    Path quota = quotaOfVersion1("-1");
    CpuQuota.of(cgroups, notes, "c1", V1).limit(0.5);
    Files.writeString(notes.resolve("torn"), "/sys/fs");
    Files.writeString(notes.resolve("gone"), cgroups.resolve("gone/cpu.max") + "\nmax 100000\n");
    CpuQuota.sweep(notes);
    assertHolds("-1", quota);
    try (var left = Files.list(notes)) {
      assertEquals(List.of(), left.toList());
    }
    CpuQuota.sweep(directory.resolve("never-made"));
  }

  @Test
  void aContainerWithoutACpuControllerIsSaidSo() {
    assertThrows(IOException.class, () -> CpuQuota.of(cgroups, notes, "c1", V1));
  }
}
