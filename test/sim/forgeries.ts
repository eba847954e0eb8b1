/**
 * Forgeries against the reader's rule: whoever owns too few domains tries to have a result believed that no honest member has executed.
 * Real keys and memberships, real encodings, signatures and statements, the desk that takes attestations in, and the real rule.
 *
 * Each kind is one way to cheat. Hostile machines of as many domains as policy tolerates sign the poison as they like; the kind makes what is to pass for one more voice.
 */
import { digestOf, Generations } from "../../src/base/index.ts";
import type { Attestation, SharedResult } from "../../src/contracts/index.ts";
import { checkAttestation } from "../../src/daemon/attestation-desk.ts";
import { attest, attestationOf, claimIn, judge, type KeyPair, type Reader, type State } from "../../src/trust/index.ts";
import { admit, agree, codec, copyOf, HOUR, START, signed } from "../../src/trust/membership.fixture.ts";
import {
  attestedBy,
  executed,
  executedAction,
  received,
  type Signer,
  sharedBy,
  signerOf,
  trustWorld,
} from "../../src/trust/trust.fixture.ts";
import { Chance, stepSeed } from "../system/fuzz-random.ts";

/** What the hostile members say and show. */
interface Attempt {
  /** What is offered: the poison, or what is to pass for an honest result. */
  readonly offered: SharedResult;
  /** What was passed on to the reader, as bytes. */
  readonly heard: readonly Uint8Array[];
  /** What has got past who takes attestations in, as if one that is older or broken had. */
  readonly slipped?: readonly Attestation[];
  /** Another state than that of the network: what hostile statements have made of it. */
  readonly state?: State;
}

/** The same work, as honest and as hostile members would have it. */
interface Case {
  readonly random: Chance;
  readonly good: Made;
  readonly poison: Made;
  /** The poison, left by a tool at a door. */
  readonly left: Made;
  /** Poison, and what is right, as actions of a build tool. */
  readonly made: Made;
  readonly right: Made;
  /** Who owns too few domains, and whom they would like to have on their side. */
  readonly villain: Signer;
  readonly accomplice: Signer;
  readonly victim: Signer;
  readonly other: Signer;
  /** Another machine of the reader's domain. */
  readonly sister: Signer;
}

type Made = ReturnType<typeof executed>;

/** The reader is the first of d0; d1 is hostile, the others are not. */
const WORLD = trustWorld([2, 3, 2, 2, 1]);
const { membership, state: STATE } = WORLD;
const NETWORK = membership.network;
const TWIN = trustWorld([2, 3, 2, 2, 1], 400).membership.network;
const STRANGER = signerOf(900, "d2");
const REVOKED = signerOf(901, "d2");
const LEFT = signerOf(902, "d2");
const PROVISIONAL = signerOf(903, "d2");
/** Machines that a hostile member has invited: of its own domain, whatever they are called. */
const FAKES = Array.from({ length: 4 }, (_, i) => signerOf(910 + i, "d2"));
const LATER = grown();

/** The network some epochs later. */
function grown(): State {
  const [founder] = WORLD.signers[0] ?? [];
  const [host] = WORLD.signers[2] ?? [];
  const [villain] = WORLD.signers[1] ?? [];
  if (founder === undefined || host === undefined || villain === undefined) throw new Error("nobody is there");
  for (const [at, guest] of [REVOKED, LEFT].entries()) admit(membership, host, guest, 2_000 + at, "d2");
  for (const [at, fake] of FAKES.entries()) admit(membership, villain, fake, 2_010 + at, "d1");
  agree(membership, WORLD.signers.flat());
  membership.issue(founder.keys, { kind: "revoke", member: REVOKED.keys.publicKey }, START);
  membership.issue(LEFT.keys, { kind: "leave" }, START);
  agree(membership, WORLD.signers.flat());
  admit(membership, host, PROVISIONAL, 2_020, "d2");
  return membership.state ?? STATE;
}

