# Sourced by scripts/test and scripts/quickstart, in the repository's root: the right Node, the packages, a build.

if ! command -v node >/dev/null 2>&1; then
  echo "Meshflow needs Node.js 20.19 or newer, and no 'node' is on the PATH. Install it, then run this again." >&2
  exit 1
fi
if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; then
  echo "Meshflow needs Node.js 20.19 or newer; this is $(node --version) ($(command -v node)). Install a newer one, then run this again." >&2
  exit 1
fi

# A linked node_modules belongs to another checkout: installing through the link would change that one.
if [ ! -L node_modules ] && { [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; }; then
  echo "== install (npm ci)"
  npm ci --no-audit --no-fund
  touch node_modules/.package-lock.json
fi

echo "== build"
node scripts/build.mjs
