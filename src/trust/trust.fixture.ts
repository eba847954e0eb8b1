/**
 * A network of several trust domains for tests of whom to believe: real keys, a real membership, attestations that are really signed.
 */
import { type Digest, digestOf, type Key } from "../base/index.ts";
import type { Attestation, SharedResult } from "../contracts/index.ts";
import { attest, claimIn } from "./attestation.ts";
import { isOfAction, MADE_OF } from "./executed-actions.ts";
import { keyPairFromSeed, makeIdentity } from "./keys.ts";
import { admit, agree, found, type Machine, START, seedOf } from "./membership.fixture.ts";
import type { Membership } from "./membership.ts";
import { isReceipt, NO_TOOLCHAIN } from "./receipts.ts";
import type { State } from "./state.ts";

/** A machine, and what it signs results with. */
export interface Signer extends Machine {
  readonly domain: string;
  readonly attestationKey: Key;
  readonly sign: ReturnType<typeof keyPairFromSeed>;
}

export interface TrustWorld {
  readonly membership: Membership;
  readonly state: State;
  /** By domain, in order of admission. The first domain is that of the founder. */
  readonly signers: readonly (readonly Signer[])[];
}

export function signerOf(number: number, domain: string): Signer {
  const keys = keyPairFromSeed(seedOf("peer", number));
  const sign = keyPairFromSeed(seedOf("attestation", number));
  return { keys, sign, identity: makeIdentity(keys, sign, `m${number}`), domain, attestationKey: sign.publicKey };
}

/** @param sizes machines of each domain; @param first number of the founder; others follow */
export function trustWorld(sizes: readonly number[], first = 1): TrustWorld {
  let number = first;
  let invited = 0;
  const signers = sizes.map((size, at) => Array.from({ length: size }, () => signerOf(number++, `d${at}`)));
  const founder = signers[0]?.[0];
  if (founder === undefined) throw new Error("a network has a founder");
  const membership = found(founder, "d0");
  for (const [at, domain] of signers.entries()) {
    if (at > 0) membership.issue(founder.keys, { kind: "domain", name: `d${at}` }, START);
    for (const [place, signer] of domain.entries()) {
      if (at === 0 && place === 0) continue;
      const host = place === 0 ? founder : (domain[0] ?? founder);
      admit(membership, host, signer, 1_000 + invited++, `d${at}`);
    }
    agree(membership, signers.flat());
  }
  const { state } = membership;
  if (state === undefined) throw new Error("no state");
  return { membership, state, signers };
}

/** What a machine executed: what was asked by `what`, and what came of it by `outcome`. */
export function executed(what: string, outcome: string): Omit<SharedResult, "signature" | "execution"> {
  const object = digestOf(`object ${outcome}`);
  return {
    manifest: digestOf(`manifest ${what}`),
    entry: {
      action: digestOf(`action ${what}`),
      place: undefined,
      presumed: false,
      terminal: undefined,
      inputs: [{ path: "\0C/a.c", digest: digestOf(`a.c ${what}`) }],
      absent: ["\0C/u.h"],
    },
    result: {
      outputs: [
        { path: "\0C/a.o", digest: object, size: 1_000, role: "object", template: false },
        { path: "\0C/a.d", digest: digestOf(`a.d ${what}`), size: 20, role: "depfile", template: true },
      ],
      stdout: "",
      stderr: "",
      compileMs: 12.5,
      cpuMs: 11,
    },
  };
}

/** The same, as if it had been a command. */
export function executedCommand(what: string, outcome: string): ReturnType<typeof executed> {
  const { result, ...rest } = executed(what, outcome);
  const output = { path: "\0P", digest: digestOf(`outcome ${outcome}`), size: 1, role: "outcome", template: false } as const;
  return { ...rest, result: { ...result, outputs: [output] } };
}

/** What a machine received at its door: under a key by `what`, bytes by `content`. */
export function received(what: string, content: string): ReturnType<typeof executed> {
  const { manifest, entry } = executed(what, content);
  const output = { path: "turbo", digest: digestOf(`object ${content}`), size: 1_000, role: "received", template: false } as const;
  const result = { outputs: [output], stdout: Buffer.from("{}").toString("base64"), stderr: "", compileMs: 0, cpuMs: 0 };
  return { manifest, entry: { ...entry, inputs: [], absent: [] }, result };
}

/** What came of an action of a build tool: of what was asked by `what`, an outcome. */
export function executedAction(what: string, outcome: string): ReturnType<typeof executed> {
  const { manifest, entry } = executed(what, outcome);
  const output = { digest: digestOf(`object ${outcome}`), size: 1_000, role: "executed", template: false } as const;
  const inputs = MADE_OF.map((path) => ({ path, digest: digestOf(`${path} ${what}`) }));
  const outputs = ["bazel-ac", "\0C/out/a.o", "1"].map((path) => ({ path, ...output }));
  return { manifest, entry: { ...entry, inputs, absent: [] }, result: { outputs, stdout: "", stderr: "", compileMs: 12.5, cpuMs: 11 } };
}

/** @param atMs when it was done, by the signer's clock */
export function sharedBy(
  network: Digest,
  signer: Pick<Signer, "sign">,
  made: ReturnType<typeof executed>,
  atMs: number = START,
): SharedResult {
  const shared = attest(signer.sign, network, {
    ...made,
    execution: isReceipt(made.result.outputs)
      ? { toolchain: NO_TOOLCHAIN, startedAtMs: atMs, endedAtMs: atMs }
      : { toolchain: isOfAction(made.result.outputs) ? NO_TOOLCHAIN : digestOf("gcc"), startedAtMs: atMs, endedAtMs: atMs + 13 },
  });
  if (shared === undefined) throw new Error("it is not shareable");
  return shared;
}

/** The same as everybody may know it. */
export function attestedBy(...all: Parameters<typeof sharedBy>): Attestation {
  const attestation = claimIn(sharedBy(...all));
  if (attestation === undefined) throw new Error("it is not shareable");
  return attestation;
}
