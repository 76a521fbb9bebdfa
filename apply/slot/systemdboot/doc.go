// Package systemdboot switches slots by the boot counting of systemd-boot, as the Boot Loader Specification has it (UAPI.1).
//
// A slot is an entry of type #1, a small file loader/entries/NAME.conf on the ESP, which names a kernel or a unified kernel image
// at a fixed place. Its state is in the file's name: NAME.conf is good, NAME+LEFT-DONE.conf is on trial with LEFT tries, and
// NAME+0.conf is passed over: systemd-boot puts those last. Of the others it boots the one that sorts first, so a slot that is
// armed gets a version that is higher than that of the slot that runs; no entry but the armed one is ever written for that.
//
// A state changes by a new file beside the old one, which is then removed: at no moment is the content of an entry in one
// directory record alone. The loader counts by renaming, and goes on without a count if the new name is taken. So no two files of
// a slot may have counters that meet: NAME+0.conf is a name that counting never leads to.
//
// Unified kernel images in EFI/Linux are entries, too, of type #2. Their order is part of the image, so an image that is not newer
// than the one that runs could never be tried: they are not slots here, but they are looked at as entries of others.
package systemdboot
