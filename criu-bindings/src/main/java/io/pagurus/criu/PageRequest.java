package io.pagurus.criu;

import static io.pagurus.criu.PagemapEntry.PAGE_BYTES;
import static io.pagurus.criu.PagemapEntry.PRESENT;

import java.nio.ByteBuffer;

/**
 * The header of a page-server message, 32 bytes, little endian; source: {@code struct
 * page_server_iov} in CRIU 4.2's {@code criu/page-xfer.c} (up to 4.1 the number of pages had 32
 * bits and the header 24 bytes).
 *
 * <pre>
 *  0  u16 command    4  u32 padding     16  u64 address
 *  2  u16 flags      8  u64 pages       24  u64 destination
 * </pre>
 *
 * <p>In a GET the destination is the bare pid of the image, not {@code pid << 8 | type} as where
 * pages are pushed, and the client expects to find it unchanged in the answer.
 */
record PageRequest(Command command, int pid, long address, int pages) {
  static final int BYTES = 32;

  private static final int COMMAND_MASK = 0xffff;
  private static final int FLAGS_SHIFT = 16;
  private static final int ADD_F = 6;

  /** CRIU asks for 4 MiB at most ({@code MAX_XFER_LEN} in {@code criu/uffd.c}); be lenient. */
  private static final int MAX_PAGES = 1 << 16;

  /** The kernel's PID_MAX_LIMIT. */
  private static final int MAX_PID = 1 << 22;

  /** What a client that fetches pages may say. */
  enum Command {
    GET(7),
    CLOSE(0x1023),
    FORCE_CLOSE(0x1024);

    private final int code;

    Command(int code) {
      this.code = code;
    }

    private static Command of(int code) throws CriuFormatException {
      for (Command command : values()) {
        if (command.code == code) {
          return command;
        }
      }
      throw new CriuFormatException("Unexpected page-server command 0x%x".formatted(code));
    }
  }

  /** Takes a header from a little-endian buffer that holds all of it. */
  static PageRequest read(ByteBuffer in) throws CriuFormatException {
    Command command = Command.of(in.getInt() & COMMAND_MASK);
    in.getInt();
    long pages = in.getLong();
    long address = in.getLong();
    long pid = in.getLong();
    if (command != Command.GET) {
      return new PageRequest(command, 0, 0, 0);
    }
    if (pages <= 0
        || pages > MAX_PAGES
        || address < 0
        || address % PAGE_BYTES != 0
        || pid <= 0
        || pid > MAX_PID) {
      throw new CriuFormatException(
          "CRIU asks for %d pages at %x of process %d".formatted(pages, address, pid));
    }
    return new PageRequest(command, (int) pid, address, (int) pages);
  }

  /** Puts the header of the answer to a GET into a little-endian buffer. */
  void writeAnswer(ByteBuffer out) {
    out.putInt(PRESENT << FLAGS_SHIFT | ADD_F)
        .putInt(0)
        .putLong(pages)
        .putLong(address)
        .putLong(pid);
  }

  /** The same for the first few of its pages only, at least one. */
  PageRequest first(int few) {
    if (few < 1 || few > pages) {
      throw new IllegalArgumentException("%d of %d pages".formatted(few, pages));
    }
    return new PageRequest(command, pid, address, few);
  }

  /** Length of the pages, bytes. */
  long bytes() {
    return (long) pages * PAGE_BYTES;
  }
}
