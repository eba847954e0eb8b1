/**
 * What `cairn revoke` says and signs, on whose machine it is typed.
 */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import { epochRule, type KeyPair, keyPairFromSeed, Members, Membership, makeIdentity, requestToJoin } from "../trust/index.ts";
import { loadNetworkCodec } from "../wire/index.ts";
import { endsUnanimity, type Revoked, revoke, type Waiting, waitingWords, withdraw } from "./network-epochs.ts";

const START = 1_800_000_000_000;
const codec = await loadNetworkCodec();
const parts = { codec, rule: epochRule(codec) };

type Name = "founder" | "junior" | "b" | "b2" | "c";
const keysOf = (name: string): KeyPair => keyPairFromSeed(hash("sha256", name, "buffer"));

/** As networks are founded: the first domain has two machines, b has two, and where there are three domains, c one. */
class World {
  readonly #founder = keysOf("founder");
  readonly network: Membership;

  constructor(domains: 1 | 2 | 3) {
    const founder = makeIdentity(this.#founder, keysOf("founder attests"), "founder");
    const genesis = { kind: "genesis", name: "net", domain: "home", founder, nonce: new Uint8Array(16), isUnanimous: true } as const;
    this.network = Membership.found(parts, this.#founder, genesis, START);
    this.#admit("founder", "junior", "home");
    for (const domain of (["b", "c"] as const).slice(0, domains - 1)) {
      this.network.issue(this.#founder, { kind: "domain", name: domain }, START);
      this.#admit("founder", domain, domain);
    }
    if (domains > 1) this.#admit("b", "b2", "b");
    this.network.decide(this.#founder, START);
  }

  /** Types it there. */
  revoke(on: Name, who: Name, isForced = false): Promise<Revoked> {
    const agreement = { deciding: { voices: [], quorum: 0, ballot: undefined }, until: () => Promise.resolve() };
    return revoke({ members: this.#members(on), membership: this.network, agreement }, keysOf(who).publicKey, isForced);
  }

  withdraw(on: Name, who: Name): ReturnType<typeof withdraw> {
    return withdraw({ members: this.#members(on), membership: this.network }, keysOf(who).publicKey);
  }

  waiting(on: Name): Waiting[] {
    return waitingWords(this.network, keysOf(on).publicKey);
  }

  standing(who: Name): string | undefined {
    return this.network.state?.members.get(keysOf(who).publicKey)?.standing;
  }

  #members(on: Name): Members {
    return new Members({ ...parts, membership: this.network, keys: keysOf(on), now: () => START });
  }

  #admit(host: Name, guest: Name, domain: string): void {
    const secret = hash("sha256", `${host} invites ${guest}`, "buffer").subarray(0, 16);
    const identity = makeIdentity(keysOf(guest), keysOf(`${guest} attests`), guest);
    const request = requestToJoin(codec, keysOf(guest), identity, { network: this.network.network, secret });
    const { network } = this;
    assert.equal(
      network.issue(keysOf(host), { kind: "invite", key: request.invitation, domain, expiresAtMs: START + 1_000 }, START).kind,
      "issued",
    );
    assert.equal(network.issue(keysOf(host), { kind: "admit", request }, START).kind, "issued");
  }
}

test("a machine's own domain puts it out at once, also where others have asked for it and wait", async () => {
  for (const domains of [2, 3] as const) {
    const world = new World(domains);
    await world.revoke("junior", "b2");
    assert.equal(world.standing("b2"), "active");
    const { inEffect, waits } = await world.revoke("b", "b2");
    assert.deepEqual([inEffect, waits, world.standing("b2")], [true, undefined, "revoked"]);
  }
});

test("whose word is missing is told with the words in mind that no epoch has yet", async () => {
  const world = new World(3);
  await world.revoke("junior", "b2");
  assert.deepEqual(
    world.waiting("c").map(({ member, missing, mayAccept }) => ({ member, missing: missing.map((one) => one.member), mayAccept })),
    [{ member: "b2", missing: ["founder", "c"], mayAccept: true }],
  );
  await world.revoke("c", "b2");
  assert.deepEqual(
    world.waiting("c").map(({ missing, mayAccept }) => ({ missing: missing.map((one) => one.member), mayAccept })),
    [{ missing: ["founder"], mayAccept: false }],
  );
});

test("what was said by mistake is taken back, and with it the distrust", async () => {
  const world = new World(3);
  await world.revoke("junior", "b2");
  await world.revoke("founder", "b2");
  assert.deepEqual(world.withdraw("founder", "b2")?.accepted, [], "the junior wants it still");
  assert.equal(world.withdraw("junior", "b2"), undefined);
  assert.deepEqual([world.waiting("c"), world.standing("b2")], [[], "active"]);
  assert.throws(() => world.withdraw("junior", "b2"), { facts: { why: "proposal-unknown" } });
});

test("a word that leaves nobody to speak for the first domain is given only by force", async () => {
  for (const domains of [1, 2, 3] as const) {
    const world = new World(domains);
    await assert.rejects(world.revoke("junior", "founder"), { code: "network-refused", facts: { why: "chair-lost", members: "" } });
    assert.equal(world.standing("founder"), "active");
    await world.revoke("junior", "founder", true);
    assert.equal(world.standing("founder"), "revoked");
  }
});

test("a fourth domain's voice is told to end what three domains do together", () => {
  const [two, three] = [new World(2).network.state, new World(3).network.state];
  assert.deepEqual([endsUnanimity(two, "c"), endsUnanimity(three, "c"), endsUnanimity(three, "d")], [false, false, true]);
});
