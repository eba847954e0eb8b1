/**
 * Members that do harm to the set of attestations, over real links to a real daemon: each is bounded and cut off, and what an honest member
 * attests still arrives.
 *
 * The liars are nodes of this process that were invited like anybody else, and then say what they like in the stream of sharing.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { digestOf, type Key, LAST_BOUND, limits } from "../../src/base/index.ts";
import type { FrameChannel } from "../../src/contracts/index.ts";
import { codec, type Node, parts, seedOf, start } from "../../src/net/network.fixture.ts";
import { type Liar, liar } from "../../src/net/share.fixture.ts";
import { attest, attestationOf, type KeyPair, keyPairFromSeed, Membership, makeIdentity, requestToJoin } from "../../src/trust/index.ts";
import type { SetFrame, SetRange } from "../../src/wire/index.ts";
import { age, TestNode, writeFiles } from "./harness.ts";
import { ask, invitation, until } from "./network-world.ts";
import { compileSeen } from "./sharing-world.ts";

const bounds = limits.attestationSet;
const LONG = { timeout: 300_000 };
const LISTEN = { CAIRN_NETWORK_LISTEN: "127.0.0.1:0", CAIRN_SHARING_COPIES: "0" };
/** Resident memory of the daemon may grow by so much under all of them together, bytes. */
const GROWTH_BYTES = 160 * 1024 ** 2;
/** Attestations in one frame: some 110 kB. */
const PER_FRAME = 256;
/** 1 January 9999: no clock is further ahead. */
const FAR_AHEAD_MS = Date.UTC(9999, 0, 1);
/** Peer keys of liars are made of lesser numbers, their attestation keys of greater ones. */
const NUMBERS = 100;
const STRANGER = keyPairFromSeed(seedOf(250));

interface Lying {
  readonly node: Node;
  /** With which it attests. */
  readonly keys: KeyPair;
}

interface Lie {
  readonly about: string;
  /** Whether the victim is to begin comparing: it is the member with the lesser key that does. */
  readonly compares?: boolean;
  readonly begun?: (channel: FrameChannel, lying: Lying) => void;
  readonly heard?: (frame: SetFrame, channel: FrameChannel, lying: Lying) => void;
  /** Why the victim cuts it off; undefined where it does not. */
  readonly why?: RegExp;
  /** Attestations of this liar that the victim may have kept, at most. */
  readonly kept?: number;
}

function say(channel: FrameChannel, frame: SetFrame): void {
  channel.send(codec.encodeSetCarrier(codec.encodeSetFrame(frame)));
}

/** Signed attestations of results that nobody made. */
function attestations(keys: KeyPair, network: string, count: number, at = 1_700_000_000_000): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => {
    const digest = digestOf(`${keys.publicKey} ${at} ${i}`);
    const output = { path: `\0C/${i}.o`, digest, size: 1, role: "object", template: false } as const;
    const shared = attest(keys, network, {
      manifest: digest,
      entry: { action: digest, place: undefined, presumed: false, terminal: undefined, inputs: [], absent: [] },
      result: { outputs: [output], stdout: "", stderr: "", compileMs: 1, cpuMs: 1 },
      execution: { toolchain: digest, startedAtMs: at + i, endedAtMs: at + i },
    });
    assert.ok(shared !== undefined);
    return codec.encodeAttestation(attestationOf(network, shared).attestation) ?? assert.fail("it is too large");
  });
}

function news(channel: FrameChannel, all: readonly Uint8Array[]): void {
  for (let at = 0; at < all.length; at += PER_FRAME)
    say(channel, { kind: "attestations", attestations: all.slice(at, at + PER_FRAME), news: true, complete: false });
}

function forged(bytes: Uint8Array): Uint8Array {
  const { signature, ...claim } = codec.decodeAttestation(bytes);
  return codec.encodeAttestation({ ...claim, signature: Buffer.from(signature).fill(7, 9, 20) }) ?? assert.fail("it is too large");
}

const EVERYTHING: SetRange = { from: "", to: LAST_BOUND, count: 3, sum: "ab".repeat(16) };

/** Each range in two, for ever. */
function halves({ from, to }: SetRange): SetRange[] {
  const low = BigInt(`0x${from.padEnd(44, "0")}`);
  const high = to === LAST_BOUND ? 2n ** 176n : BigInt(`0x${to.padEnd(44, "0")}`);
  const middle = ((low + high) / 2n).toString(16).padStart(44, "0");
  return [
    { ...EVERYTHING, from, to: middle },
    { ...EVERYTHING, from: middle, to, sum: "cd".repeat(16) },
  ];
}

