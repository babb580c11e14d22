package io.pagurus.dind;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

final class LostMountsTest {
  @Test
  void onlyTheLayerOfAContainerThatIsBeingMadeIsLost() {
    List<String> mountinfo =
        List.of(
            "24 1 0:21 / /proc rw,nosuid - proc proc rw",
            "310 24 0:77 / /var/lib/docker/overlay2/aa11/merged rw - overlay overlay rw,lowerdir=l",
            "311 24 0:78 / /var/lib/docker/overlay2/bb22-init/merged rw - overlay overlay rw",
            "312 24 0:79 / /elsewhere/overlay2/cc33-init/merged rw - overlay overlay rw",
            "313 24 0:80 / /var/lib/docker/volumes/dd-init/_data/merged rw - tmpfs tmpfs rw");
    assertEquals(
        List.of(Path.of("/var/lib/docker/overlay2/bb22-init/merged")),
        LostMounts.in(mountinfo, Path.of("/var/lib/docker")));
  }
}
