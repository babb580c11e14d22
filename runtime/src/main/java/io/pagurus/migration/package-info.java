/**
 * A migration from both ends.
 *
 * <pre>
 * source                                   destination
 *   preflight   -- hello, check -->          (touches nothing)   &lt;-- verdict --
 *   prepare     -- prepare -->               networks, volumes, container, waiting start
 *               == image ==>                                     &lt;-- prepared --
 *   stable      == rootfs, log ==>           applied to the waiting container
 *   freeze      service stops, traffic cut
 *   dump, send  == memory, checkpoint, files ==>
 *   stage       -- seal -->                  every digest and page verified  &lt;-- staged --
 *   commit      -- commit -->                journalled          &lt;-- resumed --  (downtime ends)
 *   acknowledge                              engine owns it      &lt;-- restored --
 *   retire              files on the disk, all pages in place  &lt;-- settled --
 * </pre>
 *
 * Until {@code commit} is journalled at the source, any failure thaws the service there. Afterwards
 * only an explicit {@code aborted} of the destination does.
 */
package io.pagurus.migration;
