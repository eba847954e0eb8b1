/**
 * What every source of dial hints promises, wherever its hints come from. Each implementation's tests run this suite.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Host, Key } from "../../src/base/index.ts";
import type { Discovery } from "../../src/contracts/index.ts";

export const SELF: Key = "aa".repeat(32);
export const FRIEND: Key = "bb".repeat(32);
export const LATER: Key = "cc".repeat(32);
export const STRANGER: Key = "dd".repeat(32);

export interface DiscoveryWorld {
  readonly discovery: Discovery;
  /** Somebody can be found at an address from now on, by the means of this source. */
  appears(key: Key): void;
  /** Whoever is a member; the source asks for it whenever it needs it. Begins with SELF and FRIEND. */
  readonly members: Set<Key>;
  /** Lets pass what time the source may take. */
  settle(): Promise<void>;
}

export function discoveryCompliance(name: string, open: (t: TestContext) => DiscoveryWorld): void {
  const check = (title: string, body: (world: DiscoveryWorld, found: Host[]) => Promise<void>): void => {
    test(`${name}: ${title}`, async (t) => {
      const world = open(t);
      const found: Host[] = [];
      await body(world, found);
      world.discovery[Symbol.dispose]();
    });
  };
  const keys = (found: readonly Host[]): Key[] => [...new Set(found.map(({ peerKey }) => peerKey))].toSorted();

  check("finds a member, with an address that can be dialled", async (world, found) => {
    world.appears(FRIEND);
    world.discovery.start((hint) => found.push(hint));
    await world.settle();
    assert.match(world.discovery.source, /^[a-z]+$/);
    assert.deepEqual(keys(found), [FRIEND]);
    for (const { addresses } of found) {
      assert.ok(addresses.length > 0);
      for (const address of addresses) assert.match(address, /^\/(ip4|ip6|dns|ip6zone\/[^/]+\/ip6)\/[^/]+\/tcp\/[1-9]\d*$/);
    }
  });

  check("says nothing before it is started, and nothing after its end", async (world, found) => {
    world.appears(FRIEND);
    await world.settle();
    assert.equal(found.length, 0);
    world.discovery.start((hint) => found.push(hint));
    await world.settle();
    world.discovery[Symbol.dispose]();
    found.length = 0;
    world.appears(FRIEND);
    world.discovery.refresh();
    await world.settle();
    assert.equal(found.length, 0);
    world.discovery[Symbol.dispose](); // Once more does no harm.
  });

  check("never names strangers or this node itself", async (world, found) => {
    for (const key of [STRANGER, SELF, FRIEND]) world.appears(key);
    world.discovery.start((hint) => found.push(hint));
    world.discovery.refresh();
    await world.settle();
    assert.deepEqual(keys(found), [FRIEND]);
  });

  check("finds who becomes a member later, once it is told to look again", async (world, found) => {
    for (const key of [FRIEND, LATER]) world.appears(key);
    world.discovery.start((hint) => found.push(hint));
    await world.settle();
    assert.deepEqual(keys(found), [FRIEND]);
    world.members.add(LATER);
    world.discovery.refresh();
    await world.settle();
    assert.deepEqual(keys(found), [FRIEND, LATER]);
  });
}
