/**
 * What a destination accepts: the policy file of its operator, and the judgement of a service by
 * it. A pure function of file and plan; nothing here touches an engine.
 */
package io.pagurus.policy;
