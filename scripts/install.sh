# Sourced by start and test, in the project's root: installs what package-lock.json says, when that is not there yet.
# A copy of the lock file inside node_modules says what was installed: runtime.lock or, with development packages, all.lock.

stamps=node_modules/.realm

stamp() {
  mkdir -p "$stamps"
  for name in "$@"; do cp package-lock.json "$stamps/$name.lock"; done
}

installed() {
  cmp -s package-lock.json "$stamps/$1.lock"
}

# What the user installed by hand since the lock file changed counts too.
adopt() {
  [ -d "$stamps" ] || [ ! node_modules/.package-lock.json -nt package-lock.json ] && return
  stamp runtime
  [ ! -d node_modules/typescript ] || stamp all
}

# No package of ours needs its install script, and older versions of npm do not know allowScripts.
npm_ci() {
  echo "realm: installing packages (npm ci $*)" >&2
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error "$@" >&2
}

install_all() {
  adopt
  installed all && return
  npm_ci
  stamp runtime all
}

# Never takes development packages away: where they are, all are brought up to date.
install_runtime() {
  adopt
  installed runtime && return
  if [ -d node_modules/typescript ]; then
    install_all
  else
    npm_ci --omit=dev
    stamp runtime
  fi
}
