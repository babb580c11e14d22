package io.pagurus.engine;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class CheckpointFilesTest {
  /** A dump of a Redis and of a PostgreSQL by CRIU 4.2.1 and runc 1.1, with our lists. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "cgroup.img",
        "core-1.img",
        "core-4194304.img",
        "descriptors.json",
        "eventpoll-tfd.img",
        "fdinfo-2.img",
        "fifo-data.img",
        "files.img",
        "filelocks.img",
        "fs-1.img",
        "ghost-file-1.img",
        "ghost-file-1f.img",
        "ids-1.img",
        "ifaddr-12.img",
        "inotify-wd.img",
        "inventory.img",
        "ip6tables-12.img",
        "ipcns-msg-10.img",
        "ipcns-sem-10.img",
        "ipcns-shm-10.img",
        "ipcns-var-10.img",
        "iptables-12.img",
        "memfd.img",
        "mm-1.img",
        "mountpoints-13.img",
        "netdev-12.img",
        "netns-12.img",
        "netns-ct-12.img",
        "netns-exp-12.img",
        "nftables-12.img",
        "pagemap-1.img",
        "pagemap-shmem-18446744073709551615.img",
        "pages-1.img",
        "pidns-9.img",
        "pipes-data.img",
        "pstree.img",
        "remap-fpath.img",
        "route-12.img",
        "route6-12.img",
        "rule-12.img",
        "seccomp.img",
        "sk-queues.img",
        "spared",
        "spared-tmpfs",
        "stats-dump",
        "stats-frozen",
        "tcp-stream-8e.img",
        "timens-0.img",
        "tmpfs-40.tar.gz.img",
        "tmpfs-dev-57.tar.gz.img",
        "tty-info.img",
        "utsns-11.img"
      })
  void whatADumpLeavesIsKnown(String name) {
    assertTrue(CheckpointFiles.isKnown(name));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "parent",
        "img",
        ".img",
        "pagemap-1.img.new",
        "pages-1.img.new",
        "creds-1.img",
        "core-01.img",
        "core--1.img",
        "core-1.img ",
        "core-1.img\n",
        "core-1.IMG",
        "core-1img",
        "core-.img",
        "core.img",
        "vmas-1.img",
        "rlimit-1.img",
        "signal-s-1.img",
        "irmap-cache",
        "stats-restore",
        "restore.log",
        "lazy-pages.socket",
        "go",
        "status",
        "placed",
        "tmpfs",
        "config.json",
        "descriptors.json.bak",
        "DESCRIPTORS.JSON",
        "spared-",
        ".pagurus-0000000000000000",
        "tmpfs-40.tar.gz",
        "ghost-file-.img",
        "ghost-file-FF.img",
        "libplugin.so"
      })
  void nothingElseIs(String name) {
    assertFalse(CheckpointFiles.isKnown(name));
  }
}
