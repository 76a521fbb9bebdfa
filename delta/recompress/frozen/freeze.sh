#!/bin/bash
# freeze.sh makes the frozen encoders beside it out of Go tool chains and the module proxy:
#
#   ./freeze.sh go go1.26.8 go126flate        the encoder of that tool chain's compress/flate
#   ./freeze.sh klauspost v1.18.0 flate       the encoders of packages of that version of klauspost/compress
#   ./freeze.sh klauspost v1.20.3 flate zstd
#
# An encoder that recipes name may never change again, so the copies are checked in. What is changed:
# import paths; tests, decoders, assembly and unsafe loads are left out; and floating-point products
# are rounded before they are added to, as x86-64 does by itself: elsewhere a compiler may fuse the
# two, and the encoder would choose otherwise.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
module=github.com/sallyport-dev/sallyport/delta/recompress/frozen

freeze_go() { # VERSION NAME
  local from to=$here/$2 file
  from=$(cd / && GOTOOLCHAIN=$1 go env GOROOT)/src/compress/flate
  rm -rf "$to"
  mkdir "$to"
  for file in "$from"/*.go; do
    skip "${file##*/}" || mark <"$file" | adapt - >"$to/${file##*/}"
  done
  support >"$to/support.go"
  cp "$from/../../../LICENSE" "$to/LICENSE"
}

freeze_klauspost() { # VERSION PACKAGE...
  local from name=kp${1//[v.]/} to pkg
  to=$here/$name
  from=$(go mod download -json "github.com/klauspost/compress@$1" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  rm -rf "$to"
  mkdir -p "$to"
  cp "$from/LICENSE" "$to/LICENSE"
  shift
  for pkg; do
    "packages_$pkg" | while read -r pkg; do copy_package "$from/$pkg" "$to/$pkg" "$name"; done
  done
  support >"$to/flate/support.go"
  if [[ -d $to/zstd/internal/xxhash ]]; then
    cp "$from/zstd/internal/xxhash/LICENSE.txt" "$to/zstd/internal/xxhash/"
  fi
}

packages_flate() { printf '%s\n' flate internal/le internal/regmask; }
packages_zstd() { printf '%s\n' zstd zstd/internal/xxhash huff0 fse internal/le internal/regmask; }

copy_package() { # FROM TO NAME
  local file
  [[ -d $1 ]] || return 0
  mkdir -p "$2"
  for file in "$1"/*.go; do
    skip "${file##*/}" || mark <"$file" | adapt "$3" >"$2/${file##*/}"
  done
}

# skip tells the files that are left out.
skip() {
  case $1 in
    *_test.go | *_amd64.go | *_arm64.go | *_asm.go | asm_*.go | unsafe_enabled.go | regmask_386.go) ;;
    inflate*.go | snappy.go | zip.go | dict_decoder.go | stateless.go) ;;
    *) return 1 ;;
  esac
}

adapt() { # NAME
  sed -E -e "s,github.com/klauspost/compress/,$module/$1/," -e '/^\/\/ ?(go:|\+)build/d' \
    -e 's/log2 \+= \(\(-0\.34484843\)\*uval\+2\.02466578\)\*uval - 0\.67487759/log2 += float32(float32(float32(-0.34484843*uval)+2.02466578)*uval) - 0.67487759/' \
    -e 's/shannon \+= (.*\* n)$/shannon += float32(\1)/' \
    -e 's/abs \+= diff \* diff$/abs += float64(diff * diff)/'
}

# support writes what an encoder shares with the decoder that is left out.
support() {
  cat <<'GO' | mark
package flate

const (
	maxNumLit   = 286
	maxNumDist  = 30
	debugDecode = false
)

// An InternalError reports an error in the encoder itself.
type InternalError string

func (e InternalError) Error() string { return "flate: internal error: " + string(e) }
GO
}

mark() {
  echo '// Frozen: recipes name this encoder by its output. Never edit; see freeze.sh.'
  echo
  cat
}

"freeze_$1" "${@:2}"
gofmt -w "$here"
