import assert from "node:assert/strict";
import { test } from "node:test";
import type { MultiaddrConnection, Upgrader } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { limits } from "../base/index.ts";
import { Newcomers } from "./newcomers.ts";

const [MEMBERS, STRANGERS] = ["192.0.2.1", "192.0.2.2"];

test("of each kind there are so many at once, and a place is free again when its holder has come in or gone", () => {
  const newcomers = new Newcomers((ip) => ip === MEMBERS);
  const strange = Array.from({ length: limits.newcomers }, () => newcomers.admit(STRANGERS));
  assert.ok(strange.every((place) => place !== undefined));
  assert.equal(newcomers.admit(STRANGERS), undefined);
  assert.ok(newcomers.admit(MEMBERS) !== undefined, "strangers keep no member out");
  strange[0]?.[Symbol.dispose]();
  strange[0]?.[Symbol.dispose](); // It was let go of already.
  assert.ok(newcomers.admit(STRANGERS) !== undefined);
  assert.equal(newcomers.admit(STRANGERS), undefined);
});

test("a connection holds its place until it is made", async () => {
  const newcomers = new Newcomers(() => false);
  const made: PromiseWithResolvers<void>[] = [];
  const upgrader = {
    upgradeInbound: () => {
      const one = Promise.withResolvers<void>();
      made.push(one);
      return one.promise;
    },
  } as unknown as Upgrader;
  newcomers.watch(upgrader);
  const socket = { remoteAddr: multiaddr(`/ip4/${STRANGERS}/tcp/4711`) } as MultiaddrConnection;
  const connect = (): Promise<void> => upgrader.upgradeInbound(socket, {} as Parameters<Upgrader["upgradeInbound"]>[1]);
  const all = Array.from({ length: limits.newcomers }, connect);
  await assert.rejects(connect(), /too many/);
  made[0]?.resolve();
  made[1]?.reject(new Error("it hung up"));
  await assert.rejects(all[1] ?? Promise.resolve(), /hung up/);
  for (const again of [connect(), connect()]) again.catch(() => assert.fail("there was room"));
  await assert.rejects(connect(), /too many/);
});