/** What a hostile member's own statements make of the network; they are merged as any replica would. */
function usurped(...whats: readonly Parameters<typeof signed>[3][]): State {
  const copy = copyOf(membership);
  const [villain] = WORLD.signers[1] ?? [];
  if (villain === undefined) throw new Error("nobody is there");
  copy.merge(whats.map((what, at) => signed(villain.keys, NETWORK, what.kind === "epoch" ? 0 : 400 + at, what)));
  return copy.state ?? LATER;
}

const [VICTIM] = WORLD.signers[2] ?? [];
const [FOUNDER] = WORLD.signers[0] ?? [];
const USURPED: readonly State[] = [
  usurped({ kind: "domain", name: "d9" }),
  usurped({ kind: "revoke", member: VICTIM?.keys.publicKey ?? "" }),
  usurped({ kind: "revoke", member: FOUNDER?.keys.publicKey ?? "" }),
  usurped({ kind: "invite", key: digestOf("invitation"), domain: "d2", expiresAtMs: START + HOUR }),
  usurped({ kind: "epoch", number: LATER.epoch.number + 1, previous: LATER.epoch.id, operations: [] }),
];

/** Statements and encodings cost more than all else: what is signed again and again is signed once. */
const signedBefore = new Generations<string, SharedResult>(4_096);

function by(signer: Signer, made: Made, network = NETWORK): SharedResult {
  const [first] = made.result.outputs;
  const key = `${signer.attestationKey} ${made.manifest} ${first?.digest} ${first?.role} ${network}`;
  const known = signedBefore.get(key);
  if (known !== undefined) return known;
  const shared = sharedBy(network, signer, made);
  signedBefore.set(key, shared);
  return shared;
}

function bytesOf(attestation: Attestation): Uint8Array {
  return codec.encodeAttestation(attestation) ?? new Uint8Array();
}

function said(signer: Signer, made: Made, network = NETWORK): Attestation {
  return claimIn(by(signer, made, network)) ?? attestedBy(network, signer, made);
}

type Change = (made: Made) => Made;
type Output = Made["result"]["outputs"][number];

const OTHER = digestOf("poison");

function onEntry(change: Partial<Made["entry"]>): Change {
  return (made) => ({ ...made, entry: { ...made.entry, ...change } });
}

function onResult(change: (result: Made["result"]) => Partial<Made["result"]>): Change {
  return (made) => ({ ...made, result: { ...made.result, ...change(made.result) } });
}

function onObject(change: Partial<Output>): Change {
  return onResult(({ outputs }) => ({ outputs: outputs.map((one, at) => (at === 0 ? { ...one, ...change } : one)) }));
}

/** Every field that leads to a hit, as a liar would change it. */
const CHANGES: Readonly<Record<string, Change>> = {
  manifest: (made) => ({ ...made, manifest: OTHER }),
  action: onEntry({ action: OTHER }),
  place: onEntry({ place: OTHER }),
  terminal: onEntry({ terminal: OTHER }),
  presumed: onEntry({ place: OTHER, presumed: true }),
  "an input's content": onEntry({ inputs: [{ path: "\0C/a.c", digest: OTHER }] }),
  "an input's path": onEntry({ inputs: [{ path: "\0C/b.c", digest: digestOf("a.c") }] }),
  "an input left out": onEntry({ inputs: [] }),
  "an absent path left out": onEntry({ absent: [] }),
  "another absent path": onEntry({ absent: ["\0C/v.h"] }),
  "an object's content": onObject({ digest: OTHER }),
  "an object's size": onObject({ size: 1_001 }),
  "an object's path": onObject({ path: "\0C/b.o" }),
  "an object's role": onObject({ role: "written" }),
  "an object as a template": onObject({ template: true }),
  "an output left out": onResult(({ outputs }) => ({ outputs: outputs.slice(0, 1) })),
  "one output more": onResult(({ outputs }) => ({ outputs: [...outputs, { ...(outputs[0] as Output), path: "\0C/c.o" }] })),
  "two outputs exchanged": onResult(({ outputs: [a, b] }) => ({
    outputs: [
      { ...(a as Output), digest: (b as Output).digest },
      { ...(b as Output), digest: (a as Output).digest },
    ],
  })),
  "what was printed": onResult(() => ({ stdout: Buffer.from("warning").toString("base64") })),
  "what was printed as an error": onResult(() => ({ stderr: Buffer.from("warning").toString("base64") })),
};

