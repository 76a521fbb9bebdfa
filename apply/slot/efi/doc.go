// Package efi switches slots by the boot manager of UEFI firmware: BootNext for a trial, BootOrder for what stays (UEFI
// specification 2.10, chapter 3).
//
// A slot is a boot entry, a variable Boot####, that starts a file on a partition. It is known by these two, never by its number:
// firmware gives the number of an entry that BootOrder lacks to something else. So the entries of the slots stay in BootOrder, and
// what is about to be armed is read again before its number goes into BootNext.
//
// What the firmware will do is in its own variables: an entry that is not active is passed over; BootNext is taken once and is
// gone then, which makes a trial one try; the first active entry of ours in BootOrder is what it comes back to. One variable of
// this program's own tells a slot that stands second because it is good from one whose try is used up.
//
// Entries of others keep their content and their order; those that stand before ours are tried first, as before.
package efi
