/** What the floor's threads do: the same work as the steps of flows.mjs, and nothing else. */
export const noop = (item) => item + 1;

export function burn(rounds) {
  let x = 0;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < 20_000; i++) x += Math.sqrt(i);
  }
  return x;
}

/** The data comes by structured clone, a copy a reader. */
export function read({ item, data }) {
  let sum = item;
  for (let i = 0; i < data.length; i += 512) sum += data[i];
  return sum;
}
