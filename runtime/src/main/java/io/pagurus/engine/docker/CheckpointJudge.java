package io.pagurus.engine.docker;

import static io.pagurus.model.FailureCode.FORBIDDEN;
import static io.pagurus.model.FailureCode.PROTOCOL;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.pagurus.criu.CheckpointDirectory;
import io.pagurus.criu.CriuFormatException;
import io.pagurus.criu.SeccompFilter;
import io.pagurus.criu.SeccompFilters;
import io.pagurus.criu.ThreadRights;
import io.pagurus.engine.CheckpointFiles;
import io.pagurus.model.MigrationException;
import io.pagurus.policy.Capabilities;
import io.pagurus.policy.Confinement;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Compares what a restore would give to each process with what the judged container gives to a
 * process that starts in it. CRIU runs as root and gives whatever its files say: a plan that asks
 * for nothing could come with a checkpoint that takes everything.
 *
 * <p>A service may have less than its container gives: it may have dropped capabilities, or
 * filtered more system calls. So each of them has a bound on one side only.
 */
final class CheckpointJudge {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** The peer's text on its way to a terminal or a log. */
  private static final int MOST_SHOWN = 100;

  private static final String DOCKERS_APPARMOR = "docker-default";

  /** Three numbers or names of descriptors. */
  private static final int MOST_DESCRIPTOR_BYTES = 4096;

  private static final int STRICT = 1;
  private static final int FILTER = 2;

  /** SCHED_OTHER, SCHED_BATCH and SCHED_IDLE of sched(7): the others go before everyone else. */
  private static final Set<Long> ORDINARY_SCHEDULING = Set.of(0L, 3L, 5L);

  private static final long SYS_NICE = Capabilities.of(Set.of("SYS_NICE"));
  private static final long SYS_RESOURCE = Capabilities.of(Set.of("SYS_RESOURCE"));

  private final Confinement allowed;
  private final EngineSeccomp engine;
  private final Set<String> profiles;

  /** What was found out about a filter: processes that stem from one another have the same ones. */
  private final Map<SeccompFilter, Set<DeniedCalls.Call>> denied = new HashMap<>();

  /**
   * @param allowed what the judged container has
   * @param profiles names that security modules give to such a container here
   */
  CheckpointJudge(Confinement allowed, EngineSeccomp engine, Set<String> profiles) {
    this.allowed = allowed;
    this.engine = engine;
    this.profiles = Set.copyOf(profiles);
  }

  /**
   * @param container the engine's own description of the one that it made of the judged plan
   * @param engine its description of itself
   */
  static CheckpointJudge of(JsonNode container, JsonNode engine) {
    Confinement allowed = Confinement.of(container);
    Set<String> profiles = new HashSet<>();
    profiles.add(allowed.appArmor().orElse(DOCKERS_APPARMOR));
    profiles.add(container.path("AppArmorProfile").asText());
    profiles.add(container.path("ProcessLabel").asText());
    profiles.add(ownProfile());
    profiles.remove("");
    return new CheckpointJudge(allowed, EngineSeccomp.of(engine), profiles);
  }

  /** Where an engine gives no profile, a container's processes inherit that of the engine: ours. */
  private static String ownProfile() {
    try {
      // With its mode behind a blank, or with a NUL.
      return Files.readString(Path.of("/proc/self/attr/current")).replaceAll("[\\s\\x00].*", "");
    } catch (IOException e) {
      // A kernel without such a module has nothing there to read.
      return "";
    }
  }

  /**
   * Judges what came, before anything else looks at it.
   *
   * @throws MigrationException FORBIDDEN for what the container would not have, PROTOCOL for what
   *     CRIU does not write
   */
  void judge(Path images) {
    CheckpointDirectory checkpoint = new CheckpointDirectory(images);
    try {
      judgeDescriptors(images.resolve(CheckpointFiles.DESCRIPTORS));
      if (checkpoint.hasAppArmorPolicies()) {
        throw forbidden("it brings policies of AppArmor");
      }
      Optional<SeccompFilters> filters = checkpoint.seccompFilters();
      for (Map.Entry<Integer, List<CheckpointDirectory.CheckpointedThread>> process :
          checkpoint.threads().entrySet()) {
        judge(process.getKey(), process.getValue(), filters);
      }
    } catch (CriuFormatException | JsonProcessingException e) {
      throw malformed(shown(e.getMessage()), e);
    } catch (NoSuchFileException e) {
      throw malformed("%s is missing".formatted(Path.of(e.getFile()).getFileName()), e);
    } catch (IOException e) {
      throw malformed("it cannot be read: %s".formatted(shown(e.getMessage())), e);
    }
  }

  /** runc hands on as many descriptors of its own as this names. */
  private static void judgeDescriptors(Path file) throws IOException {
    if (!Files.exists(file)) {
      return;
    }
    boolean sane = Files.size(file) <= MOST_DESCRIPTOR_BYTES;
    JsonNode descriptors = sane ? JSON.readTree(file.toFile()) : JSON.nullNode();
    if (!descriptors.isArray()
        || descriptors.size() > 3
        || !descriptors.valueStream().allMatch(JsonNode::isTextual)) {
      throw malformed("descriptors that runc does not write", null);
    }
  }

