package io.pagurus.criu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The golden bytes are what CRIU 4.2.1 wrote. */
class CheckpointDirectoryTest {
  @TempDir private Path directory;
  private CheckpointDirectory checkpoint;

  @BeforeEach
  void nameACheckpoint() {
    checkpoint = new CheckpointDirectory(directory);
  }

  private void file(String name, String hex) throws IOException {
    Files.write(directory.resolve(name), Hex.bytes(hex));
  }

  @Test
  void pidsAreThoseWithPagemaps() throws IOException {
    for (String name :
        List.of(
            "pagemap-43.img",
            "pagemap-1.img",
            "pagemap-shmem-7.img",
            "pagemap-2.img.new",
            "pagemap-99999999999.img",
            "pages-1.img")) {
      file(name, "");
    }
    assertEquals(List.of(1, 43), checkpoint.pids());
  }

  @Test
  void theInventoryIsRead() throws IOException {
    file(
        "inventory.img",
        "16313158 4e000000 0802 1001 1a18 080110011801200128013002380340044806500758086005"
            + "2001 2801 3000 5800 6200 6a24"
            + "34306431373631312d346339382d343936352d393137662d663135336438663766643666");
    assertEquals(
        new Inventory(2, Optional.of("40d17611-4c98-4965-917f-f153d8f7fd6f")),
        checkpoint.inventory());
  }

  @Test
  void theProcessTreeIsRead() throws IOException {
    file(
        "pstree.img",
        "19435654 30302750 0a000000 082b 1000 182b 202b 282b"
            + "0c000000 082c 102b 182b 202b 282c 282d");
    assertEquals(
        List.of(
            new CheckpointedProcess(43, 0, 43, 43, List.of(43)),
            new CheckpointedProcess(44, 43, 43, 43, List.of(44, 45))),
        checkpoint.processes());
    assertEquals(43, checkpoint.rootPid());
  }

  @Test
  void anEmptyProcessTreeIsATypedFailure() throws IOException {
    file("pstree.img", "19435654 30302750");
    assertThrows(CriuFormatException.class, checkpoint::rootPid);
  }

  @Test
  void whatIsNoRegularFileIsNeverOpened() throws Exception {
    Path victim = Files.writeString(directory.resolve("victim"), "safe");
    Files.createSymbolicLink(directory.resolve("pagemap-1.img"), victim);
    Files.createSymbolicLink(directory.resolve("pagemap-shmem-1.img"), victim);
    Files.createDirectory(directory.resolve("pstree.img"));
    String fifo = directory.resolve("inventory.img").toString();
    assertEquals(0, new ProcessBuilder("mkfifo", fifo).start().waitFor());
    assertThrows(CriuFormatException.class, () -> checkpoint.pagemap(1));
    assertThrows(CriuFormatException.class, () -> checkpoint.sharedMemory(1));
    assertThrows(CriuFormatException.class, checkpoint::processes);
    assertThrows(CriuFormatException.class, checkpoint::inventory);
    PagemapFile empty = new PagemapFile(1, List.of());
    assertThrows(IOException.class, () -> empty.write(directory.resolve("pagemap-1.img")));
    assertEquals("safe", Files.readString(victim));
  }

  @Test
  void dumpStatisticsBearCriusOwnNames() throws IOException {
    file(
        "stats-dump",
        "40591055 06330957 29000000 0a27 08bf01 108dd208 18b78508 20fdbe07 289a9901 3000"
            + "38cd9801 4000 4800 5008 5808 6000 6800 7000");
    Map<String, Long> statistics = checkpoint.dumpStatistics();
    assertEquals(191, statistics.get("freezing_time"));
    assertEquals(141_581, statistics.get("frozen_time"));
    assertEquals(19_610, statistics.get("pages_scanned"));
    assertEquals(19_533, statistics.get("pages_written"));
    assertEquals(0, statistics.get("pages_lazy"));
    assertEquals(14, statistics.size());
  }

  @Test
  void dumpStatisticsThatWereKeptComeBeforeThoseThatCriuLost() throws IOException {
    file("stats-frozen", "40591055 06330957 0b000000 0a09 08bf01 108dd208 2001");
    file("stats-dump", "40591055 06330957 08000000 0a06 0800 1000 2800");
    assertEquals(
        Map.of("freezing_time", 191L, "frozen_time", 141_581L, "memwrite_time", 1L),
        checkpoint.dumpStatistics());
  }

  @Test
  void restoreStatisticsBearCriusOwnNames() throws IOException {
    file("stats-restore", "40591055 06330957 0e000000 120c 0801 1002 1803 20e807 28cd01");
    assertEquals(
        Map.of(
            "pages_compared", 1L,
            "pages_skipped_cow", 2L,
            "forking_time", 3L,
            "restore_time", 1_000L,
            "pages_restored", 205L),
        checkpoint.restoreStatistics());
  }

  @Test
  void statisticsThatWereNeverWrittenAreEmpty() throws IOException {
    assertTrue(checkpoint.dumpStatistics().isEmpty());
    assertTrue(checkpoint.restoreStatistics().isEmpty());
  }

  @Test
  void figuresThatCriuForgotAreCountedInThePagemaps() throws IOException {
    Message zeros = Message.empty().with(1, 0).with(2, 224_959_046).with(5, 0).with(7, 0);
    ImageFile.write(
        directory.resolve("stats-dump"), ImageType.STATS, List.of(Message.empty().with(1, zeros)));
    new PagemapFile(
            1,
            List.of(
                new PagemapEntry(0x1000, 3, PagemapEntry.PRESENT),
                new PagemapEntry(0x8000, 1000, PagemapEntry.LAZY)))
        .write(checkpoint.pagemapFile(43));
    assertEquals(Map.of("pages_written", 3L, "pages_lazy", 1000L), checkpoint.dumpStatistics());
  }

  @Test
  void corruptStatisticsAreATypedFailure() throws IOException {
    file("stats-dump", "40591055 06330957 04000000 0a27 08bf");
    assertThrows(CriuFormatException.class, checkpoint::dumpStatistics);
  }

  private void cgroups(Message member) throws IOException {
    ImageFile.write(
        directory.resolve("inventory.img"),
        ImageType.INVENTORY,
        List.of(Message.empty().with(1, 2).with(5, 1)));
    ImageFile.write(
        directory.resolve("pstree.img"),
        ImageType.PSTREE,
        List.of(Message.empty().with(1, 7).with(2, 0).with(3, 7).with(4, 7).with(5, 7)));
    ImageFile.write(
        directory.resolve("core-7.img"),
        ImageType.CORE,
        List.of(
            Message.empty()
                .with(3, Message.empty().with(1, 1))
                .with(5, Message.empty().with(16, 2))));
    ImageFile.write(
        directory.resolve("cgroup.img"),
        ImageType.CGROUP,
        List.of(Message.empty().with(1, Message.empty().with(1, 2).with(2, member))));
  }

  private long criuCgroups() throws IOException {
    return ImageFile.read(directory.resolve("inventory.img"), ImageType.INVENTORY)
        .getFirst()
        .required(5);
  }

  @Test
  void criuStartsInTheCgroupsOfTheRoot() throws IOException {
    cgroups(Message.empty());
    assertTrue(checkpoint.startInRootCgroups());
    assertEquals(2, criuCgroups());
    assertEquals(2, checkpoint.inventory().imageVersion());
  }

  @Test
  void aCgroupNamespaceIsRestoredByMovingIntoIt() throws IOException {
    cgroups(Message.empty().with(3, 1));
    assertFalse(checkpoint.startInRootCgroups());
    assertEquals(1, criuCgroups());
  }
}
