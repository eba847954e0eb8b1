import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../base/index.ts";
import { invitationKeyPair } from "./keys.ts";
import { admit, codec, copyOf, found, HOUR, type Machine, machine, parts, START, secret, signed } from "./membership.fixture.ts";
import { Membership } from "./membership.ts";
import { requestToJoin } from "./statements.ts";

const [founder, second, third, stranger] = [machine(0, "laptop"), machine(1, "desktop"), machine(2, "laptop"), machine(3)] as const;

function standing(membership: Membership, one: Machine): string {
  return membership.state?.members.get(one.keys.publicKey)?.standing ?? "unknown";
}

function requestOf(guest: Machine, membership: Membership, number: number): ReturnType<typeof requestToJoin> {
  return requestToJoin(codec, guest.keys, guest.identity, { network: membership.network, secret: secret(number) });
}

function mergeBothWays(one: Membership, other: Membership): void {
  for (const [to, from] of [
    [one, other],
    [other, one],
  ] as const)
    to.merge(from.statements().map(({ bytes }) => bytes));
}

function inviteKey(number: number): string {
  return invitationKeyPair(secret(number)).publicKey;
}

test("a founder, an invitation, a member of the same domain, and a name that was taken", () => {
  const network = found(founder);
  admit(network, founder, second, 1);
  admit(network, second, third, 2);
  const members = [...(network.state?.members.values() ?? [])].map(({ name, domain, rank, epoch }) => ({ name, domain, rank, epoch }));
  assert.deepEqual(members, [
    { name: "laptop", domain: "home", rank: 0, epoch: 0 },
    { name: "desktop", domain: "home", rank: 1, epoch: undefined },
    { name: "laptop-2", domain: "home", rank: 2, epoch: undefined },
  ]);
  assert.ok(network.decide(founder.keys, START));
  assert.equal(network.decided?.members.get(third.keys.publicKey)?.epoch, 1);
  assert.equal(network.decide(founder.keys, START), undefined, "nothing is left to decide");
});

test("what a member may not do, and why", () => {
  const network = found(founder);
  admit(network, founder, second, 1);
  network.issue(founder.keys, { kind: "domain", name: "beta" }, START);
  admit(network, founder, third, 2, "beta");
  const invite = (number: number, domain: string, forMs = HOUR): object => ({
    kind: "invite",
    key: inviteKey(number),
    domain,
    expiresAtMs: START + forMs,
  });
  const rows: [who: Machine, what: object, why: string][] = [
    [stranger, invite(9, "home"), "not-a-member"],
    [third, { kind: "domain", name: "gamma" }, "not-an-admin"],
    [founder, { kind: "domain", name: "beta" }, "domain-exists"],
    [founder, invite(9, "gamma"), "domain-unknown"],
    [founder, invite(9, "beta"), "domain-foreign"],
    [third, invite(9, "home"), "domain-foreign"],
    [third, invite(2, "beta"), "invitation-exists"],
    [third, invite(9, "beta", 0), "invitation-too-long"],
    [third, invite(9, "beta", limits.invitationMs + 1), "invitation-too-long"],
    [third, { kind: "revoke", member: founder.keys.publicKey }, "member-foreign"],
    [founder, { kind: "revoke", member: stranger.keys.publicKey }, "member-unknown"],
    [founder, { kind: "admit", request: requestOf(stranger, network, 1) }, "invitation-used"],
    [founder, { kind: "admit", request: requestOf(stranger, network, 9) }, "invitation-unknown"],
  ];
  for (const [who, what, why] of rows)
    assert.deepEqual(network.issue(who.keys, what as never, START), { kind: "refused", why }, JSON.stringify(what));
});

