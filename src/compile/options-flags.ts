/**
 * The plain options of gcc and clang: names that change only the code that is generated or the messages, never which files are read
 * or written. Data alone, taken from what the compilers list themselves (gcc 12, clang 14 and 19) and their manuals for other targets.
 * Options with any further effect are in options-table.ts. A name that is in neither file is not known to be safe.
 */

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** `-f<name>` and `-fno-<name>`. */
export const codeFlags: ReadonlySet<string> = words(`
  PIC PIE aapcs-bitfield-load aapcs-bitfield-width access-control addrsig aggressive-loop-optimizations align-functions align-jumps
  align-labels align-loops aligned-allocation aligned-new all-virtual allocation-dce allow-editor-placeholders allow-leading-underscore
  allow-parameterless-variadic-functions allow-store-data-races alt-external-templates analyzer analyzer-call-summaries
  analyzer-feasibility analyzer-fine-grained analyzer-show-duplicate-count analyzer-state-merge analyzer-state-purge
  analyzer-transitivity analyzer-verbose-edges analyzer-verbose-state-changes ansi-escape-codes apple-kext apple-link-rtlib
  apple-pragma-pack application-extension approx-func argument-alias argument-noalias argument-noalias-anything argument-noalias-global
  asm associative-math assume-nothrow-exception-dtor assume-sane-operator-new assume-unique-vtables assumptions async-exceptions
  asynchronous-unwind-tables auto-import auto-inc-dec autolink bit-tests blocks borland-extensions bracket-depth branch-count-reg
  branch-target-load-optimize branch-target-load-optimize2 btr-bb-exclusive builtin c++-static-destructors caller-saves
  canonical-system-headers caret-diagnostics cf-protection char8_t check-data-deps check-new code-hoisting color-diagnostics
  combine-stack-adjustments common compare-elim complete-member-pointers concepts concepts-ts cond-mismatch conserve-space
  conserve-stack constant-cfstrings constexpr-fp-except convergent-functions coro-aligned-allocation coroutines coroutines-ts
  cprop-registers crash-diagnostics crossjumping cse-follow-jumps cse-skip-blocks cx-fortran-rules cx-limited-range cxx-exceptions
  data-sections dce debug-info-for-profiling debug-macro debug-ranges-base-address declone-ctor-dtor declspec deduce-init-list
  default-inline defer-pop define-target-os-macros delayed-branch delayed-template-parsing delete-dead-exceptions
  delete-null-pointer-checks devirtualize devirtualize-at-ltrans devirtualize-speculatively diagnostics-absolute-paths diagnostics-color
  diagnostics-fixit-info diagnostics-generate-patch diagnostics-parseable-fixits diagnostics-plain-output
  diagnostics-print-source-range-info diagnostics-show-caret diagnostics-show-cwe diagnostics-show-hotness diagnostics-show-labels
  diagnostics-show-line-numbers diagnostics-show-note-include-stack diagnostics-show-option diagnostics-show-path-depths
  diagnostics-show-template-tree digraphs direct-access-external-data disable-block-signature-string discard-value-names
  dollars-in-identifiers double-square-bracket-attributes dse dwarf-exceptions dwarf2-cfi-asm early-inlining elide-constructors
  elide-type eliminate-dwarf2-dups eliminate-unused-debug-symbols eliminate-unused-debug-types emit-all-decls emit-class-debug-always
  emit-compact-unwind-non-canonical emit-struct-debug-baseonly emit-struct-debug-reduced emulated-tls enable-matrix enforce-eh-specs
  enum-int-equiv exceptions expensive-optimizations experimental-library ext-numeric-literals extended-identifiers extern-tls-init
  external-templates fast-math file-reproducible fine-grained-bitfield-accesses finite-loops finite-math-only fixed-point float-store
  fold-mem-offsets fold-simple-inlines for-scope force-addr force-dwarf-frame force-emit-vtables force-enable-int128 forward-propagate
  fp-int-builtin-inexact freestanding friend-injection function-cse function-sections gcse gcse-after-reload gcse-las gcse-lm gcse-sm
  global-isel gnu-inline-asm gnu-keywords gnu-runtime gnu-tm gnu-unique gnu89-inline graphite graphite-identity guess-branch-probability
  guiding-decls handle-exceptions harden-compares harden-conditional-branches harden-control-flow-redundancy hardened
  hoist-adjacent-loads honor-infinities honor-nans honor-std hosted huge-objects ident if-conversion if-conversion2 ignore-exceptions
  implement-inlines implicit-constexpr implicit-inline-templates implicit-templates indirect-inlining inhibit-size-directive inline
  inline-atomics inline-functions inline-functions-called-once inline-hint-functions inline-small-functions inline-stringops
  instrument-function-entry-bare instrument-functions instrument-functions-after-inlining integrated-cc1 ipa-bit-cp ipa-cp
  ipa-cp-alignment ipa-cp-clone ipa-icf ipa-icf-functions ipa-icf-variables ipa-matrix-reorg ipa-modref ipa-profile ipa-pta
  ipa-pure-const ipa-ra ipa-reference ipa-reference-addressable ipa-sra ipa-stack-alignment ipa-strict-aliasing ipa-struct-reorg ipa-vrp
  ira-hoist-pressure ira-loop-pressure ira-share-save-slots ira-share-spill-slots isolate-erroneous-paths-attribute
  isolate-erroneous-paths-dereference ivopts jmc jump-tables keep-gc-roots-live keep-inline-functions keep-static-consts
  keep-static-functions knr-functions labels-ok large-source-files lax-vector-conversions leading-underscore lifetime-dse
  limit-debug-info limit-function-alignment live-patching live-range-shrinkage local-ivars loop-block loop-flatten loop-interchange loop-nest-optimize
  loop-optimize loop-strip-mine loop-unroll-and-jam lra-remat math-errno merge-all-constants merge-constants merge-debug-strings
  merge-functions modulo-sched modulo-sched-allow-regmoves move-loop-invariants move-loop-stores ms-compatibility ms-define-stdc
  ms-extensions ms-hotpatch ms-volatile new-infallible new-inheriting-ctors new-ttp-matching next-runtime nil-receivers
  non-call-exceptions nonansi-builtins nonnull-objects nothrow-opt objc-arc objc-arc-exceptions objc-avoid-heapify-local-blocks
  objc-call-cxx-cdtors objc-direct-dispatch objc-encode-cxx-class-template-spec objc-exceptions objc-gc objc-infer-related-result-type
  objc-nilcheck objc-sjlj-exceptions objc-weak omit-frame-pointer openmp openmp-assume-no-nested-parallelism
  openmp-assume-no-thread-state openmp-enable-irbuilder openmp-extensions openmp-force-usm openmp-implicit-rpath openmp-new-driver
  openmp-offload-mandatory openmp-simd openmp-target-debug openmp-target-jit openmp-target-new-runtime operator-names
  optimize-register-move optimize-sibling-calls optimize-strlen optional-diags pack-struct partial-inlining pascal-strings
  pcc-struct-return pch-instantiate-templates peel-loops peephole peephole2 permissive pic pie plan9-extensions plt predictive-commoning prefetch-loop-arrays
  pretty-templates printf-return-value protect-parens raw-string-literals reciprocal-math ree reflection reg-struct-return
  register-global-dtors-with-atexit regmove relaxed-template-template-args rename-registers reorder-blocks reorder-blocks-and-partition
  reorder-functions replace-objc-classes reroll-loops rerun-cse-after-loop rerun-loop-opt reschedule-modulo-scheduled-loops ropi
  rounding-math rtti rtti-data rwpi sched-critical-path-heuristic sched-dep-count-heuristic sched-group-heuristic sched-interblock
  sched-last-insn-heuristic sched-pressure sched-rank-heuristic sched-spec sched-spec-insn-heuristic sched-spec-load
  sched-spec-load-dangerous sched-stalled-insns sched-stalled-insns-dep sched2-use-superblocks sched2-use-traces schedule-fusion
  schedule-insns schedule-insns2 section-anchors see seh-exceptions sel-sched-pipelining sel-sched-pipelining-outer-loops
  sel-sched-reschedule-pipelined selective-scheduling selective-scheduling2 semantic-interposition separate-named-sections short-enums
  short-wchar show-column show-source-location shrink-wrap shrink-wrap-separate signaling-nans signed-bitfields signed-char signed-zeros
  single-precision-constant sized-deallocation sjlj-exceptions skip-odr-check-in-gmf slp-vectorize spell-checking split-dwarf-inlining
  split-ivs-in-unroller split-loops split-machine-functions split-paths split-stack split-wide-types split-wide-types-early squangle
  ssa-backprop ssa-phiopt stack-check stack-clash-protection stack-limit stack-protector stack-protector-all stack-protector-explicit
  stack-protector-strong stack-size-section standalone-debug stdarg-opt store-merging strength-reduce strict-aliasing strict-enums
  strict-flex-arrays strict-float-cast-overflow strict-overflow strict-prototype strict-return strict-volatile-bitfields
  strict-vtable-pointers strong-eval-order sync-libcalls this-is-variable thread-jumps threadsafe-statics toplevel-reorder tracer
  track-macro-expansion trampolines trapping-math trapv tree-bit-ccp tree-builtin-call-dce tree-ccp tree-ch tree-coalesce-inlined-vars
  tree-coalesce-vars tree-copy-prop tree-copyrename tree-cselim tree-dce tree-dominator-opts tree-dse tree-forwprop tree-fre
  tree-loop-distribute-patterns tree-loop-distribution tree-loop-if-convert tree-loop-if-convert-stores tree-loop-im tree-loop-ivcanon
  tree-loop-linear tree-loop-optimize tree-loop-vectorize tree-lrs tree-partial-pre tree-phiprop tree-pre tree-pta tree-reassoc
  tree-salias tree-scev-cprop tree-sink tree-slp-vectorize tree-slsr tree-sra tree-store-ccp tree-store-copy-prop tree-switch-conversion
  tree-tail-merge tree-ter tree-vect-loop-version tree-vectorize tree-vrp trigraphs unconstrained-commons
  unique-basic-block-section-names unique-section-names unit-at-a-time unroll-all-loops unroll-completely-grow-size unroll-loops
  unsafe-loop-optimizations unsafe-math-optimizations unsigned-bitfields unsigned-char unswitch-loops unwind-tables use-cxa-atexit
  use-cxa-get-exception-ptr use-init-array use-linker-plugin var-tracking var-tracking-assignments var-tracking-assignments-toggle
  var-tracking-uninit variable-expansion-in-unroller vect-cost-model vectorize version-loops-for-strides visibility-from-dllstorageclass
  visibility-global-new-delete-hidden visibility-inlines-hidden visibility-inlines-hidden-static-local-var visibility-ms-compat vpt
  vtable-gc vtable-thunks wasm-exceptions weak web whole-program working-directory wrapv wrapv-pointer writable-strings zee
  zero-initialized-in-bss zero-link zvector
`);

