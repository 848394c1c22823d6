/** An origin as a mermaid diagram: tasks as boxes, what comes from outside rounded, elements of a foreach as one box. */
import type { InputOrigin, Origin } from "./origin.ts";
import { shortText } from "./plain-text.ts";
import { idText } from "./reason-words.ts";

/** Beyond this nobody reads a diagram, and renderers refuse it. */
const BOXES_MAX = 300;

export function originMermaid(origin: Origin): string {
  const drawing = new Drawing(origin);
  return `${drawing.lines().join("\n")}\n`;
}

class Drawing {
  readonly #origin: Origin;
  readonly #boxes = new Map<string, string>();
  readonly #lines: string[] = ["flowchart LR"];
  readonly #arrows = new Set<string>();

  constructor(origin: Origin) {
    this.#origin = origin;
  }

  lines(): string[] {
    for (const { to, name, from } of this.#origin.inputs) {
      if (this.#boxes.size >= BOXES_MAX) {
        this.#lines.push("  %% more is left out");
        break;
      }
      for (const source of this.#sources(from)) {
        const arrow = `  ${source} -->|${quoted(name)}| ${this.#task(to)}`;
        if (this.#arrows.has(arrow)) continue;
        this.#arrows.add(arrow);
        this.#lines.push(arrow);
      }
    }
    for (const root of this.#origin.roots) this.#task(root);
    return this.#lines;
  }

  #sources(from: InputOrigin): string[] {
    switch (from.k) {
      case "task":
        return [this.#task(from.fact)];
      case "tasks":
        return [...new Set(from.facts.map((fact) => this.#task(fact)))];
      case "parameter":
        return [this.#round(`parameter ${from.name} = ${shortText(from.text)}`)];
      case "constant":
        return [this.#round(`constant ${shortText(from.text)}`)];
      case "source":
        return [this.#round(`source ${from.name} ${idText(from.version)}`)];
      case "version":
        return [from.fact === undefined ? this.#round(from.pathspec) : this.#task(from.fact)];
      case "unknown":
        return [];
    }
  }

  /** One box for all tasks of a step in a run. */
  #task(id: string): string {
    const step = id.replace(/\[[\d,]*\]$/, "");
    const isRoot = this.#origin.roots.includes(id);
    const text = step === id || isRoot ? id : `${step}[…]`;
    return this.#box(text, (label) => `[${label}]`);
  }

  #round(text: string): string {
    return this.#box(text, (label) => `([${label}])`);
  }

  #box(text: string, shape: (label: string) => string): string {
    let name = this.#boxes.get(text);
    if (name === undefined) {
      name = `b${this.#boxes.size}`;
      this.#boxes.set(text, name);
      this.#lines.push(`  ${name}${shape(quoted(text))}`);
    }
    return name;
  }
}

/** Mermaid reads entities, and no quotes inside quotes. */
function quoted(text: string): string {
  return `"${text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;").replaceAll(/\s+/g, " ")}"`;
}
