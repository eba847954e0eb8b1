import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { type TestContext, test } from "node:test";
import { natPmp } from "./nat-pmp.ts";

const OPTIONS = { timeout: 60_000 };

/** A router at an address of loopback of its own; what it hears, and answers. */
async function router(t: TestContext, host: string, answer: (question: Buffer, count: number) => Buffer[]): Promise<Buffer[]> {
  const heard: Buffer[] = [];
  const socket = createSocket("udp4");
  socket.on("message", (question, from) => {
    heard.push(question);
    for (const bytes of answer(question, heard.length)) socket.send(bytes, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(5351, host, resolve));
  t.after(() => socket.close());
  return heard;
}

test("what is asked and answered, byte for byte as in RFC 6886, section 3", OPTIONS, async (t) => {
  const heard = await router(t, "127.0.9.1", ([, operation]) => [
    Buffer.from(operation === 0 ? "008000000000000ac0000207" : "008200000000000a1267126800001c20", "hex"),
  ]);
  assert.equal(await natPmp.externalAddress("127.0.9.1"), "192.0.2.7");
  assert.deepEqual(await natPmp.mapPort("127.0.9.1", 4711, 7_200), { externalPort: 4712, lifetimeS: 7_200 });
  await natPmp.mapPort("127.0.9.1", 4711, 0);
  assert.deepEqual(
    heard.map((question) => question.toString("hex")),
    ["0000", "000200001267126700001c20", "000200001267000000000000"],
  );
});

test("a question that is lost is repeated; answers to others and halves of answers are not taken", OPTIONS, async (t) => {
  const right = Buffer.from("008000000000000ac0000207", "hex");
  const wrong = [Buffer.from("008200000000000a1267126800001c20", "hex"), right.subarray(0, 9), Buffer.alloc(0)];
  const heard = await router(t, "127.0.9.2", (_question, count) => (count < 3 ? wrong : [right]));
  assert.equal(await natPmp.externalAddress("127.0.9.2"), "192.0.2.7");
  assert.equal(heard.length, 3);
});

test("a router that refuses says why; where there is none it is found out", OPTIONS, async (t) => {
  await router(t, "127.0.9.3", () => [Buffer.from("0082000200000000", "hex")]);
  await assert.rejects(natPmp.mapPort("127.0.9.3", 4711, 7_200), { code: "peer-absent", facts: { why: "the router does not allow it" } });
  await assert.rejects(natPmp.externalAddress("127.0.9.4"));
});
