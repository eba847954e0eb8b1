import assert from "node:assert/strict";
import { test } from "node:test";
import type { SharingPolicy } from "../base/index.ts";
import { judge } from "./judge.ts";
import { admit, found, machine, START } from "./membership.fixture.ts";
import type { State } from "./state.ts";

const self = machine(1, "self");
const machines = {
  self,
  sister: machine(2, "sister"),
  guest: machine(3, "guest"),
  revoked: machine(4, "revoked"),
  left: machine(5, "left"),
  stranger: machine(6, "stranger"),
};

/** Everybody but the stranger was admitted, the guest to a domain of its own. */
function stateOfAll(): State {
  const membership = found(self);
  membership.issue(self.keys, { kind: "domain", name: "partner" }, START);
  admit(membership, self, machines.sister, 2);
  admit(membership, self, machines.guest, 3, "partner");
  admit(membership, self, machines.revoked, 4);
  admit(membership, self, machines.left, 5);
  membership.issue(self.keys, { kind: "revoke", member: machines.revoked.keys.publicKey }, START);
  membership.issue(machines.left.keys, { kind: "leave" }, START);
  assert.ok(membership.state !== undefined);
  return membership.state;
}

const state = stateOfAll();
type Outcome = "believed" | "policy" | "other-domain" | "revoked" | "left" | "stranger";
const table: Readonly<Record<keyof typeof machines, Readonly<Record<SharingPolicy, Outcome>>>> = {
  self: { self: "believed", team: "believed", speculative: "believed" },
  sister: { self: "policy", team: "believed", speculative: "believed" },
  guest: { self: "policy", team: "other-domain", speculative: "believed" },
  revoked: { self: "revoked", team: "revoked", speculative: "revoked" },
  left: { self: "left", team: "left", speculative: "left" },
  stranger: { self: "stranger", team: "stranger", speculative: "stranger" },
};

for (const [name, outcomes] of Object.entries(table)) {
  for (const [policy, outcome] of Object.entries(outcomes)) {
    test(`policy ${policy}, signed by ${name}: ${outcome}`, () => {
      const { keys, identity } = machines[name as keyof typeof machines];
      const verdict = judge({ policy: policy as SharingPolicy, self: self.keys.publicKey, state }, identity.attestationKey);
      if (outcome === "believed") assert.deepEqual(verdict, { kind: "believed", member: state.members.get(keys.publicKey) });
      else assert.deepEqual(verdict, { kind: "refused", why: outcome });
    });
  }
}

test("a peer key signs no results", () => {
  const reader = { policy: "speculative", self: self.keys.publicKey, state } as const;
  assert.deepEqual(judge(reader, machines.sister.keys.publicKey), { kind: "refused", why: "stranger" });
});

test("a guest's own domain is its team", () => {
  const reader = { policy: "team", self: machines.guest.keys.publicKey, state } as const;
  assert.deepEqual(judge(reader, machines.sister.identity.attestationKey), { kind: "refused", why: "other-domain" });
  assert.equal(judge(reader, machines.guest.identity.attestationKey).kind, "believed");
});

test("who was put out itself believes nobody but by speculation", () => {
  const reader = { policy: "team", self: machines.stranger.keys.publicKey, state } as const;
  assert.deepEqual(judge(reader, machines.sister.identity.attestationKey), { kind: "refused", why: "other-domain" });
});
