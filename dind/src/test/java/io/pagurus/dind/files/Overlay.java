package io.pagurus.dind.files;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A mounted overlay over shared lower layers, as a container's root is. */
final class Overlay implements AutoCloseable {
  private final Path lower;
  private final Path room;

  Overlay(Path lower, Path room) throws IOException {
    this.lower = lower;
    this.room = Files.createDirectories(room);
    for (String name : new String[] {"upper", "work", "merged"}) {
      Files.createDirectory(room.resolve(name));
    }
    mount();
  }

  Path upper() {
    return room.resolve("upper");
  }

  Path merged() {
    return room.resolve("merged");
  }

  void change(String script) {
    Shell.run(merged(), script);
  }

  /** What a fresh mount shows is what the upper directory says, without anything cached. */
  void remount() {
    close();
    mount();
  }

  /**
   * The options are those of Docker's overlay2 driver; the rest is off by default in the kernel.
   */
  private void mount() {
    Shell.run(
        room,
        "mount -t overlay overlay merged -o"
            + " lowerdir=%s,upperdir=%s,workdir=%s,index=off,redirect_dir=off,metacopy=off"
                .formatted(lower, upper(), room.resolve("work")));
  }

  @Override
  public void close() {
    Shell.run(room, "umount merged");
  }
}
