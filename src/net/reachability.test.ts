import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { limits, silentLog } from "../base/index.ts";
import type { Probed } from "./dial-back.ts";
import { type Prober, Reachability } from "./reachability.ts";

const OUT = "/ip4/203.0.113.7/tcp/4711";
const HOME = "/ip4/192.168.1.7/tcp/4711";
const far = (key: string, ...addresses: string[]): Prober => ({ key, addresses, near: false });

/** A node whose members come through at `open`; `asked` says at what they were asked to try. */
function node(t: TestContext, probers: readonly Prober[], seen: readonly string[] = [], listensAt: readonly string[] = [OUT, HOME]) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const [open, asked] = [new Set<string>(), [] as string[]];
  let changes = 0;
  const ask = (key: string, addresses: readonly string[], dataPort: number): Promise<Probed> => {
    asked.push(`${key} ${addresses.join(" ")}`);
    return Promise.resolve({
      reached: addresses.filter((address) => open.has(address)),
      data: dataPort === 0 ? undefined : open.has(`:${dataPort}`),
    });
  };
  const listening = (): readonly string[] => listensAt;
  const parts = {
    ask,
    probers: () => probers,
    seen: () => seen,
    mapped: () => [],
    listening,
    changed: () => void (changes += 1),
    log: silentLog,
    random: () => 0.5,
  };
  const reachability = new Reachability(parts);
  t.after(() => reachability[Symbol.dispose]());
  const pass = async (ms: number): Promise<void> => {
    t.mock.timers.tick(ms);
    for (let i = 0; i < 5; i++) await setImmediate();
  };
  return { reachability, open, asked, pass, changes: () => changes };
}

test("an address is announced until members have tried in vain twice, and again when one comes through", async (t) => {
  const { reachability, open, pass, changes } = node(t, [far("a", OUT), far("b", OUT)]);
  reachability.soon();
  await pass(limits.probeAfterMs);
  assert.deepEqual(reachability.announced(), [OUT, HOME], "it may have been chance");
  await pass(limits.probeAgainMs);
  assert.deepEqual(reachability.announced(), [HOME], "nobody was asked to try the other one");
  assert.equal(changes(), 1);
  assert.deepEqual(reachability.facts.addresses, [{ address: OUT, by: 0, inVain: 2 }]);
  open.add(OUT);
  await pass(limits.probeEveryMs);
  assert.deepEqual(reachability.announced(), [OUT, HOME]);
  assert.equal(changes(), 2);
});

test("where a router shows this node it is announced once somebody has come through there", async (t) => {
  const shown = "/ip4/198.51.100.1/tcp/4711";
  const near: Prober = { key: "b", addresses: [HOME], near: true };
  const { reachability, open, asked, pass } = node(t, [far("a"), near], ["/ip4/198.51.100.1/tcp/60123"]);
  reachability.soon();
  await pass(limits.probeAfterMs);
  assert.deepEqual(asked, [`a ${shown}`, `b ${HOME}`], "who is near sees this node without its router");
  assert.deepEqual(reachability.announced(), [OUT, HOME]);
  open.add(shown).add(HOME);
  await pass(limits.probeAgainMs);
  assert.deepEqual(reachability.announced(), [OUT, HOME, shown]);
  reachability.forget();
  assert.deepEqual(reachability.announced(), [OUT, HOME], "that was at another place");
});

test("behind a router each port is tried, in the way that is spoken there", async (t) => {
  const { reachability, open, pass } = node(t, [far("a")], ["/ip4/198.51.100.1/tcp/50000"], [HOME, "/ip4/192.168.1.7/tcp/80/ws"]);
  const shown = "/ip4/198.51.100.1/tcp/80/ws";
  open.add(shown);
  reachability.soon();
  await pass(limits.probeAfterMs);
  const [tcp, ws] = reachability.facts.addresses;
  assert.deepEqual([tcp?.address, tcp?.by, ws?.address, ws?.by], ["/ip4/198.51.100.1/tcp/4711", 0, shown, 1]);
  assert.ok(reachability.announced().includes(shown));
});

test("the data plane's port has a verdict of its own", async (t) => {
  const { reachability, open, pass } = node(t, [far("a", OUT)]);
  open.add(OUT);
  reachability.listensToo(4712);
  await pass(limits.probeAfterMs);
  assert.equal(reachability.facts.data, undefined);
  await pass(limits.probeAgainMs);
  assert.equal(reachability.facts.data, false);
  reachability.listensToo(4713);
  assert.equal(reachability.facts.data, undefined, "another port is another question");
  open.add(":4713");
  await pass(limits.probeAfterMs);
  assert.equal(reachability.facts.data, true);
});

test("nothing is asked where nothing could be learnt", async (t) => {
  const { reachability, asked, pass } = node(t, [far("a"), { key: "b", addresses: ["/ip4/127.0.0.1/tcp/1"], near: true }]);
  reachability.soon();
  await pass(limits.probeAfterMs);
  assert.deepEqual(asked, []);
});
