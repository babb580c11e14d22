package io.pagurus.dind.files;

import static io.pagurus.dind.files.Posix.check;

import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** Extended attributes of an entry, read and made equal. */
final class Attributes {
  private Attributes() {}

  /** Those that travel; none when the entry vanished. */
  static SortedMap<String, byte[]> read(
      Posix posix, int directory, String name, String path, boolean overlay) {
    SortedMap<String, byte[]> attributes = new TreeMap<>();
    for (String attribute : posix.attributeNames(directory, name, path)) {
      if (overlay && attribute.equals("trusted.overlay.metacopy")) {
        throw new FileTreeException(
            "send", path, "its overlay was mounted with metacopy=on, which is not supported");
      }
      if (!Metadata.travels(attribute)) {
        continue;
      }
      long length = posix.attribute(directory, name, attribute);
      if (length != -Posix.ENODATA && !SourceDirectory.vanished(length, path)) {
        byte[] value = posix.buffer().asSlice(0, length).toArray(ValueLayout.JAVA_BYTE);
        attributes.put(attribute, value);
      }
    }
    return attributes;
  }

  /** Removes what an entry has beside the wanted ones: inherited ACLs, leftovers. */
  static void replace(
      Posix posix, int directory, String name, String path, SortedMap<String, byte[]> wanted) {
    for (String attribute : posix.attributeNames(directory, name, path)) {
      if (Metadata.travels(attribute) && !wanted.containsKey(attribute)) {
        check(
            posix.removeAttribute(directory, name, attribute),
            "remove the attribute " + attribute + " of",
            path);
      }
    }
    for (Map.Entry<String, byte[]> attribute : wanted.entrySet()) {
      check(
          posix.setAttribute(directory, name, attribute.getKey(), attribute.getValue()),
          "set the attribute " + attribute.getKey() + " of",
          path);
    }
  }
}
