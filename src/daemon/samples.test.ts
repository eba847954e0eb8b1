import assert from "node:assert/strict";
import { test } from "node:test";
import { attestedBy, executed, executedCommand, type Signer, sharedBy, trustWorld } from "../../test/compliance/trust-world.ts";
import { limits } from "../base/index.ts";
import type { Attestation, Observation, SharedResult } from "../contracts/index.ts";
import { Samples } from "./samples.ts";

const { state, signers } = trustWorld([1, 1, 1], 900);
const [self, a, b] = signers.flat() as [Signer, Signer, Signer];
const BOTH = [a.attestationKey, b.attestationKey];

const WORKS = ["work", "more work", "other work"];

/** This machine, of which others have said `said`. */
function samples(
  said: readonly (readonly [Signer, string])[],
  discredited: readonly Signer[] = [],
  settings = new Map<string, string>(),
  observed: (readonly [member: string, what: Observation])[] = [],
  repeating: readonly Signer[] = [],
) {
  const repeaters = new Set(repeating.map(({ attestationKey }) => attestationKey));
  const parts = {
    members: { state },
    self: self.attestationKey,
    kept: { setting: (name: string) => settings.get(name), set: (name: string, value: string) => void settings.set(name, value) },
    known: (_manifest: string, action: string) =>
      WORKS.filter((what) => executed(what, "x").entry.action === action).flatMap((what) =>
        [...said, [self, "x"] as const].map(([signer, outcome]) => attestedBy(state.network, signer, executed(what, outcome))),
      ),
    voices: (all: readonly Attestation[]) => all.filter(({ execution }) => !repeaters.has(execution.signer)),
    discredited: () => new Set(discredited.map(({ attestationKey }) => attestationKey)),
    reputations: { observe: (member: string, what: Observation) => void observed.push([member, what]) },
  };
  return new Samples(parts, { policy: "team" });
}

const [OWN, ...MORE] = WORKS.map((what) => sharedBy(state.network, self, executed(what, "x"))) as [SharedResult, ...SharedResult[]];

test("who executes the same is looked at less, also after a restart", () => {
  const settings = new Map<string, string>();
  const said = [[a, "x"] as const, [b, "x"] as const];
  const first = samples(said, [], settings);
  assert.deepEqual([first.oneOf("team", BOTH), first.oneOf("speculative", BOTH)], [1, 1]);
  first.executed([OWN, ...MORE]);
  const again = samples(said, [], settings);
  assert.deepEqual([again.oneOf("team", BOTH), again.oneOf("speculative", BOTH), again.oneOf("team", [])], [4, 1, limits.trust.auditTeam]);
});

test("whose word does not count changes nothing, whatever it says", () => {
  const proven = samples([[a, "x"]]);
  proven.executed([OWN]);
  assert.equal(proven.oneOf("team", [a.attestationKey]), 2);
  const settings = new Map<string, string>();
  const deaf = samples([[a, "y"]], [a], settings);
  deaf.executed([OWN]);
  assert.equal(settings.size, 0);
});

test("whether somebody was right is a word about its reputation, once for each action", () => {
  const observed: (readonly [string, Observation])[] = [];
  const said = [[a, "x"] as const, [a, "x"] as const, [b, "y"] as const];
  const of = samples(said, [], new Map(), observed);
  of.executed([OWN]);
  of.executed([OWN]);
  assert.deepEqual(observed, [
    [a.keys.publicKey, { kind: "checked", isSame: true }],
    [b.keys.publicKey, { kind: "checked", isSame: false }],
  ]);
});

test("who may have repeated others is not right by that, and may be wrong", () => {
  const observed: (readonly [string, Observation])[] = [];
  const of = samples(
    [
      [a, "x"],
      [b, "y"],
    ],
    [],
    new Map(),
    observed,
    [a, b],
  );
  of.executed([OWN]);
  assert.deepEqual(observed, [[b.keys.publicKey, { kind: "checked", isSame: false }]]);
  assert.equal(of.oneOf("team", [a.attestationKey]), 1, "and is looked at as closely as who is new");
});

test("what commands print says nothing of who ran them", () => {
  const settings = new Map([["proven", `${a.attestationKey}:9`]]);
  const proven = samples(
    [
      [a, "y"],
      [b, "y"],
    ],
    [],
    settings,
  );
  proven.executed([sharedBy(state.network, self, executedCommand("work", "x"))]);
  assert.deepEqual([proven.oneOf("team", [a.attestationKey]), settings.get("proven")], [10, `${a.attestationKey}:9`]);
});

test("in a network of one domain it is a small sample", () => {
  const { state: alone } = trustWorld([2], 920);
  const settings = new Map<string, string>();
  const kept = { setting: (name: string) => settings.get(name), set: (name: string, value: string) => void settings.set(name, value) };
  const of = new Samples(
    {
      members: { state: alone },
      self: self.attestationKey,
      kept,
      known: () => [],
      voices: (all: readonly Attestation[]) => all,
      discredited: () => new Set(),
      reputations: { observe: () => undefined },
    },
    { policy: "release" },
  );
  assert.equal(of.oneOf("team", BOTH), limits.trust.auditRelease);
});
