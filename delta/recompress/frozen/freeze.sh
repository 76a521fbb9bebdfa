#!/bin/bash
# freeze.sh makes the frozen encoders beside it out of Go tool chains and the module proxy:
#
#   ./freeze.sh go go1.26.8 go126flate        the encoder of that tool chain's compress/flate
#   ./freeze.sh klauspost v1.20.3 flate zstd  the encoders of packages of that version of klauspost/compress
#   ./freeze.sh klauspost v1.18.0 older       those of its flate's levels that builders have by default or that
#                                             are asked for by name: 0, 1, 5 and 6
#
# An encoder that recipes name may never change again, so the copies are checked in. What is changed:
# import paths; tests, decoders, assembly and unsafe loads are left out, and then, by prune.go, all that
# we do not reach; and floating-point products are rounded before they are added to, as x86-64 does by
# itself: elsewhere a compiler may fuse the two, and the encoder would choose otherwise. zstd of v1.20.3
# also chooses tables, and flate of v1.15.0 lengths, as versions before did if they are told to: all else
# that differs between these makes the same bytes faster. go126flate has hooks of ours, which take an old stream's decisions over: replay.go and
# its calls in deflate.go have to be put back by hand.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
module=github.com/sallyport-dev/sallyport/delta/recompress/frozen

freeze_go() { # VERSION NAME
  local from to=$here/$2 file
  from=$(cd / && GOTOOLCHAIN=$1 go env GOROOT)/src/compress/flate
  rm -rf "$to"
  mkdir "$to"
  for file in "$from"/*.go; do
    skip "$file" || mark <"$file" | adapt - >"$to/${file##*/}"
  done
  support >"$to/support.go"
  cp "$from/../../../LICENSE" "$to/LICENSE"
  prune "$2"
}

freeze_klauspost() { # VERSION PACKAGE...
  local from name=kp${1//[v.]/} to pkg never=''
  to=$here/$name
  from=$(go mod download -json "github.com/klauspost/compress@$1" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  rm -rf "$to"
  mkdir -p "$to"
  cp "$from/LICENSE" "$to/LICENSE"
  shift
  for pkg; do
    "packages_$pkg" | while read -r pkg; do copy_package "$from/$pkg" "$to/$pkg" "$name"; done
  done
  if [[ -d $to/flate ]]; then
    support >"$to/flate/support.go"
  fi
  if [[ $name == kp1150 ]]; then
    support_older >"$to/flate/older.go"
  fi
  if [[ -d $to/zstd ]]; then
    support_zstd "$name" >"$to/zstd/support.go"
    cp "$from/zstd/internal/xxhash/LICENSE.txt" "$to/zstd/internal/xxhash/"
  fi
  [[ $1 != older ]] || never='level == [234]|7 <= level && level <= 9'
  prune "$name" "$never"
  if [[ -d $to/zstd ]]; then
    sed -i '/^\tstart := len(b\.output)$/d' "$to/zstd/blockenc.go" # only debugging asked for it
  fi
}

packages_flate() { printf '%s\n' flate internal/le internal/regmask; }
packages_older() { packages_flate; }
packages_zstd() { printf '%s\n' . zstd zstd/internal/xxhash huff0 fse internal/le internal/regmask; }

copy_package() { # FROM TO NAME
  local file
  [[ -d $1 ]] || return 0
  mkdir -p "$2"
  for file in "$1"/*.go; do
    skip "$file" || mark <"$file" | adapt "$3" >"$2/${file##*/}"
  done
}

# skip tells the files that are left out.
skip() { # PATH
  case $1 in
    *_test.go | *_amd64.go | *_arm64.go | *_asm.go | */asm_*.go | */unsafe_enabled.go | */regmask_386.go) ;;
    */inflate*.go | */dict_decoder.go | */stateless.go) ;;
    */zstd/snappy.go | */zstd/zip.go | */zstd/decode*.go | */zstd/framedec.go | */zstd/blockdec.go | */zstd/seqdec*.go) ;;
    */zstd/fse_decoder*.go | */zstd/simple*.go | */zstd/history.go | */zstd/dict.go | */zstd/bytebuf.go | */zstd/bytereader.go | */zstd/bitreader.go) ;;
    */zstd/blocktype_string.go) ;;
    *) return 1 ;;
  esac
}

adapt() { # NAME
  sed -E -e "s,^((import)?\s*(\w+ )?\")github.com/klauspost/compress([/\"]),\1$module/$1\4," -e '/^\/\/ ?(go:|\+)build/d' \
    -e 's/log2 \+= \(\(-0\.34484843\)\*uval\+2\.02466578\)\*uval - 0\.67487759/log2 += float32(float32(float32(-0.34484843*uval)+2.02466578)*uval) - 0.67487759/' \
    -e 's/shannon \+= (.*\* n)$/shannon += float32(\1)/' \
    -e 's/abs \+= diff \* diff$/abs += float64(diff * diff)/' \
    -e 's/= blk\.encode\(/= blk.with(e.o.olderTables).encode(/' -e 's/ b\.chooseComp\(/ b.choose(/' \
    -e 's/^\tlowMem( | {11})bool$/&\n\tolderTables bool/' |
    if [[ $1 == kp1150 ]]; then
      sed -E -e 's/if xl > 258\+baseMatchLength \{/if xl > 258+baseMatchLength \&\& !dst.olderLengths {/' \
        -e 's/^\tnFilled +int$/&\n\tolderLengths bool/' -e '/^func \(t \*tokens\) AddMatchLong/,/^}/s/dst\./t./'
    else
      cat
    fi
}

