/** An origin as an indented tree: what is shared is told once, of a foreach the first elements. */
import type { InputOrigin, Origin, OriginFact, OriginInput } from "./origin.ts";
import { plainLine, shortText } from "./plain-text.ts";
import { idText, spanText } from "./reason-words.ts";

/** Elements of a collect() that get a line. */
const ELEMENTS_TOLD_MAX = 3;
const CODE_CHARS = 8;

export interface TreeWording {
  readonly now: number;
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
}

interface Branch {
  readonly text: string;
  readonly below: () => readonly Branch[];
}

export function originLines(origin: Origin, wording: TreeWording): string[] {
  const tree = new OriginTree(origin, wording);
  return origin.roots
    .flatMap((root) => tree.lines(root))
    .concat(
      origin.rootsLeftOut === 0
        ? []
        : [`… ${origin.rootsLeftOut} more tasks: name one by its index`],
    );
}

class OriginTree {
  readonly #origin: Origin;
  readonly #wording: TreeWording;
  readonly #facts: ReadonlyMap<string, OriginFact>;
  readonly #inputs = new Map<string, OriginInput[]>();
  readonly #told = new Set<string>();

  constructor(origin: Origin, wording: TreeWording) {
    this.#origin = origin;
    this.#wording = wording;
    this.#facts = new Map(origin.facts.map((fact) => [fact.id, fact]));
    for (const input of origin.inputs) {
      const list = this.#inputs.get(input.to);
      if (list === undefined) this.#inputs.set(input.to, [input]);
      else list.push(input);
    }
  }

  lines(root: string): string[] {
    const { artifact } = this.#origin;
    const ref = artifact === undefined ? undefined : this.#facts.get(root)?.outputs[artifact];
    const head =
      artifact === undefined
        ? []
        : [
            `${this.#wording.bold(`${root}/${artifact}`)}  ${ref?.kind ?? ""}  ${ref === undefined ? "" : idText(ref.id)}`,
          ];
    const branch = this.#factBranch(root, root);
    return [...head, branch.text, ...draw(branch.below())];
  }

  #factBranch(id: string, name: string): Branch {
    const fact = this.#facts.get(id);
    if (fact === undefined) return { text: `${name}  …`, below: () => [] };
    if (this.#told.has(id))
      return { text: `${name}  ${this.#wording.dim("(above)")}`, below: () => [] };
    this.#told.add(id);
    const text = `${this.#wording.bold(name)}  ${this.#wording.dim(this.#factText(fact))}`;
    return { text, below: () => this.#inputBranches(id) };
  }

  #factText(fact: OriginFact): string {
    const { at, by, wallMs, user, code, codeAt, isReused, madeIn } = fact;
    const made = `${spanText(this.#wording.now - at)} ago on ${by}, ${Math.round(wallMs)} ms`;
    const where = isReused
      ? `reused${madeIn === undefined ? "" : ` from ${madeIn}`}, made ${made}`
      : `made ${made}`;
    return plainLine(`${where}, by ${user} · ${codeAt ?? "code"} ${code.slice(0, CODE_CHARS)}`);
  }

  #inputBranches(id: string): readonly Branch[] {
    const inputs = this.#inputs.get(id) ?? [];
    return inputs.map((input) => this.#inputBranch(input));
  }

  #inputBranch({ name, source, id, from, to }: OriginInput): Branch {
    const label = name === "*" || name === source ? source : `${name} ← ${source}`;
    switch (from.k) {
      case "parameter":
        return leaf(
          `${name === "*" || name === from.name ? "" : `${name} ← `}parameter ${from.name} = ${shortText(from.text)}`,
        );
      case "constant":
        return leaf(`${name} ← constant ${shortText(from.text)}`);
      case "source":
        return leaf(`${name} ← source ${from.name} ${idText(from.version)}`);
      case "unknown":
        return leaf(`${label} ${idText(id)}`.trimEnd());
      case "version":
        return {
          text: `${name} ← ${from.pathspec} ${idText(id)}`,
          below: () => (from.fact === undefined ? [] : [this.#factBranch(from.fact, from.fact)]),
        };
      case "task":
        return this.#taskBranch({ label, id, to }, from.fact);
      case "tasks":
        return {
          text: `${label}: ${from.count} ${from.count === 1 ? "task" : "tasks"}`,
          below: () => this.#elementBranches(to, from),
        };
    }
  }

  /** What was told above takes no line of its own. */
  #taskBranch(
    { label, id, to }: { readonly label: string; readonly id: string; readonly to: string },
    fact: string,
  ): Branch {
    const { dim } = this.#wording;
    const name = this.#nameIn(to, fact);
    const text = idText(id) === "" ? label : `${label}  ${dim(idText(id))}`;
    // Asked when it is drawn: only then is known what stands above.
    const isTold = (): boolean => this.#told.has(fact);
    return {
      get text() {
        return isTold() ? `${text}  ${dim(`(${name} above)`)}` : text;
      },
      below: () => (isTold() ? [] : [this.#factBranch(fact, name)]),
    };
  }

  /** Elements are alike: the first is told whole. */
  #elementBranches(to: string, { facts, count }: Extract<InputOrigin, { k: "tasks" }>): Branch[] {
    const told = facts.slice(0, ELEMENTS_TOLD_MAX).map((fact, at) => {
      const branch = this.#factBranch(fact, this.#nameIn(to, fact));
      return at === 0 ? branch : leaf(branch.text);
    });
    const rest = count - told.length;
    return rest === 0 ? told : [...told, leaf(this.#wording.dim(`… ${rest} more`))];
  }

  /** Without the run, where it is the reader's. */
  #nameIn(reader: string, id: string): string {
    const run = this.#facts.get(reader)?.run ?? "";
    return run !== "" && id.startsWith(`${run}/`) ? id.slice(run.length + 1) : id;
  }
}

function leaf(text: string): Branch {
  return { text, below: () => [] };
}

/** Depth first, so that what is told once is told where it is met first. */
function draw(branches: readonly Branch[]): string[] {
  return branches.flatMap((branch, at) => {
    const isLast = at === branches.length - 1;
    const { text } = branch;
    const lines = draw(branch.below());
    return [
      `${isLast ? "└─" : "├─"} ${text}`,
      ...lines.map((line) => `${isLast ? "  " : "│ "} ${line}`),
    ];
  });
}
