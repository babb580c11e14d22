package io.pagurus.transfer;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** Memory of a service that can be read while it runs: a process's own, or a shared segment. */
public sealed interface PagedMemory permits ProcessMemory, SharedSegment {
  /** What its pages are numbered under: a process's pid in CRIU's images. */
  int imagePid();

  /** Runs of pages that hold something, in address order. */
  List<PresentPages.Run> present() throws IOException;

  /**
   * Reads pages.
   *
   * @return bytes read, less than asked where memory has vanished meanwhile
   */
  int read(long address, ByteBuffer into);
}
