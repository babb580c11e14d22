/**
 * The commands of {@code pagurus}. They ask the runtime over its Unix socket, and load as little as
 * they can: neither the web server nor data binding nor logging, so that they feel instant.
 */
package io.pagurus.cli;
