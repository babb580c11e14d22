package io.pagurus.protocol;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.pagurus.model.FailureCode;
import io.pagurus.model.Placement;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Everything that two runtimes say to each other; JSON in a message frame, named by {@code type}.
 */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
@JsonSubTypes({
  @JsonSubTypes.Type(value = Message.Hello.class, name = "hello"),
  @JsonSubTypes.Type(value = Message.Challenge.class, name = "challenge"),
  @JsonSubTypes.Type(value = Message.Prove.class, name = "prove"),
  @JsonSubTypes.Type(value = Message.Welcome.class, name = "welcome"),
  @JsonSubTypes.Type(value = Message.Check.class, name = "check"),
  @JsonSubTypes.Type(value = Message.Verdict.class, name = "verdict"),
  @JsonSubTypes.Type(value = Message.Prepare.class, name = "prepare"),
  @JsonSubTypes.Type(value = Message.Prepared.class, name = "prepared"),
  @JsonSubTypes.Type(value = Message.ArtifactBegin.class, name = "artifact_begin"),
  @JsonSubTypes.Type(value = Message.ArtifactEnd.class, name = "artifact_end"),
  @JsonSubTypes.Type(value = Message.Received.class, name = "received"),
  @JsonSubTypes.Type(value = Message.Seal.class, name = "seal"),
  @JsonSubTypes.Type(value = Message.Staged.class, name = "staged"),
  @JsonSubTypes.Type(value = Message.Commit.class, name = "commit"),
  @JsonSubTypes.Type(value = Message.Resumed.class, name = "resumed"),
  @JsonSubTypes.Type(value = Message.Wanted.class, name = "wanted"),
  @JsonSubTypes.Type(value = Message.Restored.class, name = "restored"),
  @JsonSubTypes.Type(value = Message.Settled.class, name = "settled"),
  @JsonSubTypes.Type(value = Message.Abort.class, name = "abort"),
  @JsonSubTypes.Type(value = Message.Aborted.class, name = "aborted"),
  @JsonSubTypes.Type(value = Message.Query.class, name = "query"),
  @JsonSubTypes.Type(value = Message.Standing.class, name = "standing"),
  @JsonSubTypes.Type(value = Message.Refused.class, name = "refused"),
  @JsonSubTypes.Type(value = Message.Alive.class, name = "alive"),
  @JsonSubTypes.Type(value = Message.Acknowledged.class, name = "acknowledged"),
  @JsonSubTypes.Type(value = Message.Resume.class, name = "resume"),
  @JsonSubTypes.Type(value = Message.Continued.class, name = "continued"),
})
public sealed interface Message {

  /** What a connection is for. */
  enum Role {
    @JsonProperty("control")
    CONTROL,
    @JsonProperty("bulk")
    BULK,
    /** The source of a migration that has lost its control connection asks how it stands. */
    @JsonProperty("return")
    RETURN,
    /** Takes the place of a connection of a migration that was lost before the commit. */
    @JsonProperty("resume")
    RESUME
  }

  /**
   * First message of every connection, source to destination.
   *
   * @param version protocol version of the sender; see {@link Version}
   * @param migration the migration's id
   * @param ticket id of the ticket (control), the migration's token (bulk, return), a proof of it
   *     that works once (resume): a secret
   * @param nonce random, hexadecimal; empty without a ticket
   * @param channel number of this connection within the migration, the control connection's is 0
   * @param keepMillis how long the source tries to bring this connection back should its link be
   *     lost, ms; 0: not at all, as from a source that does not say
   */
  record Hello(
      int version,
      Role role,
      String migration,
      String ticket,
      String nonce,
      int channel,
      @JsonProperty("keep_ms") long keepMillis)
      implements Message {
    /** Of a connection that ends with its link. */
    public Hello(int version, Role role, String migration, String ticket, String nonce) {
      this(version, role, migration, ticket, nonce, 0, 0);
    }

    @Override
    public String toString() {
      return "Hello[version=%d, role=%s, migration=%s]".formatted(version, role, migration);
    }
  }

  /** The destination's nonce; nothing else is said before the proof. */
  record Challenge(int version, String nonce) implements Message {}

  /** Proof of the ticket's secret, hexadecimal HMAC. */
  record Prove(String source, String service, String proof) implements Message {}

