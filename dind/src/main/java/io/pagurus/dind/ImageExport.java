package io.pagurus.dind;

/**
 * What an image cost on its way.
 *
 * @param bytes of the archive, before any compression
 * @param layersSent layers in the archive
 * @param layersSkipped layers that the destination had already
 */
public record ImageExport(long bytes, int layersSent, int layersSkipped) {}