/** An honest signature under what was changed, beside a hostile one that is good. */
function changedUnderSignature(change: Change): (one: Case) => Attempt {
  return ({ good, villain, victim }) => {
    const lie = change(good);
    const honest = by(victim, good);
    return { offered: sharedBy(NETWORK, villain, lie), heard: [bytesOf({ ...attestationLike(lie, honest), signature: honest.signature })] };
  };
}

/** What an attestation of `lie` looks like that names the signer and the times of `honest`. */
function attestationLike(lie: Made, honest: SharedResult): Attestation {
  const claim = claimIn({ ...lie, execution: honest.execution, signature: honest.signature });
  return claim ?? said(STRANGER, lie);
}

/** An honest, fully vouched for result that is changed on its way to the reader. */
function changedOnTheWay(change: Change): (one: Case) => Attempt {
  return ({ good, victim, other }) => ({
    offered: { ...by(victim, good), ...change(good) },
    heard: [bytesOf(said(victim, good)), bytesOf(said(other, good))],
  });
}

/** The poison, and bytes that are to pass for somebody's word for it. */
function withVoice(voice: (one: Case) => Uint8Array | readonly Uint8Array[]): (one: Case) => Attempt {
  return (one) => {
    const made = voice(one);
    return { offered: by(one.villain, one.poison), heard: made instanceof Uint8Array ? [made] : made };
  };
}

/** The poison with a signature that is to pass for the victim's. */
function withSignature(signature: (one: Case, honest: SharedResult) => Uint8Array): (one: Case) => Attempt {
  return withVoice((one) => {
    const honest = by(one.victim, one.good);
    return bytesOf({ ...attestationLike(one.poison, honest), signature: signature(one, honest) });
  });
}

/** The poison, offered in somebody's name. */
function inTheNameOf(name: (one: Case) => string): (one: Case) => Attempt {
  return (one) => {
    const own = by(one.villain, one.poison);
    return { offered: { ...own, execution: { ...own.execution, signer: name(one) } }, heard: [bytesOf(said(one.accomplice, one.poison))] };
  };
}

/** Honest bytes that were damaged, in the hope that they say something else then. */
function damaged(damage: (bytes: Buffer, random: Chance, one: Case) => Uint8Array): (one: Case) => Attempt {
  return withVoice((one) => damage(Buffer.from(bytesOf(said(one.victim, one.good))), one.random, one));
}

/** Signs what is no attestation of a compile's, for another purpose or of another type. */
function signedOtherwise(sign: (keys: KeyPair, payload: Buffer) => Uint8Array): (one: Case) => Attempt {
  return withSignature((one) => sign(one.victim.sign, Buffer.from(JSON.stringify(one.poison))));
}

/** In a world whose membership a hostile member has tried to change. */
function inState(at: number, voice: (one: Case) => readonly Attestation[]): (one: Case) => Attempt {
  return (one) => ({ offered: by(one.villain, one.poison), heard: voice(one).map(bytesOf), state: USURPED[at] ?? LATER });
}

/** The group order of Ed25519, little endian: S plus that is the same number to a careless verifier (RFC 8032, 5.1.7). */
const ORDER = Buffer.from("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010", "hex");

function malleated(signature: Uint8Array): Uint8Array {
  const made = Buffer.from(signature);
  let carry = 0;
  for (let at = 0; at < 32; at++) {
    const sum = (made[32 + at] ?? 0) + (ORDER[at] ?? 0) + carry;
    made[32 + at] = sum & 0xff;
    carry = sum >> 8;
  }
  return made;
}

/** Points of small order: with them as a key, some signatures hold for everything to a careless verifier. */
const SMALL_ORDER = [
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "0000000000000000000000000000000000000000000000000000000000000000",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
];

