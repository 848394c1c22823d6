// The smallest flow: a parameter, a step that reads it, and a step that reads the first one's artifact.
//   mf run examples/hello.ts -p name=you
import { flow, p } from "meshflow";

const hello = flow(
  "hello",
  { name: p.string("world", "whom to greet") },
  { doc: "Greets, then louder." },
);

const greet = hello.step("greet", hello.params, ({ name }) => ({ text: `hello ${name}` }));

hello.step("shout", greet, ({ text }) => ({ loud: `${text.toUpperCase()}!` }));

export default hello;
