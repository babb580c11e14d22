package io.pagurus.engine.docker;

import io.pagurus.criu.ImageFile;
import io.pagurus.criu.ImageType;
import io.pagurus.criu.Message;
import io.pagurus.model.FailureCode;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.Arguments;

/** The part of the hostile corpus whose processes have more than their container. */
public final class HostileRights {
  static final long DOCKERS = 0xa80425fbL;

  private static final Map<String, Integer> SETS = new LinkedHashMap<>();

  static {
    SETS.put("inheritable", 9);
    SETS.put("permitted", 10);
    SETS.put("effective", 11);
    SETS.put("bounding", 12);
    SETS.put("ambient", 19);
  }

  private HostileRights() {}

  /** One thread of a checkpoint. */
  static final class Rights {
    final Map<String, Long> capabilities = new LinkedHashMap<>();
    int mode = 2;
    int filter;
    int noNewPrivileges;
    int policy;
    long oomScore;
    int state = 1;
    boolean hasCredentials = true;
    String profile = "";
    String socketProfile = "";
    Consumer<DataOutputStream> moreOfTask = out -> {};
    Consumer<DataOutputStream> moreOfThread = out -> {};
    Consumer<DataOutputStream> moreOfCredentials = out -> {};

    Rights() {
      SETS.keySet().forEach(set -> capabilities.put(set, set.equals("ambient") ? 0 : DOCKERS));
    }

    private Message core(boolean leader) throws IOException {
      var credentials = new ByteArrayOutputStream();
      var out = new DataOutputStream(credentials);
      for (Map.Entry<String, Long> set : capabilities.entrySet()) {
        number(out, SETS.get(set.getKey()), set.getValue() & 0xffffffffL);
        number(out, SETS.get(set.getKey()), set.getValue() >>> 32);
      }
      text(out, 15, profile);
      text(out, 16, socketProfile);
      number(out, 18, noNewPrivileges);
      moreOfCredentials.accept(out);
      var thread = new ByteArrayOutputStream();
      out = new DataOutputStream(thread);
      number(out, 4, policy);
      if (mode != 0) {
        number(out, 11, mode);
        number(out, 12, filter);
      }
      if (hasCredentials) {
        bytes(out, 10, credentials.toByteArray());
      }
      moreOfThread.accept(out);
      var task = new ByteArrayOutputStream();
      out = new DataOutputStream(task);
      number(out, 1, state);
      number(out, 14, oomScore);
      moreOfTask.accept(out);
      var core = new ByteArrayOutputStream();
      out = new DataOutputStream(core);
      if (leader) {
        bytes(out, 3, task.toByteArray());
      }
      bytes(out, 5, thread.toByteArray());
      return Message.parse(core.toByteArray());
    }
  }

  /** A process with two threads, and a child. */
  static final class Checkpoint {
    final Rights first = new Rights();
    final Rights second = new Rights();
    final Rights child = new Rights();

    final List<Filter> filters =
        new ArrayList<>(List.of(new Filter(program("allow-list.bpf"), -1, 1)));

    String descriptors = "[\"/dev/null\",\"pipe:[1]\",\"pipe:[2]\"]";

    Checkpoint() {
      second.mode = 0;
    }

    void write(Path directory) throws IOException {
      var entries = new ArrayList<Message>();
      entries.add(process(1, 0, 1, 9));
      entries.add(process(20, 1, 20));
      ImageFile.write(directory.resolve("pstree.img"), ImageType.PSTREE, entries);
      core(directory, 1, first.core(true));
      core(directory, 9, second.core(false));
      core(directory, 20, child.core(true));
      var all = new ByteArrayOutputStream();
      var out = new DataOutputStream(all);
      for (Filter filter : filters) {
        var one = new ByteArrayOutputStream();
        var in = new DataOutputStream(one);
        bytes(in, 1, filter.program);
        if (filter.before >= 0) {
          number(in, 2, filter.before);
        }
        number(in, 3, filter.flags);
        bytes(out, 1, one.toByteArray());
      }
      ImageFile.write(
          directory.resolve("seccomp.img"),
          ImageType.SECCOMP,
          List.of(Message.parse(all.toByteArray())));
      Files.writeString(directory.resolve("descriptors.json"), descriptors);
    }

    private static Message process(int pid, int parent, int... threads) throws IOException {
      var bytes = new ByteArrayOutputStream();
      var out = new DataOutputStream(bytes);
      number(out, 1, pid);
      number(out, 2, parent);
      number(out, 3, 1);
      number(out, 4, 1);
      for (int thread : threads) {
        number(out, 5, thread);
      }
      return Message.parse(bytes.toByteArray());
    }

    private static void core(Path directory, int id, Message entry) throws IOException {
      ImageFile.write(
          directory.resolve("core-%d.img".formatted(id)), ImageType.CORE, List.of(entry));
    }
  }

  /** A program, the number of the filter before it or -1, and flags. */
  static final class Filter {
    private final byte[] program;
    private final int before;
    private final int flags;

    Filter(byte[] program, int before, int flags) {
      this.program = program;
      this.before = before;
      this.flags = flags;
    }
  }