const KINDS: Readonly<Record<string, (one: Case) => Attempt>> = {
  ...Object.fromEntries(
    Object.entries(CHANGES).map(([what, change]) => [`under an honest signature: ${what}`, changedUnderSignature(change)]),
  ),
  ...Object.fromEntries(Object.entries(CHANGES).map(([what, change]) => [`on the way: ${what}`, changedOnTheWay(change)])),
  "on the way: another signer": ({ good, victim, other }) => {
    const honest = by(victim, good);
    const offered = { ...honest, execution: { ...honest.execution, signer: other.attestationKey } };
    return { offered, heard: [bytesOf(said(other, good))] };
  },
  "on the way: other times": ({ good, victim, other }) => {
    const honest = by(victim, good);
    return { offered: { ...honest, execution: { ...honest.execution, endedAtMs: START + 99 } }, heard: [bytesOf(said(other, good))] };
  },
  "on the way: another compiler": ({ good, victim, other }) => {
    const honest = by(victim, good);
    return { offered: { ...honest, execution: { ...honest.execution, toolchain: OTHER } }, heard: [bytesOf(said(other, good))] };
  },
  "on the way: another cost": ({ good, victim, other }) => {
    const honest = by(victim, good);
    return { offered: { ...honest, result: { ...honest.result, compileMs: 1 } }, heard: [bytesOf(said(other, good))] };
  },
  "nobody else": withVoice(() => []),
  "its own word once more": withVoice(({ villain, poison }) => bytesOf(said(villain, poison))),
  "its own word at another time": withVoice(({ villain, poison, random }) =>
    bytesOf(attestedBy(NETWORK, villain, poison, START + 1 + random.below(1_000))),
  ),
  "another machine of its domain": withVoice(({ accomplice, poison }) => bytesOf(said(accomplice, poison))),
  "all machines of its domain, and those they invited": withVoice(({ accomplice, poison }) =>
    [accomplice, ...FAKES].map((one) => bytesOf(said(one, poison))),
  ),
  "a machine that it invited": withVoice(({ poison, random }) => bytesOf(said(FAKES[random.below(FAKES.length)] ?? STRANGER, poison))),
  "a stranger": withVoice(({ poison }) => bytesOf(said(STRANGER, poison))),
  "a member that was revoked since": withVoice(({ poison }) => bytesOf(said(REVOKED, poison))),
  "a member that has left since": withVoice(({ poison }) => bytesOf(said(LEFT, poison))),
  "a provisional member": withVoice(({ poison }) => bytesOf(said(PROVISIONAL, poison))),
  "revoked, left, provisional and strange together": withVoice(({ poison }) =>
    [REVOKED, LEFT, PROVISIONAL, STRANGER].map((one) => bytesOf(said(one, poison))),
  ),
  "an honest member's peer key": withVoice(({ victim, poison }) => bytesOf(attestedBy(NETWORK, { sign: victim.keys }, poison))),
  "the same members in another network": withVoice(({ victim, other, poison }) => [
    bytesOf(said(victim, poison, TWIN)),
    bytesOf(said(other, poison, TWIN)),
  ]),
  "a network without a name": withVoice(({ victim, poison }) => bytesOf(said(victim, poison, ""))),
  "an honest word about other work": withVoice(({ victim, random }) =>
    bytesOf(said(victim, executed(`other ${random.below(64)}`, "good"))),
  ),
  "an honest word about other work under this one's names": withVoice(({ victim, good, poison, random }) => {
    const old = said(victim, executed(`other ${random.below(64)}`, "good"));
    return bytesOf({ ...attestationLike(poison, by(victim, good)), signature: old.signature });
  }),
  "the signature of another honest member": withSignature(({ other, good }) => said(other, good).signature),
  "its own signature in an honest name": withSignature(({ villain, poison }) => said(villain, poison).signature),
  "its own signature of that very statement": withSignature(({ villain, victim, poison }) => {
    // What is signed names its signer, so this is what an honest machine would have signed, by another key.
    const lie = attest(villain.sign, NETWORK, {
      ...poison,
      execution: { toolchain: digestOf("gcc"), startedAtMs: START, endedAtMs: START + 13 },
    });
    return lie?.signature ?? said(victim, poison, TWIN).signature;
  }),
  "no signature": withSignature(() => Buffer.alloc(0)),
  "a signature of zeros": withSignature(() => Buffer.alloc(64)),
  "a signature of ones": withSignature(() => Buffer.alloc(64, 0xff)),
  "a signature of noise": withSignature(({ random }) => Buffer.from(Array.from({ length: 64 }, () => random.below(256)))),
  "a signature with a bit changed": withSignature(({ random }, { signature }) => flipped(Buffer.from(signature), random)),
  "half a signature": withSignature((_, { signature }) => signature.subarray(0, 32)),
  "a signature and a half": withSignature((_, { signature }) => Buffer.concat([signature, signature.subarray(0, 32)])),
  "the halves of a signature exchanged": withSignature((_, { signature }) =>
    Buffer.concat([signature.subarray(32), signature.subarray(0, 32)]),
  ),
  "a signature made larger by the order of the group": withSignature((_, { signature }) => malleated(signature)),
  "a key of small order": withVoice(({ victim, good, poison, random }) => {
    const honest = attestationLike(poison, by(victim, good));
    const signer = SMALL_ORDER[random.below(SMALL_ORDER.length)] ?? "";
    return bytesOf({
      ...honest,
      execution: { ...honest.execution, signer },
      signature: Buffer.concat([Buffer.from(signer, "hex"), Buffer.alloc(32)]),
    });
  }),
  "in the reader's own name": inTheNameOf(() => FOUNDER?.attestationKey ?? ""),
  "in an honest name": inTheNameOf(({ victim }) => victim.attestationKey),
  "in an honest member's peer name": inTheNameOf(({ victim }) => victim.keys.publicKey),
  "in a name in capitals": inTheNameOf(({ victim }) => victim.attestationKey.toUpperCase()),
  "in no name": inTheNameOf(() => ""),
  "in the name of a small order": inTheNameOf(({ random }) => SMALL_ORDER[random.below(SMALL_ORDER.length)] ?? ""),
  "bytes with a bit changed": damaged((bytes, random) => flipped(bytes, random)),
  "bytes with many bits changed": damaged((bytes, random) => {
    for (let i = 0; i < 8; i++) flipped(bytes, random);
    return bytes;
  }),
  "bytes cut short": damaged((bytes, random) => bytes.subarray(0, random.below(bytes.length))),
  "bytes and more": damaged((bytes, random) => Buffer.concat([bytes, Buffer.alloc(1 + random.below(40), random.below(256))])),
  "the same field twice, the second time with the poison": damaged((bytes, _, { poison, villain }) =>
    Buffer.concat([bytes, Buffer.from(bytesOf(said(villain, poison)))]),
  ),
  "the poison first, then honest fields": damaged((bytes, _, { poison, villain }) =>
    Buffer.concat([Buffer.from(bytesOf(said(villain, poison))), bytes]),
  ),
  "the beginning of the poison and the end of honest bytes": damaged((bytes, random, { poison, villain }) => {
    const lie = Buffer.from(bytesOf(said(villain, poison)));
    const at = random.below(Math.min(lie.length, bytes.length));
    return Buffer.concat([lie.subarray(0, at), bytes.subarray(at)]);
  }),
  noise: damaged((bytes, random) => Buffer.from(Array.from({ length: bytes.length }, () => random.below(256)))),
  nothing: damaged(() => new Uint8Array()),
  "signed as another type of payload": signedOtherwise((keys, payload) => keys.signEnvelope("application/json", payload)),
  "signed as a name": signedOtherwise((keys, payload) => keys.sign("cairn name 1", payload)),
  "signed as a statement of membership": signedOtherwise((keys, payload) => keys.sign("cairn statement 1", payload)),
  "a domain that nobody allowed": inState(0, ({ accomplice, poison }) => [said(accomplice, poison)]),
  "after an honest member was put out by who may not": inState(1, ({ accomplice, poison }) => [said(accomplice, poison)]),
  "after the founder was put out by who may not": inState(2, ({ accomplice, poison }) => [said(accomplice, poison)]),
  "an invitation into an honest domain": inState(3, ({ accomplice, poison }) => [said(accomplice, poison), said(PROVISIONAL, poison)]),
  "an epoch of its own": inState(4, ({ poison }) => [said(PROVISIONAL, poison), said(REVOKED, poison)]),
};