  /**
   * The peer is let in.
   *
   * @param name of the destination's outer container
   * @param token secret that later connections of this migration show; empty on bulk
   * @param keeps from the next frame on the destination keeps what the source has not acknowledged,
   *     as the source wished; false from a destination that does not say
   */
  record Welcome(int version, String name, Features features, String token, boolean keeps)
      implements Message {
    @Override
    public String toString() {
      return "Welcome[version=%d, name=%s]".formatted(version, name);
    }
  }

  /** Asks for everything that would stand in the way; touches nothing there. */
  record Check(ServicePlan plan) implements Message {}

  /**
   * @param problems what would stand in the way, in sentences with codes; empty = may begin
   * @param warnings what will be different there, in sentences
   * @param imagePresent whether the service's image is there
   * @param chainIds chain ids of the image layers that are there; empty when the image is
   */
  record Verdict(
      List<Problem> problems,
      List<String> warnings,
      @JsonProperty("image_present") boolean imagePresent,
      @JsonProperty("chain_ids") Set<String> chainIds)
      implements Message {}

  /** One thing that stands in the way. */
  record Problem(FailureCode code, String message) {}

  /**
   * Reserve room, create networks, volumes and the container, and start its warm restore.
   *
   * @param pagesMayFollow memory may still come after the restore (post-copy): a process that needs
   *     a page waits for it
   */
  record Prepare(ServicePlan plan, @JsonProperty("pages_may_follow") boolean pagesMayFollow)
      implements Message {}

  /** The restore waits inside the engine's start. */
  record Prepared() implements Message {}

  /**
   * Chunks of this artifact follow on this connection.
   *
   * @param number unique within the migration, from 1
   * @param name which one of its kind: a volume's mount point, a log's suffix and offset, an
   *     image's id, the device number of a tmpfs at the source; else empty
   */
  record ArtifactBegin(int number, Kind kind, String name) implements Message {
    /** What an artifact holds, and so where it is staged. */
    public enum Kind {
      @JsonProperty("image")
      IMAGE,
      @JsonProperty("rootfs")
      ROOTFS,
      @JsonProperty("volume")
      VOLUME,
      @JsonProperty("log")
      LOG,
      @JsonProperty("memory")
      MEMORY,
      /** Files of a tmpfs that the service has mounted. */
      @JsonProperty("tmpfs")
      TMPFS,
      @JsonProperty("checkpoint")
      CHECKPOINT,
      /** Noise that measures the link and is thrown away; part of no manifest. */
      @JsonProperty("probe")
      PROBE
    }
  }

  /**
   * @param bytes before compression
   * @param digest XXH3-128 of those bytes, hexadecimal
   */
  record ArtifactEnd(int number, long bytes, String digest) implements Message {}

  /** The artifact has been applied and its digest matched. */
  record Received(int number) implements Message {}

  /**
   * The manifest, last: what must be there before the restore may begin.
   *
   * @param digests by artifact number
   * @param pagesFollow memory that is missing still follows; only where {@link Prepare} announced
   *     it
   */
  record Seal(Map<Integer, String> digests, @JsonProperty("pages_follow") boolean pagesFollow)
      implements Message {}

  /** Every digest matched, every page is there, the restore can begin. */
  record Staged() implements Message {}

  /** From here on only the destination may run the service. */
  record Commit() implements Message {}

  /** The service has executed its first instruction here: the downtime ends. */
  record Resumed() implements Message {}

  /**
   * A restored process waits for a page that has not come; its neighbours are likely to be next.
   *
   * @param pid in the container
   * @param address of the first page, bytes
   * @param pages how many from there on
   */
  record Wanted(int pid, long address, int pages) implements Message {}

  /**
   * The engine here owns the running container.
   *
   * @param statistics CRIU's own, with its names
   * @param placement when its memory is put in place
   */
  record Restored(Map<String, Long> statistics, Placement placement) implements Message {}

  /** The last page is in place: nothing of the source is needed any more. */
  record Settled() implements Message {}

  /**
   * Give up; before the commit. On a connection that returns, after it: what the destination still
   * lacks is nowhere any more. It keeps a service that lacks nothing, and gives up one that does.
   */
  record Abort(String reason) implements Message {}

  /** Given up and cleaned up; the service does not run here and never will in this migration. */
  record Aborted(FailureCode code, String reason) implements Message {}

