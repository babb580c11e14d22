package io.pagurus.dind.files;

import java.nio.file.Path;

class OverlayOnTmpfsTest extends OverlayContract {
  OverlayOnTmpfsTest() {
    super(Path.of("/dev/shm"));
  }
}