/** Receipts: nobody's word about what comes of an action. */
const RECEIPTS: typeof KINDS = {
  "a receipt of its own": ({ villain, left }) => ({ offered: by(villain, left), heard: [] }),
  "an honest member's receipt": ({ victim, left }) => ({ offered: by(victim, left), heard: [] }),
  "the same receipt of every domain": ({ villain, victim, other, sister, left }) => ({
    offered: by(victim, left),
    heard: [],
    slipped: [villain, other, sister].map((one) => said(one, left)),
  }),
  "a receipt of the reader's domain, where two must vouch for it": ({ sister, left }) => ({ offered: by(sister, left), heard: [] }),
  "receipts as voices for what it has executed": ({ villain, victim, other, sister, poison, left }) => ({
    offered: by(villain, poison),
    heard: [],
    slipped: [victim, other, sister].map((one) => said(one, left)),
  }),
  "a receipt as an execution": ({ villain, victim, poison, left }) => ({
    offered: by(villain, poison),
    heard: [bytesOf({ ...attestationLike(poison, by(victim, poison)), signature: by(victim, left).signature })],
  }),
  "an execution as a receipt of the reader's domain": ({ sister, good, left }) => ({
    offered: { ...by(sister, left), signature: by(sister, good).signature },
    heard: [],
  }),
  "on the way: a receipt called an object": ({ villain, victim, poison, left }) => {
    const honest = by(victim, left);
    const outputs = honest.result.outputs.map((one) => ({ ...one, role: "object" as const }));
    const claim = claimIn({ ...honest, result: { ...honest.result, outputs } });
    return {
      offered: { ...honest, result: { ...honest.result, outputs } },
      heard: [bytesOf(said(villain, poison))],
      slipped: claim ? [claim] : [],
    };
  },
  "on the way: an object called a receipt": ({ villain, victim, poison, left }) => {
    const honest = by(victim, poison);
    const posing = { ...left, execution: honest.execution, signature: honest.signature };
    return { offered: posing, heard: [bytesOf(said(villain, poison))] };
  },
  "a receipt with an object beside it": ({ sister, left, poison }) => {
    const outputs = [...left.result.outputs, ...poison.result.outputs];
    return { offered: { ...by(sister, left), result: { ...left.result, outputs } }, heard: [] };
  },
};

