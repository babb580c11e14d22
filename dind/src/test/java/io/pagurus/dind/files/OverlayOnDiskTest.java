package io.pagurus.dind.files;

import java.nio.file.Path;

class OverlayOnDiskTest extends OverlayContract {
  OverlayOnDiskTest() {
    super(Path.of("target"));
  }
}