/** `-f<name>=<value>`; the value is text, never a file. */
export const codeValues: ReadonlySet<string> = words(`
  abi-compat-version abi-version align-functions align-jumps align-labels align-loops aligned-new altivec-src-compat analyzer-checker
  analyzer-verbosity asan-shadow-offset binutils-version bracket-depth caret-diagnostics-max-lines cf-protection cf-protection-branch
  clang-abi-compat comment-block-commands concepts-diagnostics-depth const-string-class constant-string-class constexpr-backtrace-limit
  constexpr-cache-depth constexpr-depth constexpr-loop-limit constexpr-ops-limit constexpr-steps crash-diagnostics crash-diagnostics-dir
  debug-default-version diagnostics-color diagnostics-column-origin diagnostics-column-unit diagnostics-escape-format
  diagnostics-hotness-threshold diagnostics-minimum-margin-width diagnostics-misexpect-tolerance diagnostics-path-format
  diagnostics-show-category diagnostics-show-location diagnostics-text-art-charset diagnostics-urls emit-dwarf-unwind
  emit-struct-debug-detailed error-limit excess-precision exec-charset extend-arguments fp-contract fp-eval-method fp-exception-behavior
  fp-model gnuc-version inline-limit inline-max-stacksize input-charset instrument-functions-exclude-function-list ira-algorithm
  ira-region lax-vector-conversions lifetime-dse live-patching macro-backtrace-limit max-errors max-include-depth max-tokens
  max-type-align message-length min-function-alignment ms-compatibility-version new-alignment objc-abi-version objc-runtime objc-std
  openmp openmp-version operator-arrow-depth pack-struct patchable-function-entry permitted-flt-eval-methods randomize-layout-seed
  reorder-blocks-algorithm sched-stalled-insns sched-stalled-insns-dep show-overloads simd-cost-model spell-checking-limit sso-struct
  stack-check stack-limit-register stack-limit-symbol stack-reuse strict-flex-arrays strong-eval-order tabstop template-backtrace-limit
  template-depth tls-model track-macro-expansion trap-function trapv-handler tree-parallelize-loops trivial-auto-var-init
  trivial-auto-var-init-max-size trivial-auto-var-init-stop-after type-visibility use-ld veclib vect-cost-model visibility
  visibility-dllexport visibility-externs-dllimport visibility-externs-nodllstorageclass visibility-global-new-delete
  visibility-nodllstorageclass wide-exec-charset zero-call-used-regs
`);

