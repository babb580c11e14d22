package io.pagurus.dind.files;

import java.nio.file.Path;

class PlainTreeOnDiskTest extends PlainTreeContract {
  PlainTreeOnDiskTest() {
    super(Path.of("target"));
  }
}
