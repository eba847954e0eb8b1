/**
 * Why two builds of the same sources differ, and what helps.
 */
export type Cause =
  | "build path"
  | "date and time"
  | "random seed"
  | "locale"
  | "time zone"
  | "umask"
  | "user or host name"
  | "order of files"
  | "order of jobs"
  | "times and owners in the archive"
  | "unknown";

const ADVICE: Readonly<Record<Cause, string>> = {
  "build path":
    "compile with -ffile-prefix-map=\"$PWD\"=. (in CFLAGS and CXXFLAGS); for programs, -Wl,-rpath,'$ORIGIN/…' instead of absolute paths",
  "date and time":
    "set SOURCE_DATE_EPOCH, to the time of the last commit for instance; or leave __DATE__, __TIME__ and the output of date away",
  "random seed": "compile with -frandom-seed=NAME, the object's name for instance; give other generators a fixed seed",
  locale: "let the build set LC_ALL=C",
  "time zone": "let the build set TZ=UTC",
  umask: "give files fixed modes where they are packed: install -m, tar --mode=",
  "user or host name": "leave the output of whoami, id, hostname and uname -n, and $USER, away",
  "order of files":
    "sort what comes from a directory: $(sort $(wildcard …)), find … | LC_ALL=C sort; and list objects for ar and the linker in a fixed order",
  "order of jobs": "something is read while something else still writes it: name it as a dependency",
  "times and owners in the archive":
    "ar rcD and ranlib -D (ARFLAGS=rcD); gzip -n; tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner",
  unknown: "compare both files (--keep leaves them there), with diffoscope for instance",
};

export function advice(cause: Cause): string {
  return ADVICE[cause];
}
