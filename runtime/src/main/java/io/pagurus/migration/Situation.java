package io.pagurus.migration;

/**
 * All that a prediction rests on; bytes and seconds.
 *
 * @param memoryBytes private memory that travels as pages: without zero pages
 * @param presentBytes private memory that is looked through: with them
 * @param sharedBytes shared memory and tmpfs
 * @param sharedTravelsBefore whether what is shared is sent before the freeze too
 * @param fileBytes files that travel before the freeze
 * @param imageBytes image layers that travel before the freeze
 * @param dirty how memory changes
 * @param compressedShare what is left of memory on the wire, between 0 and 1
 * @param linkBytesPerSecond what the connection carries
 * @param roundTripSeconds to the other side and back
 * @param lazy whether the destination restores before all pages are in place
 * @param postCopyAllowed whether memory may follow the restore
 */
record Situation(
    double memoryBytes,
    double presentBytes,
    double sharedBytes,
    boolean sharedTravelsBefore,
    double fileBytes,
    double imageBytes,
    DirtyCurve dirty,
    double compressedShare,
    double linkBytesPerSecond,
    double roundTripSeconds,
    boolean lazy,
    boolean postCopyAllowed) {}
