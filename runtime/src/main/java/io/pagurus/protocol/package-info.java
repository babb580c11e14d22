/** What two runtimes say to each other: frames, messages, roles and limits. */
package io.pagurus.protocol;
