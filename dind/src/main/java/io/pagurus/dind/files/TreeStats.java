package io.pagurus.dind.files;

/**
 * What one pass moved.
 *
 * @param files entries other than directories
 * @param bytes contents of regular files, holes not counted
 * @param deleted removals: as told by the sender, as found necessary by the receiver
 * @param skipped entries that vanished or were replaced while being read; the next pass sends what
 *     is there by then. Always 0 on a frozen tree, and at the receiver.
 */
public record TreeStats(long files, long bytes, long deleted, long skipped) {}
