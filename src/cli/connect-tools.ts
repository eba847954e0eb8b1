/**
 * What each build tool needs to hear to use the doors of this machine: docs/doors.md.
 *
 * Knows: tools' own words. Does not know: where the doors are, or who writes the words down.
 */

/** Where a tool finds a door. */
export interface DoorAddress {
  readonly host: string;
  readonly port: number;
  /** A file with the token that is asked for; "": none is. */
  readonly tokenFile: string;
  /** What it shows over TLS, and who vouches for clients, as files; "": it speaks no TLS, or lets everybody in. */
  readonly certificateFile: string;
  readonly clientCaFile: string;
  /** Whether actions are executed there. */
  readonly executes: boolean;
}

export interface ToolWords {
  /** For the tool's own file. */
  readonly lines: readonly string[];
  /** What a person has to do besides. */
  readonly notes: readonly string[];
  /** What the lines say, where the tool's file is JSON. */
  readonly json?: Readonly<Record<string, string>>;
  /** The same as one table of a file of TOML, where the lines are for the environment. */
  readonly toml?: { readonly table: string; readonly lines: readonly string[] };
}

/** Where a tool may have been told of a cache before, by whomever. */
export interface Told {
  /** As {@link Tool.file}. */
  readonly files: readonly string[];
  /** Finds the address in such a file. */
  readonly address: RegExp;
  readonly variables: readonly string[];
}

export interface Tool {
  readonly name: string;
  /** The door that it knocks at. */
  readonly door: "http" | "grpc";
  /** In the directory of a project, or with `~/` in the user's. */
  readonly file: string;
  readonly words: (at: DoorAddress) => ToolWords;
  readonly told: Told;
}

/** The user's own: what lies in a project is others' as well, who may have no daemon. */
const BAZELRC = "~/.bazelrc";

