/**
 * A client of the Remote Execution API that has actions run: made of a command and files by name, and what came of them.
 */
import assert from "node:assert/strict";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import type { Digest } from "../../src/base/index.ts";
import { Client, chunksOf, codec, named, uploadName } from "../../src/doors/remote.fixture.ts";
import {
  ActionSchema,
  CommandSchema,
  type ExecuteResponse,
  ExecuteResponseSchema,
  type Operation,
} from "../../src/wire/generated/remote-execution_pb.ts";
import type { TestNode } from "./harness.ts";

export type Command = Exclude<MessageInitShape<typeof CommandSchema>, { $typeName: string }>;
export type Name = ReturnType<typeof named>;

export const sh = (script: string): string[] => ["sh", "-c", script];

export class Actor implements Disposable {
  readonly client: Client;

  constructor(port: number) {
    this.client = new Client(port);
  }

  async put(bytes: Uint8Array): Promise<Name> {
    if (bytes.length > 0) await this.client.write(chunksOf(uploadName(bytes), bytes));
    return named(bytes);
  }

  /** An action whose inputs are files, by name; those that begin like scripts may be executed. */
  async action(
    command: Command,
    files: Readonly<Record<string, string>> = {},
    more: { doNotCache?: boolean; timeoutS?: number } = {},
  ): Promise<Name> {
    const nodes = [];
    for (const [name, text] of Object.entries(files))
      nodes.push({ name, digest: await this.put(Buffer.from(text)), isExecutable: text.startsWith("#!") });
    const root = await this.put(codec.writeDirectory({ files: nodes }));
    const environmentVariables = [{ name: "PATH", value: "/usr/bin:/bin" }];
    const commandDigest = await this.put(toBinary(CommandSchema, create(CommandSchema, { environmentVariables, ...command })));
    const timeout = more.timeoutS === undefined ? {} : { timeout: { seconds: BigInt(more.timeoutS), nanos: 0 } };
    return this.put(
      toBinary(
        ActionSchema,
        create(ActionSchema, { commandDigest, inputRootDigest: root, doNotCache: more.doNotCache ?? false, ...timeout }),
      ),
    );
  }

  async *operations(action: Name, skipCacheLookup = false): AsyncGenerator<Operation> {
    yield* this.client.answers(codec.execution.Execute, { actionDigest: action, skipCacheLookup });
  }

  async run(action: Name, skipCacheLookup = false): Promise<ExecuteResponse> {
    return last(this.operations(action, skipCacheLookup));
  }

  async bytes({ hash, sizeBytes }: { hash: Digest; sizeBytes: bigint }): Promise<string> {
    return (await this.client.read(`blobs/${hash}/${sizeBytes}`)).toString();
  }

  [Symbol.dispose](): void {
    this.client[Symbol.dispose]();
  }
}

/** What the last of some operations says. */
export async function last(operations: AsyncIterable<Operation>): Promise<ExecuteResponse> {
  let at: Operation | undefined;
  for await (const operation of operations) at = operation;
  assert.ok(at?.done === true && at.response !== undefined);
  const response = anyUnpack(at.response, ExecuteResponseSchema);
  assert.ok(response !== undefined);
  return response;
}

/** @returns why actions cannot be run here */
export async function lackOfSandbox(node: TestNode): Promise<string | undefined> {
  const checks = (await node.control("GET", "/doctor")) as unknown as readonly { readonly check: string; readonly detail: string }[];
  const detail = checks.find(({ check }) => check === "sandbox")?.detail ?? "";
  return detail.startsWith("runs") ? undefined : detail;
}
