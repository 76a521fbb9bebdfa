#!/bin/bash
# freeze.sh makes the frozen encoders beside it out of the Go tool chain and the module cache:
#
#   ./freeze.sh go126     the encoder of compress/flate, from GOROOT (run it under Go 1.26)
#   ./freeze.sh klauspost v1.20.3    flate's and zstd's encoders of that version of klauspost/compress
#
# An encoder that recipes name may never change again, so the copies are checked in. All that is
# changed is import paths; tests, decoders, assembly and unsafe loads are left out.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
module=github.com/sallyport-dev/sallyport/delta/recompress/frozen

freeze_go126() {
  local from to=$here/go126flate file
  [[ $(go env GOVERSION) == go1.26* ]] || { echo "freeze.sh: needs Go 1.26" >&2; exit 1; }
  from=$(go env GOROOT)
  rm -rf "$to"
  mkdir "$to"
  for file in deflate deflatefast huffman_bit_writer huffman_code token; do
    mark <"$from/src/compress/flate/$file.go" >"$to/$file.go"
  done
  support >"$to/support.go"
  cp "$from/LICENSE" "$to/LICENSE"
}

freeze_klauspost() {
  local from name=kp${1//[v.]/} to
  to=$here/$name
  from=$(go mod download -json "github.com/klauspost/compress@$1" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  rm -rf "$to"
  mkdir -p "$to"
  cp "$from/LICENSE" "$to/LICENSE"
  local pkg
  for pkg in flate zstd zstd/internal/xxhash huff0 fse internal/le internal/regmask; do
    copy_package "$from/$pkg" "$to/$pkg" "$name"
  done
  support >"$to/flate/support.go"
  cp "$from/zstd/internal/xxhash/LICENSE.txt" "$to/zstd/internal/xxhash/"
}

copy_package() { # FROM TO NAME
  local file
  [[ -d $1 ]] || return 0
  mkdir -p "$2"
  for file in "$1"/*.go; do
    case ${file##*/} in
      *_test.go | *_amd64.go | *_arm64.go | *_asm.go | unsafe_enabled.go | regmask_386.go) continue ;;
      inflate*.go | snappy.go | zip.go | dict_decoder.go) continue ;;
    esac
    mark <"$file" | sed -e "s,github.com/klauspost/compress/,$module/$3/," -e '/^\/\/go:build/d' >"$2/${file##*/}"
  done
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