test("an invitation lives as long as it says, give or take clocks that are wrong", () => {
  const rows: [afterMs: number, ok: boolean][] = [
    [0, true],
    [HOUR, true],
    [3 * HOUR, true],
    [3 * HOUR + 1, false],
    [-2 * HOUR, true],
    [-2 * HOUR - 1, false],
  ];
  for (const [afterMs, ok] of rows) {
    const network = found(founder);
    network.issue(founder.keys, { kind: "invite", key: inviteKey(1), domain: "home", expiresAtMs: START + HOUR }, START);
    const admitted = network.issue(founder.keys, { kind: "admit", request: requestOf(second, network, 1) }, START + afterMs);
    assert.equal(admitted.kind, ok ? "issued" : "refused", `${afterMs} ms later`);
  }
});

test("no more than so many open invitations; redeemed and expired ones do not count", () => {
  const network = found(founder);
  const invite = (number: number, atMs: number): string => {
    const what = { kind: "invite", key: inviteKey(number), domain: "home", expiresAtMs: atMs + HOUR } as const;
    const issued = network.issue(founder.keys, what, atMs);
    return issued.kind === "issued" ? "issued" : issued.why;
  };
  for (let number = 0; number < limits.openInvitations; number++) assert.equal(invite(number, START), "issued");
  assert.equal(invite(90, START), "too-many-invitations");
  network.issue(founder.keys, { kind: "admit", request: requestOf(second, network, 0) }, START);
  assert.equal(invite(91, START), "issued");
  assert.equal(invite(92, START), "too-many-invitations");
  assert.equal(invite(93, START + HOUR), "issued");
  // All of it in one epoch, though the sixth was only possible after the first had been redeemed.
  network.decide(founder.keys, START);
  assert.equal(network.undecided, 0);
  assert.equal(copyOf(network).summary, network.summary);
});

test("a revoked member's later operations count for nothing, its earlier ones stay", () => {
  const network = found(founder);
  admit(network, founder, second, 1);
  admit(network, second, third, 2);
  network.decide(founder.keys, START);
  const elsewhere = copyOf(network);
  network.issue(founder.keys, { kind: "revoke", member: second.keys.publicKey }, START);
  network.decide(founder.keys, START);
  admit(elsewhere, second, stranger, 3);
  elsewhere.issue(second.keys, { kind: "revoke", member: founder.keys.publicKey }, START);
  elsewhere.decide(second.keys, START);

  for (const [to, from] of [
    [network, elsewhere],
    [elsewhere, network],
  ] as const)
    to.merge(from.statements().map(({ bytes }) => bytes));
  for (const replica of [network, elsewhere]) {
    assert.deepEqual(
      [founder, second, third, stranger].map((one) => standing(replica, one)),
      ["active", "revoked", "active", "unknown"],
    );
  }
  assert.equal(network.summary, elsewhere.summary);
  const again = requestOf(second, network, 4);
  network.issue(founder.keys, { kind: "invite", key: again.invitation, domain: "home", expiresAtMs: START + HOUR }, START);
  assert.deepEqual(network.issue(founder.keys, { kind: "admit", request: again }, START), { kind: "refused", why: "key-used" });
});

test("invitations of who is revoked or has left are void, in whatever order that is heard", () => {
  for (const what of ["revoke", "leave"] as const) {
    const network = found(founder);
    admit(network, founder, second, 1);
    network.decide(founder.keys, START);
    const issued = network.issue(second.keys, { kind: "invite", key: inviteKey(2), domain: "home", expiresAtMs: START + HOUR }, START);
    assert.equal(issued.kind, "issued");
    if (what === "revoke") network.issue(founder.keys, { kind: "revoke", member: second.keys.publicKey }, START);
    else network.issue(second.keys, { kind: "leave" }, START);
    const late = network.issue(founder.keys, { kind: "admit", request: requestOf(third, network, 2) }, START);
    // Undecided, the invitation itself counts for nothing any more; decided, its inviter is gone.
    assert.deepEqual(late, { kind: "refused", why: "invitation-unknown" });
  }
  const network = found(founder);
  admit(network, founder, second, 1);
  network.issue(second.keys, { kind: "invite", key: inviteKey(2), domain: "home", expiresAtMs: START + HOUR }, START);
  network.decide(founder.keys, START);
  network.issue(founder.keys, { kind: "revoke", member: second.keys.publicKey }, START);
  const late = network.issue(founder.keys, { kind: "admit", request: requestOf(third, network, 2) }, START);
  assert.deepEqual(late, { kind: "refused", why: "inviter-gone" });
});

