"""The Python side of a step host; standard library only. Frames on pipe 3 (in) and 4 (out): u32 length, JSON, raw buffers."""
import array, ctypes, importlib, inspect, json, math, os, pathlib, pickle, random, signal, struct, sys, threading, time, traceback, types
from datetime import date, datetime, timezone

INP, OUT, PARENT = os.fdopen(3, 'rb'), os.fdopen(4, 'wb'), int(sys.argv[1])
CODES = {'f8': 'd', 'f4': 'f', 'i1': 'b', 'u1': 'B', 'i2': 'h', 'u2': 'H', 'i4': 'i', 'u4': 'I', 'i8': 'q', 'u8': 'Q'}


def die_with_parent():
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    except Exception:
        pass

    def watch():
        while os.getppid() == PARENT:
            time.sleep(0.5)
        os._exit(1)
    threading.Thread(target=watch, daemon=True).start()


def read(count):
    data = INP.read(count)
    if len(data) < count:
        os._exit(0)
    return data


def decode(x, bufs):
    if isinstance(x, list):
        return [decode(v, bufs) for v in x]
    if not isinstance(x, dict):
        return x
    kind = x['$']
    if kind == 'array':
        try:
            import numpy as np
            return np.frombuffer(bytearray(bufs[x['b']]), dtype=x['dtype']).reshape(x['shape'])
        except ImportError:
            return array.array(CODES[x['dtype'][1:]], bufs[x['b']])
    if kind == 'dict':
        return {decode(k, bufs): decode(v, bufs) for k, v in x['v']}
    if kind == 'set':
        return set(decode(x['v'], bufs))
    if kind == 'bytes':
        return bytes(bufs[x['b']])
    if kind == 'date':
        return datetime.fromtimestamp(x['v'] / 1000, timezone.utc)
    return {'int': int, 'float': float, 'path': pathlib.Path}[kind](x['v'])


def buffer(data, bufs, **tag):
    bufs.append(data)
    return {'b': len(bufs) - 1, **tag}


def encode_numpy(x, bufs, where):
    import numpy as np
    if isinstance(x, np.generic) or x.ndim == 0:
        return encode(x.item(), bufs, where)
    if x.dtype.kind not in 'fiub' or x.dtype.itemsize > 8 or x.dtype.str[1:] == 'f2':
        raise TypeError(f'{where} is a numpy array of dtype {x.dtype}, which cannot be stored; convert it, e.g. with .astype("float64")')
    x = np.ascontiguousarray(x, dtype=x.dtype.newbyteorder('<'))
    return buffer(x.tobytes(), bufs, **{'$': 'array', 'dtype': x.dtype.str, 'shape': list(x.shape)})


def encode(x, bufs, where):
    if x is None or isinstance(x, (bool, str)):
        return x
    if type(x).__module__ == 'numpy' and hasattr(x, 'dtype'):
        return encode_numpy(x, bufs, where)
    if isinstance(x, int):
        return int(x) if abs(x) < 2 ** 53 else {'$': 'int', 'v': str(x)}
    if isinstance(x, float):
        return x if math.isfinite(x) else {'$': 'float', 'v': 'NaN' if x != x else 'Infinity' if x > 0 else '-Infinity'}
    if isinstance(x, (bytes, bytearray, memoryview)):
        return buffer(bytes(x), bufs, **{'$': 'bytes'})
    if isinstance(x, array.array) and x.typecode != 'u':
        size = ('f' if x.typecode in 'df' else 'u' if x.typecode.isupper() else 'i') + str(x.itemsize)
        return buffer(x.tobytes(), bufs, **{'$': 'array', 'dtype': ('|' if x.itemsize == 1 else '<') + size, 'shape': [len(x)]})
    if isinstance(x, dict):
        return {'$': 'dict', 'v': [[encode(k, bufs, where), encode(v, bufs, f'{where}.{k}')] for k, v in x.items()]}
    if isinstance(x, (list, tuple)):
        return [encode(v, bufs, f'{where}[{i}]') for i, v in enumerate(x)]
    if isinstance(x, (set, frozenset)):
        return {'$': 'set', 'v': [encode(v, bufs, where) for v in x]}
    if isinstance(x, (date, datetime)):
        raise TypeError(f'{where} is a {type(x).__name__}; return .isoformat() or .timestamp()')
    if isinstance(x, pathlib.Path) and x.is_file():
        return {'$': 'path', 'v': str(x.resolve())}
    return buffer(pickle.dumps(x, protocol=4), bufs, **{'$': 'pickle', 'type': f'{type(x).__module__}.{type(x).__qualname__}'})


def seed(number, imports):
    """Whoever draws from the global generators draws the same again. numpy's takes 32 bits, which is what a task's seed has."""
    random.seed(number)
    if 'numpy' in sys.modules or 'numpy' in imports:
        try:
            importlib.import_module('numpy').random.seed(number)
        except (ImportError, AttributeError):
            pass


def takes_ctx(fn, inputs):
    try:
        found = inspect.signature(fn).parameters.get('ctx')
    except (TypeError, ValueError):
        return False
    return 'ctx' not in inputs and found is not None and found.kind in (found.POSITIONAL_OR_KEYWORD, found.KEYWORD_ONLY)


def call(head, bufs, out):
    folder, name = head['dir'], head['entry'][:-3].replace('/', '.')
    known = set(sys.modules)
    sys.path.insert(0, folder)
    try:
        importlib.invalidate_caches()
        ctx = types.SimpleNamespace(**head['ctx'])
        imports = ctx.__dict__.pop('imports')
        seed(ctx.seed, imports)
        fn = getattr(importlib.import_module(name), head['fn'])
        inputs = decode(head['inputs'], bufs)
        seed(ctx.seed, imports)  # once more: what modules drew while they were imported does not count
        result = fn(**inputs, ctx=ctx) if takes_ctx(fn, inputs) else fn(**inputs)
        if result is None:
            result = {}
        if not isinstance(result, dict):
            raise TypeError(f'a step returns a dict whose entries are its artifacts, not {type(result).__name__}')
        return {'ok': encode(result, out, 'result')}
    except SystemExit as e:
        return {'error': {'name': 'SystemExit', 'message': str(e), 'stack': '', 'exit': e.code if isinstance(e.code, int) else 0 if e.code is None else 1}}
    except BaseException as e:
        lines = [line for line in traceback.format_exception(type(e), e, e.__traceback__) if __file__ not in line]
        return {'error': {'name': type(e).__name__, 'message': str(e), 'stack': ''.join(lines).replace(folder + os.sep, '')}}
    finally:
        sys.path.remove(folder)
        for module in set(sys.modules) - known:
            if str(getattr(sys.modules[module], '__file__', None) or '').startswith(folder):
                del sys.modules[module]
        flush()


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass  # the step closed or replaced it


def mark_prints():
    """Tells the reader of the pipes that all prints of this call are written."""
    try:
        for fd in (1, 2):
            os.write(fd, b'\0mf:printed\0')
        return True
    except OSError:
        return False


def main():
    die_with_parent()
    while True:
        try:
            head = json.loads(read(struct.unpack('<I', read(4))[0]))
            bufs, out = [read(n) for n in head['buffers']], []
            answer = call(head, bufs, out)
        except KeyboardInterrupt:
            continue
        if 'error' in answer:
            out = []
        body = json.dumps({**answer, 'isMarked': mark_prints(), 'buffers': [len(b) for b in out]}).encode()
        OUT.write(struct.pack('<I', len(body)) + body)
        for b in out:
            OUT.write(b)
        OUT.flush()


main()
