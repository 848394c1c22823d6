// Weather of two cities from the tables of the npm package vega-datasets: one task for each city and year.
//   mf run examples/weather.ts
//   mf get weather/latest/summary/table
import { collect, each, flow, p } from "meshflow";

const weather = flow(
  "weather",
  {
    seattle: p.file(
      "../node_modules/vega-datasets/data/seattle-weather.csv",
      "daily weather of Seattle",
    ),
    others: p.file(
      "../node_modules/vega-datasets/data/weather.csv",
      "daily weather with a location column",
    ),
  },
  { doc: "Summarises daily weather by city, year and month." },
);

interface Day {
  readonly city: string;
  readonly date: string;
  readonly rain: number;
  readonly high: number;
  readonly low: number;
  readonly wind: number;
}

const read = weather.step("read", weather.params, async ({ seattle, others }, ctx) => {
  const days = [
    ...parse(await seattle.text(), "Seattle"),
    // The second table repeats Seattle.
    ...parse(await others.text()).filter((day) => day.city !== "Seattle"),
  ];
  ctx.log(`${days.length} days`);
  const groups = groupBy(days, (day) => `${day.city} ${day.date.slice(0, 4)}`);
  return {
    groups: [...groups.values()].map((days) => ({
      city: days[0]?.city ?? "",
      year: Number(days[0]?.date.slice(0, 4)),
      days,
    })),
  };
});

const monthly = weather.step("monthly", { group: each(read.groups) }, ({ group }) => {
  const months = groupBy(group.days, (day) => Number(day.date.slice(5, 7)));
  const rows = [...months].map(([month, days]) => ({
    city: group.city,
    year: group.year,
    month,
    days: days.length,
    rainMm: rounded(sum(days.map((day) => day.rain))),
    rainyDays: days.filter((day) => day.rain > 0).length,
    highC: rounded(Math.max(...days.map((day) => day.high))),
    lowC: rounded(Math.min(...days.map((day) => day.low))),
    meanC: rounded(sum(days.map((day) => (day.high + day.low) / 2)) / days.length),
    windMs: rounded(sum(days.map((day) => day.wind)) / days.length),
  }));
  return { rows };
});

weather.step("summary", { rows: collect(monthly.rows) }, ({ rows }) => {
  const table = rows.flat();
  const wettest = table.reduce((most, row) => (row.rainMm > most.rainMm ? row : most));
  return { table, months: table.length, wettest };
});

export default weather;

function parse(csv: string, city?: string): Day[] {
  const [header = "", ...lines] = csv.trim().split(/\r?\n/);
  const names = header.split(",");
  return lines.map((line) => {
    const cells = line.split(",");
    const cell = (name: string): string => cells[names.indexOf(name)] ?? "";
    return {
      city: city ?? cell("location"),
      date: cell("date"),
      rain: Number(cell("precipitation")),
      high: Number(cell("temp_max")),
      low: Number(cell("temp_min")),
      wind: Number(cell("wind")),
    };
  });
}

function groupBy<Row, Key>(rows: readonly Row[], keyOf: (row: Row) => Key): Map<Key, Row[]> {
  const groups = new Map<Key, Row[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return groups;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
