/**
 * Audit: a project's build done twice, in different surroundings: what differs, where first, and how to mend it.
 *
 * Knows: copies of a checkout, what compilers and archivers were told, clues in what they wrote. Does not know: caches, networks, or how it
 * is shown. Nothing of the user's tree is changed.
 */
export { type AuditOptions, type AuditReport, audit } from "./audit.ts";
export type { AuditParts, Progress } from "./audit-parts.ts";
export { advice, type Cause } from "./causes.ts";
export type { Finding } from "./findings.ts";
export type { Tool } from "./recorder.ts";
