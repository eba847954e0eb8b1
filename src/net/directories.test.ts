import { directoryCompliance } from "../../test/compliance/directory.ts";
import { MeshDirectory, RendezvousDirectory } from "./directories.ts";

directoryCompliance("mesh", (world) => new MeshDirectory({ whoHas: (manifest) => world.whoHas(manifest) }));

for (const [name, hears] of [
  ["rendezvous", true],
  // Summaries have bounds: what is above them is not told.
  ["rendezvous without summaries", false],
] as const)
  directoryCompliance(name, (world) => {
    const parts = {
      self: world.self,
      whoHas: (manifest: string): string[] => (hears ? world.whoHas(manifest) : []),
      isAttested: (manifest: string): boolean => world.isAttested(manifest),
      present: () => world.present(),
    };
    return new RendezvousDirectory(parts, { copies: world.copies });
  });