  private void judge(
      int pid,
      List<CheckpointDirectory.CheckpointedThread> threads,
      Optional<SeccompFilters> filters)
      throws IOException {
    ThreadRights first = threads.getFirst().rights();
    boolean forAll = isForAll(first, filters);
    for (CheckpointDirectory.CheckpointedThread thread : threads) {
      String who =
          thread.id() == pid
              ? "process %d".formatted(pid)
              : "thread %d of process %d".formatted(thread.id(), pid);
      judge(who, thread.rights());
      // CRIU keeps what all threads share with the first one only, and marks it.
      boolean shares = forAll && thread.rights().seccompMode() == 0;
      judgeSeccomp(who, shares ? first : thread.rights(), filters);
    }
  }

  private void judge(String who, ThreadRights rights) {
    rights
        .capabilities()
        .forEach(
            (set, bits) -> {
              long excess = bits & ~allowed.capabilities();
              if (excess != 0) {
                throw forbidden(
                    "%s would have the capabilities %s (%s), which its container does not give"
                        .formatted(who, String.join(", ", Capabilities.names(excess)), set));
              }
            });
    if (allowed.noNewPrivileges() && !rights.noNewPrivileges()) {
      throw forbidden("%s would be free of no-new-privileges".formatted(who));
    }
    for (String profile : rights.profiles()) {
      if (!profiles.contains(profile)) {
        throw forbidden("%s would have the security profile %s".formatted(who, shown(profile)));
      }
    }
    if (!ORDINARY_SCHEDULING.contains(rights.schedulingPolicy())
        && (allowed.capabilities() & SYS_NICE) == 0) {
      throw forbidden(
          "%s would be scheduled before others (policy %d)"
              .formatted(who, rights.schedulingPolicy()));
    }
    if (rights.oomScore() < 0 && (allowed.capabilities() & SYS_RESOURCE) == 0) {
      throw forbidden(
          "%s would be spared when memory is short (OOM score %d)"
              .formatted(who, rights.oomScore()));
    }
  }

  private static boolean isForAll(ThreadRights first, Optional<SeccompFilters> filters)
      throws CriuFormatException {
    return first.seccompMode() == FILTER
        && chain(first, filters).stream().allMatch(SeccompFilter::everyThread);
  }

  private static List<SeccompFilter> chain(ThreadRights rights, Optional<SeccompFilters> filters)
      throws CriuFormatException {
    if (rights.seccompFilter().isEmpty() || filters.isEmpty()) {
      throw new CriuFormatException("There is no seccomp filter where one is meant");
    }
    return filters.get().chain(rights.seccompFilter().getAsLong());
  }

  private void judgeSeccomp(String who, ThreadRights rights, Optional<SeccompFilters> filters)
      throws CriuFormatException {
    if (rights.seccompMode() < 0 || rights.seccompMode() > FILTER) {
      throw malformed("%s has the seccomp mode %d".formatted(who, rights.seccompMode()), null);
    }
    List<SeccompFilter> chain = rights.seccompMode() == FILTER ? chain(rights, filters) : List.of();
    // A process under a filter cannot change to the strict mode.
    String freedom = rights.seccompMode() == STRICT ? "the strict mode" : "no filter";
    switch (engine.demand(allowed.seccomp())) {
      case NOTHING -> {}
      case FILTER -> {
        if (chain.isEmpty()) {
          throw forbidden("%s would have %s of system calls".formatted(who, freedom));
        }
      }
      case DEFAULT_PROFILE -> {
        if (chain.isEmpty()) {
          throw forbidden("%s would have %s of system calls".formatted(who, freedom));
        }
        requireDenied(who, chain);
      }
    }
  }

  private void requireDenied(String who, List<SeccompFilter> chain) {
    List<DeniedCalls.Call> calls = DeniedCalls.without(allowed.capabilities());
    List<DeniedCalls.Call> open = new ArrayList<>(calls);
    for (SeccompFilter filter : chain) {
      open.removeAll(denied.computeIfAbsent(filter, one -> DeniedCalls.of(one, calls)));
    }
    if (!open.isEmpty()) {
      throw forbidden(
          "%s would have a filter that lets it call %s, which the engine's profile does not"
              .formatted(who, open.getFirst()));
    }
  }

  private static MigrationException forbidden(String finding) {
    return new MigrationException(
        FORBIDDEN, "The destination refuses the checkpoint: %s.".formatted(finding));
  }

  private static MigrationException malformed(String finding, Exception cause) {
    return new MigrationException(
        PROTOCOL, "The checkpoint is malformed: %s.".formatted(finding), cause);
  }

  private static String shown(String text) {
    String printable = String.valueOf(text).replaceAll("[^\\x20-\\x7e]", "?");
    return printable.substring(0, Math.min(printable.length(), MOST_SHOWN * 2));
  }
}
