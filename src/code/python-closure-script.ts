/** The Python side of src/code/python-code.ts: which local modules a file reaches, their syntax trees hashed, what it imports from outside. */
export const PYTHON_CLOSURE_SCRIPT = String.raw`
import ast, hashlib, json, os, sys

def standard_names():
    names = getattr(sys, "stdlib_module_names", None)
    if names is not None:
        return set(names)
    listed = os.listdir(os.path.dirname(os.__file__))
    return set(sys.builtin_module_names) | {name.split(".")[0] for name in listed}

def without_docstrings(tree):
    for item in ast.walk(tree):
        if not isinstance(item, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or not item.body:
            continue
        first = item.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            item.body = item.body[1:] or [ast.Pass()]
    return tree

def dump(tree):
    if sys.version_info >= (3, 13):
        return ast.dump(tree, show_empty=True)
    return ast.dump(tree)

def local_file(root, here, level, name):
    base = root
    if level > 0:
        base = here
        for _ in range(level - 1):
            base = os.path.dirname(base)
    path = os.path.join(base, *[part for part in name.split(".") if part])
    for candidate in (path + ".py", os.path.join(path, "__init__.py")):
        if os.path.isfile(candidate):
            return candidate
    return None

def targets(item):
    if isinstance(item, ast.Import):
        return [(0, alias.name) for alias in item.names]
    if isinstance(item, ast.ImportFrom):
        module = item.module or ""
        dot = module + "." if module else ""
        return [(item.level, module)] + [(item.level, dot + alias.name) for alias in item.names]
    return []

def closure(directory, entry):
    root = os.path.dirname(entry)
    queue, files, outside, names = [entry], {}, set(), []
    while queue:
        file = queue.pop()
        if file in files:
            continue
        with open(file, "rb") as handle:
            source = handle.read()
        tree = ast.parse(source, os.path.relpath(file, directory))
        if file == entry:
            names = defined(tree)
        found = []
        for item in ast.walk(tree):
            for level, name in targets(item):
                hit = local_file(root, os.path.dirname(file), level, name)
                if hit is not None:
                    found.append(hit)
                    parts = name.split(".")
                    for count in range(1, len(parts)):
                        parent = local_file(root, os.path.dirname(file), level, ".".join(parts[:count]))
                        if parent is not None:
                            found.append(parent)
                elif level == 0 and name:
                    outside.add(name.split(".")[0])
        local = {name for name in outside if local_file(root, root, 0, name) or os.path.isdir(os.path.join(root, name))}
        outside -= local
        files[file] = hashlib.sha256(dump(without_docstrings(tree)).encode()).hexdigest()
        queue.extend(found)
    return {
        "files": {os.path.relpath(file, directory).replace(os.sep, "/"): tree for file, tree in files.items()},
        "imports": sorted(outside - standard_names()),
        "names": names,
    }

def defined(tree):
    names = set()
    for item in ast.walk(ast.Module(body=[part for part in tree.body], type_ignores=[])):
        if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(item.name)
        elif isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store):
            names.add(item.id)
        elif isinstance(item, (ast.Import, ast.ImportFrom)):
            names.update((alias.asname or alias.name).split(".")[0] for alias in item.names)
    return sorted(names)

def answer(directory, entry):
    try:
        return closure(directory, entry)
    except SyntaxError as error:
        return {"problem": "%s:%s: %s" % (error.filename, error.lineno, error.msg)}

request = json.load(sys.stdin)
json.dump([answer(request["directory"], entry) for entry in request["entries"]], sys.stdout)
`;
