/** A program that starts a host whose step loops for ever, says which processes it has, and waits to be killed. */
import { batchOf, pool, script } from "./batches.ts";

const body = `({ }, ctx) => { ctx.progress(0, String(process.pid)); for (;;); }`;
void pool.runBatch(batchOf(script(`() => ({ fn: ${body} })`), [{}]), {
  exclusive: false,
  onProgress: ({ note }) => void process.stdout.write(`${note}\n`),
});
