/** Which Python would run a step, and what it has: version and versions of the distributions the step imports. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { PythonCode } from "../../../code/flow-package.ts";
import { MfError } from "../../../model/errors.ts";

const run = promisify(execFile);

const PROBE = `
import sys, json, importlib.metadata as md, importlib.util as iu
names = json.loads(sys.argv[1]); owners = getattr(md, 'packages_distributions', dict)(); found, missing = {}, []
for name in names:
    for dist in owners.get(name, [name]):
        try: found[dist.lower()] = md.version(dist)
        except md.PackageNotFoundError:
            try: known = iu.find_spec(name)
            except (ImportError, ValueError): known = None
            if known is None: missing.append(name)
            else: found[name] = '?'
print(json.dumps([sys.version.split()[0], sorted(found.items()), missing]))
`;

/** Interpreters in the order they are tried. */
export function pythonCandidates(): readonly string[] {
  const chosen = process.env["MF_PYTHON"];
  return chosen === undefined || chosen === "" ? ["python3", "python"] : [chosen];
}

/** @param step for what is said of missing packages */
export async function pythonEnvironment(code: PythonCode, step: string): Promise<string> {
  const names = [...new Set([...code.imports, ...code.requires.map(bareName)])].sort();
  const { python, answer } = await probe(JSON.stringify(names));
  const [version, found, missing] = JSON.parse(answer) as [string, [string, string][], string[]];
  if (missing.length > 0) {
    throw new MfError("PYTHON_PACKAGE_MISSING", {
      step,
      packages: [...new Set(missing.map(packageOf))].sort().join(" "),
      python,
    });
  }
  return [`python@${version}`, ...found.map(([name, at]) => `${name}@${at}`)].join(" ");
}

async function probe(names: string): Promise<{ python: string; answer: string }> {
  const tried = pythonCandidates();
  for (const python of tried) {
    try {
      return { python, answer: (await run(python, ["-c", PROBE, names])).stdout };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  throw new MfError("PYTHON_MISSING", { tried: tried.join(", ") });
}

/** Modules whose package has another name: where the package is missing, nothing on the machine tells it. */
const PACKAGES: Readonly<Record<string, string>> = {
  bs4: "beautifulsoup4",
  cv2: "opencv-python",
  dateutil: "python-dateutil",
  PIL: "pillow",
  skimage: "scikit-image",
  sklearn: "scikit-learn",
  yaml: "pyyaml",
};

function packageOf(name: string): string {
  return PACKAGES[name] ?? name;
}

/** `numpy>=1.2` -> `numpy`. */
function bareName(requirement: string): string {
  return /^[\w.-]+/.exec(requirement)?.[0] ?? requirement;
}
