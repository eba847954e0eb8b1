import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Key, NetworkPolicy, SharingPolicy } from "../base/index.ts";
import type { Reader } from "./judge.ts";
import { admit, START } from "./membership.fixture.ts";
import type { State } from "./state.ts";
import { type Signer, signerOf, trustWorld } from "./trust.fixture.ts";
import { mayAnybodyWork, type WorkersWord, workersWord } from "./workers-word.ts";

const POLICIES = ["speculative", "team", "release", "self"] as const; // The laxest first.
const WORDS: readonly WorkersWord[] = ["none", "until-executed", "sampled"];
const several = trustWorld([2, 2, 1, 1], 700);
const alone = trustWorld([3], 750);
const revoked = signerOf(790, "d0");
const own = several.signers[0]?.[0] ?? assert.fail();
admit(several.membership, own, revoked, 95, "d0");
several.membership.issue(own.keys, { kind: "revoke", member: revoked.keys.publicKey }, START);
const state = several.membership.state ?? assert.fail();

interface Demands {
  readonly machine: SharingPolicy;
  readonly network?: NetworkPolicy;
  readonly project?: SharingPolicy | undefined;
}

function reader(
  of: State,
  self: Signer | undefined,
  { machine, network = {}, project }: Demands,
  discredited: readonly Key[] = [],
): Reader {
  const under = { ...of, policy: { ...of.policy, rules: network } };
  return { policy: machine, project, self: self?.keys.publicKey ?? "", state: under, discredited: new Set(discredited) };
}

const [[self, sister], [stranger]] = several.signers as [Signer[], Signer[]];
const [founder, colleague] = alone.signers[0] ?? [];

/** What the word of a machine of the own domain is good for, that of another domain, and that of one where all are of one domain. */
const TABLE: readonly (readonly [Demands, sister: WorkersWord, stranger: WorkersWord, colleague: WorkersWord])[] = [
  [{ machine: "speculative" }, "sampled", "until-executed", "sampled"],
  [{ machine: "team" }, "sampled", "until-executed", "sampled"],
  [{ machine: "release" }, "none", "none", "none"],
  [{ machine: "self" }, "none", "none", "none"],
  [{ machine: "team", network: { sharing: "release" } }, "none", "none", "none"],
  [{ machine: "team", project: "release" }, "none", "none", "none"],
  [{ machine: "team", project: "self" }, "none", "none", "none"],
  [{ machine: "release", network: { sharing: "team" }, project: "speculative" }, "none", "none", "none"],
  [{ machine: "speculative", network: { quorum: 2 } }, "sampled", "until-executed", "sampled"],
  [{ machine: "speculative", network: { quorum: 3 } }, "none", "none", "none"],
];

for (const [demands, ...words] of TABLE)
  test(`under ${JSON.stringify(demands)} the word of who worked for this machine is good for: ${words.join(", ")}`, () => {
    const here = reader(state, self, demands);
    const found = [workersWord(here, sister?.keys.publicKey ?? ""), workersWord(here, stranger?.keys.publicKey ?? "")];
    found.push(workersWord(reader(alone.state, founder, demands), colleague?.keys.publicKey ?? ""));
    assert.deepEqual(found, words);
    assert.equal(mayAnybodyWork(here), !words.every((word) => word === "none"));
  });

test("who was revoked, is no member, or was found to have signed what is not so has no word, of whichever domain", () => {
  const team: Demands = { machine: "team" };
  assert.equal(workersWord(reader(state, self, team), revoked.keys.publicKey), "none");
  assert.equal(workersWord(reader(state, self, team), signerOf(799, "d0").keys.publicKey), "none");
  for (const one of [sister, stranger])
    assert.equal(workersWord(reader(state, self, team, [one?.attestationKey ?? ""]), one?.keys.publicKey ?? ""), "none");
});

test("whoever demands more, machine, network or project, never has a word be good for more; nobody's is under release", () => {
  const demands = fc.record({
    machine: fc.constantFrom(...POLICIES),
    sharing: fc.option(fc.constantFrom(...POLICIES), { nil: undefined }),
    quorum: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
    project: fc.option(fc.constantFrom(...POLICIES), { nil: undefined }),
  });
  type Drawn = typeof demands extends fc.Arbitrary<infer T> ? T : never;
  const members = [...state.members.keys()];
  const wordOf = ({ machine, sharing, quorum, project }: Drawn, worker: Key): number => {
    const network = { ...(sharing !== undefined && { sharing }), ...(quorum !== undefined && { quorum }) };
    return WORDS.indexOf(workersWord(reader(state, self, { machine, network, project }), worker));
  };
  const stricter = (before: Drawn, { machine, sharing, quorum, project }: Drawn): Drawn => {
    const more = <T extends SharingPolicy | undefined>(one: T, other: T): T =>
      POLICIES.findIndex((policy) => policy === other) > POLICIES.findIndex((policy) => policy === one) ? other : one;
    return {
      machine: more(before.machine, machine),
      sharing: more(before.sharing, sharing),
      quorum: Math.max(before.quorum ?? 0, quorum ?? 0),
      project: more(before.project, project),
    };
  };
  fc.assert(
    fc.property(demands, demands, fc.constantFrom(...members), (before, more, worker) => {
      const after = stricter(before, more);
      assert.ok(wordOf(after, worker) <= wordOf(before, worker));
      if ([after.machine, after.sharing, after.project].includes("release")) assert.equal(wordOf(after, worker), 0);
    }),
    { numRuns: 500 },
  );
});
