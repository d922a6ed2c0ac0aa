#!/bin/sh
# Builds librdkafka from source for machines whose package sources lack the package librdkafka.redist.
#
#   librdkafka.sh cached CACHE PLATFORM   prints the folder of a finished build; exit 3 when there is none
#   librdkafka.sh build  CACHE PLATFORM   the same, and builds when there is none (about a minute)
#   librdkafka.sh missing                 prints the Debian packages that a build here still needs
#
# An error is one message on standard error and exit 1. CC, CPPFLAGS, LDFLAGS and TMPDIR are honoured,
# and EVENKEEL_LOCK_SECONDS: how long to wait for another build (900).
set -eu

version=2.15.1
# The npm package is the one published archive that carries exactly this source and has a fixed checksum.
npm_package=@confluentinc/kafka-javascript@1.10.1
npm_sha256=ada7d703bb1d3237e2292bfabf438d663b6160c9f1ac2a2406b5dc4257c81b66
lock_seconds=${EVENKEEL_LOCK_SECONDS:-900}

script=$0
compiler=${CC:-cc}
export CC="$compiler" LC_ALL=C
unset MAKEFLAGS MFLAGS MAKELEVEL
case $(uname -s) in
  Darwin)
    built=librdkafka.1.dylib library=librdkafka.dylib
    # Homebrew keeps OpenSSL out of the compiler's own search path.
    for prefix in /opt/homebrew/opt/openssl@3 /usr/local/opt/openssl@3; do
      if [ -d "$prefix" ]; then
        export CPPFLAGS="${CPPFLAGS:-} -I$prefix/include" LDFLAGS="${LDFLAGS:-} -L$prefix/lib"
        export PKG_CONFIG_PATH="$prefix/lib/pkgconfig:${PKG_CONFIG_PATH:-}"
        break
      fi
    done ;;
  *) built=librdkafka.so.1 library=librdkafka.so ;;
esac

fail() { printf '%s\n' "$*" >&2; exit 1; }

have() { command -v "$1" >/dev/null 2>&1; }

sha256_of() { if have sha256sum; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1; }

# What the compiler finds, one word a line: libc zlib ssl<major version> zstd.
detect_headers() {
  # shellcheck disable=SC2086 # CC and CPPFLAGS are lists of words.
  $compiler ${CPPFLAGS:-} -E -P - 2>/dev/null <<'C' | sed -n 's/^found //p' | tr -d ' '
#if __has_include(<stdlib.h>)
found libc
#endif
#if __has_include(<zlib.h>)
found zlib
#endif
#if __has_include(<openssl/ssl.h>)
#include <openssl/opensslv.h>
#ifdef OPENSSL_VERSION_MAJOR
found ssl OPENSSL_VERSION_MAJOR
#else
found ssl 1
#endif
#endif
#if __has_include(<zstd.h>)
found zstd
#endif
C
}

has_feature() { printf '%s\n' "$headers" | grep -q "^$1"; }

# Without a compiler only the usual folders can tell, so that one error still names everything.
has_header() { # FEATURE FILE
  if have "${compiler%% *}"; then has_feature "$1"; return; fi
  for folder in /usr/include /usr/local/include /opt/homebrew/include /opt/homebrew/opt/openssl@3/include; do
    if [ -e "$folder/$2" ]; then return 0; fi
  done
  return 1
}

missing='' debian='' fedora='' brew='' xcode=''
need() { # WHAT DEBIAN FEDORA HOMEBREW
  missing="$missing${missing:+, }$1"
  debian="$debian $2"
  fedora="$fedora $3"
  if [ "$4" = xcode ]; then xcode=' xcode-select --install;'; else brew="$brew $4"; fi
}

list_missing() {
  have npm || need npm npm nodejs-npm node
  have "${compiler%% *}" || need "a C compiler ($compiler)" gcc gcc xcode
  have make || need make make make xcode
  have strip || need strip binutils binutils xcode
  have bash || need bash bash bash bash
  have tar || need tar tar tar gnu-tar
  have gzip || need gzip gzip gzip gzip
  has_header libc stdlib.h || need 'C library headers (stdlib.h)' libc6-dev glibc-devel xcode
  has_header zlib zlib.h || need 'zlib headers (zlib.h)' zlib1g-dev zlib-devel zlib
  has_header ssl openssl/ssl.h || need 'OpenSSL headers (openssl/ssl.h)' libssl-dev openssl-devel openssl@3
}

require_tools() {
  list_missing
  if [ -z "$missing" ]; then return; fi
  fail "librdkafka $version has to be built from source, because no package source here has librdkafka.redist $version," \
    "and this is missing: $missing.
  Debian, Ubuntu: sudo apt-get install$debian
  Fedora:         sudo dnf install$fedora
  macOS:         $xcode${brew:+ brew install$brew}"
}

