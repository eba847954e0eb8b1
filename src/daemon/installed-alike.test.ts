import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, silentLog } from "../base/index.ts";
import type { GeneralAction } from "../contracts/index.ts";
import { alikeBy, InstalledAlike } from "./installed-alike.ts";

const { signal } = new AbortController();
const DEBIAN = { digest: digestOf("debian"), isTold: true };
const OTHER = { digest: digestOf("other"), isTold: true };
const CPU = "avx2 fpu";
const SH = { place: "/bin/sh", digest: digestOf("sh") };

/** A machine, and what happens to it. */
class Machine {
  installed = DEBIAN;
  programs = new Map([["/usr/bin/sh", SH.digest]]);
  isOffered = true;
  named: string | undefined = undefined;
  nowMs = 0;
  looks = 0;
  changes = 0;
  readonly alike = new InstalledAlike({
    programs: {
      installed: async () => {
        this.looks++;
        return this.installed;
      },
    },
    processor: CPU,
    installedProgram: (place) => (place.startsWith("/etc/") ? undefined : place.replace(/^\/bin/, "/usr/bin")),
    files: {
      prepare: async () => undefined,
      state: (path) => {
        const digest = this.programs.get(path);
        return digest === undefined
          ? { kind: "absent" }
          : { kind: "file", digest, size: 1, fingerprint: { fp0: 0, fp1: 0 }, changedNs: 0n };
      },
    },
    isOffered: () => this.isOffered,
    named: () => this.named,
    changed: () => this.changes++,
    log: silentLog,
    now: () => this.nowMs,
  });

  lack(system: string | undefined, programs = [SH]): Promise<string | undefined> {
    const command = { name: "sh", programs, variables: [], signed: false };
    return this.alike.lack({ system, command } as unknown as GeneralAction, signal);
  }
}

test("a command runs where the same is installed, and its very programs are", async () => {
  const machine = new Machine();
  const other = alikeBy(OTHER, CPU);
  assert.equal(await machine.lack(alikeBy(DEBIAN, CPU)), undefined);
  assert.equal(await machine.lack(other), other);
  assert.equal(await machine.lack(alikeBy(DEBIAN, CPU), [SH, { place: "tools/mine", digest: digestOf("comes along") }]), undefined);
  assert.equal(await machine.lack(alikeBy(DEBIAN, CPU), [{ ...SH, digest: digestOf("another sh") }]), "/bin/sh");
  assert.equal(await machine.lack(alikeBy(DEBIAN, CPU), [{ ...SH, place: "/usr/bin/none" }]), "/usr/bin/none");
  machine.programs.set("/etc/shadow", SH.digest);
  const shadow = { ...SH, place: "/etc/shadow" };
  assert.equal(await machine.lack(alikeBy(DEBIAN, CPU), [shadow]), shadow.place, "what other files hold is not told");
  machine.installed = OTHER;
  assert.equal(await machine.lack(alikeBy(DEBIAN, CPU)), alikeBy(DEBIAN, CPU), "it was upgraded");
  assert.deepEqual([machine.changes, machine.alike.offered], [2, other]);
  const elsewhere = alikeBy(OTHER, `${CPU} avx512f`);
  assert.equal(await machine.lack(elsewhere), elsewhere, "the same is installed on another processor");
  assert.equal(alikeBy(OTHER, undefined), undefined, "nobody can tell on which");
});

test("an owner's name counts, too; the programs of a command are looked at all the same", async () => {
  const machine = new Machine();
  machine.named = digestOf("image-1");
  assert.equal(await machine.lack(machine.named), undefined);
  assert.equal(await machine.lack(machine.named, [{ ...SH, digest: digestOf("another sh") }]), "/bin/sh");
});

test("who lets nothing run, or cannot tell what is installed, offers nothing; others look seldom", async () => {
  const machine = new Machine();
  machine.isOffered = false;
  await machine.alike.look(signal);
  assert.deepEqual([machine.looks, machine.alike.offered], [0, undefined]);
  machine.isOffered = true;
  for (const nowMs of [0, 1_000, 61_001]) {
    machine.nowMs = nowMs;
    await machine.alike.look(signal);
  }
  assert.deepEqual([machine.looks, machine.changes, machine.alike.offered], [2, 1, alikeBy(DEBIAN, CPU)]);
  machine.installed = { ...DEBIAN, isTold: false };
  machine.nowMs = 200_000;
  await machine.alike.look(signal);
  assert.equal(machine.alike.offered, undefined);
});
