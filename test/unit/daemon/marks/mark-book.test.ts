import assert from "node:assert/strict";
import { test } from "node:test";
import { MarkBook, markMessages } from "../../../../daemon/marks/mark-book.ts";
import { MARK_AHEAD_MS_MAX, MARKS_BYTES_MAX } from "../../../../daemon/marks/marks-limits.ts";
import { MARKS_MAX, type Mark } from "../../../../src/model/mark.ts";
import {
  exchangeMarks,
  MARKS_PER_MESSAGE_MAX,
  tellMarks,
} from "../../../../src/wire/marks-protocol.ts";

const NOW = 1_000_000;
const tag = (name: string, at = NOW, more: Partial<Mark> = {}): Mark => ({
  kind: "tag",
  on: "sweep/1",
  name,
  value: "",
  at,
  by: "ada@lab1",
  ...more,
});

function bookOf(marks: readonly Mark[]): MarkBook {
  const book = new MarkBook();
  book.add(marks);
  return book;
}

/** As the service does it, without a wire. Gives the messages it took. */
function exchange(asker: MarkBook, other: MarkBook): number {
  let count = 0;
  for (const bucket of other.differing(asker.digest())) {
    for (let after: Uint8Array | undefined; ;) {
      const page = asker.page(bucket, after);
      const sent = exchangeMarks.query.decode(exchangeMarks.query.encode(page));
      const answer = other.answer(sent);
      exchangeMarks.answer.encode({ ...answer, marks: [...answer.marks] });
      asker.add(answer.marks);
      for (const marks of markMessages(asker.owed(bucket, answer)))
        other.add(tellMarks.query.decode(tellMarks.query.encode({ marks })).marks);
      count++;
      const last = answer.through ?? (page.isLast ? undefined : page.has.slice(-16, -8));
      if (last === undefined) break;
      after = last;
    }
  }
  return count;
}

test("the digest is that of what is known, whatever the order it came in", () => {
  const marks = [tag("a"), tag("b"), tag("a", NOW + 1), tag("c", NOW, { by: "bob@lab2" })];
  const forwards = bookOf(marks);
  const backwards = bookOf([...marks].reverse());
  assert.deepEqual(forwards.digest(), backwards.digest());
  assert.deepEqual(forwards.differing(backwards.digest()), []);
  assert.notDeepEqual(bookOf(marks.slice(0, 2)).digest(), forwards.digest());
});

test("two books with different histories agree after one exchange, in pages where a bucket is long", () => {
  const names = Array.from({ length: 3_000 }, (_, i) => `t${i}`);
  const left = bookOf(names.slice(0, 2_000).map((name) => tag(name)));
  const right = bookOf(names.slice(1_000).map((name, i) => tag(name, NOW + (i % 3) - 1)));
  const newer = [...right.marks.values()].filter(({ at }) => at > NOW).length;
  exchange(left, right);
  assert.equal(left.marks.size, 3_000);
  assert.deepEqual(left.digest(), right.digest());
  assert.equal([...left.marks.values()].filter(({ at }) => at > NOW).length, newer);
  assert.equal(exchange(left, right), 0);
});

test("long notes come in several answers, and every one makes progress", () => {
  const notes = Array.from({ length: 400 }, (_, i): Mark => {
    return tag("", NOW, { kind: "note", on: `sweep/${i}`, value: "é".repeat(16_000) });
  });
  const full = bookOf(notes);
  const empty = new MarkBook();
  exchange(empty, full);
  assert.equal(empty.marks.size, 400);
  assert.ok(markMessages(notes).every((marks) => marks.length < 20));
  for (const marks of markMessages(notes)) tellMarks.query.encode({ marks });
});

test("a mark from far ahead waits, and can be overwritten when its time has come", () => {
  const book = new MarkBook();
  const future = tag("a", NOW + MARK_AHEAD_MS_MAX + 1);
  assert.deepEqual(book.sift([future], NOW), { fresh: [], refused: 1 });
  assert.deepEqual(book.sift([tag("a", Number.MAX_VALUE)], NOW).refused, 1);
  assert.deepEqual(book.sift([future], NOW + 1), { fresh: [future], refused: 0 });
});

test("what does not fit is refused; what replaces is not", () => {
  const book = bookOf(Array.from({ length: MARKS_MAX }, (_, i) => tag(`t${i}`)));
  const { fresh, refused } = book.sift([tag("new"), tag("t1", NOW + 1)], NOW);
  assert.deepEqual([fresh.map(({ name }) => name), refused], [["t1"], 1]);
  const large = tag("", NOW, { kind: "note", value: "x".repeat(16_000) });
  const notes = Array.from({ length: MARKS_BYTES_MAX / 16_000 + 1 }, (_, i): Mark => {
    return { ...large, on: `sweep/${i}` };
  });
  assert.ok(new MarkBook().sift(notes, NOW).refused > 0);
});

test("of several versions in one message the latest is news, once", () => {
  const { fresh } = new MarkBook().sift([tag("a"), tag("a", NOW + 2), tag("a", NOW + 1)], NOW);
  assert.deepEqual(fresh, [tag("a", NOW + 2)]);
});

test("marks that no version of ours would write are left out of a message; the others are read", () => {
  const bad: unknown[] = [
    { ...tag("a"), kind: "crown" },
    { ...tag("a"), on: "../etc" },
    { ...tag("a"), on: "sweep/UPPER" },
    tag("a b"),
    tag("x\u001B[31m"),
    tag("", NOW),
    tag("named", NOW, { kind: "note" }),
    { ...tag("a"), at: -1 },
    { ...tag("a"), by: "" },
    { ...tag("a"), value: 7 },
    "no mark",
    7,
  ];
  const good = tag("good");
  const encoded = tellMarks.query.encode({ marks: [...(bad as Mark[]), good] });
  assert.deepEqual(tellMarks.query.decode(encoded).marks, [good]);
  const many = Array.from({ length: MARKS_PER_MESSAGE_MAX + 1 }, () => good);
  assert.throws(() => tellMarks.query.decode(tellMarks.query.encode({ marks: many })));
});

test("whatever is asked, an answer is an answer", () => {
  const book = bookOf([tag("a"), tag("b")]);
  const has = new Uint8Array(32).fill(255);
  for (const isLast of [true, false]) {
    const answer = book.answer({ bucket: 0, has, isLast });
    assert.ok(answer.wants.length <= 16);
    assert.deepEqual(book.owed(0, { marks: [], wants: has }), []);
  }
  assert.deepEqual(book.answer({ bucket: 3, has: new Uint8Array(), isLast: false }).marks, []);
});