# A build is named by what decides its bytes. Where nothing can be built, any finished build of this script is right.
find_cached() {
  if has_feature ssl && has_feature zlib; then pattern=$key; else pattern="$stem-*"; fi
  for folder in "$cache"/$pattern; do
    if [ -f "$folder/complete" ] && [ -f "$folder/$library" ]; then
      printf '%s\n' "$folder"
      return 0
    fi
  done
  return 1
}

# The lock is a symbolic link whose target is the holder's process id: made and named in one atomic step. Builds are
# private until they are moved into place, so a lock that is wrongly taken over costs a minute and nothing else.
take_lock() {
  waited=0
  until ln -s "$$" "$lock" 2>/dev/null; do
    holder=$(readlink "$lock" || true)
    if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then
      rm -f "$lock"
      continue
    fi
    if [ "$waited" -ge "$lock_seconds" ]; then
      fail "another build of librdkafka (process ${holder:-unknown}) has held $lock for $lock_seconds s; end it or delete the file"
    fi
    sleep 1
    waited=$((waited + 1))
  done
  locked=1
}

cleanup() {
  if [ -n "${work:-}" ]; then rm -rf "$work"; fi
  if [ -n "${locked:-}" ]; then rm -f "$lock"; fi
}

fetch_source() {
  (cd "$work" && npm pack --silent --ignore-scripts --fetch-retries=2 --fetch-retry-maxtimeout=10000 "$npm_package") \
    >"$log" 2>&1 || fail "npm could not fetch $npm_package, which carries the source of librdkafka $version: $(tail -n 5 "$log")
  Check the registry that npm uses (npm config get registry) and the network, then build again."
  tarball=$(find "$work" -name '*.tgz' | head -n 1)
  [ -n "$tarball" ] || fail "npm pack $npm_package left no .tgz in $work: $(tail -n 5 "$log")"
  actual=$(sha256_of "$tarball")
  [ "$actual" = "$npm_sha256" ] || fail "the archive of $npm_package is not the expected one and was not used:" \
    "its SHA-256 is $actual instead of $npm_sha256.
  Empty npm's cache (npm cache clean --force) or check the registry that npm uses, then build again."
  tar -xzf "$tarball" -C "$work" package/deps/librdkafka
}

step() { # NAME COMMAND...
  name=$1
  shift
  "$@" >"$log" 2>&1 || fail "$name of librdkafka $version failed; the end of $log:
$(tail -n 20 "$log")"
}

compile() {
  source=$work/package/deps/librdkafka
  zstd=--disable-zstd
  if has_feature zstd; then zstd=--enable-zstd; fi
  # Only the C library is wanted, but configure insists on a C++ compiler: any that answers --version will do.
  cd "$source"
  step configure env CXX="$compiler" bash ./configure --disable-lz4-ext --disable-gssapi --disable-curl "$zstd"
  # configure leaves out what it cannot link and says nothing.
  for define in WITH_SSL WITH_ZLIB WITH_SASL_SCRAM; do
    grep -q "^#define $define 1" config.h || fail "librdkafka's configure found the headers but could not link: $define is off; see $log"
  done
  step make make -j"$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)" libs LIBSUBDIRS=src
  step strip strip -S -x "src/$built"
}

# Files are moved, never folders: a reader sees the whole library or none, and the marker last.
publish() {
  entry=$cache/$key
  mkdir -p "$entry"
  cp "$source/src/$built" "$entry/.$library.$$"
  mv -f "$entry/.$library.$$" "$entry/$library"
  cp "$source/LICENSES.txt" "$entry/LICENSES.txt"
  printf 'librdkafka %s, from %s\n' "$version" "$npm_package" >"$entry/.complete.$$"
  mv -f "$entry/.complete.$$" "$entry/complete"
}

build() {
  require_tools
  mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] ||
    fail "the cache folder $cache cannot be written; set EVENKEEL_CACHE to a folder that can"
  lock=$cache/$key.lock log=$cache/$key.log
  trap cleanup EXIT
  trap 'exit 130' INT TERM HUP
  take_lock
  if find_cached; then return; fi
  work=$(mktemp -d "${TMPDIR:-/tmp}/librdkafka.XXXXXX") || fail "no temporary folder can be made in ${TMPDIR:-/tmp}; set TMPDIR"
  fetch_source
  compile
  publish
  rm -f "$log"
  printf '%s\n' "$entry"
}

headers=$(detect_headers || true)
case "${1:-} $#" in
  'missing 1')
    list_missing
    printf '%s\n' "${debian# }" ;;
  'cached 3' | 'build 3')
    cache=$2
    stem=$version-$3-$(sha256_of "$script" | cut -c 1-12)
    key=$stem-$(printf '%s\n' "$headers" | sed -n '/^ssl/p; /^zstd/p' | tr '\n' '-' | sed 's/-$//')
    if find_cached; then exit 0; fi
    if [ "$1" = cached ]; then exit 3; fi
    build ;;
  *) fail "usage: $script cached|build CACHE PLATFORM, or $script missing" ;;
esac
