package io.pagurus.dind.files;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * Compares two trees in everything that a migration preserves: names, types, contents, owners,
 * modes, times, devices, extended attributes, link targets, which names share an inode. It reads
 * through java.nio.file where that can, to be independent of the code under test.
 */
public final class TreeComparison {
  private TreeComparison() {}

  /** Differences, one a line; empty when the trees are equal. */
  public static List<String> differences(Path left, Path right) throws IOException {
    return differences(left, right, path -> false);
  }

  /** The same, without the entries whose paths are ignored. */
  public static List<String> differences(Path left, Path right, Predicate<String> ignored)
      throws IOException {
    SortedMap<String, String> a = describe(left, ignored);
    SortedMap<String, String> b = describe(right, ignored);
    SortedSet<String> paths = new TreeSet<>(a.keySet());
    paths.addAll(b.keySet());
    List<String> differences = new ArrayList<>();
    for (String path : paths) {
      String x = a.getOrDefault(path, "missing");
      String y = b.getOrDefault(path, "missing");
      if (!x.equals(y)) {
        differences.add("/%s%n  %s%n  %s".formatted(path, x, y));
      }
    }
    return differences;
  }

  private static SortedMap<String, String> describe(Path root, Predicate<String> ignored)
      throws IOException {
    SortedMap<String, String> entries = new TreeMap<>();
    Map<Object, String> inodes = new HashMap<>();
    List<Path> all;
    try (Stream<Path> walk = Files.walk(root)) {
      all = walk.sorted().toList();
    }
    for (Path path : all) {
      String name = root.relativize(path).toString();
      if (!ignored.test(name)) {
        entries.put(name, describe(path, name, inodes));
      }
    }
    return entries;
  }

  private static String describe(Path path, String name, Map<Object, String> inodes)
      throws IOException {
    Map<String, Object> stat = Files.readAttributes(path, "unix:*", LinkOption.NOFOLLOW_LINKS);
    List<String> facts = new ArrayList<>();
    facts.add("%o".formatted((Integer) stat.get("mode")));
    facts.add(stat.get("uid") + ":" + stat.get("gid"));
    facts.add("mtime " + stat.get("lastModifiedTime"));
    facts.add("rdev " + stat.get("rdev"));
    if (Files.isSymbolicLink(path)) {
      facts.add("-> " + Files.readSymbolicLink(path));
    }
    if (Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)) {
      facts.add(stat.get("size") + " bytes, SHA-256 " + digest(path));
    }
    if (!Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
      String first = inodes.putIfAbsent(stat.get("ino"), name);
      facts.add("same file as " + (first == null ? name : first));
    }
    facts.add(attributes(path).toString());
    return String.join(", ", facts);
  }

  /** All extended attributes that a migration preserves, values in hexadecimal. */
  public static SortedMap<String, String> attributes(Path path) {
    SortedMap<String, String> attributes = new TreeMap<>();
    try (Posix posix = new Posix()) {
      int parent = posix.openRoot(path.toAbsolutePath().getParent().toString());
      try {
        String name = path.getFileName().toString();
        for (String attribute : posix.attributeNames(parent, name, name)) {
          if (Metadata.travels(attribute)) {
            long length =
                Posix.check(posix.attribute(parent, name, attribute), "read " + attribute, name);
            byte[] value = posix.buffer().asSlice(0, length).toArray(ValueLayout.JAVA_BYTE);
            attributes.put(attribute, HexFormat.of().formatHex(value));
          }
        }
      } finally {
        posix.close(parent);
      }
    }
    return attributes;
  }

  private static String digest(Path path) throws IOException {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      try (var in = Files.newInputStream(path)) {
        byte[] buffer = new byte[1 << 16];
        for (int length = in.read(buffer); length > 0; length = in.read(buffer)) {
          digest.update(buffer, 0, length);
        }
      }
      return HexFormat.of().formatHex(digest.digest(), 0, 8);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
