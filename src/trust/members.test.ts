import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../base/index.ts";
import { invitationKeyPair } from "./keys.ts";
import { Members } from "./members.ts";
import { admit, copyOf, found, HOUR, type Machine, machine, parts, START, secret } from "./membership.fixture.ts";
import type { Membership } from "./membership.ts";
import { requestToJoin } from "./statements.ts";

const [founder, second, guest] = [machine(0), machine(1), machine(2)] as const;

function membersOf(membership: Membership, one: Machine, now: () => number = () => START): Members {
  return new Members({ ...parts, membership, keys: one.keys, now });
}

function invite(members: Members, number: number): string {
  const key = invitationKeyPair(secret(number)).publicKey;
  assert.equal(members.issue({ kind: "invite", key, domain: "home", expiresAtMs: START + HOUR }).kind, "issued");
  return key;
}

function requestOf(one: Machine, members: Members, number: number): ReturnType<typeof requestToJoin> {
  return requestToJoin(parts.codec, one.keys, one.identity, { network: members.network, secret: secret(number) });
}

test("an invitation is redeemed once, by one; the same one may ask again", () => {
  const members = membersOf(found(founder), founder);
  invite(members, 1);
  assert.deepEqual(members.redeem(requestOf(guest, members, 9)), { kind: "refused", reason: "invitation-unknown" });
  assert.deepEqual(members.redeem(requestOf(guest, members, 1)), { kind: "admitted" });
  const before = members.summary();
  assert.deepEqual(members.redeem(requestOf(guest, members, 1)), { kind: "admitted" });
  assert.equal(members.summary(), before);
  assert.deepEqual(members.redeem(requestOf(second, members, 1)), { kind: "refused", reason: "invitation-used" });
  members.issue({ kind: "revoke", member: guest.keys.publicKey });
  assert.deepEqual(members.redeem(requestOf(guest, members, 1)), { kind: "refused", reason: "invitation-used" });
});

test("an own invitation ends when its clock says so; another's gets an hour of doubt", () => {
  const rows: [host: "own" | "other", afterMs: number, kind: string][] = [
    ["own", HOUR, "admitted"],
    ["own", HOUR + 1, "refused"],
    ["other", 2 * HOUR, "admitted"],
    ["other", 2 * HOUR + 1, "refused"],
    ["other", -HOUR, "admitted"],
  ];
  for (const [host, afterMs, kind] of rows) {
    const membership = found(founder);
    const inviter = membersOf(membership, founder);
    invite(inviter, 1);
    assert.equal(inviter.redeem(requestOf(second, inviter, 1)).kind, "admitted");
    invite(inviter, 2);
    const members = membersOf(copyOf(membership), host === "own" ? founder : second, () => START + afterMs);
    assert.equal(members.redeem(requestOf(guest, members, 2)).kind, kind, `${host} ${afterMs}`);
  }
});

test("a proof that convinces is kept, one that does not leaves no trace", () => {
  const membership = found(founder);
  const elder = membersOf(copyOf(membership), founder);
  const members = membersOf(membership, founder);
  invite(members, 1);
  members.redeem(requestOf(guest, members, 1));
  const proof = membersOf(copyOf(membership), guest).proof();
  const before = elder.summary();
  assert.equal(elder.convince(second.keys.publicKey, proof), false);
  assert.equal(elder.convince(guest.keys.publicKey, proof.slice(1)), false);
  assert.equal(elder.summary(), before);
  assert.equal(elder.convince(guest.keys.publicKey, proof), true);
  assert.equal(elder.standing(guest.keys.publicKey), "active");
});

test("admins take turns by seniority among those who are there; others have none", () => {
  const membership = found(founder);
  const members = membersOf(membership, founder);
  assert.equal(
    members.turn(() => true),
    undefined,
    "nothing waits",
  );
  invite(members, 1);
  members.redeem(requestOf(second, members, 1));
  assert.ok(members.decide());
  invite(members, 2);
  const junior = membersOf(copyOf(membership), second);
  assert.equal(
    members.turn(() => true),
    0,
  );
  assert.equal(
    junior.turn(() => true),
    1,
  );
  assert.equal(
    junior.turn(() => false),
    0,
  );
  assert.equal(
    membersOf(copyOf(membership), guest).turn(() => false),
    undefined,
  );
  assert.equal(membersOf(copyOf(membership), guest).decide(), false);
});

test("listeners hear of what is new, and of nothing else", () => {
  const membership = found(founder);
  const members = membersOf(membership, founder);
  const heard: number[] = [];
  members.onChange((added) => void heard.push(added.length));
  invite(members, 1);
  members.take(membership.statements().map(({ bytes }) => bytes));
  members.decide();
  members.decide();
  assert.deepEqual(heard, [1, 1]);
  for (let number = 2; number <= limits.openInvitations; number++) invite(members, number);
  assert.equal(members.issue({ kind: "domain", name: "home" }).kind, "refused");
  assert.equal(heard.length, 1 + limits.openInvitations);
});

test("who belongs to whom this node belongs to is an active member of the same domain", () => {
  const membership = found(founder);
  const members = membersOf(membership, founder);
  admit(membership, founder, second, 1, "home");
  membership.issue(founder.keys, { kind: "domain", name: "partner" }, START);
  admit(membership, founder, guest, 2, "partner");
  const own = (): boolean[] => [founder, second, guest, machine(9)].map(({ keys }) => members.isOfOwnDomain(keys.publicKey));
  assert.deepEqual(own(), [true, true, false, false]);
  membership.issue(founder.keys, { kind: "revoke", member: second.keys.publicKey }, START);
  assert.deepEqual(own(), [true, false, false, false]);
});
