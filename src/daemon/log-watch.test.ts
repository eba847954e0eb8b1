import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { codec } from "../../test/compliance/trust-world.ts";
import { type Key, limits, silentLog } from "../base/index.ts";
import type { SignedCheckpoint } from "../contracts/index.ts";
import { type Fork, type Head, type KeyPair, keyPairFromSeed, leafHash, signHead } from "../trust/index.ts";
import { LogWatch } from "./log-watch.ts";

const { looks, lookAgainMs, headsPerMessage } = limits.transparency;
const liar = keyPairFromSeed(Buffer.alloc(32, 60));

/** A node that watches, with gossip that the test speaks; members are called `<domain>.<name>`. */
class Watched {
  readonly watch: LogWatch;
  readonly looked: string[] = [];
  readonly forked: Fork[] = [];
  readonly published: string[] = [];
  readonly convicted = new Set<Key>();
  hear: (head: Head) => Fork | undefined = () => undefined;
  readonly #listeners = new Map<string, (author: Key, content: Uint8Array) => void>();

  constructor(t: TestContext) {
    t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
    this.watch = new LogWatch({
      gossip: {
        publish: (topic) => void this.published.push(topic),
        subscribe: (topic, _, listener) => {
          this.#listeners.set(topic, listener);
          return { [Symbol.dispose]: () => undefined };
        },
      },
      codec,
      domainOf: (member) => member.split(".")[0],
      domainOfLog: () => "logs",
      hear: (head, teller) => {
        this.looked.push(teller);
        return this.hear(head);
      },
      forked: (fork) => {
        this.forked.push(fork);
        return true;
      },
      isConvicted: (log) => this.convicted.has(log),
      now: () => Date.now(),
      log: silentLog,
    });
    t.after(() => this.watch[Symbol.dispose]());
  }

  tell(author: Key, heads: readonly SignedCheckpoint[]): void {
    this.#listeners.get("checkpoints")?.(author, codec.encodeLogHeads(heads));
  }

  show(fork: Fork): void {
    this.#listeners.get("forks")?.("x.1", codec.encodeLogFork(fork));
  }

  lookedBy(teller: string): number {
    return this.looked.filter((one) => one === teller).length;
  }
}

/** Checkpoints that differ, as a liar makes as many as it likes. */
function heads(keys: KeyPair, from: number, count: number): Head[] {
  return Array.from({ length: count }, (_, at) => signHead(keys, from + at, leafHash(Buffer.from([from + at]))));
}

function tellAll(watched: Watched, author: Key, all: readonly Head[]): void {
  for (let at = 0; at < all.length; at += headsPerMessage) watched.tell(author, all.slice(at, at + headsPerMessage));
}

test("members of two domains that tell without end keep nobody else from being heard, nor each other's domain", (t) => {
  const watched = new Watched(t);
  const many = heads(liar, 1, looks.perPlace + headsPerMessage);
  for (const author of ["x.1", "x.2", "x.3", "x.4", "y.1", "y.2", "y.3"]) {
    tellAll(watched, author, author === "x.1" ? many : heads(liar, 1_000 * (1 + Number(author.slice(2))), many.length));
  }
  assert.deepEqual([watched.lookedBy("x"), watched.lookedBy("y")], [looks.perGroup, looks.perGroup]);
  watched.tell("z.1", heads(liar, 1, 1));
  assert.equal(watched.lookedBy("z"), 1);
});

test("what was too much is looked at a minute later, the last that each has told", (t) => {
  const watched = new Watched(t);
  tellAll(watched, "x.1", heads(liar, 1, looks.perPlace + 2 * headsPerMessage));
  assert.equal(watched.looked.length, looks.perPlace);
  t.mock.timers.tick(lookAgainMs);
  assert.equal(watched.looked.length, looks.perPlace + headsPerMessage);
  t.mock.timers.tick(lookAgainMs);
  assert.equal(watched.looked.length, looks.perPlace + headsPerMessage, "once");
});

test("a checkpoint that nobody has signed costs no look", (t) => {
  const watched = new Watched(t);
  const forged = heads(liar, 1, looks.perPlace + 1).map((head) => ({ ...head, size: head.size + 1 }));
  for (const head of forged) watched.tell("x.1", [head]);
  watched.tell("x.1", heads(liar, 1, 1));
  assert.equal(watched.looked.length, 1);
});

test("a fork is looked at once, one of somebody convicted not at all", (t) => {
  const watched = new Watched(t);
  const fork = (of: string): Fork => {
    const [older, newer] = [of, `${of} again`].map((text) => signHead(liar, 1, leafHash(Buffer.from(text))));
    if (older === undefined || newer === undefined) return assert.fail();
    return { older, newer, root: Buffer.from(newer.root, "hex"), proof: [] };
  };
  for (let times = 0; times < 3; times++) watched.show(fork("a"));
  assert.equal(watched.forked.length, 1);
  watched.convicted.add(liar.publicKey);
  watched.show(fork("b"));
  assert.equal(watched.forked.length, 1);
});

test("a checkpoint that could not be compared is compared when it is told again", (t) => {
  const watched = new Watched(t);
  const [head] = heads(liar, 1, 1);
  watched.hear = () => {
    throw new Error("disk");
  };
  for (let times = 0; times < 2; times++) watched.tell("x.1", head === undefined ? [] : [head]);
  watched.hear = () => undefined;
  for (let times = 0; times < 2; times++) watched.tell("x.1", head === undefined ? [] : [head]);
  assert.equal(watched.looked.length, 3);
});
