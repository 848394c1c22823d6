/** Which packages stay outside the bundle because they carry native code, and what names them in a step's identity. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { ExternalPackage } from "./flow-package.ts";

export interface InstalledPackage {
  readonly name: string;
  readonly directory: string;
  readonly version: string;
  readonly isNative: boolean;
}

interface Manifest {
  readonly version?: string;
  readonly gypfile?: boolean;
  readonly binary?: unknown;
  readonly os?: unknown;
  readonly cpu?: unknown;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const PLATFORM_NAME =
  /(^|[-/_])(linux|darwin|win32|android|freebsd|musl|x64|arm64|wasm32)([-/_]|$)/;

/** `@scope/name/sub/path` -> `@scope/name`. */
export function packageNameOf(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

/** The package as Node would find it from `directory`: the nearest node_modules upward. */
export function findPackage(name: string, directory: string): InstalledPackage | undefined {
  for (const place of upward(directory)) {
    const candidate = join(place, "node_modules", name);
    const manifest = readJson<Manifest>(join(candidate, "package.json"));
    if (manifest === undefined) continue;
    return {
      name,
      directory: candidate,
      version: manifest.version ?? "",
      isNative: isNative(candidate, manifest),
    };
  }
  return undefined;
}

/** Names the package in an identity: version, and integrity from the nearest package-lock.json. */
export function externalOf(found: InstalledPackage): ExternalPackage {
  return { name: found.name, version: found.version, integrity: integrityOf(found) };
}

function integrityOf(found: InstalledPackage): string {
  for (const place of upward(dirname(found.directory))) {
    const lock = readJson<{ packages?: Record<string, { integrity?: string }> }>(
      join(place, "package-lock.json"),
    );
    if (lock === undefined) continue;
    const key = relative(place, found.directory).replaceAll("\\", "/");
    return lock.packages?.[key]?.integrity ?? "";
  }
  return "";
}

function isNative(directory: string, manifest: Manifest): boolean {
  if (manifest.gypfile === true || manifest.binary !== undefined) return true;
  if (manifest.os !== undefined || manifest.cpu !== undefined) return true;
  const scripts = manifest.scripts ?? {};
  if (["preinstall", "install", "postinstall"].some((name) => scripts[name] !== undefined))
    return true;
  if (Object.keys(manifest.optionalDependencies ?? {}).some((name) => PLATFORM_NAME.test(name)))
    return true;
  if (
    ["binding.gyp", "prebuilds", "build/Release"].some((name) => existsSync(join(directory, name)))
  )
    return true;
  return readdirSync(directory).some((name) => name.endsWith(".node"));
}

/** The directory and its parents, nearest first. */
export function* upward(directory: string): Generator<string> {
  for (let place = directory; ; place = dirname(place)) {
    yield place;
    if (dirname(place) === place) return;
  }
}

function readJson<T>(file: string): T | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, "utf8")) as T;
  } catch {
    return undefined;
  }
}
