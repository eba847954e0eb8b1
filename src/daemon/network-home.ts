/**
 * Where a node keeps its keys and its network: `<state>/network`, for its owner only.
 *
 * Knows: files. Does not know: what the keys are for.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CairnError, type Digest, systemCode } from "../base/index.ts";

/** The secrets of a node, and the network that they belong to. */
export interface SavedIdentity {
  readonly network: Digest;
  /** What the machine asked to be called. */
  readonly name: string;
  /** 32 bytes each, hex. */
  readonly peerSeed: string;
  readonly attestationSeed: string;
}

export class NetworkHome {
  readonly #directory: string;

  constructor(stateDir: string) {
    this.#directory = join(stateDir, "network");
  }

  get database(): string {
    return join(this.#directory, "network.db");
  }

  /** The log of this node's attestations. */
  get log(): string {
    return join(this.#directory, "log");
  }

  /** What it has seen of others' logs. */
  get witnessed(): string {
    return join(this.#directory, "witnessed");
  }

  /**
   * Undefined when this node belongs to no network and never tried.
   *
   * @throws {CairnError} network-damaged
   */
  identity(): SavedIdentity | undefined {
    const path = join(this.#directory, "identity.json");
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      if (systemCode(error) === "ENOENT") return undefined;
      throw new CairnError("network-damaged", { path }, error);
    }
    try {
      const { network, name, peerSeed, attestationSeed } = JSON.parse(text) as Record<string, unknown>;
      const texts = [network, name, peerSeed, attestationSeed];
      if (texts.every((one) => typeof one === "string" && one !== "")) return { network, name, peerSeed, attestationSeed } as SavedIdentity;
    } catch {
      // Told below.
    }
    throw new CairnError("network-damaged", { path });
  }

  /** After it returns, no crash loses the keys. @throws {CairnError} home-unwritable */
  save(identity: SavedIdentity): void {
    const path = join(this.#directory, "identity.json");
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      writeFileSync(`${path}.new`, `${JSON.stringify(identity, null, 2)}\n`, { mode: 0o600, flush: true });
      renameSync(`${path}.new`, path);
      const handle = openSync(this.#directory, "r");
      fsyncSync(handle);
      closeSync(handle);
    } catch (error) {
      throw new CairnError("home-unwritable", { path }, error);
    }
  }

  /** Forgets keys and network; a crash leaves either all of it or nothing that is found again. */
  remove(): void {
    const away = `${this.#directory}.left`;
    rmSync(away, { recursive: true, force: true });
    try {
      renameSync(this.#directory, away);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw new CairnError("home-unwritable", { path: this.#directory }, error);
    }
    rmSync(away, { recursive: true, force: true });
  }
}
