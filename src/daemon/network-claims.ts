/**
 * Names that are one member's: claimed, handed on, given back, and told.
 *
 * Knows: how people ask for it. Does not know: who may; the rules of membership say so.
 */
import { CairnError, type Key } from "../base/index.ts";
import { latestNamed, nameHolder, type State } from "../trust/index.ts";
import { fateOfClaim, issueOrRefuse, outcomeOf, type PolicyParts, type Proposed } from "./network-policy.ts";

/** What came of it: the token where it is decided. */
export interface Claimed extends Proposed {
  readonly token: number | null;
}

/**
 * Says whose a name is from the next epoch on.
 *
 * @param gift `owner` undefined for nobody; `above`: numbers of tokens that were seen somewhere, to be passed
 * @throws {CairnError} network-refused
 */
export async function giveName(
  parts: PolicyParts,
  { name, owner, above }: { readonly name: string; readonly owner: Key | undefined; readonly above: number },
): Promise<Claimed> {
  const { members, membership } = parts;
  const { intended } = membership;
  const after = intended && latestNamed(intended.claims, name);
  if (after === undefined) throw new CairnError("network-refused", { why: "claim-changed" });
  // Most claims pass what was seen by the number of the epoch that will hold them.
  const isAbove = above > (membership.decided?.epoch.number ?? 0);
  const id = issueOrRefuse(members, { kind: "claim", name, owner, after, ...(isAbove && { floor: above + 1 }) });
  const done = await outcomeOf(parts, id, fateOfClaim(id, { name, owner }, after), "claim-changed");
  return { ...done, token: done.inEffect ? (membership.decided?.claims.get(name)?.token?.number ?? null) : null };
}

/** Claimed names, with who holds each: nobody when that member has gone. */
export function describeClaims(state: State, self: Key): object[] {
  return [...state.claims]
    .filter(([, { isOpen }]) => !isOpen)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { owner, token }]) => {
      const holder = nameHolder(state, name);
      return {
        name,
        owner: state.members.get(owner)?.name ?? "",
        key: owner,
        held: holder !== undefined,
        self: holder === self,
        token: token?.number ?? null,
        epoch: token?.epoch ?? null,
      };
    });
}
