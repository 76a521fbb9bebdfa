# boot.cmd: U-Boot boots one of two slots, and falls back by itself from one that does not come up well.
#
# Adapt the first part, then: mkimage -T script -C none -d boot.cmd boot.scr, and put boot.scr where U-Boot's bootcmd looks for it.
# What it does and how to try it: docs/bootloaders.md of sallyport, chapter U-Boot.

# ---- What differs from board to board ---------------------------------------------------------------------------------------
# The slots, by the names that site.yaml has for them, and the partition of each one's root file system.
slots="A B"
dev_A="${devtype} ${devnum}:2"
dev_B="${devtype} ${devnum}:3"
# The kernel, the initrd and the device tree on that file system; of the last two, empty is none and U-Boot's own.
kernel=/boot/Image
initrd=
dtb=
# What starts the kernel: booti (64-bit), bootz (32-bit) or bootm (FIT images).
start=booti
# What stands on the kernel's command line beside what is said below.
args="ro rootwait"
# Where the state of the slots is. Empty: in U-Boot's own environment, of which there must be two copies. Else: on a FAT partition,
# in two files of the same size (hexadecimal), which hold the state and nothing else.
envdev="${devtype} ${devnum}:1"
envfile1=/uboot.env
envfile2=/uboot-redund.env
envsize=4000
# -----------------------------------------------------------------------------------------------------------------------------

vars="BOOT_ORDER sallyport_mark sallyport_keep"
for s in ${slots}; do vars="${vars} BOOT_${s}_LEFT sallyport_${s}"; done

# The files: of two that are whole, the one with the higher counter counts; 0 follows ff. The counter is a byte behind the CRC, so the
# file is loaded to where both a U-Boot that knows the byte and one that does not find an environment of theirs.
newest=
if test -n "${envdev}"; then
  for v in ${vars}; do setenv ${v}; done
  setexpr sp_raw ${kernel_addr_r} + 3
  setexpr sp_flags ${kernel_addr_r} + 7
  setexpr sp_shifted ${kernel_addr_r} + 4
  setexpr sp_scratch ${kernel_addr_r} + 200000
  setexpr sp_shorter ${envsize} - 1
  raw=${sp_raw}; flags=${sp_flags}; shifted=${sp_shifted}; scratch=${sp_scratch}; shorter=${sp_shorter}
  count1=; count2=; keep=
  # The third turn reads the one that counts once more, now with the variables of others that are to be kept.
  for n in 1 2 newest; do
    if test "${n}" = newest; then
      if test -n "${count1}"; then newest=1; elif test -n "${count2}"; then newest=2; fi
      if test -n "${count1}" && test -n "${count2}"; then
        if itest 0x${count2} > 0x${count1}; then newest=2; fi
        if test "${count1}/${count2}" = ff/0; then newest=2; fi
        if test "${count1}/${count2}" = 0/ff; then newest=1; fi
      fi
      n=${newest}
      keep=1
    fi
    if test -n "${n}"; then
      file=${envfile1}
      if test "${n}" = 2; then file=${envfile2}; fi
      if load ${envdev} ${raw} ${file}; then
        if test "${filesize}" = "${envsize}"; then
          setexpr.b sp_count *${flags}
          count=${sp_count}
          if env import -c ${raw} ${envsize} ${vars}; then
            knows=1
          else
            knows=
            cp.b ${raw} ${scratch} 4
            cp.b ${scratch} ${shifted} 4
            if env import -c ${shifted} ${shorter} ${vars}; then true; else count=; fi
          fi
          if test -n "${keep}" && test -n "${sallyport_keep}"; then
            if test -n "${knows}"; then
              env import -c ${raw} ${envsize} ${vars} ${sallyport_keep}
            else
              env import -c ${shifted} ${shorter} ${vars} ${sallyport_keep}
            fi
          fi
          if test "${n}" = 1; then count1=${count}; else count2=${count}; fi
        fi
      fi
    fi
  done
  if test -z "${newest}"; then echo "sallyport: neither ${envfile1} nor ${envfile2} on ${envdev} is whole"; fi
fi

# The slots in their order; then, if none of them came up, all of them, as often as they are named, whatever their state.
probe=
for s in ${BOOT_ORDER} probe ${slots}; do
  state=; left=; next=; go=; trial=
  if test "${s}" = probe; then
    echo "sallyport: no slot that is known to be good has come up: trying all"
    probe=1
  else
    setenv sp_get "state=\${sallyport_${s}}; left=\${BOOT_${s}_LEFT}; dev=\${dev_${s}}"
    run sp_get
    setenv sp_get
    if test "${state}" = good; then go=1; fi
    if test -n "${probe}"; then go=1; fi
    if test "${state}" = trial && test -z "${probe}"; then
      for n in 1 2 3 4 5 6 7; do
        if test "${left}" = "${n}"; then setexpr sp_next ${n} - 1; next=${sp_next}; setenv sp_next; fi
      done
    fi
  fi
  if test -n "${next}"; then
    # A try that cannot be stored is not taken: it would be taken for ever.
    setenv BOOT_${s}_LEFT ${next}
    if test -z "${envdev}"; then
      if saveenv; then go=1; trial=1; fi
    elif test -n "${newest}"; then
      file=${envfile2}; count=${count1}
      if test "${newest}" = 2; then file=${envfile1}; count=${count2}; fi
      setexpr sp_count 0x${count} + 1
      setexpr sp_count ${sp_count} \& ff
      ok=
      if test -n "${knows}"; then
        if env export -c -s 0x${envsize} ${raw} ${vars} ${sallyport_keep}; then ok=1; fi
      elif env export -c -s 0x${shorter} ${shifted} ${vars} ${sallyport_keep}; then
        cp.b ${shifted} ${scratch} 4
        cp.b ${scratch} ${raw} 4
        ok=1
      fi
      mw.b ${flags} ${sp_count} 1
      if test -n "${ok}"; then
        if fatwrite ${envdev} ${raw} ${file} ${envsize}; then go=1; trial=1; fi
      fi
    fi
    if test -z "${go}"; then
      echo "sallyport: the environment cannot be written, so slot ${s} is not tried"
      setenv BOOT_${s}_LEFT ${left}
    fi
  fi
  if test -n "${go}"; then
    echo "sallyport: slot ${s} (${dev})"
    extra=
    # What comes up in a trial without reaching its verdict comes back here, instead of waiting for somebody.
    if test -n "${trial}"; then extra="sallyport.trial rd.emergency=reboot rd.shell=0 rd.timeout=200"; fi
    if part uuid ${dev} sp_uuid; then
      setenv bootargs "root=PARTUUID=${sp_uuid} ${args} panic=10 sallyport.slot=${s} sallyport.env=${sallyport_mark} ${extra}"
      tree=${fdtcontroladdr}
      ram=-
      if load ${dev} ${kernel_addr_r} ${kernel}; then
        ok=1
        if test -n "${dtb}"; then
          if load ${dev} ${fdt_addr_r} ${dtb}; then tree=${fdt_addr_r}; else ok=; fi
        fi
        if test -n "${initrd}"; then
          if load ${dev} ${ramdisk_addr_r} ${initrd}; then ram=${ramdisk_addr_r}:${filesize}; else ok=; fi
        fi
        if test -n "${ok}"; then ${start} ${kernel_addr_r} ${ram} ${tree}; fi
      fi
    fi
    echo "sallyport: slot ${s} cannot be started"
    # It has used up its try all the same.
    if test -n "${trial}"; then reset; fi
  fi
done
echo "sallyport: no slot can be started; once more in 60 s"
sleep 60
reset
