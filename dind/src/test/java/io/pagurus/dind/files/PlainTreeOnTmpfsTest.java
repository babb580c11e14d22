package io.pagurus.dind.files;

import java.nio.file.Path;

class PlainTreeOnTmpfsTest extends PlainTreeContract {
  PlainTreeOnTmpfsTest() {
    super(Path.of("/dev/shm"));
  }
}
