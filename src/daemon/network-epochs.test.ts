/**
 * What `cairn revoke` says and signs, on whose machine it is typed.
 */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import { epochRule, type KeyPair, keyPairFromSeed, Members, Membership, makeIdentity, requestToJoin } from "../trust/index.ts";
import { loadNetworkCodec } from "../wire/index.ts";
import { type Revoked, revoke, type Waiting, waitingWords } from "./network-epochs.ts";

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
  async revoke(on: Name, who: Name): Promise<Revoked> {
    const { network: membership } = this;
    const members = new Members({ ...parts, membership, keys: keysOf(on), now: () => START });
    const agreement = { deciding: { voices: [], quorum: 0, ballot: undefined }, until: () => Promise.resolve() };
    return revoke({ members, membership, agreement }, keysOf(who).publicKey);
  }

  waiting(on: Name): Waiting[] {
    return waitingWords(this.network, keysOf(on).publicKey);
  }

  standing(who: Name): string | undefined {
    return this.network.state?.members.get(keysOf(who).publicKey)?.standing;
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
