/** What the load generator counts as an answer. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Workshop } from "./settings.ts";

const WORKING = Buffer.from([0, 0, 0, 0, 0x80]);
const DONE = Buffer.from([3, 0, 0, 0, 0x81, 1, 2, 3]);
const PASS = Buffer.from([1, 0, 0, 0, 0x83, 1]);
/** So that pieces are not received as one. */
const APART_MS = 5;

/** @returns how many of the questions were hits, each of them given these pieces */
async function hits(...pieces: readonly Buffer[]): Promise<number> {
  using workshop = new Workshop();
  const [socket, questions] = [workshop.path("socket"), workshop.path("questions")];
  const server = createServer((connection) => {
    connection.on("error", () => undefined); // Who has its answer goes.
    void answer(connection, pieces);
  });
  await new Promise<void>((resolve) => void server.listen(socket, resolve));
  try {
    writeFileSync(questions, Buffer.from([1, 0, 0, 0, 1, 0]));
    const { stdout } = await promisify(execFile)(workshop.native.load, [socket, questions, "6", "4"]);
    return Number(stdout.split(" ")[0]);
  } finally {
    server.close();
  }
}

async function answer(connection: Socket, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    connection.write(piece);
    await sleep(APART_MS);
  }
  connection.end();
}

test("a daemon that says that it works on it has not answered", async () => {
  assert.equal(await hits(WORKING, DONE), 6);
  assert.equal(await hits(Buffer.concat([WORKING, WORKING, DONE])), 6);
  assert.equal(await hits(WORKING.subarray(0, 3), Buffer.concat([WORKING.subarray(3), DONE.subarray(0, 6)]), DONE.subarray(6)), 6);
});

test("what is no hit is not counted as one", async () => {
  assert.equal(await hits(PASS), 0);
  assert.equal(await hits(WORKING, PASS), 0);
  assert.equal(await hits(WORKING), 0);
});
