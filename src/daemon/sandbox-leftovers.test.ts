import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { silentLog } from "../base/index.ts";
import { removeLeftovers, SandboxHold, type SandboxPlace, setLeftoversAside } from "./sandbox-leftovers.ts";

interface Trial {
  readonly place: SandboxPlace;
  /** Makes a directory with something in it. @returns its path */
  readonly directory: (name: string) => string;
  /** Makes one that a daemon holds, as long as it lives. */
  readonly held: (name: string) => { readonly path: string; readonly hold: SandboxHold };
}

function trial(t: TestContext): Trial {
  const place = { directory: mkdtempSync(join(tmpdir(), "cairn-leftovers-")), prefix: "sandbox-" };
  t.after(() => rmSync(place.directory, { recursive: true, force: true }));
  const directory = (name: string): string => {
    const path = join(place.directory, name);
    mkdirSync(join(path, "root0"), { recursive: true });
    return path;
  };
  const held = (name: string): { path: string; hold: SandboxHold } => {
    const made = directory(`.${name}`);
    const hold = new SandboxHold();
    t.after(() => hold[Symbol.dispose]());
    hold.take(made);
    const path = join(place.directory, name);
    renameSync(made, path);
    return { path, hold };
  };
  return { place, directory, held };
}

async function sweep({ place }: Trial): Promise<void> {
  await removeLeftovers(silentLog, setLeftoversAside(place));
}

test("a sandbox stays as long as its daemon lives, however often others look, and goes afterwards", async (t) => {
  const world = trial(t);
  const [killed, alive] = [world.held("sandbox-killed"), world.held("sandbox-alive")];
  for (let look = 0; look < 3; look++) await sweep(world);
  assert.deepEqual([killed.path, alive.path].map(existsSync), [true, true]);
  killed.hold[Symbol.dispose]();
  await sweep(world);
  assert.deepEqual([killed.path, `${killed.path}.gone`, alive.path].map(existsSync), [false, false, true]);
});

test("who makes its sandbox anew holds the new one", async (t) => {
  const world = trial(t);
  const { path, hold } = world.held("sandbox-again");
  rmSync(path, { recursive: true });
  hold.take(world.directory("sandbox-again"));
  await sweep(world);
  assert.ok(existsSync(path));
});

test("all doubt means that it lives", async (t) => {
  const world = trial(t);
  const unlocked = world.directory("sandbox-without-lock"); // It is being made, or of another kind.
  const odd = world.directory("sandbox-odd");
  mkdirSync(join(odd, "lock"));
  const others = world.directory("another-name");
  writeFileSync(join(others, "lock"), "");
  await sweep(world);
  assert.deepEqual([unlocked, odd, others].map(existsSync), [true, true, true]);
});

test("no link is followed", async (t) => {
  const world = trial(t);
  const target = world.directory("precious");
  writeFileSync(join(target, "lock"), "");
  symlinkSync(target, join(world.place.directory, "sandbox-link"));
  symlinkSync(target, join(world.place.directory, "sandbox-link.gone"));
  const linked = world.directory("sandbox-linked-lock");
  symlinkSync(join(target, "lock"), join(linked, "lock"));
  await sweep(world);
  assert.deepEqual([join(target, "root0"), linked].map(existsSync), [true, true]);
});

test("what somebody had begun to remove is removed", async (t) => {
  const world = trial(t);
  const path = world.directory("sandbox-other.gone");
  await sweep(world);
  assert.ok(!existsSync(path));
});

test("where nobody has made the place there is nothing", (t) => {
  const { place } = trial(t);
  assert.deepEqual(setLeftoversAside({ ...place, directory: join(place.directory, "nowhere") }), []);
});
