/** Daemons on loopback for the benchmarks and the campaign: each with a home of its own, ended by pid. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { program, root } from "./mf.mjs";

const daemonProgram = path.join(root, "dist/daemon/main.js");
const SETTLE_MS_MAX = 120_000;

/** @param count daemons a, b, c…; the first makes the mesh. @returns what `use` returns; nothing of it is left behind. */
export async function withMesh(count, use, options = []) {
  const folder = mkdtempSync(path.join(tmpdir(), "mf-mesh-bench-"));
  const mesh = new Mesh(folder, options);
  try {
    for (let i = 0; i < count; i++) await mesh.add();
    await mesh.settled(count);
    return await use(mesh);
  } finally {
    await mesh.end();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

export class Mesh {
  peers = [];
  #folder;
  #options;

  constructor(folder, options) {
    this.#folder = folder;
    this.#options = options;
    mkdirSync(path.join(folder, "flows"));
  }

  flow(name, source) {
    const file = path.join(this.#folder, "flows", `${name}.ts`);
    writeFileSync(file, source);
    return file;
  }

  /** A home without a daemon, for now. */
  peer() {
    const name = `p${this.peers.length}`;
    const peer = new Peer(name, path.join(this.#folder, name));
    this.peers.push(peer);
    return peer;
  }

  /** Starts one more daemon. */
  add(more = []) {
    return this.begin(this.peer(), more);
  }

  /** The first makes the mesh, the others get a ticket from it. */
  async begin(peer, more = []) {
    const [first] = this.peers;
    const join = peer === first ? [] : ["--join", (await first.mfd(["invite"])).trim()];
    await peer.start(["--listen", "127.0.0.1:0", ...this.#options, ...more, ...join]);
    return peer;
  }

  /** Until everybody sees everybody. @returns ms it took */
  async settled(count) {
    const started = performance.now();
    for (const peer of this.peers.filter((one) => one.isRunning)) {
      for (;;) {
        const rows = JSON.parse(await peer.mf(["peers", "--json"]));
        if (rows.filter((row) => row.state === "alive").length >= count) break;
        if (performance.now() - started > SETTLE_MS_MAX)
          throw new Error(`${peer.name} sees ${JSON.stringify(rows)}`);
        await sleep(50);
      }
    }
    return performance.now() - started;
  }

  async end() {
    await Promise.all(this.peers.map((peer) => peer.kill()));
  }
}

class Peer {
  child;

  constructor(name, home) {
    this.name = name;
    this.home = home;
    this.startArguments = [];
  }

  get isRunning() {
    return (
      this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null
    );
  }

  get pid() {
    return this.child.pid;
  }

  async start(options = this.startArguments) {
    this.startArguments = options.filter(
      (word, at) => word !== "--join" && options[at - 1] !== "--join",
    );
    this.child = spawn(
      process.execPath,
      [daemonProgram, "start", "--foreground", "--name", this.name, ...options],
      {
        env: { ...process.env, MF_HOME: this.home },
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
    let said = "";
    this.child.stderr.on("data", (text) => (said = `${said}${text}`.slice(-4_000)));
    const started = performance.now();
    for (;;) {
      if (!this.isRunning) throw new Error(`mfd ${this.name} ended: ${said}`);
      const answer = await this.mfd(["status", "--json"]).catch(() => undefined);
      if (answer !== undefined) return performance.now() - started;
      if (performance.now() - started > SETTLE_MS_MAX)
        throw new Error(`mfd ${this.name} is silent: ${said}`);
      // Each question is a process of its own, which takes from the cores what the start needs.
      await sleep(200);
    }
  }

  /** SIGKILL, by default; waits until it is gone. */
  async kill(signal = "SIGKILL") {
    if (!this.isRunning) return;
    const gone = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill(signal);
    await gone;
  }

  /** Everything that its daemon has logged. */
  log() {
    return readFileSync(path.join(this.home, "logs", "mfd.log"), "utf8");
  }

  mf(argv) {
    return output(program, argv, this.home);
  }

  /** Also of a command that fails: { code, stdout, stderr }. */
  outcome(argv) {
    return outcome(program, argv, this.home);
  }

  mfd(argv) {
    return output(daemonProgram, argv, this.home);
  }

  async json(argv) {
    return JSON.parse(await this.mf([...argv, "--json"]));
  }

  /** Resident memory, MB, and CPU time so far, s, of the daemon alone. */
  usage() {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    const stat = readFileSync(`/proc/${this.pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return {
      rssMb: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024,
      cpuS: (Number(fields[11]) + Number(fields[12])) / 100,
    };
  }
}

/** Standard output. @throws where the command fails */
async function output(file, argv, home) {
  const { code, stdout, stderr } = await outcome(file, argv, home);
  if (code === 0) return stdout;
  throw new Error(`${argv.join(" ")} ended with ${code}: ${stderr}${stdout}`);
}

function outcome(file, argv, home) {
  const child = spawn(process.execPath, [file, ...argv], {
    env: { ...process.env, MF_HOME: home, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text) => (stdout += text));
  child.stderr.on("data", (text) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}
