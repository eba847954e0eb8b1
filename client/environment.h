/*
 * The environment that matters: every variable that a compiler, its assembler or its driver reads and that can change an output,
 * a message, or where something is looked for.
 *
 * The request names those that are set, in this order. The order is that of strcmp, because request.c searches it by halves;
 * tests check it. A variable that differs from call to call must not be here: nothing would ever hit (so not MAKEFLAGS, TMPDIR,
 * or what build tools invent). Sources: the manuals, and the strings of gcc 12's and clang 14 and 19's binaries.
 */

/* clang-format off */
#define ENVIRONMENT_THAT_MATTERS(variable) \
    variable(AS_SECURE_LOG_FILE)          /* clang's assembler: .secure_log_unique writes there */ \
    variable(CCC_OVERRIDE_OPTIONS)        /* clang: edits the command line */ \
    variable(CC_LOG_DIAGNOSTICS)          /* clang: diagnostics into a log, with … */ \
    variable(CC_LOG_DIAGNOSTICS_FILE) \
    variable(CC_PRINT_HEADERS)            /* clang: prints the headers used, with … */ \
    variable(CC_PRINT_HEADERS_FILE) \
    variable(CC_PRINT_HEADERS_FILTERING) \
    variable(CC_PRINT_HEADERS_FORMAT) \
    variable(CC_PRINT_INTERNAL_STAT)      /* clang: prints statistics, with … */ \
    variable(CC_PRINT_INTERNAL_STAT_FILE) \
    variable(CC_PRINT_OPTIONS)            /* clang: prints each command, with … */ \
    variable(CC_PRINT_OPTIONS_FILE) \
    variable(CC_PRINT_PROC_STAT)          /* clang: prints time and memory, with … */ \
    variable(CC_PRINT_PROC_STAT_FILE) \
    variable(CL)                          /* clang-cl: arguments before the command line */ \
    variable(CLANG_CONFIG_FILE_SYSTEM_DIR) /* clang: where configuration files are found */ \
    variable(CLANG_CONFIG_FILE_USER_DIR) \
    variable(CLANG_CRASH_DIAGNOSTICS_DIR) /* clang: reproducers go there */ \
    variable(CLANG_MODULE_CACHE_PATH)     /* clang: implicit modules */ \
    variable(CLANG_NO_DEFAULT_CONFIG)     /* clang: ignore configuration files */ \
    variable(CLICOLOR)                    /* colours of messages */ \
    variable(CLICOLOR_FORCE) \
    variable(COLORTERM)                   /* gcc: whether links may be printed */ \
    variable(COLUMNS)                     /* width of messages */ \
    variable(COMPILER_PATH)               /* where cc1 and as are looked for */ \
    variable(CPATH)                       /* include directories, all languages */ \
    variable(CPLUS_INCLUDE_PATH) \
    variable(CUDA_PATH)                   /* clang: CUDA installation */ \
    variable(C_INCLUDE_PATH) \
    variable(DEPENDENCIES_OUTPUT)         /* a dependency file, without any option */ \
    variable(DRIVERKIT_DEPLOYMENT_TARGET) /* clang for Apple's systems: oldest system */ \
    variable(EXTERNAL_INCLUDE)            /* clang for Windows: include directories */ \
    variable(FORCE_CLANG_DIAGNOSTICS_CRASH) /* clang: crash on purpose */ \
    variable(FORCE_COLOR)                 /* colours of messages */ \
    variable(GCC_COLORS)                  /* colours of messages */ \
    variable(GCC_COMPARE_DEBUG)           /* compile twice with and without -g, and compare */ \
    variable(GCC_EXEC_PREFIX)             /* where cc1, as, headers and specs are looked for */ \
    variable(GCC_EXTRA_DIAGNOSTIC_OUTPUT) /* fix-it hints for programs */ \
    variable(GCC_URLS)                    /* links in messages */ \
    variable(GCOV_PREFIX)                 /* a compiler built with --coverage */ \
    variable(GCOV_PREFIX_STRIP) \
    variable(GNUTARGET)                   /* binutils: default format (objcopy of -gsplit-dwarf) */ \
    variable(HIP_DEVICE_LIB_PATH)         /* clang: HIP and ROCm installation */ \
    variable(HIP_PATH) \
    variable(INCLUDE)                     /* clang for Windows: include directories */ \
    variable(IPHONEOS_DEPLOYMENT_TARGET)  /* clang for Apple's systems: oldest system */ \
    variable(LANG)                        /* language and character set of messages */ \
    variable(LANGUAGE) \
    variable(LC_ALL) \
    variable(LC_COLLATE) \
    variable(LC_CTYPE)                    /* also the default input character set */ \
    variable(LC_MESSAGES) \
    variable(LC_NUMERIC) \
    variable(LC_TIME) \
    variable(LD_AUDIT)                    /* what is loaded into the compiler */ \
    variable(LD_LIBRARY_PATH) \
    variable(LD_PRELOAD) \
    variable(LIBCLANG_DISABLE_PCH_VALIDATION) /* clang: accept stale precompiled headers */ \
    variable(LIBRARY_PATH)                /* start files and libraries; specs */ \
    variable(LLVM_OVERRIDE_PRODUCER)      /* LLVM: the producer in debug information */ \
    variable(LLVM_PROFILE_FILE)           /* a compiler built with profiling */ \
    variable(LOCPATH)                     /* where locales and messages are looked for */ \
    variable(MACOSX_DEPLOYMENT_TARGET)    /* clang for Apple's systems: oldest system */ \
    variable(NLSPATH)                     /* message catalogues */ \
    variable(NO_COLOR)                    /* colours of messages */ \
    variable(OBJCPLUS_INCLUDE_PATH) \
    variable(OBJC_INCLUDE_PATH) \
    variable(OBJC_PLUS_INCLUDE_PATH) \
    variable(OUTPUT_CHARSET)              /* gettext: character set of messages */ \
    variable(PATH)                        /* where as, objcopy and the compiler itself are found */ \
    variable(POSIXLY_CORRECT)             /* order of options, in as */ \
    variable(PWD)                         /* the working directory as debug information names it */ \
    variable(RC_DEBUG_OPTIONS)            /* clang: the command line into debug information */ \
    variable(RC_DEBUG_PREFIX_MAP)         /* clang: as -fdebug-prefix-map */ \
    variable(ROCM_PATH)                   /* clang: ROCm installation */ \
    variable(SDKROOT)                     /* clang: as -isysroot */ \
    variable(SOURCE_DATE_EPOCH)           /* __DATE__ and __TIME__ */ \
    variable(SUNPRO_DEPENDENCIES)         /* a dependency file, without any option */ \
    variable(TERM)                        /* colours and links in messages */ \
    variable(TERM_URLS)                   /* gcc: links in messages */ \
    variable(TVOS_DEPLOYMENT_TARGET)      /* clang for Apple's systems: oldest system */ \
    variable(TZ)                          /* __DATE__ and __TIME__ */ \
    variable(VCINSTALLDIR)                /* clang for Windows: headers of the installation */ \
    variable(VCToolsInstallDir) \
    variable(WATCHOS_DEPLOYMENT_TARGET)   /* clang for Apple's systems: oldest system */ \
    variable(XROS_DEPLOYMENT_TARGET) \
    variable(ZERO_AR_DATE)                /* archives and Mach-O without times */ \
    variable(_CL_)                        /* clang-cl: arguments behind the command line */
/* clang-format on */