test("two admins decide at once: the senior's epoch stands, and nothing that the junior decided is lost", () => {
  const network = found(founder);
  admit(network, founder, second, 1);
  network.decide(founder.keys, START);
  const junior = copyOf(network);
  admit(network, founder, third, 2);
  admit(junior, second, stranger, 3);
  assert.ok(network.decide(founder.keys, START) && junior.decide(second.keys, START));
  for (const [to, from] of [
    [network, junior],
    [junior, network],
  ] as const)
    to.merge(from.statements().map(({ bytes }) => bytes));
  assert.equal(network.summary, junior.summary);
  assert.deepEqual(
    [third, stranger].map((one) => standing(junior, one)),
    ["active", "active"],
  );
  assert.equal(junior.decided?.members.has(stranger.keys.publicKey), false);
  assert.ok(junior.decide(second.keys, START));
  assert.equal(junior.decided?.members.has(stranger.keys.publicKey), true);
});

test("two members put each other out at once: the senior stays, before anybody has decided it", () => {
  const network = found(founder);
  admit(network, founder, second, 1);
  network.decide(founder.keys, START);
  const other = copyOf(network);
  network.issue(founder.keys, { kind: "revoke", member: second.keys.publicKey }, START);
  other.issue(second.keys, { kind: "revoke", member: founder.keys.publicKey }, START);
  mergeBothWays(network, other);
  for (const replica of [network, other])
    assert.deepEqual(
      [founder, second].map((one) => standing(replica, one)),
      ["active", "revoked"],
    );
});

test("one invitation, redeemed at two places at once: everybody agrees who came in", () => {
  const network = found(founder);
  admit(network, founder, second, 1);
  network.issue(founder.keys, { kind: "invite", key: inviteKey(2), domain: "home", expiresAtMs: START + HOUR }, START);
  const other = copyOf(network);
  network.issue(founder.keys, { kind: "admit", request: requestOf(third, network, 2) }, START);
  other.issue(second.keys, { kind: "admit", request: requestOf(stranger, network, 2) }, START);
  mergeBothWays(network, other);
  for (const replica of [network, other])
    assert.deepEqual(
      [third, stranger].map((one) => standing(replica, one)),
      ["active", "unknown"],
    );
});

test("forgeries are dropped", () => {
  const network = found(founder);
  admit(network, founder, second, 1);
  network.decide(founder.keys, START);
  const before = network.state;
  const good = signed(second.keys, network.network, 1, { kind: "leave" });
  const request = requestOf(stranger, network, 7);
  const flipped = Uint8Array.from(good);
  flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
  const stolen = { ...request, identity: { ...request.identity, peerKey: second.keys.publicKey } };
  const rows: [string, Uint8Array, string | undefined][] = [
    ["a bit of the signature", flipped, "signature"],
    ["somebody else's signature", codec.encodeSigned({ ...codec.decodeSigned(good), signature: new Uint8Array(64) }), "signature"],
    ["trailing bytes", Buffer.concat([good, Buffer.of(0x18, 1)]), "malformed"],
    ["half of it", good.subarray(0, 40), "malformed"],
    ["another network", signed(second.keys, "ab".repeat(32), 1, { kind: "leave" }), "other-network"],
    [
      "another genesis",
      signed(founder.keys, "", 0, { kind: "genesis", name: "x", domain: "y", founder: founder.identity, nonce: secret(1) }),
      "other-network",
    ],
    ["a request that another key signed", signed(second.keys, network.network, 2, { kind: "admit", request: stolen }), "inner-signature"],
    [
      "an epoch of nobody",
      signed(stranger.keys, network.network, 0, { kind: "epoch", number: 2, previous: network.decided?.epoch.id ?? "", operations: [] }),
      "epoch-invalid",
    ],
    [
      "an epoch that skips one",
      signed(founder.keys, network.network, 0, { kind: "epoch", number: 3, previous: network.decided?.epoch.id ?? "", operations: [] }),
      "epoch-invalid",
    ],
    [
      "an epoch whose operation cannot take effect",
      signed(founder.keys, network.network, 0, {
        kind: "epoch",
        number: 2,
        previous: network.decided?.epoch.id ?? "",
        operations: [signed(stranger.keys, network.network, 1, { kind: "leave" })],
      }),
      "epoch-invalid",
    ],
  ];
  for (const [about, bytes, why] of rows) assert.deepEqual(network.merge([bytes]), { added: [], refused: [why] }, about);
  assert.deepEqual(network.state, before);
});

