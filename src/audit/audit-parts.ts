/**
 * What an audit is given, and what it tells meanwhile.
 */
import type { Environment } from "../base/index.ts";
import type { Tool } from "./recorder.ts";

export interface AuditParts {
  /** Compilers, archivers, and programs that tell names, as PATH leads to them. */
  readonly tools: readonly Tool[];
  readonly environment: Environment;
  /** A locale that is not C, where there is one. */
  readonly locale: string;
  /** Source of what makes programs list directories backwards. */
  readonly orderSource: string;
  readonly tell: (progress: Progress) => void;
}

export type Progress =
  | { readonly step: "copying"; readonly files: number }
  | { readonly step: "building"; readonly which: "first" | "second"; readonly calls: number }
  | { readonly step: "comparing" }
  | { readonly step: "looking"; readonly file: string; readonly done: number; readonly all: number };