/** `-f<name><anything>`, with or without `no-`: registers and names of functions. */
export const codePrefixes: readonly string[] = ["builtin-", "fixed-", "call-saved-", "call-used-", "template-depth-", "inline-limit-"];

/** `-m<name>` and `-mno-<name>`. */
export const machineFlags: ReadonlySet<string> = words(`
  128bit-long-double 16 32 3dnow 3dnowa 64 80387 8bit-idiv 96bit-long-double abicalls abm accumulate-outgoing-args adx aes align-double
  align-stringops altivec amx-bf16 amx-complex amx-fp16 amx-int8 amx-tile android apcs-frame arm avx avx10.1 avx10.1-256 avx10.1-512
  avx10.2 avx2 avx256-split-unaligned-load avx256-split-unaligned-store avx5124fmaps avx5124vnniw avx512bf16 avx512bitalg avx512bw
  avx512cd avx512dq avx512er avx512f avx512fp16 avx512ifma avx512pf avx512vbmi avx512vbmi2 avx512vl avx512vnni avx512vp2intersect
  avx512vpopcntdq avxifma avxneconvert avxvnni avxvnniint16 avxvnniint8 backchain big big-endian bionic bmi bmi2 branch-likely
  branches-within-32B-boundaries bti-at-return-twice call-ms2sysv-xlogues cet-switch check-zero-division cld cldemote clflushopt clwb
  clzero cmpb cmpccxadd cmse cond-move-float cond-move-int constructor-aliases crbits crc crc32 crypto csr-check cx16 daz-ftz
  direct-extern-access dispatch-scheduler div dlmzb dsp dspr2 embedded-data enable-experimental-extensions enable-unsafe-fp-math enqcmd
  esa eva evex512 execute-only explicit-relocs extern-sdata f16c fancy-math-387 fdiv fentry fix-cmse-cve-2021-35465
  fix-cortex-a53-835769 fix-cortex-a53-843419 fix-cortex-a57-aes-1742098 fix-cortex-a72-aes-1655431 fix-cortex-a8 fix-r4-cortex
  fix-r4000 fix-r4400 float128 float128-hardware fma fma4 fmv force-drap force-indirect-call forced-sw-shadow-stack fp-exceptions
  fp-in-toc fp-ret-in-387 fp32 fp64 fpr-32 fprnd fpu fpxx fsgsbase fused-madd fxsr gather general-regs-only gfni glibc global-merge gp32
  gp64 gpopt hard-dfp hard-float hle hotpatch hreset htm iamcu ibt-seal ieee-fp ignore-xcoff-visibility implicit-float
  incremental-linker-compatible indirect-branch-cs-prefix indirect-branch-register inline-all-stringops inline-stringops-dynamically
  intel-syntax interlink-compressed interlink-mips16 ips1 ips2 ips3 ips32 ips32r2 ips32r3 ips32r5 ips32r6 ips4 ips5 ips64 ips64r2
  ips64r3 ips64r5 ips64r6 isel kernel lasx little little-endian local-sdata long-calls long-double-128 long-double-64 long-double-80
  longcall low-precision-div low-precision-recip-sqrt low-precision-sqrt lr-for-calls-only lsx lvi-cfi lvi-hardening lwp lzcnt
  manual-endbr mark-bti-property memops mfcrf micromips minimal-toc mips16 mitigate-rop mma mmx movbe movdir64b movdiri movt mpx
  ms-bitfields msa mt multiple musl mwait mwaitx nan needed neg-immediates neon-for-64bits nocrc noimplicitfloat nop-mcount odd-spreg
  omit-leaf-frame-pointer outline outline-atomics packed-stack pc32 pc64 pc80 pclmul pcommit pconfig pcrel pic-data-is-text-relative pku
  plt pointers-to-nested-functions poke-function-name popcnt popcntb popcntd power8-vector power9-vector powerpc64 prefer-avx128
  prefetchi prefetchwt1 prefixed prfchw prototype ptwrite pure-code push-args quad-memory raoint rdpid rdrnd rdseed readonly-in-sdata
  recip record-mcount record-return red-zone regnames relax relax-all relax-cmpxchg-loop relax-pic-calls relocatable restrict-it
  riscv-attribute rtd rtm sahf save-restore save-toc-indirect scalar-strict-align scatter sched-prolog secure-plt serialize seses sgx
  sha sha512 shared shorten-memrefs shstk single-pic-base skip-rax-setup slow-flash-data sm3 sm4 smartmips soft-float sse sse2 sse2avx
  sse3 sse4 sse4.1 sse4.2 sse4a sse5 sseregparm ssse3 stack-arg-probe stackrealign strict-align string stv sum-in-toc svr4-struct-return
  tbm thumb thumb-interwork tls-direct-seg-refs toc tpcs-frame track-speculation tsxldtrk uclibc uintr unaligned-access
  unaligned-symbols unsafe-fp-atomics update usermsr vaes vect8-ret-in-mem vector-strict-align virt vpclmulqdq vrsave vsx vx vzeroupper
  waitpkg warn-dynamicstack wbnoinvd widekl word-relocations x32 xgot xl-compat xop xpa xsave xsavec xsaveopt xsaves zarch
`);

