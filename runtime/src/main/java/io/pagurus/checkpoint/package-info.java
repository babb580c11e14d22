/**
 * What happens to a service that ends here, and the checkpoints that it may be restored from.
 *
 * <p>{@link io.pagurus.checkpoint.Keeper} decides, {@link io.pagurus.checkpoint.Checkpoints} takes
 * and restores, {@link io.pagurus.checkpoint.Archive} is one checkpoint on the disk, and {@link
 * io.pagurus.checkpoint.SealedOutput} its encryption.
 *
 * <h2>The archive</h2>
 *
 * All numbers are big-endian. A file is a header ({@link io.pagurus.checkpoint.SealedHeader}) and
 * segments ({@link io.pagurus.checkpoint.SealedOutput}). What they seal is compressed with
 * Zstandard, and is a sequence of parts:
 *
 * <pre>
 * part     u8 type, u16 length, name in UTF-8, chunks {u32 length, bytes}..., u32 0, u32 CRC32C of the chunks' bytes
 * 1 META   JSON, the first part: version, number, container, service, when, and its plan (docker inspect)
 * 2 ROOTFS, 3 VOLUME (name: mount point)   a pass of dind.files.TreeSender; several apply in order
 * 4 MEMORY records of transfer.MemorySender; several apply in order
 * 5 IMAGES CRIU's files, as a tree
 * 9 END    u32 number of parts before it; the last part
 * </pre>
 */
package io.pagurus.checkpoint;
