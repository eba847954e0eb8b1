/**
 * Why a call of the Remote Execution API fails: as the statuses of gRPC.
 *
 * Knows: codes. Does not know: calls.
 */
import { CairnError, type ErrorCode } from "../base/index.ts";

/** Those of google.rpc.Code that are used. */
export const codes = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

export type RemoteCode = (typeof codes)[keyof typeof codes];

export class RemoteFailure extends Error {
  readonly code: RemoteCode;
  /** A google.rpc.Status that tells more than code and message. */
  readonly status: Uint8Array | undefined;

  constructor(code: keyof typeof codes, message: string, status?: Uint8Array) {
    super(message);
    this.status = status;
    this.name = "RemoteFailure";
    this.code = codes[code];
  }
}

/** Why a signal of a call is aborted where its client has said so: it comes back for nothing of it, as one may whose connection broke. */
export class ClientCancelled extends RemoteFailure {
  constructor() {
    super("cancelled", "the client has cancelled it");
  }
}

const OF_ERRORS: Partial<Record<ErrorCode, keyof typeof codes>> = {
  "frame-invalid": "invalidArgument",
  "limit-exceeded": "resourceExhausted",
  "home-unwritable": "resourceExhausted",
  "index-corrupt": "internal",
  "blob-absent": "notFound",
};

/** What a client is told of an error of ours; nothing that is about this machine. */
export function failureOf(error: unknown): RemoteFailure {
  if (error instanceof RemoteFailure) return error;
  if (error instanceof CairnError) return new RemoteFailure(OF_ERRORS[error.code] ?? "internal", error.code);
  return new RemoteFailure("internal", "see the daemon's log");
}
