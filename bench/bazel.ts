/**
 * A project that real Bazel builds through the gRPC door: how many of its actions come from the cache, and how long that takes.
 */
import { Bazel, type Built, sizeOfUnits, unitsOfCpp, withoutBazel } from "../test/system/bazel-world.ts";
import { CairnNode } from "./cairn-node.ts";
import { portOf } from "./doors.ts";
import { type Settings, Workshop } from "./settings.ts";
import { same } from "./statistics.ts";
import { type Report, row } from "./table.ts";

/** A library that is compiled, archived and linked, a list, and what of it a program at hand needs compiled a second time. */
const ACTIONS_OF_UNIT = 5;
const MS_PER_S = 1_000;
const PERCENT = 100;

export async function bazel(settings: Settings): Promise<Report> {
  if (withoutBazel !== false) return { benchmark: "bazel", rows: [], notes: [withoutBazel] };
  using workshop = new Workshop();
  await using node = new CairnNode(workshop.path("home"), { CAIRN_DOORS_GRPC_LISTEN: "127.0.0.1" });
  await node.start();
  const units = Math.max(1, Math.ceil(settings.actions / ACTIONS_OF_UNIT));
  await using project = new Bazel(workshop.path("bazel"), unitsOfCpp(units));
  const cache = `--remote_cache=grpc://127.0.0.1:${await portOf(node, "grpc")}`;
  const build = async (what: string, ...options: string[]): Promise<Built & { readonly tookMs: number }> => {
    settings.progress(what);
    const began = performance.now();
    const built = await project.build(cache, ...options);
    if (built.code !== 0) throw new Error(built.told);
    return { ...built, tookMs: performance.now() - began };
  };
  const cold = await build("cold");
  await project.clean();
  const hot = await build("hot");
  if (project.made("out.txt").toString() !== sizeOfUnits(units)) throw new Error("something else was built");
  await project.clean();
  const minimal = await build("hot, without downloads", "--remote_download_minimal");
  const share = ({ hits, local }: Built): number => (PERCENT * hits) / (hits + local);
  const bar = { must: PERCENT, aim: PERCENT, lower: true };
  const rows = [
    row("actions", "", same(cold.local + cold.hits)),
    row("hits, cold", "", same(cold.hits)),
    row("wall, cold", "s", same(cold.tookMs / MS_PER_S)),
    row("hits of actions, hot", "%", same(share(hot)), bar),
    row("wall, hot", "s", same(hot.tookMs / MS_PER_S)),
    row("hits of actions, hot, with --remote_download_minimal", "%", same(share(minimal)), bar),
    row("wall, hot, with --remote_download_minimal", "s", same(minimal.tookMs / MS_PER_S)),
  ];
  return { benchmark: "bazel", rows, notes: ["once each; Bazel's own start is in the first of them"] };
}
