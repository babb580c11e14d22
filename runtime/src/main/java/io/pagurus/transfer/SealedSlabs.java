package io.pagurus.transfer;

import static io.pagurus.model.FailureCode.NO_ROOM;
import static io.pagurus.model.FailureCode.TRANSFER_FAILED;

import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import javax.crypto.Cipher;
import javax.crypto.SecretKey;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * Pages in a file on a disk, each sealed by itself with AES-256-GCM under a key that is made here
 * and never leaves this process. The file is unlinked as soon as it is open: when the process ends
 * its blocks are free, and what they hold nobody can read any more.
 *
 * <p>A nonce is the number of the page's slot and how often the slot was written: none comes twice
 * under one key. How often is kept in memory, so that neither a page of another slot nor an older
 * one of the same opens.
 */
final class SealedSlabs implements AutoCloseable {
  private static final int PAGE = ProcessMemory.PAGE_BYTES;
  private static final int TAG = 16;
  private static final int NONCE = 12;
  private static final int RECORD = PAGE + TAG;
  private static final int KEY = 32;

  private final Path directory;
  private final int slabPages;
  private final SecretKey key;
  private final Cipher cipher;
  private final byte[] record = new byte[RECORD];
  private FileChannel file;
  private int slabs;
  private long pages;

  /**
   * @param directory made when it is needed, mode 0700
   */
  SealedSlabs(Path directory, int slabPages) {
    this.directory = directory;
    this.slabPages = slabPages;
    byte[] random = new byte[KEY];
    new SecureRandom().nextBytes(random);
    this.key = new SecretKeySpec(random, "AES");
    try {
      this.cipher = Cipher.getInstance("AES/GCM/NoPadding");
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("Every JDK has AES-GCM", e);
    }
  }

  /** One more slab. */
  PageStore.Slab add() throws IOException {
    if (file == null) {
      file = open(directory);
    }
    return new Slab(slabs++ * slabPages);
  }

  /** Its name is taken away at once. */
  private static FileChannel open(Path directory) throws IOException {
    Files.createDirectories(
        directory,
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    Path path = Files.createTempFile(directory, "pages", "");
    FileChannel opened = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
    Files.delete(path);
    return opened;
  }

  /** The file, for tests. */
  FileChannel file() {
    return file;
  }

  /** Slots that have been written. */
  long pages() {
    return pages;
  }

  private GCMParameterSpec nonce(int slot, int writes) {
    return new GCMParameterSpec(
        TAG * Byte.SIZE, ByteBuffer.allocate(NONCE).putInt(slot).putInt(writes).array());
  }

  private final class Slab implements PageStore.Slab {
    private final int first;
    private final int[] writes = new int[slabPages];

    Slab(int first) {
      this.first = first;
    }

    @Override
    public void put(int page, byte[] source, int offset, int count) throws IOException {
      for (int i = 0; i < count; i++) {
        putOne(page + i, source, offset + i * PAGE);
      }
    }

    private void putOne(int page, byte[] source, int offset) throws IOException {
      pages += writes[page] == 0 ? 1 : 0;
      writes[page] = Math.incrementExact(writes[page]);
      try {
        cipher.init(Cipher.ENCRYPT_MODE, key, nonce(first + page, writes[page]));
        int length = cipher.doFinal(source, offset, PAGE, record, 0);
        ByteBuffer out = ByteBuffer.wrap(record, 0, length);
        long at = (long) (first + page) * RECORD;
        while (out.hasRemaining()) {
          at += file.write(out, at);
        }
      } catch (GeneralSecurityException e) {
        throw new IOException("Cannot seal a page", e);
      } catch (IOException e) {
        throw new MigrationException(
            NO_ROOM,
            "The disk for sealed pages cannot be written: %s.".formatted(e.getMessage()),
            e);
      }
    }

    @Override
    public ByteBuffer read(int page, int count) throws IOException {
      byte[] opened = new byte[count * PAGE];
      for (int i = 0; i < count; i++) {
        readOne(page + i, opened, i * PAGE);
      }
      return ByteBuffer.wrap(opened);
    }

    private void readOne(int page, byte[] opened, int offset) throws IOException {
      ByteBuffer in = ByteBuffer.wrap(record);
      long at = (long) (first + page) * RECORD;
      while (in.hasRemaining()) {
        int read = file.read(in, at + in.position());
        if (read < 0) {
          throw new IOException("A sealed page is missing");
        }
      }
      try {
        cipher.init(Cipher.DECRYPT_MODE, key, nonce(first + page, writes[page]));
        int ignored = cipher.doFinal(record, 0, RECORD, opened, offset);
      } catch (GeneralSecurityException e) {
        throw new MigrationException(
            TRANSFER_FAILED, "A page was changed on the disk of the destination.", e);
      }
    }
  }

  @Override
  public void close() throws IOException {
    if (file != null) {
      file.close();
    }
  }
}
