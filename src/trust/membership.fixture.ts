/**
 * Machines for tests of membership: real keys that follow from a number, real signatures.
 */
import { hash } from "node:crypto";
import type { Genesis, Identity, Operation, Statement } from "../base/index.ts";
import { loadNetworkCodec } from "../wire/index.ts";
import { electorateOf } from "./electorate.ts";
import { epochRule } from "./epoch-rule.ts";
import { type KeyPair, keyPairFromSeed, makeIdentity } from "./keys.ts";
import { Membership, type MembershipParts } from "./membership.ts";
import { requestToJoin, signStatement, withDecision } from "./statements.ts";

export const codec: Awaited<ReturnType<typeof loadNetworkCodec>> = await loadNetworkCodec();
export const parts: MembershipParts = { codec, rule: epochRule(codec) };

/** Milliseconds since 1970 at which tests begin. */
export const START = 1_800_000_000_000;
export const HOUR = 3_600_000;

export interface Machine {
  readonly keys: KeyPair;
  readonly identity: Identity;
}

export function machine(number: number, name = `m${number}`): Machine {
  const keys = keyPairFromSeed(seedOf("peer", number));
  return { keys, identity: makeIdentity(keys, keyPairFromSeed(seedOf("attestation", number)), name) };
}

export function seedOf(what: "peer" | "attestation", number: number): Uint8Array {
  return hash("sha256", `${what} ${number}`, "buffer");
}

export function secret(number: number): Uint8Array {
  return hash("sha256", `secret ${number}`, "buffer").subarray(0, 16);
}

/** @param options networks are founded with all of it today */
export function found(
  founder: Machine,
  domain = "home",
  options: { readonly hasTrial?: true; readonly isUnanimous?: true } = {},
): Membership {
  const genesis: Genesis = { kind: "genesis", name: "net", domain, founder: founder.identity, nonce: new Uint8Array(16), ...options };
  return Membership.found(parts, founder.keys, genesis, START);
}

/** A replica with the same statements. */
export function copyOf(membership: Membership): Membership {
  const copy = new Membership(parts, membership.network);
  copy.merge(membership.statements().map(({ bytes }) => bytes));
  return copy;
}

/** Signs whatever it is told, as a hostile member would. */
export function signed(
  keys: KeyPair,
  network: string,
  sequence: number,
  what: Operation | Statement["what"],
  atMs: number = START,
): Uint8Array {
  return signStatement(codec, keys, { network, sequence, atMs, what }).bytes;
}

/** Decides what waits, as the rule wants it: by one of these machines alone, or by those of them that speak for domains. */
export function agree(membership: Membership, machines: readonly Machine[]): void {
  const [first] = machines;
  const { decided } = membership;
  const electorate = decided && electorateOf(decided);
  if (first === undefined || decided === undefined) return;
  const epoch = electorate === undefined ? void membership.decide(first.keys, START) : membership.propose(first.keys, START);
  if (electorate === undefined || epoch === undefined) return;
  const said = { kind: "finalize", view: 1, value: epoch.id } as const;
  const votes = electorate.voices.flatMap(({ key }, domain) => {
    const { keys } = machines.find((one) => one.keys.publicKey === key) ?? {};
    const signature = keys?.sign("cairn agreement 1", codec.encodeVoteBody(membership.network, decided.epoch.id, said));
    return signature === undefined ? [] : [{ domain, signature }];
  });
  membership.merge([withDecision(codec, epoch.bytes, { view: 1, votes })]);
}

/** Invites and admits in one step; both by `host`. */
export function admit(membership: Membership, host: Machine, guest: Machine, number: number, domain?: string): void {
  const secretBytes = secret(number);
  const request = requestToJoin(codec, guest.keys, guest.identity, { network: membership.network, secret: secretBytes });
  const own = membership.state?.members.get(host.keys.publicKey)?.domain ?? "";
  membership.issue(host.keys, { kind: "invite", key: request.invitation, domain: domain ?? own, expiresAtMs: START + 24 * HOUR }, START);
  membership.issue(host.keys, { kind: "admit", request }, START);
}