/** The same with what is executed for build tools, of which nothing is heard before it is asked for. */
const ACTIONS: typeof KINDS = {
  "an action that one domain has executed": ({ villain, made }) => ({ offered: by(villain, made), heard: [] }),
  "an action that all machines of one domain have executed": ({ villain, accomplice, made }) => ({
    offered: by(villain, made),
    heard: [],
    slipped: [said(accomplice, made), said(villain, made)],
  }),
  "an action with receipts as voices": ({ villain, victim, other, sister, made, left }) => ({
    offered: by(villain, made),
    heard: [],
    slipped: [victim, other, sister].map((one) => said(one, { ...left, manifest: made.manifest })),
  }),
  "an action with an honest domain's voice for another outcome": ({ villain, victim, made, right }) => ({
    offered: by(villain, made),
    heard: [],
    slipped: [said(victim, right)],
  }),
  "an action with a signature under something else": ({ villain, victim, made, right }) => ({
    offered: by(villain, made),
    heard: [],
    slipped: [{ ...said(victim, made), signature: said(victim, right).signature }],
  }),
  "an action of which an input was exchanged": ({ random, villain, victim, made }) => {
    const honest = by(victim, made);
    const at = random.below(made.entry.inputs.length);
    const inputs = made.entry.inputs.map((one, place) => (place === at ? { ...one, digest: digestOf("another") } : one));
    const moved = { ...made, entry: { ...made.entry, inputs } };
    const claim = claimIn({ ...honest, entry: moved.entry });
    return { offered: sharedBy(NETWORK, villain, moved), heard: [], slipped: claim ? [claim] : [] };
  },
  "a compile called an action": ({ villain, victim, poison, made }) => ({
    offered: by(villain, made),
    heard: [],
    slipped: [{ ...said(victim, made), signature: by(victim, poison).signature }],
  }),
  "a receipt called an action": ({ villain, sister, made, left }) => ({
    offered: by(villain, made),
    heard: [],
    slipped: [{ ...said(sister, made), signature: by(sister, left).signature }],
  }),
};

