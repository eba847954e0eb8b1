/**
 * Speaks to a daemon as the compiler wrapper does (docs/protocol/compile-socket.md), without compiling: for load and for many manifests.
 */
import { writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { digestOf } from "../src/base/index.ts";
import { ByteWriter, protocolVersion } from "../src/wire/index.ts";

export interface Question {
  readonly cwd: string;
  readonly compiler: string;
  readonly argv: readonly string[];
  readonly environment: readonly string[];
}

const TYPE = { compile: 0x01, ran: 0x02, done: 0x81, run: 0x82, pass: 0x83, stored: 0x84, refused: 0x85 } as const;
const HEADER_BYTES = 5;

function compileFrame(question: Question): Buffer {
  const body = new ByteWriter(1_024);
  body.u8(0).u8(0).u16(0).text32(question.cwd).text32(question.compiler);
  for (const texts of [question.argv, question.environment]) {
    body.u32(texts.length);
    for (const text of texts) body.text32(text);
  }
  const about = body.view();
  const frame = new ByteWriter(about.length + 64);
  frame.u32(0).u8(TYPE.compile).u16(protocolVersion).u8(0).u8(0);
  frame
    .bytes(Buffer.from(digestOf(about), "hex"))
    .u64(0n)
    .bytes(about);
  frame.patchU32(0, frame.length - HEADER_BYTES);
  return Buffer.from(frame.view());
}

export type Answered = "hit" | "stored" | "not-stored" | "passed" | "refused" | "closed";

/**
 * One conversation.
 * @param compile writes what the compiler would write; called when the daemon says "run"
 */
export async function converse(socketPath: string, question: Question, compile: () => void): Promise<Answered> {
  const socket = createConnection(socketPath);
  try {
    return await new Promise<Answered>((resolve, reject) => {
      let pending = Buffer.alloc(0);
      const answered = (frame: Buffer): void => {
        const type = frame.readUInt8(4);
        if (type === TYPE.done) resolve("hit");
        if (type === TYPE.stored) resolve(frame.readUInt8(HEADER_BYTES) === 1 ? "stored" : "not-stored");
        if (type === TYPE.pass) resolve("passed");
        if (type === TYPE.refused) resolve("refused");
        if (type === TYPE.run) report(socket, frame.readBigUInt64LE(HEADER_BYTES), compile);
      };
      socket.once("error", reject);
      socket.once("close", () => resolve("closed"));
      socket.on("data", (chunk: Buffer) => {
        pending = Buffer.concat([pending, chunk]);
        while (pending.length >= HEADER_BYTES && pending.length >= HEADER_BYTES + pending.readUInt32LE(0)) {
          const size = HEADER_BYTES + pending.readUInt32LE(0);
          answered(pending.subarray(0, size));
          pending = pending.subarray(size);
        }
      });
      socket.write(compileFrame(question));
    });
  } finally {
    socket.destroy();
  }
}

function report(socket: Socket, job: bigint, compile: () => void): void {
  // Only whole milliseconds are known: the latest start would be wrong, and so would the earliest end.
  const startNs = BigInt(Date.now()) * 1_000_000n;
  compile();
  const endNs = BigInt(Date.now() + 1) * 1_000_000n;
  const frame = new ByteWriter(128);
  frame.u32(0).u8(TYPE.ran).u64(job).u32(0);
  frame
    .u64(startNs)
    .u64(endNs)
    .u64(endNs - startNs);
  frame.u64(1_000n).u32(10_000).u32(0).u32(0).u32(0); // CPU, memory; nothing was printed.
  frame.patchU32(0, frame.length - HEADER_BYTES);
  socket.write(frame.view());
}

/** All frames in one file, as bench/native/load.c reads them. */
export function writeQuestions(directory: string, questions: readonly Question[]): string {
  const path = join(directory, "questions");
  writeFileSync(path, Buffer.concat(questions.map(compileFrame)));
  return path;
}