  /** What libseccomp makes of an allow list, one after the other or as a tree. */
  static byte[] program(String name) {
    try (InputStream in = HostileRights.class.getResourceAsStream(name)) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A program of one instruction. */
  static byte[] verdict(int verdict) {
    return new byte[] {
      6,
      0,
      0,
      0,
      (byte) verdict,
      (byte) (verdict >> 8),
      (byte) (verdict >> 16),
      (byte) (verdict >> 24)
    };
  }

  static void number(DataOutputStream out, int field, long value) {
    varint(out, (long) field << 3);
    varint(out, value);
  }

  private static void varint(DataOutputStream out, long value) {
    try {
      long rest = value;
      for (; (rest & ~0x7fL) != 0; rest >>>= 7) {
        out.write((int) ((rest & 0x7f) | 0x80));
      }
      out.write((int) rest);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static void bytes(DataOutputStream out, int field, byte[] value) {
    try {
      varint(out, ((long) field << 3) | 2);
      varint(out, value.length);
      out.write(value);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void text(DataOutputStream out, int field, String value) {
    if (!value.isEmpty()) {
      bytes(out, field, value.getBytes(StandardCharsets.UTF_8));
    }
  }

  private static Arguments of(
      String attempt, FailureCode code, String words, Consumer<Checkpoint> edit) {
    return Arguments.of(attempt, code, words, edit);
  }

  /** Each capability that Docker does not give, in each set; and one of each thread. */
  private static Stream<Arguments> capabilities() {
    List<Arguments> all = new ArrayList<>();
    for (String set : SETS.keySet()) {
      for (int number = 0; number < Long.SIZE; number++) {
        long bit = 1L << number;
        if ((DOCKERS & bit) == 0 && (number <= 41 || number % 11 == 0)) {
          all.add(
              of(
                  "capability %d, %s".formatted(number, set),
                  FailureCode.FORBIDDEN,
                  "(" + set + "), which its container does not give",
                  checkpoint -> checkpoint.first.capabilities.merge(set, bit, (a, b) -> a | b)));
        }
      }
    }
    all.add(
        of(
            "everything, in another thread",
            FailureCode.FORBIDDEN,
            "thread 9 of process 1 would have the capabilities",
            checkpoint -> checkpoint.second.capabilities.put("effective", -1L)));
    all.add(
        of(
            "everything, in a child",
            FailureCode.FORBIDDEN,
            "process 20 would have the capabilities",
            checkpoint -> checkpoint.child.capabilities.put("permitted", -1L)));
    return all.stream();
  }

  private static Stream<Arguments> seccomp() {
    return Stream.of(
        of(
            "no filter",
            FailureCode.FORBIDDEN,
            "process 1 would have no filter",
            checkpoint -> checkpoint.first.mode = 0),
        of(
            "no filter in a child",
            FailureCode.FORBIDDEN,
            "process 20 would have no filter",
            checkpoint -> checkpoint.child.mode = 0),
        of(
            "no filter in a thread, which the first one does not share",
            FailureCode.FORBIDDEN,
            "thread 9 of process 1 would have no filter",
            checkpoint -> checkpoint.filters.set(0, new Filter(program("allow-list.bpf"), -1, 0))),
        of(
            "a shared filter before one that is not",
            FailureCode.FORBIDDEN,
            "thread 9 of process 1 would have no filter",
            checkpoint -> {
              checkpoint.filters.add(new Filter(verdict(0x7fff0000), 0, 0));
              checkpoint.first.filter = 1;
            }),
        of(
            "the strict mode, which nobody enters who is filtered",
            FailureCode.FORBIDDEN,
            "the strict mode",
            checkpoint -> checkpoint.child.mode = 1),
        of(
            "a mode that is none",
            FailureCode.PROTOCOL,
            "seccomp mode 3",
            checkpoint -> checkpoint.child.mode = 3),
        of(
            "a filter that allows everything",
            FailureCode.FORBIDDEN,
            "lets it call mount",
            checkpoint -> checkpoint.filters.set(0, new Filter(verdict(0x7fff0000), -1, 1))),
        of(
            "a filter that logs everything",
            FailureCode.FORBIDDEN,
            "lets it call mount",
            checkpoint -> checkpoint.filters.set(0, new Filter(verdict(0x7ffc0000), -1, 1))),
        of(
            "a filter that asks a tracer",
            FailureCode.FORBIDDEN,
            "lets it call mount",
            checkpoint -> checkpoint.filters.set(0, new Filter(verdict(0x7ff00000), -1, 1))),
        of(
            "another filter for a child",
            FailureCode.FORBIDDEN,
            "process 20 would have a filter that lets it call mount",
            checkpoint -> {
              checkpoint.filters.add(new Filter(verdict(0x7fff0000), -1, 1));
              checkpoint.child.filter = 1;
            }),
        of(
            "a filter that is not there",
            FailureCode.PROTOCOL,
            "no seccomp filter 7",
            checkpoint -> checkpoint.child.filter = 7),
        of(
            "filters in a circle",
            FailureCode.PROTOCOL,
            "Filter 0 comes after filter 0",
            checkpoint -> checkpoint.filters.set(0, new Filter(program("allow-list.bpf"), 0, 1))),
        of(
            "half a filter",
            FailureCode.PROTOCOL,
            "A seccomp filter of 4 bytes",
            checkpoint -> checkpoint.filters.set(0, new Filter(new byte[4], -1, 1))),
        of(
            "an empty filter",
            FailureCode.PROTOCOL,
            "A seccomp filter of 0 bytes",
            checkpoint -> checkpoint.filters.set(0, new Filter(new byte[0], -1, 1))),
        of(
            "seccomp off where old versions had it, which goes before",
            FailureCode.PROTOCOL,
            "only old versions",
            checkpoint -> checkpoint.first.moreOfTask = out -> number(out, 11, 0)),
        of(
            "another filter where old versions had it",
            FailureCode.PROTOCOL,
            "only old versions",
            checkpoint -> checkpoint.first.moreOfTask = out -> number(out, 12, 0)),
        of(
            "seccomp off, said last",
            FailureCode.FORBIDDEN,
            "no filter",
            checkpoint -> checkpoint.first.moreOfThread = out -> number(out, 11, 0)));
  }

  private static Stream<Arguments> others() {
    return Stream.of(
        of(
            "no credentials, which leaves those of CRIU",
            FailureCode.PROTOCOL,
            "Part 10 is missing",
            checkpoint -> checkpoint.first.hasCredentials = false),
        of(
            "second credentials, to be merged",
            FailureCode.PROTOCOL,
            "comes 2 times",
            checkpoint ->
                checkpoint.first.moreOfThread = out -> bytes(out, 10, new byte[] {0x50, 1})),
        of(
            "a third word of capabilities",
            FailureCode.PROTOCOL,
            "Capabilities [",
            checkpoint -> checkpoint.first.moreOfCredentials = out -> number(out, 10, 0)),
        of(
            "packed capabilities",
            FailureCode.PROTOCOL,
            "is packed",
            checkpoint ->
                checkpoint.first.moreOfCredentials = out -> bytes(out, 11, new byte[] {1})),
        of(
            "a word that is cut to 32 bits",
            FailureCode.PROTOCOL,
            "Capabilities [",
            checkpoint -> checkpoint.child.moreOfCredentials = out -> number(out, 19, 1L << 40)),
        of(
            "a security profile",
            FailureCode.FORBIDDEN,
            "the security profile unconfined_t",
            checkpoint -> checkpoint.child.profile = "unconfined_t"),
        of(
            "a security profile for sockets",
            FailureCode.FORBIDDEN,
            "the security profile init_t",
            checkpoint -> checkpoint.first.socketProfile = "init_t"),
        of(
            "a security profile that plays tricks on terminals",
            FailureCode.FORBIDDEN,
            "the security profile ?[2J",
            checkpoint -> checkpoint.first.profile = "\u001b[2J"),
        of(
            "real-time scheduling, first in, first out",
            FailureCode.FORBIDDEN,
            "scheduled before others (policy 1)",
            checkpoint -> checkpoint.second.policy = 1),
        of(
            "real-time scheduling in turns",
            FailureCode.FORBIDDEN,
            "scheduled before others (policy 2)",
            checkpoint -> checkpoint.first.policy = 2),
        of(
            "scheduling by deadlines",
            FailureCode.FORBIDDEN,
            "scheduled before others (policy 6)",
            checkpoint -> checkpoint.child.policy = 6),
        of(
            "never killed when memory is short",
            FailureCode.FORBIDDEN,
            "OOM score -1000",
            checkpoint -> checkpoint.child.oomScore = -1000),
        of(
            "the same, as CRIU cuts it to 32 bits",
            FailureCode.FORBIDDEN,
            "OOM score -1000",
            checkpoint -> checkpoint.child.oomScore = 0xfffffc18L),
        of(
            "a zombie that is none",
            FailureCode.PROTOCOL,
            "Part 10 is missing",
            checkpoint -> {
              checkpoint.child.state = 6;
              checkpoint.child.hasCredentials = false;
            }),
        of(
            "a fourth descriptor, which would be one of runc's",
            FailureCode.PROTOCOL,
            "descriptors that runc does not write",
            checkpoint -> checkpoint.descriptors = "[\"a\",\"b\",\"c\",\"pipe:[1]\"]"),
        of(
            "descriptors that are no list",
            FailureCode.PROTOCOL,
            "descriptors that runc does not write",
            checkpoint -> checkpoint.descriptors = "{\"0\":\"pipe:[1]\"}"),
        of(
            "endless descriptors",
            FailureCode.PROTOCOL,
            "descriptors that runc does not write",
            checkpoint -> checkpoint.descriptors = "[\"%s\"]".formatted("x".repeat(5000))));
  }

  /** Attempts, with the code and the words of the refusal, and what to change of an honest one. */
  public static Stream<Arguments> all() {
    return Stream.of(capabilities(), seccomp(), others()).flatMap(cases -> cases);
  }
}