const LIES: readonly Lie[] = [
  {
    about: "a forged attestation among good ones",
    begun: (channel, { node, keys }) => {
      const [first, ...others] = attestations(keys, node.members.network, 20);
      assert.ok(first !== undefined);
      news(channel, [...others, forged(first)]);
    },
    why: /forged/,
    kept: 19,
  },
  { about: "what is no attestation", begun: (channel) => news(channel, [Buffer.from("noise")]), why: /forged/ },
  {
    about: "another network's attestations",
    begun: (channel, { keys }) => news(channel, attestations(keys, digestOf("another"), 1)),
    why: /forged/,
  },
  {
    about: "more news than anybody makes",
    begun: (channel, { node, keys }) => {
      const all = attestations(keys, node.members.network, PER_FRAME * 4);
      for (let i = 0; i < 8; i++) news(channel, all); // Again and again: each time it must be looked at.
    },
    why: /news/,
    kept: PER_FRAME * 4,
  },
  {
    about: "attestations of strangers, or of members that were revoked",
    begun: (channel, { node }) => {
      const all = attestations(STRANGER, node.members.network, PER_FRAME * 2);
      for (let i = 0; i < 8; i++) news(channel, all);
    },
    why: /news/,
  },
  {
    about: "a clock far ahead",
    begun: (channel, { node, keys }) => news(channel, attestations(keys, node.members.network, 500, FAR_AHEAD_MS)),
    kept: 500,
  },
  {
    about: "ranges that never end",
    compares: true,
    heard: (frame, channel) => {
      if (frame.kind !== "compare") return;
      say(channel, { kind: "compared", verdicts: frame.ranges.map((range) => ({ kind: "parts", ranges: halves(range) })) });
    },
    why: /ranges|range|parts/,
  },
  {
    about: "an answer to other ranges than were asked about",
    compares: true,
    heard: (frame, channel) => {
      if (frame.kind === "compare") say(channel, { kind: "compared", verdicts: [{ kind: "same" }, { kind: "same" }] });
    },
    why: /verdicts/,
  },
  {
    about: "ids that it does not have, and other attestations instead",
    compares: true,
    heard: (frame, channel, { node, keys }) => {
      const ids = Array.from({ length: 40 }, (_, i) => `${100 + i}`.padStart(44, "1"));
      if (frame.kind === "compare") say(channel, { kind: "compared", verdicts: frame.ranges.map(() => ({ kind: "ids", ids })) });
      if (frame.kind === "want")
        say(channel, { kind: "attestations", attestations: attestations(keys, node.members.network, 41), news: false, complete: false });
    },
    why: /too many/,
  },
  { about: "silence, when it is asked", compares: true },
  {
    about: "an answer to nothing",
    begun: (channel) => say(channel, { kind: "compared", verdicts: [] }),
    // Where the victim has just asked, it is no answer to that either.
    why: /compared|verdicts/,
  },
  {
    about: "attestations that nobody wanted",
    begun: (channel) => say(channel, { kind: "attestations", attestations: [], news: false, complete: true }),
    why: /attestations/,
  },
  {
    about: "questions about ranges without an end",
    begun: (channel) => {
      const ranges = Array.from({ length: bounds.rangesAtOnce }, () => EVERYTHING);
      for (let i = 0; i < 100; i++) say(channel, { kind: "compare", ranges });
    },
    why: /compare/,
  },
  {
    about: "wants before the last one was answered",
    begun: (channel) => {
      for (let i = 0; i < 100; i++) say(channel, { kind: "want", ids: [`${i}`.padStart(44, "0")] });
    },
    why: /want/,
  },
  {
    about: "a frame that is too large",
    begun: (channel) => {
      const frame = Buffer.alloc(limits.shareFrameBytes + 5);
      frame.writeUInt32BE(limits.shareFrameBytes + 1);
      channel.send(frame);
    },
    why: /frame-invalid/,
  },
  {
    about: "a frame that nobody understands",
    begun: (channel) => channel.send(codec.encodeSetCarrier(Buffer.from("noise"))),
    why: /frame-invalid/,
  },
];

