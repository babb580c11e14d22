/** What a runtime must know after a crash: one durable file per migration. */
package io.pagurus.journal;
