/** A mesh as users meet it: built `mfd` processes on loopback, each with a home of its own, and `mf` asked at any of them. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { outcomeOf, type MfOutcome } from "./mf-process.ts";

const MF = fileURLToPath(new URL("../../cli/main.js", import.meta.url));
const MFD = fileURLToPath(new URL("../../daemon/main.js", import.meta.url));
/** On a machine that runs other suites too, ten daemons take their time to load. */
const READY_MS_MAX = 60_000;
const ASK_INTERVAL_MS = 100;

export interface PeerRowJson {
  readonly name: string;
  readonly id: string;
  readonly self: boolean;
  readonly state: string;
  readonly slots: { readonly total: number; readonly busy: number };
}

export class MeshPeer {
  readonly name: string;
  readonly home: string;
  readonly #flows: string;
  readonly #options: readonly string[];
  readonly #started: ChildProcess[] = [];
  daemon: ChildProcess | undefined;

  constructor(root: string, name: string, options: readonly string[]) {
    this.name = name;
    this.home = join(root, name);
    this.#flows = join(root, "flows");
    this.#options = options;
    mkdirSync(this.home, { recursive: true });
    mkdirSync(this.#flows, { recursive: true });
  }

  /** Starts the daemon in the foreground and waits until it answers. */
  async start(more: readonly string[] = []): Promise<void> {
    const argv = ["start", "--foreground", "--name", this.name, "--listen", "127.0.0.1:0"];
    const child = this.#spawn(MFD, [...argv, ...this.#options, ...more]);
    this.daemon = child;
    const said: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => said.push(chunk));
    child.stderr?.on("data", (chunk: Buffer) => said.push(chunk));
    const until = performance.now() + READY_MS_MAX;
    for (;;) {
      const hasEnded = child.exitCode !== null || child.signalCode !== null;
      const text = Buffer.concat(said).toString();
      assert.ok(!hasEnded, `mfd of ${this.name} ended with ${String(child.exitCode)}: ${text}`);
      if ((await this.mfd(["status", "--json"])).code === 0) return;
      assert.ok(performance.now() < until, `mfd of ${this.name} does not answer: ${text}`);
      await pause();
    }
  }

  get isRunning(): boolean {
    return this.daemon?.exitCode === null && this.daemon.signalCode === null;
  }

  /** SIGKILL, unless another signal is meant, and wait until it is gone. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.daemon;
    if (child === undefined || !this.isRunning) return;
    child.kill(signal);
    await once(child, "exit");
  }

  /** Stops its clock: it keeps its connections and answers nothing. `thaw` ends that. */
  freeze(): void {
    this.daemon?.kill("SIGSTOP");
  }

  thaw(): void {
    this.daemon?.kill("SIGCONT");
  }

  mf(argv: readonly string[]): Promise<MfOutcome> {
    return outcomeOf(this.spawnMf(argv));
  }

  mfd(argv: readonly string[]): Promise<MfOutcome> {
    return outcomeOf(this.#spawn(MFD, argv));
  }

  spawnMf(argv: readonly string[]): ChildProcess {
    return this.#spawn(MF, argv);
  }

  /** The command must succeed; its standard output as JSON. */
  async json<T>(argv: readonly string[]): Promise<T> {
    const { code, out, err } = await this.mf(argv);
    assert.equal(code, 0, `${this.name}: mf ${argv.join(" ")} ended with ${String(code)}: ${err}`);
    return JSON.parse(out) as T;
  }

  async peers(): Promise<readonly PeerRowJson[]> {
    return this.json<PeerRowJson[]>(["peers", "--json"]);
  }

  /** What the daemon logged, for the message of a failing test. */
  log(): string {
    try {
      return readFileSync(join(this.home, "logs", "mfd.log"), "utf8")
        .split("\n")
        .slice(-60)
        .join("\n");
    } catch {
      return "";
    }
  }

  #spawn(program: string, argv: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, [program, ...argv], {
      cwd: this.#flows,
      env: { ...process.env, MF_HOME: this.home, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#started.push(child);
    return child;
  }

  dispose(): void {
    for (const child of this.#started)
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  }
}

export class MeshPlace {
  readonly root = mkdtempSync(join(tmpdir(), "mf-mesh-"));
  readonly peers: MeshPeer[] = [];

  /** Daemons named a, b, c …; the first makes the mesh, the others join with a ticket each. Returns once all see all. */
  static async of(count: number, options: readonly string[] = ["--cpus", "2"]): Promise<MeshPlace> {
    const place = new MeshPlace();
    try {
      for (let i = 0; i < count; i++) await place.add(String.fromCodePoint(97 + i), options);
      await place.settled();
    } catch (error) {
      place.dispose();
      throw error;
    }
    return place;
  }

  async add(name: string, options: readonly string[] = ["--cpus", "2"]): Promise<MeshPeer> {
    const peer = new MeshPeer(this.root, name, options);
    const [first] = this.peers;
    this.peers.push(peer);
    await peer.start(first === undefined ? [] : ["--join", await this.ticket()]);
    return peer;
  }

  async ticket(): Promise<string> {
    const { code, out, err } = await this.peer(0).mfd(["invite"]);
    assert.equal(code, 0, err);
    return out.trim();
  }

  peer(position: number): MeshPeer {
    const peer = this.peers[position];
    assert.ok(peer !== undefined, `there is no peer ${position}`);
    return peer;
  }

  /** Every daemon that runs sees every other one that runs alive. */
  async settled(): Promise<void> {
    const running = this.peers.filter((peer) => peer.isRunning);
    for (const peer of running)
      await eventuallyAsync(`${peer.name} sees ${running.length} peers`, async () => {
        const alive = (await peer.peers()).filter((row) => row.state === "alive");
        return running.every(({ name }) => alive.some((row) => row.name === name))
          ? true
          : undefined;
      });
  }

  three(): [MeshPeer, MeshPeer, MeshPeer] {
    return [this.peer(0), this.peer(1), this.peer(2)];
  }

  write(name: string, text: string): string {
    const file = join(this.root, "flows", name);
    writeFileSync(file, text);
    return file;
  }

  flow(name: string, body: string): string {
    return this.write(name, `import { collect, each, flow, p } from "meshflow";\n${body}\n`);
  }

  dispose(): void {
    for (const peer of this.peers) peer.dispose();
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

export async function eventuallyAsync<T>(
  what: string,
  probe: () => Promise<T | undefined>,
  msMax = 30_000,
): Promise<T> {
  const until = performance.now() + msMax;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    assert.ok(performance.now() < until, `waited in vain: ${what}`);
    await pause();
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ASK_INTERVAL_MS));
}
