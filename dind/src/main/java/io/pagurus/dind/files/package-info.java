/**
 * Moves file trees: a container's rootfs changes, volumes, directories of images and logs.
 *
 * <p>A migration sends a tree in passes. {@link FileTree#scan} takes the stamps of all entries,
 * {@link TreeSender} writes what is new or changed since the previous pass, {@link TreeReceiver}
 * applies it to a directory at the destination. The first pass runs while the service still writes;
 * whatever changes meanwhile has another stamp in the next scan and is sent again. The last pass
 * runs on the frozen service and leaves nothing out.
 *
 * <p>File names are bytes, not text: they travel as they are, and as strings hold bytes that are
 * not UTF-8 as lone surrogates U+DC80 to U+DCFF ({@link Names}). Everything is done relative to
 * open directories and never through a symbolic link, on both sides: the service can swap a
 * directory for a link at any moment, and the stream may come from anybody.
 *
 * <h2>The stream</h2>
 *
 * All numbers are big-endian. The stream is a sequence of blocks {@code u32 length, bytes}, at most
 * {@value Wire#BLOCK_BYTES} bytes each, closed by a block of length 0, so that a reader never takes
 * a byte too many. The blocks' contents together are {@code u32 0x50475254 ("PGRT"), u8 version 1}
 * and records; a record starts with its {@code u8} type. A path is {@code u16 length, bytes},
 * relative, with {@code /} between components.
 *
 * <pre>
 * 1 DIRECTORY  path, metadata, u8 exact, if exact: names {u16 length, bytes}..., u16 0
 *              exact: children of other names do not belong there and are removed
 * 2 FILE       path, metadata, extents {u32 length, u64 offset, bytes}..., u32 0, u64 size
 * 3 SYMLINK    path, metadata, u16 length, target
 * 4 NODE       path, metadata, u64 device     (FIFO, socket, device: the type is in the mode)
 * 5 LINK       path, path of an entry earlier in this stream
 * 6 REMOVE     path
 * 7 END        u64 files, u64 bytes
 * 8 PATCH      path, metadata, extents as above, u32 0, holes {u64 length > 0, u64 offset}..., u64 0, u64 size
 *              what changed of a regular file that an earlier pass has brought under this path
 * metadata     u32 st_mode, u32 uid, u32 gid, i64 + u32 atime, i64 + u32 mtime (s, ns),
 *              u16 count, extended attributes {u8 length, name, u32 length, value}...
 * </pre>
 *
 * Records come depth first: a directory, then all that is below it. 0 and types above 8 are
 * invalid.
 */
package io.pagurus.dind.files;
