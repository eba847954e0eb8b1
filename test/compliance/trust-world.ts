/**
 * Networks of several domains, and what their machines sign, for tests of rooms that know `trust` by its door only.
 */
export { codec } from "../../src/trust/membership.fixture.ts";
export { attestedBy, executed, executedCommand, received, type Signer, sharedBy, trustWorld } from "../../src/trust/trust.fixture.ts";
