// Two languages in one flow: TypeScript reads the data, Python trains with scikit-learn, TypeScript reports. Typed arrays arrive
// in Python as numpy arrays, and numpy arrays come back as typed arrays. Needs: pip install scikit-learn
//   mf run examples/iris-sklearn.ts
import { collect, each, flow, p } from "meshflow";
import { z } from "zod";

const iris = flow(
  "iris-sklearn",
  { csv: p.file("data/iris.csv", "measurements, with the species in the last column") },
  { doc: "Logistic regression on iris data, in Python, for several strengths of regularisation." },
);

const load = iris.step("load", iris.params, async ({ csv }) => {
  const cells = (await csv.text())
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(","));
  const species = [...new Set(cells.map((row) => row.at(-1) ?? ""))];
  return {
    X: Float64Array.from(cells.flatMap((row) => row.slice(0, -1).map(Number))),
    y: Int32Array.from(cells, (row) => species.indexOf(row.at(-1) ?? "")),
    columns: (cells[0]?.length ?? 1) - 1,
    species,
    strengths: [0.1, 1, 10],
  };
});

const fit = iris.python(
  "fit",
  { X: load.X, y: load.y, columns: load.columns, strength: each(load.strengths) },
  {
    file: "iris_sklearn.py",
    fn: "fit",
    requires: ["scikit-learn"],
    out: z.object({
      strength: z.number(),
      accuracy: z.number(),
      coefficients: z.instanceof(Float64Array),
      predicted: z.instanceof(Int32Array),
    }),
  },
);

iris.step(
  "report",
  { fits: collect(fit), y: load.y, species: load.species },
  ({ fits, y, species }) => {
    const best = fits.reduce((most, one) => (one.accuracy > most.accuracy ? one : most));
    const confusion = species.map((actual, row) => ({
      actual,
      ...Object.fromEntries(
        species.map((predicted, column) => [
          predicted,
          y.filter((kind, index) => kind === row && best.predicted[index] === column).length,
        ]),
      ),
    }));
    return { strength: best.strength, accuracy: best.accuracy, confusion };
  },
);

export default iris;