describe("members that do harm to the set of attestations", () => {
  let victim: TestNode;
  let honest: TestNode;
  let victimKey: Key = "";
  let works = 0;
  const tried = new Set<number>();
  let restBytes = 0;

  before(async () => {
    victim = await TestNode.start("liars-victim", LISTEN);
    honest = await TestNode.start("liars-honest", LISTEN);
    await ask(victim, "init", "--machine", "victim");
    await ask(honest, "join", await invitation(victim), "--machine", "honest");
    const { members } = await victim.control("GET", "/network/members");
    victimKey = (members as { readonly self: boolean; readonly key: Key }[]).find(({ self }) => self)?.key ?? "";
    assert.match(victimKey, /^[0-9a-f]{64}$/);
    restBytes = residentBytes();
  });
  after(async () => {
    await honest[Symbol.asyncDispose]();
    await victim[Symbol.asyncDispose]();
  });

  function residentBytes(): number {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${victim.pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  }

  async function known(): Promise<number> {
    return ((await victim.control("GET", "/status")).network as { readonly attestations: number }).attestations;
  }

  /** How many there are, once all that came has been looked at. */
  async function settled(t: TestContext): Promise<number> {
    let [count, before] = [await known(), -1];
    for (; count !== before; count = await known()) {
      before = count;
      await sleep(150, undefined, { signal: t.signal });
    }
    return count;
  }

  /** What the honest member executes, the victim hears of. */
  async function honestWork(t: TestContext): Promise<void> {
    const before = await settled(t);
    const directory = join(dirname(honest.home), "work");
    mkdirSync(directory, { recursive: true });
    const name = `work${++works}`;
    writeFiles(directory, { [`${name}.c`]: `int ${name};\n` });
    await age();
    await compileSeen(honest, ["-c", `${name}.c`, "-o", `${name}.o`], directory);
    await until(t, async () => (await known()) > before);
  }

  /** @param greater whether its key is to be greater than the victim's: where none is left, the victim compares some seconds later */
  function numberFor(greater: boolean): number {
    const left = Array.from({ length: NUMBERS - 1 }, (_, i) => i + 1).filter((number) => !tried.has(number));
    const number = left.find((one) => keyPairFromSeed(seedOf(one)).publicKey > victimKey === greater) ?? left[0];
    assert.ok(number !== undefined);
    tried.add(number);
    return number;
  }

  async function invited(t: TestContext, number: number): Promise<Lying> {
    const line = codec.readInvitationLine(await invitation(victim));
    assert.ok(line !== undefined);
    const node = await start(t, number, new Membership(parts, line.network));
    const keys = keyPairFromSeed(seedOf(NUMBERS + number));
    const identity = makeIdentity(node.keys, keys, `liar-${number}`);
    const outcome = await node.network.join(line, requestToJoin(codec, node.keys, identity, line), t.signal);
    assert.deepEqual(outcome, { kind: "welcome" });
    await until(t, () => Promise.resolve(node.members.standing(node.members.self) === "active"));
    return { node, keys };
  }

  function endsOf(key: Key): unknown[] {
    return victim.events("share.cut-off").flatMap(({ peer, why }) => (peer === key ? [why] : []));
  }

  for (const { about, compares = false, begun, heard, why, kept = 0 } of LIES)
    test(about, LONG, async (t) => {
      const before = await settled(t);
      const lying = await invited(t, numberFor(compares));
      let said = 0;
      const listen = (frame: ReturnType<typeof codec.decodeShareFrame>, channel: FrameChannel): void => {
        if (frame.kind !== "set") return;
        said++;
        heard?.(codec.decodeSetFrame(frame.bytes), channel, lying);
      };
      const one: Liar = await liar(t, lying.node, victimKey, listen, (channel) => begun?.(channel, lying));
      await until(t, () => Promise.resolve(why === undefined ? one.channels.length > 0 : endsOf(one.key).length > 0));
      if (why !== undefined) assert.match(String(endsOf(one.key)[0]), why);
      if (compares) await until(t, () => Promise.resolve(said > 0));
      await honestWork(t);
      if (why === undefined) assert.deepEqual(endsOf(one.key), []);
      const more = (await settled(t)) - before - 1;
      assert.ok(more <= kept, `${more} attestations of the liar were kept`);
    });

  test("the honest member was never cut off, memory is bounded, and what a member has attested goes with it", LONG, async (t) => {
    const { members } = await victim.control("GET", "/network/members");
    const all = members as { readonly name: string; readonly key: Key }[];
    assert.deepEqual(endsOf(all.find(({ name }) => name === "honest")?.key ?? ""), []);
    const grown = residentBytes() - restBytes;
    t.diagnostic(`${Math.round(grown / 1024 ** 2)} MiB more than at first`);
    assert.ok(grown < GROWTH_BYTES, `${grown} bytes`);
    for (const { name } of all) if (name.startsWith("liar-")) await ask(victim, "revoke", name);
    await until(t, async () => (await known()) === works);
  });
});
