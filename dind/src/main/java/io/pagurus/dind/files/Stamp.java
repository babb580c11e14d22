package io.pagurus.dind.files;

import static java.util.Objects.requireNonNull;

/**
 * What tells whether an entry changed since it was last looked at; taken before its content is
 * read.
 *
 * @param changedNanos st_ctime since the epoch: whatever changes data, owner, mode, attributes or
 *     links moves it, and no system call can set it back
 * @param modifiedNanos st_mtime since the epoch
 * @param sizeBytes st_size
 * @param mode st_mode with its format bits
 * @param links st_nlink
 * @param device st_rdev as the C library encodes it, 0 for what is no device
 * @param whiteout the entry hides what the lower layers have under its name
 * @param exact the directory shows only what the tree has in it: it or one above is opaque, or the
 *     tree is plain
 */
public record Stamp(
    FileType type,
    long inode,
    long changedNanos,
    long modifiedNanos,
    long sizeBytes,
    int mode,
    int uid,
    int gid,
    int links,
    long device,
    boolean whiteout,
    boolean exact) {

  public Stamp {
    requireNonNull(type, "type is null");
  }

  /**
   * Equality, written out: it is asked for every entry while the service is frozen, and what a
   * record comes with is slow until it has been compiled. Whiteouts are all the same, since the
   * kernel makes them links to one inode.
   */
  boolean same(Stamp other) {
    return (whiteout && other.whiteout)
        || (changedNanos == other.changedNanos
            && inode == other.inode
            && modifiedNanos == other.modifiedNanos
            && sizeBytes == other.sizeBytes
            && mode == other.mode
            && uid == other.uid
            && gid == other.gid
            && links == other.links
            && device == other.device
            && whiteout == other.whiteout
            && exact == other.exact);
  }

  boolean directory() {
    return type == FileType.DIRECTORY;
  }

  /** More than one name may be in the tree; the kernel shares whiteouts too, which says nothing. */
  boolean linked() {
    return links > 1 && !directory() && !whiteout;
  }
}
