import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { systemCallFilter } from "./sandbox-filter.ts";

const KILL = 0x80000000;
const EPERM = 0x00050001;
const ENOSYS = 0x00050026;
const ALLOW = 0x7fff0000;
const X64 = 0xc000003e;
const ARM64 = 0xc00000b7;

/** The part of the kernel's BPF machine that the filter uses. */
function decide(filter: Buffer, call: { architecture: number; number: number; args?: readonly number[] }): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call.number, 0);
  data.writeUInt32LE(call.architecture, 4);
  call.args?.forEach((arg, at) => void data.writeBigUInt64LE(BigInt(arg), 16 + 8 * at));
  let accumulator = 0;
  for (let at = 0; at < filter.length / 8; at++) {
    const [code, yes, no] = [filter.readUInt16LE(at * 8), filter.readUInt8(at * 8 + 2), filter.readUInt8(at * 8 + 3)];
    const k = filter.readUInt32LE(at * 8 + 4);
    const jump = (taken: boolean): void => void (at += taken ? yes : no);
    if (code === 0x20) accumulator = data.readUInt32LE(k);
    else if (code === 0x06) return k;
    else if (code === 0x15) jump(accumulator === k);
    else if (code === 0x25) jump(accumulator > k);
    else if (code === 0x35) jump(accumulator >= k);
    else if (code === 0x45) jump((accumulator & k) !== 0);
    else throw new Error(`instruction ${code}`);
  }
  throw new Error("ran off its end");
}

const cases: readonly [what: string, call: { number: number; args?: readonly number[] }, x64: number][] = [
  ["read", { number: 0 }, ALLOW],
  ["openat", { number: 257 }, ALLOW],
  ["fork", { number: 57 }, ALLOW],
  ["mount", { number: 165 }, EPERM],
  ["ptrace", { number: 101 }, EPERM],
  ["bpf", { number: 321 }, EPERM],
  ["io_uring_setup", { number: 425 }, EPERM],
  ["keyctl", { number: 250 }, EPERM],
  ["unshare", { number: 272 }, EPERM],
  ["clone of a process", { number: 56, args: [0x11] }, ALLOW],
  ["clone of a thread", { number: 56, args: [0x3d0f00] }, ALLOW],
  ["clone of a user namespace", { number: 56, args: [0x10000011] }, EPERM],
  ["clone of a mount namespace", { number: 56, args: [0x20011] }, EPERM],
  ["clone3", { number: 435 }, ENOSYS],
  ["socket of a name", { number: 41, args: [1] }, ALLOW],
  ["socket of the kernel's", { number: 41, args: [16] }, EPERM],
  ["socket to the hypervisor", { number: 41, args: [40] }, EPERM],
  ["pair of sockets", { number: 53, args: [1] }, ALLOW],
  ["ioctl that asks for a size", { number: 16, args: [1, 0x5413] }, ALLOW],
  ["ioctl that types", { number: 16, args: [1, 0x5412] }, EPERM],
  ["a call of tomorrow", { number: 463 }, ENOSYS],
  ["mmap of a file that others see", { number: 9, args: [0, 4_096, 3, 0x01, 3] }, ALLOW],
  ["mmap of memory of its own", { number: 9, args: [0, 4_096, 3, 0x22] }, ALLOW],
  ["mmap of memory that belongs to nobody", { number: 9, args: [0, 4_096, 3, 0x21] }, EPERM],
  ["the same without a reserve", { number: 9, args: [0, 4_096, 3, 0x4021] }, EPERM],
  ["a watch on files", { number: 294 }, EPERM],
  ["the same by the older call", { number: 253 }, EPERM],
  ["fcntl that asks for flags", { number: 72, args: [3, 1] }, ALLOW],
  ["fcntl that locks", { number: 72, args: [3, 6] }, ALLOW],
  ["a lease", { number: 72, args: [3, 1_024, 0] }, EPERM],
  ["a notice", { number: 72, args: [3, 1_026, 1] }, EPERM],
  ["x32", { number: 0x40000000 + 39 }, KILL],
];

for (const [what, call, expected] of cases)
  test(`${what} on x86-64`, () => {
    const filter = systemCallFilter("x64", true);
    assert.ok(filter);
    assert.equal(decide(filter, { ...call, architecture: X64 }), expected);
  });

test("on aarch64 the numbers are others", () => {
  const filter = systemCallFilter("arm64", true);
  assert.ok(filter);
  const on = (number: number, args: readonly number[] = []): number => decide(filter, { architecture: ARM64, number, args });
  assert.deepEqual([on(40), on(165), on(117), on(280), on(97)], [EPERM, ALLOW, EPERM, EPERM, EPERM]); // mount, getrusage, ptrace, bpf, unshare
  assert.deepEqual([on(222, [0, 1, 3, 0x21]), on(222, [0, 1, 3, 0x22])], [EPERM, ALLOW]);
  assert.deepEqual([on(26), on(27), on(25, [3, 1_026]), on(25, [3, 1])], [EPERM, EPERM, EPERM, ALLOW]);
  assert.deepEqual([on(220, [0x11]), on(220, [0x10000011]), on(198, [1]), on(198, [40])], [ALLOW, EPERM, ALLOW, EPERM]);
});

test("who is not held to what all processes hold together may share memory", () => {
  const filter = systemCallFilter("x64", false);
  assert.ok(filter);
  assert.equal(decide(filter, { number: 9, args: [0, 4_096, 3, 0x21], architecture: X64 }), ALLOW);
});

test("every call of another architecture ends the process, and every call ends the program", () => {
  const filter = systemCallFilter("x64", true);
  assert.ok(filter);
  fc.assert(
    fc.property(fc.nat(0xffffffff), fc.array(fc.nat(0x7fffffff), { maxLength: 6 }), fc.nat(0xffffffff), (number, args, architecture) => {
      const verdict = decide(filter, { number, args, architecture: X64 });
      assert.ok([KILL, EPERM, ENOSYS, ALLOW].includes(verdict));
      if (architecture !== X64) assert.equal(decide(filter, { number, args, architecture }), KILL);
    }),
  );
});

test("there is none for a processor that is not known", () => {
  assert.equal(systemCallFilter("mips", true), undefined);
});
