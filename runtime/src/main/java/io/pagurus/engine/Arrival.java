package io.pagurus.engine;

import io.pagurus.model.Belongings;
import io.pagurus.model.Placement;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.Consumer;

/** A service that is about to arrive at this engine. Used by one migration. */
public interface Arrival {
  /** The directory for CRIU's files, below the migration's staging directory. */
  String CHECKPOINT = "checkpoint";

  /** What {@link #prepare} will create and {@link #abandon} remove. */
  Belongings belongings();

  /**
   * Creates networks, volumes and the container, and starts it: the start waits, inside the engine,
   * for {@link #restore}. The image must be there.
   *
   * @param created told the engine's id of the container once it exists, before it starts
   * @throws io.pagurus.model.MigrationException when something cannot be created; nothing is left
   */
  void prepare(Consumer<String> created);

  /** The engine's id of the container; empty until {@link #prepare} has created it. */
  String id();

  /** The container's mounted root, which rootfs changes are applied to. */
  Path rootfs();

  /** Where the files of the volume with this mount point lie. */
  Path volume(String mountPoint);

  /**
   * Where the files of a tmpfs go, which the restored service will have mounted.
   *
   * @param device its number at the source
   * @throws io.pagurus.model.MigrationException PROTOCOL for what is no such number
   */
  Path tmpfs(String device) throws IOException;

  /**
   * Puts old lines into the service's log.
   *
   * @param suffix of a rotated file, empty for the current one
   * @param offset where they begin in that file, bytes
   */
  void log(String suffix, long offset, InputStream lines) throws IOException;

  /** Makes ready what can be made ready as soon as CRIU's files are here, beside the last pages. */
  void stage(Path images, PageSupply pages, SegmentSupply segments) throws IOException;

  /**
   * Checks that every page of the checkpoint is here, or that it may come later; the last step
   * before the commit.
   *
   * @throws io.pagurus.model.MigrationException TRANSFER_FAILED naming a page that is not
   */
  void verify();

  /** Whether every page is in place before the first instruction; only after {@link #verify}. */
  boolean whole();

  /** When its memory is put in place, and why then; only after {@link #verify}. */
  Placement placement();

  /**
   * Lets the waiting start go on as a restore; returns when the processes run.
   *
   * @throws io.pagurus.model.MigrationException RESTORE_FAILED with CRIU's own words; then nothing
   *     of the service runs here
   */
  void restore();

  /**
   * Waits until the engine has taken the running container over.
   *
   * @return CRIU's own statistics, with its names
   * @throws io.pagurus.model.MigrationException RESTORE_FAILED
   */
  Map<String, Long> adopted();

  /**
   * Writes the service's files to the disk: what it had made durable at the source must be durable
   * here before the source gives its copy up. May take long; the service runs meanwhile.
   *
   * @throws io.pagurus.model.MigrationException RESTORE_FAILED when the disk fails
   */
  void persist();

  /** Waits until every page is in place and releases what only the restore needed. */
  void settle();

  /**
   * Ends whatever of the service runs here, or is about to; returns when nothing does nor will.
   * Takes no longer than a kill, for at the source the service stands still meanwhile. {@link
   * #abandon} must follow.
   *
   * @throws java.io.UncheckedIOException when something goes on
   */
  void stop();

  /**
   * Undoes everything; may be called in any state before {@link #settle} has returned, and again.
   *
   * @throws io.pagurus.model.MigrationException ENGINE_UNAVAILABLE: something is left
   */
  void abandon();

  /** Shared memory for the restored processes, in place before they are. */
  interface SegmentSupply {
    /**
     * Whether all of these pages of a segment are here; {@code inode} is its number at the source.
     */
    boolean holds(long inode, long address, long pages);

    /** Where a segment that is here opens, for writing too. */
    Path path(long inode);
  }

  /** Pages for the restored processes. */
  interface PageSupply {
    /** Whether pages may come after the restore: then a process waits for those that it needs. */
    boolean follow();

    /**
     * Waits for the first of these pages.
     *
     * @return how many of them are here, in a row from the first: at least 1
     * @throws IOException when it does not come
     */
    int await(int pid, long address, int pages) throws IOException;

    /** Whether all of these pages are here. */
    boolean holds(int pid, long address, long pages);

    /** Writes pages in address order. */
    void transferTo(int pid, long address, int pages, WritableByteChannel out) throws IOException;

    /**
     * How long each byte takes to come, ns, where all memory is on its way and every page comes
     * once; empty where some came before, and may come anew.
     */
    default OptionalDouble nanosPerByte() {
      return OptionalDouble.empty();
    }

    /**
     * Waits for the first of these pages without asking for it.
     *
     * @return how many of them are here, in a row from the first: at least 1
     * @throws IOException when it does not come
     */
    default int expect(int pid, long address, int pages) throws IOException {
      return await(pid, address, pages);
    }

    /** Writes pages in address order and forgets them; none of them can come again. */
    default void take(int pid, long address, int pages, WritableByteChannel out)
        throws IOException {
      transferTo(pid, address, pages, out);
    }
  }
}
