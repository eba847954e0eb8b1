/**
 * Options inside options: what may be handed on to the assembler (-Wa,), the preprocessor (-Wp,), clang's front end (-Xclang) and
 * LLVM (-mllvm). Each is a short list of what is known to be harmless, because these tools have options that read or write any file.
 */
import type { Mark } from "./options-table.ts";

export type Nested =
  | { readonly kind: "accepted"; readonly marks: readonly Mark[] }
  /** The next -Xclang brings its value. */
  | { readonly kind: "awaits"; readonly role: "text" | "include" | "input" | "backend" }
  | { readonly kind: "refused" };

const plain: Nested = { kind: "accepted", marks: [] };
const refused: Nested = { kind: "refused" };

/** Nothing here lists, traces, reads a directory (-I bears on .include and .incbin) or writes a dependency file. */
const assemblerPlain = new RegExp(
  `^(${[
    "--(no)?execstack",
    "--(fatal-warnings|no-warn|warn|no-pad-sections|keep-locals|strip-local-absolute|divide|reduce-memory-overheads)",
    "--(32|64|x32|nocompress-debug-sections|noexecstack|generate-missing-build-notes=(yes|no)|size-check=(error|warning))",
    "-[WL]|-mbig-obj|-EL|-EB|-K?PIC|-(no-)?relax|-many",
    "-m[a-z0-9][\\w+.-]*(=[\\w+.,-]+)?",
  ].join("|")})$`,
);

/** One argument of the assembler. */
export function assemblerArgument(argument: string): Nested {
  if (/^(-g|--gen-debug|-gdwarf-[2-5]|--gdwarf-[2-5]|--gdwarf2)$/.test(argument)) return { kind: "accepted", marks: ["lines", "content"] };
  if (/^--compress-debug-sections(=[\w-]+)?$/.test(argument)) return { kind: "accepted", marks: ["hidden"] };
  return assemblerPlain.test(argument) ? plain : refused;
}

/** One argument of clang's front end, as `-Xclang` hands it on. */
export function frontendArgument(argument: string): Nested {
  switch (argument) {
    case "-include-pch":
      return { kind: "awaits", role: "input" };
    case "-include":
      return { kind: "awaits", role: "include" };
    case "-fdebug-compilation-dir":
    case "-target-feature":
    case "-target-abi":
      return { kind: "awaits", role: "text" };
    case "-mllvm":
      return { kind: "awaits", role: "backend" };
    case "-fno-pch-timestamp":
    case "-fallow-half-arguments-and-returns":
    case "-fnative-half-type":
    case "-fnative-half-arguments-and-returns":
    case "-disable-llvm-passes":
    case "-disable-O0-optnone":
    case "-relaxed-aliasing":
    case "-mno-constructor-aliases":
      return plain;
    default:
      return argument.startsWith("-fdebug-compilation-dir=") ? plain : refused;
  }
}

const backendNames = new Set(
  `asan-globals asan-stack asan-instrumentation-with-call-threshold asan-use-private-alias disable-auto-upgrade-debug-info
   enable-dfa-jump-thread enable-ext-tsp-block-placement enable-gvn-hoist enable-loopinterchange fixup-byte-word-insts hot-cold-split
   inline-threshold inlinehint-threshold instcombine-lower-dbg-declare polly polly-vectorizer pragma-unroll-threshold
   regalloc-csr-first-time-cost sanitizer-coverage-prune-blocks slp-threshold split-dwarf-cross-cu-references
   split-threshold-for-reg-with-hint stack-alignment unroll-count unroll-threshold vectorize-loops vectorize-slp
   wholeprogramdevirt-branch-funnel-threshold x86-asm-syntax x86-branches-within-32B-boundaries x86-experimental-unordered-isel`
    .trim()
    .split(/\s+/),
);

/** One option of LLVM, as `-mllvm` hands it on. */
export function backendArgument(argument: string): Nested {
  const name = /^--?([\w-]+)(=[\w.+-]*)?$/.exec(argument)?.[1];
  return name !== undefined && backendNames.has(name) ? plain : refused;
}
