/**
 * Every operating error Meshflow can report: code -> what happened and what to do about it. `{name}` is filled from the
 * error's details. A new code only where some caller reacts differently. docs/errors.md is compared with this table by a test.
 * `exit` is the process exit code of design §2.
 */
import { row, type ErrorRow } from "./error-row.ts";
import { MESH_ERROR_ROWS } from "./mesh-error-rows.ts";

export const ERROR_TABLE = {
  // usage
  USAGE: row(2, "{message}", "See `mf {command} --help`."),
  PARAM_MISSING: row(
    2,
    'Flow "{flow}" needs parameter "{param}" ({kind}).',
    "Pass it: -p {param}=VALUE.",
  ),
  PARAM_UNKNOWN: row(2, 'Flow "{flow}" has no parameter "{param}".', "{hint}"),
  STEP_UNKNOWN: row(2, 'Flow "{flow}" has no step "{step}".', "{hint}"),
  PARAM_INVALID: row(
    2,
    'Parameter "{param}" of flow "{flow}": {reason} (got {value}).',
    "Pass -p {param}=VALUE with a value of that kind.",
  ),
  SOURCE_INVALID: row(2, 'Source {source} of flow "{flow}" cannot be read: {reason}.', "{hint}"),
  SOURCE_CHANGED: row(
    6,
    "{file} changed while it was stored for source {source}.",
    "Run again once nothing writes to it: a run keeps files as they are at one moment.",
  ),
  // flow files and graphs
  FLOW_FILE_MISSING: row(
    2,
    "There is no flow file {file}.",
    "Check the path; a flow file is a TypeScript module whose default export is a flow().",
  ),
  FLOW_NOT_EXPORTED: row(
    2,
    "{file} does not export a flow.",
    "End the file with `export default yourFlow;`.",
  ),
  FLOW_BUILD_FAILED: row(
    2,
    "{file} cannot be bundled: {reason}",
    "Fix the import or the syntax that the message names.",
  ),
  FLOW_EVALUATION_FAILED: row(
    2,
    "{file} failed while its graph was built: {reason}",
    "Module-level code runs once to build the graph; move work into a step.",
  ),
  FLOW_TYPES_INVALID: row(
    2,
    "{file} has {count} type error(s).",
    "Fix what is listed, or run with --no-check to skip the type check.",
  ),
  GRAPH_INVALID: row(
    2,
    'Flow "{flow}" is not a valid graph: {count} problem(s).',
    "Fix each problem listed; `mf check {file}` shows them again.",
  ),
  STEP_NAME_DUPLICATE: row(
    2,
    'Flow "{flow}" has two steps named "{step}".',
    "Step names are identities: rename one of them.",
  ),
  STEP_CAPTURES: row(
    2,
    'Step "{step}" captures {names} of an enclosing function ({at}).',
    "A step's code travels without that function. Pass the value as an input: { {name}: flow.value({name}) }.",
  ),
  STEP_READS_HANDLE: row(
    2,
    'Step "{step}" reads {names}, a flow or one of its handles, inside its function ({at}).',
    "A handle has no value there. Pass it as an input: { {name} }, and use the argument.",
  ),
  STEP_FUNCTION_FOREIGN: row(
    2,
    'Step "{step}" is given {what}, whose code cannot travel.',
    "Write the step as a function of its own that calls it: (inputs, ctx) => theFunction(inputs, ctx).",
  ),
  PACKAGE_UNRESOLVED: row(
    2,
    'Package "{package}" is native or external and is not installed beside {file}.',
    "Install it: npm install {package}.",
  ),
  // values
  RESULT_UNSTORABLE: row(
    1,
    'Step "{step}" returned a value that cannot be stored: {path} is {what}.',
    "Return data: numbers, strings, arrays, plain objects, typed arrays, Map, Set, Date, bigint, bytes or files.",
  ),
  RESULT_NOT_OBJECT: row(
    1,
    'Step "{step}" returned {what}; a step returns an object whose properties are its artifacts.',
    "Return { name: value }.",
  ),
  EACH_NOT_LIST: row(
    1,
    'each({source}) needs a list, but "{step}" stored {what}.',
    "Return an array (or typed array, Set) under that name.",
  ),
  TASKS_TOO_MANY: row(
    1,
    'Step "{step}" would open {count} tasks; the limit is {max}.',
    "Pass --max-tasks {count} if that is what you want.",
  ),
  INPUT_MISSING: row(
    1,
    "{source} did not return {name} (it returned: {known}).",
    "Return that property, or read another one.",
  ),
  SWITCH_UNMATCHED: row(
    1,
    'Switch "{switch}" has no case for {value}; it has: {cases}.',
    "Add that case, or an `else`.",
  ),
  RESOURCES_UNMET: row(
    4,
    'Step "{step}" needs {need}; {where} {has}.',
    "Ask for less ({option}), or add a machine that has it.",
  ),
  // attempts
  STEP_THREW: row(1, "{message}", "Fix the step; finished tasks are kept and will be reused."),
  STEP_EXITED: row(
    1,
    "The step ended its own process (exit {code}).",
    "A step returns or throws; it must not call process.exit.",
  ),
  STEP_CRASHED: row(
    1,
    "The step's process died ({signal}).",
    "Native code in the step crashed, or something killed it; see its log.",
  ),
  STEP_TIMEOUT: row(
    1,
    "The attempt ran longer than its timeout of {timeout}.",
    "Raise `timeout`, or stop early when ctx.signal aborts.",
  ),
  STEP_MEMORY: row(
    1,
    "The attempt used {used}, over its limit of {limit}.",
    "Declare more: resources: { mem: '4GB' }.",
  ),
  STEP_CANCELLED: row(
    130,
    "The attempt was cancelled.",
    "Run the flow again; finished tasks are reused.",
  ),
  PYTHON_MISSING: row(
    1,
    "No Python interpreter was found ({tried}).",
    "Install Python 3.9 or newer, or set MF_PYTHON to an interpreter.",
  ),
  PYTHON_FILE_MISSING: row(
    2,
    'Python step "{step}" names {file}, which does not exist.',
    "Paths are relative to the flow file.",
  ),
  PYTHON_FUNCTION_MISSING: row(
    2,
    'Python step "{step}" names function {fn}, which {file} does not define.',
    "Define it at the top level of that file, or correct the name.",
  ),
  PYTHON_PACKAGE_MISSING: row(
    1,
    'Python step "{step}" needs {packages}, which {python} does not have.',
    "Install: {python} -m pip install {packages}. Another interpreter: MF_PYTHON, for a daemon where mfd starts.",
  ),
  PACKAGES_MISSING: row(
    1,
    'Step "{step}" needs {packages}, and {directory} on {machine} has {found}.',
    "Install what is missing: {command}",
  ),
  PYTHON_OUTPUT_INVALID: row(
    1,
    'Python step "{step}" returned a value its `out` schema refuses: {reason}.',
    "Return what `out` declares, or change `out`.",
  ),
  // look-ups
  TAG_INVALID: row(
    2,
    'Tag "{tag}" cannot be given: {reason}.',
    "A tag is a word: letters, digits, dots, dashes, colons.",
  ),
  TAGS_TOO_MANY: row(
    2,
    "{on} would have {count} tags; the limit is {max}.",
    "Take some off: `mf tag {on} TAG --remove`.",
  ),
  TAG_RESERVED: row(
    2,
    'Tag "{tag}" can neither be given nor taken off: tags that begin so are a run\'s own.',
    "Those ({kinds}) say what the run is, and filters take them; use another word.",
  ),
  TAG_NOT_FOUND: row(3, '{who} the tag "{tag}".', "{hint}"),
  NOTE_TOO_LONG: row(
    2,
    "The note has {count} characters; the limit is {max}.",
    "Keep the text in a file beside the flow, and its name in the note.",
  ),
  MARK_INVALID: row(
    2,
    'Nothing named "{on}" can have a {kind}: {reason}.',
    "Name a run as flow/id; a pin may also be on c:ID.",
  ),
  MARKS_FULL: row(
    6,
    "{count} tags, notes and pins are kept already; the limit is {max}.",
    "Those that were taken off count too: a mesh keeps them so that they stay off.",
  ),
  RUN_NOT_FOUND: row(3, "There is no run {run}.", "`mf ls` lists runs."),
  RUN_GOING_ON: row(
    6,
    "Run {run} still goes on ({where}).",
    "Follow it to its end: mf watch {run}. Or end it: mf cancel {run}.",
  ),
  RUN_INCOMPLETE: row(
    7,
    "Run {run} cannot be repeated: {what} is stored nowhere that can be reached ({id}).",
    "A peer that has it may be away (`mf peers`). A parameter can be given anew: mf rerun {run} -p name=value.",
  ),
  RUN_HELD: row(
    6,
    "Run {run} is {held}, so it is not removed.",
    "Take that off, or remove it all the same: `mf rm --force {run}`.",
  ),
  RUN_COLLECTED: row(
    7,
    "Run {run} cannot come back: {missing} of its {total} results were collected.",
    "Run the flow again: what is left is reused.",
  ),
  RUN_ENDED: row(
    6,
    "Run {run} has ended ({state}).",
    "Run the flow again: finished tasks are reused.",
  ),
  RUN_UNFINISHED: row(6, "Run {run} goes on ({state}).", "Wait for its end: `mf watch {run}`."),
  RUN_DAMAGED: row(
    7,
    "Run {run} cannot be exported: {reason}.",
    "`mf verify {run}` says all that is wrong with it.",
  ),
  PACK_INVALID: row(
    7,
    "{file} cannot be imported: {reason}.",
    "Nothing of it was taken. Export the run again where it ran: `mf export RUN -o FILE`.",
  ),
  PACK_CONFLICT: row(
    6,
    "Another run {run} than the one in {file} is here.",
    "Nothing was changed. Import it into another home: MF_HOME=DIR mf import {file}.",
  ),
  PACK_WITHOUT_DATA: row(
    7,
    "The data of {pathspec} is not here: run {run} was imported without data.",
    "Import a pack of it that has data (`mf export` without --no-data), or run it again.",
  ),
  PATHSPEC_INVALID: row(
    2,
    '"{text}" is not a pathspec: {reason}.',
    "Write flow/run/step[i]/artifact; the run may be `latest`, `@tag`, a date or a unique prefix.",
  ),
  PATHSPEC_NOT_FOUND: row(3, "Nothing is stored at {pathspec}: {reason}.", "{hint}"),
  PATHSPEC_AMBIGUOUS: row(
    6,
    '"{text}" fits several: {candidates}.',
    "Give more characters, or the whole id.",
  ),
  FORMAT_UNSUPPORTED: row(2, "{what} cannot be written as {format}.", "Use one of: {formats}."),
  // store
  STORE_IN_USE: row(
    6,
    "The store in {home} is in use by process {pid}.",
    "Wait for it, stop it, or use another one: MF_HOME=DIR.",
  ),
  STORE_UNWRITABLE: row(
    5,
    "The store in {home} cannot be written: {reason}.",
    "Make the directory writable, or use another one: MF_HOME=DIR.",
  ),
  STORE_FULL: row(
    7,
    "The disk under {home} is full; what was acknowledged is safe.",
    "Free some space, then run again: finished tasks are reused.",
  ),
  STORE_POISONED: row(
    7,
    "The store stopped after a write error: {reason}.",
    "Run again: the store reopens and verifies; what was acknowledged is safe.",
  ),
  STORE_CORRUPT: row(
    7,
    "The store in {home} is damaged: {reason}.",
    "Move it aside; facts and artifacts are rebuilt by running again.",
  ),
  JOURNAL_HOLE: row(
    7,
    "The journal of run {run} has {length} entries; entry {from} cannot follow.",
    "This is a bug in Meshflow; please report it.",
  ),
  CONTENT_MISSING: row(7, "Content {id} is not in this store.", "Run the step that made it again."),
  CONTENT_MISMATCH: row(
    7,
    "Stored content of {id} does not hash to its id.",
    "The copy was set aside; run the step that made it again.",
  ),
  CONTENT_MALFORMED: row(
    7,
    "Stored content cannot be decoded: {reason}.",
    "Run the step that made it again; if that does not help, it was written by a newer Meshflow.",
  ),
  CONTENT_ID_INVALID: row(
    2,
    '"{text}" is not a content id: {reason}.',
    "Copy the whole id as `mf list` prints it.",
  ),
  CONTROL_LOST: row(
    6,
    "The daemon (or the `mf run`) of this home ended while it was asked.",
    "Ask again; `mfd start` starts a daemon that has stopped.",
  ),
  ...MESH_ERROR_ROWS,
  // rim
  INTERRUPTED: row(130, "Interrupted.", "Run it again: what was finished is reused."),
  NOT_AVAILABLE: row(2, "{what} is not part of this version.", "{hint}"),
  INTERNAL: row(
    1,
    "Unexpected: {message}",
    "This is a bug in Meshflow; please report it with the stack shown by MF_DEBUG=1.",
  ),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_TABLE;
