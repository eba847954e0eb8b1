import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../base/index.ts";
import { movableKey, requestKey } from "./compile-socket.ts";

function request(root: string): Parameters<typeof requestKey>[0] {
  return {
    stderrIsTerminal: true,
    stdoutIsTerminal: false,
    columns: 80,
    cwd: `${root}/build`,
    compiler: "/usr/bin/cc",
    argv: ["cc", `-I${root}/include`, "-c", `${root}/a.c`, `-DOLD="${root}-old"`],
    environment: new Map([
      ["CPATH", `${root}/x:${root}`],
      ["PWD", `${root}/build`],
    ]),
  };
}

function text(said: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(Buffer.byteLength(said));
  return Buffer.concat([length, Buffer.from(said)]);
}

test("a movable key is that of the request in which the root is one zero byte", () => {
  const texts = (root: string, mark: string): Buffer[] => [
    Buffer.from([1, 0, 80, 0]),
    text(`${mark}/build`),
    text("/usr/bin/cc"),
    Buffer.from([5, 0, 0, 0]),
    ...["cc", `-I${mark}/include`, "-c", `${mark}/a.c`, `-DOLD="${root}-old"`].map(text),
    Buffer.from([2, 0, 0, 0]),
    ...[`CPATH=${mark}/x:${mark}`, `PWD=${mark}/build`].map(text),
  ];
  assert.equal(movableKey(request("/w/é"), "/w/é"), digestOf(Buffer.concat([Buffer.from("CAIRNMV1"), ...texts("/w/é", "\0")])));
  assert.equal(requestKey(request("/w/é")), digestOf(Buffer.concat(texts("/w/é", "/w/é"))));
});

test("it is the same in every checkout, and another for another request", () => {
  const plain = (root: string): Parameters<typeof requestKey>[0] => ({ ...request(root), argv: ["cc", "-c", `${root}/a.c`] });
  assert.equal(movableKey(plain("/w/app"), "/w/app"), movableKey(plain("/home/me/other"), "/home/me/other"));
  assert.notEqual(movableKey(request("/w/app"), "/w/app"), movableKey(request("/home/me/other"), "/home/me/other"), "-DOLD is none of it");
  assert.notEqual(movableKey(plain("/w/app"), "/w/app"), movableKey(plain("/w/app"), "/w"));
  assert.notEqual(movableKey(plain("/w/app"), "/w/app"), movableKey({ ...plain("/w/app"), columns: 81 }, "/w/app"));
});
