/**
 * What a run of the benchmarks is told, and where it works.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildNative, type Native } from "./native.ts";
import type { ProjectName } from "./projects.ts";

export interface Settings {
  readonly rounds: number;
  readonly projects: readonly ProjectName[];
  /** ninja's -j */
  readonly jobs: readonly number[];
  /** At most so many units of each project, spread over it: in `warm` and `remote`, and in those that compile them all in each round. */
  readonly warmUnits: number;
  readonly coldUnits: number;
  /** Manifests in `memory`. */
  readonly manifests: number;
  /** Questions a round in `daemon`, requests in `data-plane` and `transports`. */
  readonly questions: number;
  /** Runs in `absent`. */
  readonly runs: number;
  /** Members and messages in `gossip`. */
  readonly members: number;
  readonly messages: number;
  /** Links of the daemon in `network`, and how long strangers knock there and in `transports`. */
  readonly links: number;
  readonly strangerSeconds: number;
  /** Bytes of one stream in `data-plane` and `transports`. */
  readonly dataBytes: number;
  /** In `workers`: so many, each with that part of a core. */
  readonly machines: number;
  /** Objects in `exchange`. */
  readonly objects: number;
  /** About so many of the project in `bazel`. */
  readonly actions: number;
  /** Whether a daemon has built something else before it is measured: in `cold`, `sharing` and `remote`. */
  readonly practised: boolean;
  /** How long the work that waits for a quiet moment is waited for. */
  readonly calmMs: number;
  /** Of a packet to the other machine and one back in `remote`; 0: loopback. */
  readonly rttMs: number;
  /** Of the artifact in `swarm` and in `artifact`, and of every machine's uplink in `swarm`. */
  readonly artifactBytes: number;
  readonly uplinkBytesPerSecond: number;
  /** Tells how far it is. */
  readonly progress: (text: string) => void;
}

/** A place for one benchmark: gone when it ends. */
export class Workshop implements Disposable {
  readonly directory: string;
  readonly native: Native = buildNative();

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), "cairn-bench-"));
  }

  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }
}
