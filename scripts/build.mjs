/**
 * Builds dist/: tsc (incremental, dist/ mirrors the tree), files that tsc does not carry, and the executable bit of the
 * two programs. Ends with tsc's exit code, so a type error fails whatever called us.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, lstatSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const PROGRAMS = { mf: "dist/cli/main.js", mfd: "dist/daemon/main.js" };

if (process.argv.includes("--clean"))
  rmSync(path.join(root, "dist"), { recursive: true, force: true });

// The compiler's own bin, not npx: npx costs half a second and may look things up on the network.
const manifest = createRequire(path.join(root, "package.json")).resolve("typescript/package.json");
const compiler = path.join(path.dirname(manifest), "bin", "tsc");
const compiled = spawnSync(process.execPath, [compiler, "-p", root], {
  cwd: root,
  stdio: "inherit",
});
if (compiled.error !== undefined) throw compiled.error;
if (compiled.status !== 0) process.exit(compiled.status ?? 1);

// npm links a package's programs for those who install it, not in its own clone: without the link `npx mf` finds nothing there.
const programLinks = path.join(root, "node_modules", ".bin");
const mayLink = existsSync(programLinks) && !lstatSync(path.dirname(programLinks)).isSymbolicLink();
for (const [name, program] of Object.entries(PROGRAMS)) {
  const file = path.join(root, program);
  if (!existsSync(file)) continue;
  chmodSync(file, 0o755);
  if (!mayLink) continue;
  const link = path.join(programLinks, name);
  rmSync(link, { force: true });
  symlinkSync(path.relative(programLinks, file), link);
}
