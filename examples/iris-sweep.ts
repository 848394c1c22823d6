// A sweep: softmax regression on Fisher's iris data, every learning rate with every depth of polynomial features, each of them
// cross-validated. Twelve fits, five folds each: 60 small trainings that run side by side.
//   mf run examples/iris-sweep.ts
//   mf get iris-sweep/latest/best/winner
import { collect, each, flow, p } from "meshflow";

interface Table {
  readonly columns: number;
  readonly rows: Float64Array;
}

const sweep = flow(
  "iris-sweep",
  {
    csv: p.file("data/iris.csv", "measurements, with the species in the last column"),
    folds: p.number(5, "parts for cross-validation"),
    epochs: p.number(200, "passes over the data"),
  },
  { doc: "Finds the learning rate and depth that predict iris species best." },
);

const load = sweep.step(
  "load",
  { csv: sweep.params.csv, folds: sweep.params.folds },
  async ({ csv, folds }, ctx) => {
    const lines = (await csv.text()).trim().split("\n").slice(1);
    // Shuffled by the task's own seed: the file is sorted by species, and a rerun must draw the same folds.
    for (let last = lines.length - 1; last > 0; last--) {
      const other = Math.floor(ctx.random() * (last + 1));
      [lines[last], lines[other]] = [lines[other] ?? "", lines[last] ?? ""];
    }
    const cells = lines.map((line) => line.split(","));
    const species = [...new Set(cells.map((row) => row.at(-1) ?? ""))].sort();
    ctx.log(`${cells.length} flowers of ${species.length} species`);
    return {
      X: Float64Array.from(cells.flatMap((row) => row.slice(0, -1).map(Number))),
      y: Int32Array.from(cells, (row) => species.indexOf(row.at(-1) ?? "")),
      species,
      lrs: [0.003, 0.03, 0.1, 0.3],
      depths: [1, 2, 3],
      folds: Array.from({ length: folds }, (_, fold) => fold),
    };
  },
);

// One task for each learning rate and depth.
const fit = sweep.step(
  "fit",
  {
    X: load.X,
    y: load.y,
    species: load.species,
    epochs: sweep.params.epochs,
    lr: each(load.lrs),
    depth: each(load.depths),
  },
  { retry: 1, timeout: "5m" },
  ({ X, y, species, epochs, lr, depth }, ctx) => {
    const table = features(X, X.length / y.length, depth);
    const weights = train(
      { table, y, classes: species.length, lr, epochs, rows: allRows(y.length) },
      (fraction) => ctx.progress(fraction),
    );
    return { lr, depth, weights, trainAccuracy: accuracy(table, y, weights, allRows(y.length)) };
  },
);

// Nested: for each of those, one task for each fold.
const cv = sweep.step(
  "cv",
  {
    X: load.X,
    y: load.y,
    species: load.species,
    folds: load.folds,
    epochs: sweep.params.epochs,
    lr: fit.lr,
    depth: fit.depth,
    fold: each(load.folds),
  },
  ({ X, y, species, folds, epochs, lr, depth, fold }) => {
    const table = features(X, X.length / y.length, depth);
    const isHeldOut = (row: number): boolean => row % folds.length === fold;
    const rows = allRows(y.length);
    const weights = train({
      table,
      y,
      classes: species.length,
      lr,
      epochs,
      rows: rows.filter((row) => !isHeldOut(row)),
    });
    return { accuracy: accuracy(table, y, weights, rows.filter(isHeldOut)) };
  },
);

const mean = sweep.step(
  "mean",
  { scores: collect(cv.accuracy), lr: fit.lr, depth: fit.depth },
  ({ scores, lr, depth }) => ({
    lr,
    depth,
    accuracy: scores.reduce((sum, score) => sum + score, 0) / scores.length,
  }),
);

sweep.step("best", { all: collect(mean) }, ({ all }) => {
  const winner = all.reduce((best, one) => (one.accuracy > best.accuracy ? one : best));
  return {
    winner,
    accuracy: winner.accuracy,
    table: all.map(({ lr, depth, accuracy }) => ({ lr, depth, accuracy })),
  };
});

export default sweep;

function allRows(count: number): number[] {
  return Array.from({ length: count }, (_, row) => row);
}

/** Standardised measurements and their powers up to `depth`, with a constant in front. */
function features(X: Float64Array, width: number, depth: number): Table {
  const count = X.length / width;
  const columns = 1 + width * depth;
  const rows = new Float64Array(count * columns).fill(1);
  for (let column = 0; column < width; column++) {
    const values = Array.from({ length: count }, (_, row) => X[row * width + column] ?? 0);
    const middle = values.reduce((sum, value) => sum + value, 0) / count;
    const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / count);
    for (const [row, value] of values.entries()) {
      for (let power = 1; power <= depth; power++) {
        rows[row * columns + 1 + (power - 1) * width + column] =
          ((value - middle) / spread) ** power;
      }
    }
  }
  return { columns, rows };
}

interface Training {
  readonly table: Table;
  readonly y: Int32Array;
  readonly classes: number;
  readonly lr: number;
  readonly epochs: number;
  readonly rows: readonly number[];
}

/** Softmax regression by gradient descent, over the whole batch. */
function train(of: Training, progress?: (fraction: number) => void): Float64Array {
  const { table, y, classes, lr, epochs, rows } = of;
  const weights = new Float64Array(classes * table.columns);
  for (let epoch = 0; epoch < epochs; epoch++) {
    const gradient = new Float64Array(weights.length);
    for (const row of rows) {
      const chances = softmax(scores(table, weights, row, classes));
      for (const [kind, chance] of chances.entries()) {
        const error = chance - (y[row] === kind ? 1 : 0);
        for (let column = 0; column < table.columns; column++) {
          const at = kind * table.columns + column;
          gradient[at] =
            (gradient[at] ?? 0) + error * (table.rows[row * table.columns + column] ?? 0);
        }
      }
    }
    for (const [at, slope] of gradient.entries())
      weights[at] = (weights[at] ?? 0) - (lr * slope) / rows.length;
    if (epoch % 50 === 0) progress?.(epoch / epochs);
  }
  return weights;
}

function scores(table: Table, weights: Float64Array, row: number, classes: number): number[] {
  return Array.from({ length: classes }, (_, kind) => {
    let sum = 0;
    for (let column = 0; column < table.columns; column++) {
      sum +=
        (weights[kind * table.columns + column] ?? 0) *
        (table.rows[row * table.columns + column] ?? 0);
    }
    return sum;
  });
}

function softmax(values: readonly number[]): number[] {
  const highest = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - highest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

function accuracy(
  table: Table,
  y: Int32Array,
  weights: Float64Array,
  rows: readonly number[],
): number {
  const classes = weights.length / table.columns;
  const right = rows.filter((row) => {
    const given = scores(table, weights, row, classes);
    return given.indexOf(Math.max(...given)) === y[row];
  });
  return right.length / rows.length;
}
