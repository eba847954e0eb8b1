/**
 * What every way of carrying the data plane's streams must do; each implementation runs this.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { buffer } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { DataPlane, DataStream } from "../../src/contracts/index.ts";

/** Two members, a to b, and what was told about them. */
export interface Pair {
  readonly a: DataPlane;
  readonly b: DataPlane;
  readonly keyA: string;
  readonly keyB: string;
  /** From now on neither side takes the other for a member. */
  readonly revoke: () => void;
}

const MIB = 1_048_576;
const HALF_A_MINUTE = { timeout: 30_000 };

export function dataPlaneCompliance(name: string, makePair: (t: TestContext) => Promise<Pair>): void {
  const about = (what: string): string => `${name}: ${what}`;

  /** A stream of `service`, both ends of it. */
  async function both(t: TestContext, { a, b, keyB }: Pair): Promise<{ near: DataStream; far: DataStream }> {
    const far = Promise.withResolvers<DataStream>();
    b.serve("both", async () => ({ kind: "ready", begin: far.resolve }));
    const near = await a.open({ key: keyB, service: "both", argument: "" }, t.signal);
    t.after(() => near.bytes.destroy());
    return { near, far: await far.promise };
  }

  test(about("bytes arrive in order both ways; each side ends its own half; all are counted"), HALF_A_MINUTE, async (t) => {
    const { near, far } = await both(t, await makePair(t));
    const [there, back] = [randomBytes(3 * MIB + 1), randomBytes(2 * MIB + 3)];
    const arrived = buffer(far.bytes);
    near.bytes.end(there);
    assert.ok((await arrived).equals(there));
    const returned = buffer(near.bytes); // The other half still works.
    far.bytes.end(back);
    assert.ok((await returned).equals(back));
    for (const { bytesIn, bytesOut } of [near, far]) assert.ok(bytesIn >= 2 * MIB && bytesOut >= 2 * MIB);
  });

  test(about("the service is told who asks, and for what; what it refuses says why"), HALF_A_MINUTE, async (t) => {
    const { a, b, keyA, keyB } = await makePair(t);
    const asked: unknown[] = [];
    b.serve("no", async (request) => {
      asked.push(request);
      return { kind: "refused", reason: "not-today" };
    });
    await assert.rejects(a.open({ key: keyB, service: "no", argument: "x y" }, t.signal), {
      code: "data-refused",
      facts: { why: "not-today" },
    });
    assert.deepEqual(asked, [{ key: keyA, service: "no", argument: "x y" }]);
    await assert.rejects(a.open({ key: keyB, service: "nothing", argument: "" }, t.signal), {
      code: "data-refused",
      facts: { why: "no-such-service" },
    });
  });

  test(about("who does not read stops the writer"), HALF_A_MINUTE, async (t) => {
    const { near, far } = await both(t, await makePair(t));
    const chunk = Buffer.alloc(65_536, 7);
    let written = 0;
    while (near.bytes.write(chunk) || (await drained(near.bytes))) {
      written += chunk.length;
      assert.ok(written < 256 * MIB, "the writer is never stopped");
    }
    let read = 0;
    far.bytes.on("data", (bytes: Buffer) => {
      read += bytes.length;
    });
    near.bytes.end();
    await once(far.bytes, "end");
    assert.equal(read, written + chunk.length);
  });

  test(about("destroying one end ends the other"), HALF_A_MINUTE, async (t) => {
    const { near, far } = await both(t, await makePair(t));
    far.bytes.on("error", () => undefined).resume();
    near.bytes.write("something");
    const gone = new Promise<void>((resolve) => far.bytes.once("end", resolve).once("close", resolve));
    near.bytes.destroy();
    await gone;
    far.bytes.destroy();
  });

  test(about("an attempt can be given up"), HALF_A_MINUTE, async (t) => {
    const { a, b, keyB } = await makePair(t);
    b.serve("slow", () => new Promise(() => undefined));
    await assert.rejects(a.open({ key: keyB, service: "slow", argument: "" }, AbortSignal.timeout(100)), { code: "peer-absent" });
  });

  test(about("many streams at once do not mix"), HALF_A_MINUTE, async (t) => {
    const { a, b, keyB } = await makePair(t);
    b.serve("echo", async () => ({ kind: "ready", begin: ({ bytes }) => void bytes.pipe(bytes) }));
    const talk = async (): Promise<void> => {
      const text = randomBytes(50_000);
      const { bytes } = await a.open({ key: keyB, service: "echo", argument: "" }, t.signal);
      bytes.end(text);
      assert.ok((await buffer(bytes)).equals(text));
    };
    await Promise.all(Array.from({ length: 24 }, talk));
  });

  test(about("only members"), HALF_A_MINUTE, async (t) => {
    const pair = await makePair(t);
    await assert.rejects(pair.a.open({ key: "ab".repeat(32), service: "both", argument: "" }, t.signal), { code: "peer-absent" });
    const { near, far } = await both(t, pair);
    const ended = [near, far].map(
      ({ bytes }) =>
        new Promise((resolve) =>
          bytes
            .on("error", () => undefined)
            .once("close", resolve)
            .resume(),
        ),
    );
    pair.revoke();
    await Promise.all(ended);
    await assert.rejects(pair.a.open({ key: pair.keyB, service: "both", argument: "" }, t.signal), { code: "peer-absent" });
  });
}

/** Whether the stream takes more, soon. */
async function drained(bytes: Duplex): Promise<boolean> {
  const drain = once(bytes, "drain").then(() => true);
  return Promise.race([drain, sleep(500, false)]);
}
