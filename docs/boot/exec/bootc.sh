#!/bin/bash
# Speaks for bootc to sallyport's backend exec: get-current | get-primary | set-primary NAME | get-state NAME | set-state NAME good|bad.
#
# bootc has deployments, not slots. A slot is here the deployment that was made from a file of its own, an OCI archive which is the
# one part of that slot in site.yaml: $IMAGES/A.oci and $IMAGES/B.oci, where A and B are the slots' boot names. The machine that was
# installed otherwise says which slot it is in $IMAGES/installed.
#
# bootc boots what is staged, or its rollback deployment, and counts nothing: a machine that has to fall back by itself needs
# greenboot beside it, whose GRUB script counts.
set -euo pipefail

IMAGES=${SALLYPORT_BOOTC_IMAGES:-/var/lib/sallyport-os}
# What was marked bad here. bootc itself has no such mark.
BAD=$IMAGES/bad

die() { echo "bootc.sh: $*" >&2; exit 1; }

# slot_of KIND: the slot of the booted, staged or rollback deployment; nothing if there is none, or if it is nobody's.
slot_of() {
  local image name
  image=$(jq -er ".status.$1.image.image.image // empty" <<<"$status") || return 0
  for name in "${names[@]}"; do
    if [[ $image == "$IMAGES/$name.oci" ]]; then
      echo "$name"
      return
    fi
  done
  if [[ $1 == booted && -r $IMAGES/installed ]]; then cat "$IMAGES/installed"; fi
}

primary() {
  local staged
  staged=$(slot_of staged)
  if [[ -n $staged ]]; then
    echo "$staged"
  elif [[ $(jq -r '.status.rollbackQueued // false' <<<"$status") == true ]]; then
    slot_of rollback
  else
    slot_of booted
  fi
}

# set_primary NAME: bootc has no verb that takes a staged deployment back but to queue the rollback and to take that back.
set_primary() {
  [[ $(primary) != "$1" ]] || return 0
  if [[ $1 == "$(slot_of booted)" ]]; then
    if [[ -n $(slot_of staged) ]]; then
      ostree admin undeploy 0 >&2
    else
      bootc rollback >&2
    fi
  elif [[ $1 == "$(slot_of rollback)" && ! -e $IMAGES/$1.oci ]]; then
    bootc rollback >&2
  else
    bootc switch --transport oci-archive "$IMAGES/$1.oci" >&2
  fi
}

known() {
  [[ -n ${1-} && $1 != */* ]] || die "no slot is named"
  names+=("$1")
}

[[ -d $IMAGES ]] || die "$IMAGES is missing"
names=()
shopt -s nullglob
for file in "$IMAGES"/*.oci; do
  file=${file##*/}
  names+=("${file%.oci}")
done
status=$(bootc status --format json --format-version 1)

case ${1-} in
  get-current) slot_of booted ;;
  get-primary) primary ;;
  set-primary)
    known "${2-}"
    set_primary "$2"
    ;;
  get-state)
    known "${2-}"
    if [[ -e $BAD.$2 ]]; then echo bad; else echo good; fi
    ;;
  set-state)
    known "${2-}"
    case ${3-} in
      good) rm -f "$BAD.$2" ;;
      bad) : >"$BAD.$2" ;;
      *) die "a state is good or bad" ;;
    esac
    sync "$IMAGES"
    ;;
  *) die "asked for ${1-nothing}" ;;
esac
