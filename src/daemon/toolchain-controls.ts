/**
 * What people may ask about compilers for others' jobs.
 *
 * Knows: how a toolchain is shown and meant. Does not know: how it is packed, fetched or run.
 */
import { brief, CairnError, type Digest, isDigest, type Key, limits } from "../base/index.ts";
import type { Installed, ToolchainSummary } from "../contracts/index.ts";
import type { ToolchainControls } from "../doors/index.ts";
import type { ToolchainService } from "./toolchain-service.ts";

export interface ToolchainControlParts {
  readonly service: ToolchainService;
  /** Looks once at the usual compilers that there are. */
  readonly findCompilers: () => Promise<void>;
  readonly installed: () => readonly Installed[];
  /** What people call a member; undefined: nobody knows. */
  readonly nameOf: (member: Key) => string | undefined;
  /** Changes what the network has approved: `+` or `-` and a digest. @throws {CairnError} network-refused, not-found without a network */
  readonly changeNetwork: (change: string) => Promise<unknown>;
  /** Called when this machine has another toolchain than before, or one less. */
  readonly changed: () => void;
  /** ms since the epoch */
  readonly now: () => number;
}

/** Digits by which a toolchain can be meant. */
const LEAST_DIGITS = 6;
const SOME_DIGITS = /^[0-9a-f]{6,64}$/;

export class OwnToolchainControls implements ToolchainControls {
  readonly #parts: ToolchainControlParts;

  constructor(parts: ToolchainControlParts) {
    this.#parts = parts;
  }

  async list(): Promise<unknown> {
    const { service, installed, findCompilers } = this.#parts;
    await findCompilers();
    const signal = AbortSignal.timeout(limits.probeDeadlineMs);
    const own = installed().map(async (one) => {
      const offer = await service.described(one, signal);
      const { compiler, toolchain } = one;
      return { ...summaryOf({ ...toolchain, compiler }), state: "own", digest: toolchain.digest, root: offer?.root, bytes: offer?.bytes };
    });
    const approved = { here: [...service.shelf.approved], network: service.approvedByNetwork, refused: [...service.shelf.denied] };
    return { toolchains: [...(await Promise.all(own)), ...this.#kept(), ...this.#wanted()], approved };
  }

  async approve(digits: string, forAll: boolean): Promise<unknown> {
    const { service, installed, changeNetwork } = this.#parts;
    // Whoever wants one can make others whose digests begin alike: for all machines one of those here is meant so, or the whole digest.
    const known = forAll ? installed().map(({ toolchain }) => toolchain) : service.wanted;
    const digest = isDigest(digits) ? digits : meant(digits, [...known, ...service.shelf.list()]);
    if (forAll) return { digest, network: await changeNetwork(`+${digest}`) };
    service.approve(digest);
    this.#parts.changed(); // Members may send what needs it.
    return { digest, approved: true };
  }

  /** For `cairn doctor`. */
  check(): { readonly check: string; readonly ok: boolean; readonly detail: string; readonly advice?: string } | undefined {
    const { dropped } = this.#parts.service.shelf;
    if (dropped.length === 0) return undefined;
    const names = dropped.map(brief).join(" ");
    return {
      check: "toolchains",
      ok: false,
      detail: `approvals that an upgrade has dropped: ${names}`,
      advice:
        "cairn toolchains   lists what members want; cairn toolchains approve DIGEST   approves it once more; cairn toolchains remove DIGEST   lets go of what is named here",
    };
  }

  async remove(digits: string, forAll: boolean): Promise<unknown> {
    const { service, changeNetwork } = this.#parts;
    const { shelf } = service;
    if (forAll) {
      const digest = meant(
        digits,
        service.approvedByNetwork.map((approved) => ({ digest: approved })),
      );
      return { digest, network: await changeNetwork(`-${digest}`) };
    }
    const named = [...shelf.approved, ...shelf.dropped, ...service.approvedByNetwork].map((one) => ({ digest: one }));
    const digest = meant(digits, [...shelf.list(), ...named]);
    const packs = shelf.list().filter((one) => one.digest === digest);
    for (const { root } of packs) shelf.remove(root, "asked to");
    const disapproved = shelf.disapprove(digest);
    // Its owner has the last word on what runs here.
    const denied = service.approvedByNetwork.includes(digest);
    if (denied) shelf.deny(digest);
    this.#parts.changed(); // Members send nothing for it any more.
    return { digest, removed: packs.length, disapproved, denied };
  }

  #kept(): object[] {
    const { service, now } = this.#parts;
    return service.shelf.list().map((one) => ({
      ...summaryOf(one),
      state: "kept",
      digest: one.digest,
      root: one.root,
      bytes: one.blobs.reduce((sum, { size }) => sum + size, 0),
      ...this.#sender(one.from),
      approved: service.isApproved(one.digest),
      fetchedAt: new Date(one.fetchedAtMs).toISOString(),
      usedAt: new Date(one.usedAtMs).toISOString(),
      inUse: now() - one.usedAtMs < limits.toolchains.inUseMs,
    }));
  }

  #wanted(): object[] {
    const { service } = this.#parts;
    return service.wanted.map((one) => ({
      ...summaryOf(one),
      state: "wanted",
      digest: one.digest,
      root: one.root,
      bytes: one.bytes,
      ...this.#sender(one.from),
      approved: false,
    }));
  }

  #sender(from: Key): object {
    return { from: this.#parts.nameOf(from) ?? from, fromKey: from };
  }
}

function summaryOf({ family, version, target, compiler }: Omit<ToolchainSummary, "platform">): object {
  return { family, version, target, compiler };
}

/** @throws {CairnError} usage */
function meant(digits: string, known: readonly { readonly digest: Digest }[]): Digest {
  if (!SOME_DIGITS.test(digits))
    throw new CairnError("usage", { why: `${digits} is no digest: at least ${LEAST_DIGITS} of 64 hex digits` });
  const found = new Set(known.flatMap(({ digest }) => (digest.startsWith(digits) ? [digest] : [])));
  const [digest] = found;
  if (digest === undefined || found.size > 1) {
    const why = digest === undefined ? `no toolchain is called ${digits}` : `${found.size} toolchains begin with ${digits}`;
    throw new CairnError(digest === undefined ? "not-found" : "usage", { why, advice: "cairn toolchains lists them" });
  }
  return digest;
}
