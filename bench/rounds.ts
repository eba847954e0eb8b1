/**
 * Interleaved rounds: every contender once a round, in an order that is reversed each time, so that a machine that grows slower or
 * faster meanwhile is unfair to nobody.
 */

/**
 * @param count rounds; each calls `measure` once for each contender
 * @returns samples by contender, in the order of the rounds
 */
export async function interleave<Contender, Sample>(
  contenders: readonly Contender[],
  count: number,
  measure: (contender: Contender, round: number) => Promise<Sample>,
): Promise<Map<Contender, Sample[]>> {
  const samples = new Map<Contender, Sample[]>(contenders.map((contender) => [contender, []]));
  for (let round = 0; round < count; round++) {
    const order = round % 2 === 0 ? contenders : contenders.toReversed();
    for (const contender of order) samples.get(contender)?.push(await measure(contender, round));
  }
  return samples;
}
