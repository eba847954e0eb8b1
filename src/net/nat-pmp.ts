/**
 * NAT-PMP (RFC 6886): asks a router to let connections to one of its ports through to this machine, for a while.
 *
 * Knows: packets and their repetition. Does not know: which router, or which ports.
 */
import { createSocket, type Socket } from "node:dgram";
import { CairnError, limits } from "../base/index.ts";
import type { MappedPort, PortMapper } from "./port-mapping.ts";

const PORT = 5351;
const EXTERNAL_ADDRESS = 0;
const MAP_TCP = 2;
/** What an answer's operation has in addition to that of its question. */
const ANSWER = 128;
const ANSWER_BYTES = { [EXTERNAL_ADDRESS]: 12, [MAP_TCP]: 16 } as const;
/** RFC 6886, section 3.5. */
const REFUSALS: Readonly<Record<number, string>> = {
  1: "unsupported version",
  2: "the router does not allow it",
  3: "the router has no address itself",
  4: "no port is free",
  5: "unsupported operation",
};

export const natPmp: PortMapper = { name: "NAT-PMP", externalAddress, mapPort };

async function externalAddress(router: string): Promise<string> {
  const answer = await ask(router, EXTERNAL_ADDRESS, Buffer.from([0, EXTERNAL_ADDRESS]));
  return answer.subarray(8, 12).join(".");
}

async function mapPort(router: string, port: number, lifetimeS: number): Promise<MappedPort> {
  const question = Buffer.alloc(12);
  question.writeUInt8(MAP_TCP, 1);
  question.writeUInt16BE(port, 4);
  question.writeUInt16BE(lifetimeS === 0 ? 0 : port, 6);
  question.writeUInt32BE(lifetimeS, 8);
  const answer = await ask(router, MAP_TCP, question);
  return { externalPort: answer.readUInt16BE(10), lifetimeS: answer.readUInt32BE(12) };
}

function ask(router: string, operation: keyof typeof ANSWER_BYTES, question: Buffer): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const socket = createSocket("udp4");
  const deadline = setTimeout(() => reject(new CairnError("peer-silent", { waitedMs: limits.mapAnswerMs })), limits.mapAnswerMs);
  let repeat: NodeJS.Timeout | undefined;
  const send = (afterMs: number): void => {
    socket.send(question);
    repeat = setTimeout(() => send(2 * afterMs), afterMs);
  };
  socket.on("error", reject);
  socket.on("message", (answer) => {
    if (answer[1] !== ANSWER + operation) return;
    const result = answer.length >= 4 ? answer.readUInt16BE(2) : -1;
    if (result !== 0) reject(new CairnError("peer-absent", { why: REFUSALS[result] ?? `result ${result}` }));
    else if (answer.length >= ANSWER_BYTES[operation]) resolve(answer);
  });
  // Whoever else sends something is not heard.
  socket.connect(PORT, router, () => send(limits.mapRepeatMs));
  return promise.finally(() => {
    clearTimeout(deadline);
    clearTimeout(repeat);
    closeQuietly(socket);
  });
}

function closeQuietly(socket: Socket): void {
  socket.on("error", () => undefined);
  try {
    socket.close();
  } catch {
    // Closed already.
  }
}