/** `-m<name>=<value>`; the value is text, never a file. */
export const machineValues: ReadonlySet<string> = words(`
  abi abort-on-noreturn address-mode align-branch align-branch-boundary align-data align-functions align-jumps align-loops align-vector
  arch asm blocks-before branch-cost branch-protection cmodel compact-branches cpu default-visibility-export-mapping double
  evex-encoding exec-model fentry-name fentry-section float-abi fpmath fpu frame-chain function-return gather guard harden-sls hotpatch
  incoming-stack-boundary indirect-branch indirect-jump insert-sched-nops instrument-return ios-version-min isa isa-spec
  large-data-threshold long-double macos-version-min macosx-version-min max-inline-memcmp-size max-inline-memcpy-size memcpy-strategy
  memset-strategy move-max msve-vector-bits nan noop override pad-max-prefix-size pic-register prefer-vector-width
  preferred-stack-boundary recip regparm riscv-attribute rvv-max-lmul rvv-vector-bits scatter sched-costly-dep sign-return-address simd
  small-data-limit stack-alignment stack-guard stack-probe-size stack-protector-guard stack-protector-guard-offset
  stack-protector-guard-reg stack-protector-guard-symbol stack-size store-max stringop-strategy structure-size-boundary sve-vector-bits
  tls-dialect tls-direct tls-size tp traceback tune unroll-only-small-loops veclibabi vscale-max vscale-min warn-framesize zero-strict
`);

/** `-f[no-]sanitize-<name>`, with `=<value>` or without. */
export const sanitizerFlags: ReadonlySet<string> = words(`
  address-destructor address-field-padding address-globals-dead-stripping address-outline-instrumentation
  address-poison-custom-array-cookie address-use-after-return address-use-after-scope address-use-odr-indicator cfi-canonical-jump-tables
  cfi-cross-dso cfi-icall-experimental-normalize-integers cfi-icall-generalize-pointers coverage hwaddress-abi
  hwaddress-experimental-aliasing link-c++-runtime link-runtime memory-param-retval memory-track-origins memory-use-after-dtor memtag-mode
  minimal-runtime recover sections stable-abi thread-atomics thread-func-entry-exit thread-memory-access trap
  undefined-strip-path-components undefined-trap-on-error
`);

/** `-g<name>` and `-gno-<name>`: they shape debugging information and do not turn it on. */
export const debugFlags: ReadonlySet<string> = words(`
  as-loc-support as-locview-support column-info describe-dies dwarf-aranges dwarf32 dwarf64 embed-source gnu-pubnames inline-line-tables
  inline-points pubnames simple-template-names statement-frontiers strict-dwarf template-alias variable-location-views
  variable-location-views=incompat5
`);
