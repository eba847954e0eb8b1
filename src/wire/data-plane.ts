/**
 * The first frames of a stream of the data plane as bytes and back: schema/data-plane.proto.
 *
 * Knows: frames and their bounds. Does not know: which services there are.
 */
import { limits } from "../base/index.ts";
import { DataAnswerSchema, DataOpenSchema, DataPortSchema } from "./generated/data-plane_pb.ts";
import { decode, encode, invalid } from "./message-fields.ts";

export interface DataOpen {
  readonly service: string;
  readonly argument: string;
}

export type DataAnswer = { readonly kind: "ready" } | { readonly kind: "refused"; readonly reason: string };

const TEXT_CHARACTERS = 128;

export function encodeDataOpen({ service, argument }: DataOpen): Uint8Array {
  return encode(DataOpenSchema, { service, argument });
}

/** @throws {CairnError} frame-invalid */
export function decodeDataOpen(bytes: Uint8Array): DataOpen {
  const { service, argument } = decode(DataOpenSchema, bytes, limits.dataOpeningBytes);
  return { service: text(service), argument: text(argument) };
}

export function encodeDataAnswer(answer: DataAnswer): Uint8Array {
  return answer.kind === "ready"
    ? encode(DataAnswerSchema, { what: { case: "ready", value: {} } })
    : encode(DataAnswerSchema, { what: { case: "refused", value: { reason: answer.reason.slice(0, TEXT_CHARACTERS) } } });
}

/** @throws {CairnError} frame-invalid */
export function decodeDataAnswer(bytes: Uint8Array): DataAnswer {
  const { what } = decode(DataAnswerSchema, bytes, limits.dataOpeningBytes);
  switch (what.case) {
    case "ready":
      return { kind: "ready" };
    case "refused":
      return { kind: "refused", reason: text(what.value.reason) };
    case undefined:
      throw invalid("answer");
  }
}

export function encodeDataPort(port: number): Uint8Array {
  return encode(DataPortSchema, { port });
}

/** @throws {CairnError} frame-invalid */
export function decodeDataPort(bytes: Uint8Array): number {
  const { port } = decode(DataPortSchema, bytes, limits.dataOpeningBytes);
  if (port === 0 || port > 65_535) throw invalid("port");
  return port;
}

/** Printable, since it ends up in logs and on terminals. */
function text(value: string): string {
  if (value.length > TEXT_CHARACTERS || !/^[ -~]*$/.test(value)) throw invalid("text");
  return value;
}
