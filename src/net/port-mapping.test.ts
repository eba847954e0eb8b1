import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { CairnError, limits, silentLog } from "../base/index.ts";
import { PortMapping } from "./port-mapping.ts";
import type { Port } from "./ports.ts";

/** A node whose router does what `router` says. */
function node(t: TestContext, router: { outside: string; isThere: boolean }) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const asked: string[] = [];
  let changes = 0;
  const ports: Port[] = [{ port: 4711, speaks: "tcp" }];
  const mapping = new PortMapping({
    router: () => "192.168.1.1",
    mappers: [
      {
        name: "a protocol that it does not speak",
        externalAddress: () => Promise.reject(new CairnError("peer-silent", {})),
        mapPort: () => Promise.reject(new CairnError("peer-silent", {})),
      },
      {
        name: "one that it does",
        externalAddress: () => (router.isThere ? Promise.resolve(router.outside) : Promise.reject(new CairnError("peer-silent", {}))),
        mapPort: (_router, port, lifetimeS) => {
          asked.push(`${port} ${lifetimeS}`);
          return Promise.resolve({ externalPort: port + 1_000, lifetimeS: lifetimeS / 2 });
        },
      },
    ],
    ports: () => ports,
    changed: () => void (changes += 1),
    log: silentLog,
  });
  const pass = async (ms: number): Promise<void> => {
    t.mock.timers.tick(ms);
    for (let i = 0; i < 10; i++) await setImmediate();
  };
  return { mapping, ports, asked, pass, changes: () => changes };
}

test("ports are mapped, again before the lease ends, and given back at the end", async (t) => {
  const { mapping, ports, asked, pass, changes } = node(t, { outside: "203.0.113.9", isThere: true });
  mapping.renew();
  await pass(0);
  assert.deepEqual(mapping.addresses(), ["/ip4/203.0.113.9/tcp/5711"]);
  ports.push({ port: 4712, speaks: "ws" });
  await pass((limits.mapLeaseS * 1_000) / 4);
  assert.deepEqual(mapping.addresses(), ["/ip4/203.0.113.9/tcp/5711", "/ip4/203.0.113.9/tcp/5712/ws"]);
  assert.equal(changes(), 2);
  await mapping[Symbol.asyncDispose]();
  const lease = limits.mapLeaseS;
  assert.deepEqual(asked, [`4711 ${lease}`, `4711 ${lease}`, `4712 ${lease}`, "4711 0", "4712 0"]);
});

test("a router that is silent, or behind another one, is of no use; it is asked again later", async (t) => {
  const router = { outside: "100.64.1.1", isThere: true };
  const { mapping, asked, pass } = node(t, router);
  mapping.renew();
  await pass(0);
  assert.deepEqual([mapping.facts.addresses, asked], [[], []]);
  assert.match(mapping.facts.trouble ?? "", /behind another one/);
  router.outside = "203.0.113.9";
  await pass(limits.mapRetryMs);
  assert.deepEqual(mapping.facts, { addresses: mapping.addresses(), trouble: undefined });
  assert.equal(mapping.addresses().length, 1);
  router.isThere = false;
  await pass((limits.mapLeaseS * 1_000) / 4);
  assert.deepEqual(mapping.addresses(), []);
  assert.match(mapping.facts.trouble ?? "", /silent/);
  await mapping[Symbol.asyncDispose]();
});

test("what was granted is given back, although the router has been silent since", async (t) => {
  const router = { outside: "203.0.113.9", isThere: true };
  const { mapping, asked, pass } = node(t, router);
  mapping.renew();
  await pass(0);
  router.isThere = false;
  await pass((limits.mapLeaseS * 1_000) / 4);
  assert.deepEqual(mapping.addresses(), []);
  await mapping[Symbol.asyncDispose]();
  assert.deepEqual(asked, [`4711 ${limits.mapLeaseS}`, "4711 0"]);
});
