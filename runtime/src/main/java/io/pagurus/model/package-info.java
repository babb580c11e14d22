/**
 * The words of Pagurus as records: no behaviour beyond validation, no dependency on other packages.
 */
package io.pagurus.model;
