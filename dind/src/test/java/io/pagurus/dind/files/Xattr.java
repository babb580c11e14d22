package io.pagurus.dind.files;

import java.nio.file.Path;
import java.util.HexFormat;

/** Sets extended attributes of any namespace; java.nio.file knows only "user". */
final class Xattr {
  /** cap_net_bind_service=ep: struct vfs_cap_data of version 2, linux/capability.h. */
  static final String NET_BIND = "0100000200040000000000000000000000000000";

  /** user::rw-, user:1234:rw-, group::r--, mask::rw-, other::r--; linux/posix_acl_xattr.h. */
  static final String ACL =
      "02000000"
          + "01000600ffffffff"
          + "02000600d2040000"
          + "04000400ffffffff"
          + "10000600ffffffff"
          + "20000400ffffffff";

  private Xattr() {}

  static void set(Path path, String attribute, String hexadecimal) {
    try (Posix posix = new Posix()) {
      int parent = posix.openRoot(path.getParent().toString());
      try {
        byte[] value = HexFormat.of().parseHex(hexadecimal);
        String name = path.getFileName().toString();
        Posix.check(posix.setAttribute(parent, name, attribute, value), "set " + attribute, name);
      } finally {
        posix.close(parent);
      }
    }
  }
}
