/**
 * CRIU from Java: its image files, its page-server protocol, its log, its features and the
 * processor's. Formats are hand-written from CRIU's sources, which each class names; nothing here
 * knows of containers.
 */
package io.pagurus.criu;
