/** Tells whoever listens how migrations go on. */
package io.pagurus.event;
