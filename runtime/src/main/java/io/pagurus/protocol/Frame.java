package io.pagurus.protocol;

/** The constants of the frame format; see {@code docs/protocol.md}. */
public final class Frame {
  /** The first four bytes of every connection: {@code PGRS}, big endian. */
  public static final int MAGIC = 0x50475253;

  private Frame() {}
}