# prune takes out what our encoders do not reach.
prune() { # NAME [NEVER]
  local never='debug(Encoder|Asserts|Sequences|Matches)( && .*)?|false|-level >= MinCustomWindowSize && .*'
  never+='|o\.dict != nil|(e\.o|o)\.concurrentBlocks( && .*)?' # no dictionaries, and no threads
  go run "$here/prune.go" "$here/$1=$module/$1" "$never${2:+|$2}" \
    NewWriter NewWriterDict NewWriterOlder WithEncoderConcurrency WithEncoderLevel WithLowerEncoderMem WithOlderTables SpeedFastest \
    Write Flush Close ResetDict Replay ReplayLocality String Error Len Less Swap
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

# support_older writes what chooses the older lengths.
support_older() {
  cat <<'GO' | mark
package flate

import "io"

// NewWriterOlder is NewWriterDict; the writer cuts long matches as version 1.14 does.
func NewWriterOlder(w io.Writer, level int, dict []byte) (*Writer, error) {
	z, err := NewWriterDict(w, level, dict)
	if err == nil {
		z.d.tokens.olderLengths = true
	}
	return z, err
}
GO
}

# support_zstd writes what an encoder shares with the decoder, and dictionaries that are never loaded.
support_zstd() { # NAME
  cat <<GO | mark
package zstd

import (
	"errors"

	"$module/$1/huff0"
)

const (
	maxCompressedBlockSize = 128 << 10
	maxMatchLen            = 131074
	maxSequences           = 0x7f00 + 0xffff
	maxOffsetBits          = 30
	maxTableLog            = 9
	dictMaxLength          = 1 << 31
	frameMagic             = "\x28\xb5\x2f\xfd"

	MinWindowSize = 1 << 10
	MaxWindowSize = 1 << 29
)

type blockType uint8

const (
	blockTypeRaw blockType = iota
	blockTypeRLE
	blockTypeCompressed
)

type literalsBlockType uint8

const (
	literalsBlockRaw literalsBlockType = iota
	literalsBlockRLE
	literalsBlockCompressed
	literalsBlockTreeless
)

type seqCompMode uint8

const (
	compModePredefined seqCompMode = iota
	compModeRLE
	compModeFSE
	compModeRepeat
)

// seq is a sequence and its codes.
type seq struct {
	litLen, matchLen, offset uint32
	llCode, mlCode, ofCode   uint8
}

func tableStep(tableSize uint32) uint32 { return tableSize>>1 + tableSize>>3 + 3 }

// fseDecoder is what is left of a decoder: a predefined distribution.
type fseDecoder struct {
	norm           [256]int16
	symbolLen      uint16
	actualTableLog uint8
	preDefined     bool
}

func (*fseDecoder) buildDtable(...*symbolExt) error { return nil }
func (*fseDecoder) transform([]baseOffset) error    { return nil }

// symbolExt is a part of a decoder's table.
type symbolExt [256]decSymbol

type decSymbol struct{}

func newDecSymbol(_, _ uint8, _ uint16, _ uint32) (s decSymbol) { return s }

// dict is a dictionary.
type dict struct {
	id                  uint32
	litEnc              *huff0.Scratch
	llEnc, ofEnc, mlEnc *fseEncoder
	offsets             [3]int
	content             []byte
}

func (d *dict) ID() uint32 {
	if d == nil {
		return 0
	}
	return d.id
}

func (d *dict) ContentSize() int {
	if d == nil {
		return 0
	}
	return len(d.content)
}

func loadDict([]byte) (*dict, error) { return nil, errors.New("zstd: no dictionaries") }

// WithOlderTables chooses tables as versions 1.14.4 to 1.20.2 do.
func WithOlderTables(older bool) EOption {
	return func(o *encoderOptions) error { o.olderTables = older; return nil }
}

func (b *blockEnc) with(olderTables bool) *blockEnc {
	b.olderTables = olderTables
	return b
}

func (b *blockEnc) choose(cur, prev, preDef *fseEncoder) (*fseEncoder, seqCompMode) {
	if !b.olderTables {
		return b.chooseComp(cur, prev, preDef)
	}
	hist := cur.count[:cur.symbolLen]
	nSize := cur.approxSize(hist) + cur.maxHeaderSize()
	predefSize := preDef.approxSize(hist)
	prevSize := prev.approxSize(hist)
	nSize = nSize + (nSize+2*8*16)>>4
	switch {
	case predefSize <= prevSize && predefSize <= nSize:
		return preDef, compModePredefined
	case prevSize <= nSize:
		return prev, compModeRepeat
	}
	return cur, compModeFSE
}
GO
}

mark() {
  echo '// Frozen: recipes name this encoder by its output. Never edit; see freeze.sh.'
  echo
  cat
}

"freeze_$1" "${@:2}"
gofmt -w "$here"
