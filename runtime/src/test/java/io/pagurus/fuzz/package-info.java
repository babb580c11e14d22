/**
 * Fuzz targets for whatever reads a peer's bytes. {@code make fuzz} lets Jazzer drive them; the
 * seeds in {@code src/test/fuzz} are replayed with the unit tests. A target has no dependency on a
 * fuzzer: it takes bytes, and throws when the code under test failed in another way than it
 * documents.
 */
package io.pagurus.fuzz;