export const tools: readonly Tool[] = [
  { name: "bazel", door: "grpc", file: BAZELRC, words: bazel, told: toldBazel(/^[^#\n]*--remote_cache=(grpcs?:\/\/[^\s"']+)/m) },
  { name: "bazel-http", door: "http", file: BAZELRC, words: bazelHttp, told: toldBazel(/^[^#\n]*--remote_cache=(https?:\/\/[^\s"']+)/m) },
  {
    name: "ccache",
    door: "http",
    file: "~/.config/ccache/ccache.conf",
    words: ccache,
    told: {
      files: ["~/.config/ccache/ccache.conf", "~/.ccache/ccache.conf"],
      address: /^[ \t]*(?:remote|secondary)_storage[ \t]*=[ \t]*([^\s|]+)/m,
      variables: ["CCACHE_REMOTE_STORAGE", "CCACHE_SECONDARY_STORAGE"],
    },
  },
  {
    name: "sccache",
    door: "http",
    file: "~/.config/sccache/config",
    words: sccache,
    told: {
      files: ["~/.config/sccache/config"],
      address: /^[ \t]*(?:endpoint|url)[ \t]*=[ \t]*["']([^"'\s]+)/m,
      variables: ["SCCACHE_WEBDAV_ENDPOINT", "SCCACHE_REDIS_ENDPOINT", "SCCACHE_REDIS"],
    },
  },
  {
    name: "turbo",
    door: "http",
    file: ".turbo/config.json",
    words: turbo,
    told: { files: [".turbo/config.json"], address: /"apiUrl"[ \t]*:[ \t]*"([^"\s]+)"/, variables: ["TURBO_API"] },
  },
  {
    name: "nx",
    door: "http",
    file: ".env",
    words: nx,
    told: {
      files: [".env"],
      address: /^[ \t]*(?:export[ \t]+)?NX_SELF_HOSTED_REMOTE_CACHE_SERVER=["']?([^\s"']+)/m,
      variables: ["NX_SELF_HOSTED_REMOTE_CACHE_SERVER"],
    },
  },
  {
    name: "gradle",
    door: "http",
    file: "~/.gradle/init.d/cairn.gradle",
    words: gradle,
    told: {
      files: ["~/.gradle/init.d/cairn.gradle", "settings.gradle", "settings.gradle.kts"],
      address: /HttpBuildCache[^{}]{0,200}\{[^{}]{0,400}?url[ \t]*=[ \t]*(?:uri\()?["']([^"'\s]+)/,
      variables: [],
    },
  },
];

function toldBazel(address: RegExp): Told {
  return { files: [BAZELRC, ".bazelrc"], address, variables: [] };
}

function authority({ host, port }: DoorAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** What to say about a token where one is asked for; the token itself is never printed. */
function aboutToken({ tokenFile }: DoorAddress, words: string): readonly string[] {
  return tokenFile === "" ? [] : [`${words}   with what is in ${tokenFile}: it is a secret`];
}

function scheme(plain: "http" | "grpc", { certificateFile }: DoorAddress): string {
  return certificateFile === "" ? plain : `${plain}s`;
}

/** What to say about certificates where the door speaks TLS. */
function aboutTls({ certificateFile, clientCaFile }: DoorAddress, trust = "", show = ""): readonly string[] {
  if (certificateFile === "") return [];
  const shown = clientCaFile === "" ? [] : [`${show}the tool has to show a certificate that ${clientCaFile} vouches for, with its key`];
  return [`${trust}the tool has to trust ${certificateFile}, or who vouches for it`, ...shown];
}

const BAZEL_TRUST = "build --tls_certificate=…   ";
const BAZEL_SHOW = "build --tls_client_certificate=… --tls_client_key=…   ";
const BAZEL_TOKEN = 'build --remote_header=authorization="Bearer …"';
const WITHOUT_DAEMON = "while no daemon runs, builds go on without the cache";
const NX_WITHOUT_DAEMON = "while no daemon runs, Nx ends with an error, unless NX_SKIP_REMOTE_CACHE=true";

function bazelHttp(at: DoorAddress): ToolWords {
  return {
    lines: [`build --remote_cache=${scheme("http", at)}://${authority(at)}/bazel-http`],
    notes: [...aboutToken(at, BAZEL_TOKEN), ...aboutTls(at, BAZEL_TRUST, BAZEL_SHOW), WITHOUT_DAEMON],
  };
}

function ccache(at: DoorAddress): ToolWords {
  return {
    lines: [`remote_storage = ${scheme("http", at)}://${authority(at)}/ccache`],
    notes: [...aboutToken(at, `remote_storage = ${scheme("http", at)}://cairn:…@${authority(at)}/ccache   instead,`), ...aboutTls(at)],
  };
}

function sccache(at: DoorAddress): ToolWords {
  const endpoint = `${scheme("http", at)}://${authority(at)}`;
  return {
    lines: [`export SCCACHE_WEBDAV_ENDPOINT=${endpoint}`, "export SCCACHE_WEBDAV_KEY_PREFIX=sccache"],
    toml: { table: "[cache.webdav]", lines: [`endpoint = "${endpoint}"`, 'key_prefix = "sccache"'] },
    notes: [...aboutToken(at, "export SCCACHE_WEBDAV_TOKEN=…"), ...aboutTls(at), "sccache --stop-server   first, where one runs already"],
  };
}

/** Turborepo asks nobody who has no token and no team. */
function turbo(at: DoorAddress): ToolWords {
  const json = {
    apiUrl: `${scheme("http", at)}://${authority(at)}/turbo`,
    teamSlug: "cairn",
    ...(at.tokenFile === "" ? { token: "none-is-needed" } : {}),
  };
  return { lines: JSON.stringify(json, null, 2).split("\n"), notes: [...aboutToken(at, "export TURBO_TOKEN=…"), ...aboutTls(at)], json };
}

function nx(at: DoorAddress): ToolWords {
  return {
    lines: [`NX_SELF_HOSTED_REMOTE_CACHE_SERVER=${scheme("http", at)}://${authority(at)}/nx`],
    notes: [...aboutToken(at, "export NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN=…"), ...aboutTls(at), NX_WITHOUT_DAEMON],
  };
}

/** One line each: a later one takes the place of an earlier one. */
function gradle(at: DoorAddress): ToolWords {
  const cache = `url = "${scheme("http", at)}://${authority(at)}/gradle/"; push = true`;
  return {
    lines: ["startParameter.buildCacheEnabled = true", `settingsEvaluated { it.buildCache { remote(HttpBuildCache) { ${cache} } } }`],
    notes: [...aboutToken(at, 'credentials { username = "cairn"; password = "…" }   behind push = true;'), ...aboutTls(at)],
  };
}

/** Bazel asks who is there when a build begins, and ends it where nobody is: `--remote_local_fallback` makes it go on. */
function bazel(at: DoorAddress): ToolWords {
  const { executes } = at;
  const url = `${scheme("grpc", at)}://${authority(at)}`;
  const execution = executes ? [`build:cairn-execute --remote_executor=${url}`] : [];
  return {
    lines: [`build --remote_cache=${url}`, "build --remote_local_fallback", ...execution],
    notes: [
      ...aboutToken(at, BAZEL_TOKEN),
      ...aboutTls(at, BAZEL_TRUST, BAZEL_SHOW),
      WITHOUT_DAEMON,
      ...(executes ? ["bazel build --config=cairn-execute …   runs actions in this machine's sandbox"] : []),
    ],
  };
}