test("nobody is admitted without an invitation, whoever vouches", () => {
  const network = found(founder);
  admit(network, founder, second, 1);
  network.merge([signed(second.keys, network.network, 1, { kind: "admit", request: requestOf(stranger, network, 5) })]);
  network.merge([signed(stranger.keys, network.network, 1, { kind: "admit", request: requestOf(stranger, network, 5) })]);
  assert.equal(standing(network, stranger), "unknown");
  assert.equal(network.state?.members.size, 2);
});

test("who signs without end fills nothing, and an admin still gets through", () => {
  const network = found(founder);
  network.issue(founder.keys, { kind: "domain", name: "beta" }, START);
  admit(network, founder, second, 1, "beta");
  network.decide(founder.keys, START);
  const flood = Array.from({ length: 200 }, (_, i) =>
    signed(second.keys, network.network, 1 + i, { kind: "invite", key: inviteKey(100 + i), domain: "beta", expiresAtMs: START + HOUR }),
  );
  const strangers = Array.from({ length: 400 }, (_, i) => signed(machine(1_000 + i).keys, network.network, 1, { kind: "leave" }));
  network.merge([...flood, ...strangers]);
  assert.equal(network.have().pending.length, limits.pendingPerMember + limits.pendingOfStrangers);
  assert.equal(network.state?.invitations.size, 1 + limits.openInvitations);
  assert.equal(network.issue(founder.keys, { kind: "revoke", member: second.keys.publicKey }, START).kind, "issued");
  assert.equal(standing(network, second), "revoked");
});

test("what one replica misses, another knows to send", () => {
  const network = found(founder);
  const behind = copyOf(network);
  for (let number = 1; number <= 30; number++) {
    admit(network, founder, machine(10 + number), number);
    network.decide(founder.keys, START);
  }
  admit(network, founder, second, 40);
  const sent = network.missing(behind.have());
  assert.equal(sent.length, 32, "thirty epochs and two operations");
  assert.deepEqual(behind.merge(sent).refused, []);
  assert.equal(behind.summary, network.summary);
  assert.deepEqual(network.missing(behind.have()), []);
  assert.ok(network.have().epochs.length < 20);

  const empty = new Membership(parts, network.network);
  empty.merge(network.missing(empty.have()));
  assert.equal(empty.summary, network.summary);
});

test("a proof convinces who knows only the elders", () => {
  const network = found(founder);
  network.issue(founder.keys, { kind: "domain", name: "beta" }, START);
  const elder = copyOf(network);
  admit(network, founder, second, 1, "beta");
  admit(network, second, third, 2);
  network.decide(founder.keys, START);
  assert.equal(standing(elder, third), "unknown");
  elder.merge(network.proof(third.keys.publicKey));
  assert.equal(standing(elder, third), "active");
  assert.ok(network.proof(third.keys.publicKey).reduce((sum, { length }) => sum + length, 0) < limits.helloBytes);
});