  /**
   * How does this migration stand? Only after the commit, on a connection that returns: whatever
   * the destination has not committed to by then it gives up for good before it answers. Answered
   * with {@link Standing}.
   */
  record Query() implements Message {}

  /**
   * How a migration stands at the destination, by its journal and what lives there.
   *
   * @param reason a sentence for the operator, why it was given up or cannot be known; else empty
   */
  record Standing(State state, String reason) implements Message {

    /** What a source may conclude. */
    public enum State {
      /** Not known yet, as right after a start there: ask again. */
      @JsonProperty("unknown")
      UNKNOWN,
      /** Committed and being restored: ask again. */
      @JsonProperty("restoring")
      RESTORING,
      /** The service runs there, but may still need what the source has: ask again. */
      @JsonProperty("resumed")
      RESUMED,
      /** The service runs there and needs nothing of the source any more: retire it. */
      @JsonProperty("settled")
      SETTLED,
      /** It does not run there and never will in this migration, durably so: thaw. */
      @JsonProperty("aborted")
      ABORTED
    }

    /** A state that needs no reason. */
    public static Standing at(State state) {
      return new Standing(state, "");
    }

    /** Whether it will not change any more. */
    public boolean decided() {
      return state == State.SETTLED || state == State.ABORTED;
    }
  }

  /** Not done, for this reason; the state there is as before. */
  record Refused(FailureCode code, String message) implements Message {}

  /**
   * Nothing new. Both sides say it once a second on a control connection, so that silence tells a
   * dead peer, a stopped one or a dead link, in either direction.
   *
   * @param said how many of these were said on this connection, with this one; 0 from a peer that
   *     does not count
   * @param heard the last such number that was heard from the other side
   */
  record Alive(long said, long heard) implements Message {}

  /**
   * On a connection that is kept: so many frames have been heard, counted from the one after {@link
   * Welcome}; neither this message nor {@link Alive} counts.
   */
  record Acknowledged(long frames) implements Message {}

  /**
   * After a {@link Hello} with the role of the same name: which connection is to go on here.
   *
   * @param attempt each one higher than the one before
   * @param heard how many frames of the destination's the source has
   */
  record Resume(int channel, long attempt, long heard) implements Message {}

  /**
   * It goes on; whatever the source has sent beyond this travels again.
   *
   * @param heard how many frames of the source's the destination has
   * @param artifact the last one of which it has a part, or 0
   * @param bytes of that part, before compression
   */
  record Continued(long heard, int artifact, long bytes) implements Message {}

  /**
   * Everything the destination needs to know to judge and recreate a service.
   *
   * @param service its name
   * @param inspect the engine's full description of the container
   * @param networks the engine's descriptions of its networks
   * @param volumes the engine's descriptions of the named volumes
   * @param imageId the image's config digest
   * @param memoryBytes what its processes and its files on tmpfs occupy, bytes
   * @param sharedBytes the part of it that lies in shared memory and on tmpfs: restored where it
   *     arrives, it is needed only once; bytes
   * @param fileBytes rootfs changes and volumes, bytes
   * @param imageBytes size of the image, bytes
   * @param logBytes length of its current log, bytes
   * @param skipBinds destinations of bind mounts that stay behind
   * @param boundAddresses addresses of its own that its sockets are bound or connected from
   * @param features what the source's machine offers, of which the service may have made use
   * @param descriptors what the first process was started with as descriptors 0 to 2, as runc notes
   *     it ({@code descriptors.json}); none from a source that does not say
   */
  record ServicePlan(
      String service,
      ObjectNode inspect,
      List<ObjectNode> networks,
      List<ObjectNode> volumes,
      @JsonProperty("image_id") String imageId,
      @JsonProperty("memory_bytes") long memoryBytes,
      @JsonProperty("shared_bytes") long sharedBytes,
      @JsonProperty("file_bytes") long fileBytes,
      @JsonProperty("image_bytes") long imageBytes,
      @JsonProperty("log_bytes") long logBytes,
      @JsonProperty("skip_binds") List<String> skipBinds,
      @JsonProperty("bound_addresses") Set<String> boundAddresses,
      Features features,
      List<String> descriptors) {
    public ServicePlan {
      descriptors = descriptors == null ? List.of() : descriptors;
    }
  }
}
