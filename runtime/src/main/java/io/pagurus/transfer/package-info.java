/**
 * The data path: artifacts as compressed, digested chunks, memory read from live or frozen
 * processes, and the store that holds pages at the destination.
 */
package io.pagurus.transfer;