function flipped(bytes: Buffer, random: Chance): Buffer {
  const at = random.below(bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  return bytes;
}

export const forgeryKinds: readonly string[] = [...Object.keys(KINDS), ...Object.keys(RECEIPTS), ...Object.keys(ACTIONS)];

/** Whether one attempt of a kind was believed: the same with the same seed and number. */
export function forge(kind: string, seed: number, number: number): boolean {
  const make = KINDS[kind] ?? RECEIPTS[kind] ?? ACTIONS[kind];
  if (make === undefined) throw new Error(`no forgery ${kind}`);
  const random = new Chance(stepSeed(seed, number));
  const what = `work ${random.below(64)}`;
  const [hostile, honest] = [WORLD.signers[1] ?? [], [WORLD.signers[2] ?? [], WORLD.signers[3] ?? [], WORLD.signers[4] ?? []]];
  const at = random.below(honest.length);
  const villain = random.below(hostile.length);
  const one: Case = {
    random,
    good: executed(what, "good"),
    poison: executed(what, "poison"),
    left: received(what, "poison"),
    made: executedAction(what, "poison"),
    right: executedAction(what, "good"),
    sister: WORLD.signers[0]?.[1] ?? STRANGER,
    villain: hostile[villain] ?? STRANGER,
    accomplice: hostile[(villain + 1) % hostile.length] ?? STRANGER,
    victim: random.pick(honest[at] ?? []),
    other: random.pick(honest[(at + 1) % honest.length] ?? []),
  };
  return isBelieved(make(one));
}

/** As a node does with what it hears and with what it is offered. */
function isBelieved({ offered, heard, slipped = [], state = LATER }: Attempt, takesReceipts = false): boolean {
  const claim = claimIn(offered);
  if (claim === undefined) return false;
  const members = { network: NETWORK, state };
  const known = heard
    .filter((bytes) => checkAttestation({ codec, members }, bytes).kind === "good")
    .map((bytes) => codec.decodeAttestation(bytes));
  const reader: Reader = { policy: "team", self: FOUNDER?.keys.publicKey ?? "", state, discredited: new Set(), takesReceipts };
  return judge(reader, claim, () => [...known, ...slipped]).kind === "believed";
}

/** That the same poison is believed when two domains really sign it: what is counted above could be otherwise. */
export function isBelievedWhenSigned(): boolean {
  const [villain, victim] = [WORLD.signers[1]?.[0], WORLD.signers[2]?.[0]];
  if (villain === undefined || victim === undefined) return false;
  const poison = executed("work", "poison");
  return isBelieved({ offered: by(villain, poison), heard: [bytesOf(said(victim, poison))] });
}

/** That what two domains have executed is believed: a reader that believes nothing would pass, too. */
export function isHonestBelieved(): boolean {
  const [victim, other] = [WORLD.signers[2]?.[0], WORLD.signers[3]?.[0]];
  if (victim === undefined || other === undefined) return false;
  const good = executed("work", "good");
  const { attestation } = attestationOf(NETWORK, by(other, good));
  return isBelieved({ offered: by(victim, good), heard: [bytesOf(attestation)] });
}

/** That what two domains have executed for build tools is believed. */
export function isActionBelieved(): boolean {
  const [villain, victim] = [WORLD.signers[1]?.[0], WORLD.signers[2]?.[0]];
  if (villain === undefined || victim === undefined) return false;
  const made = executedAction("work", "good");
  return isBelieved({ offered: by(villain, made), heard: [], slipped: [said(victim, made)] });
}

/** That a receipt of the reader's domain is taken where its owner says so: the signatures of those that are refused are good, too. */
export function isReceiptTaken(): boolean {
  const sister = WORLD.signers[0]?.[1];
  return sister !== undefined && isBelieved({ offered: by(sister, received("work", "good")), heard: [] }, true);
}
