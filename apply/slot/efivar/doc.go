// Package efivar reads and writes the variables of UEFI firmware as Linux shows them in efivarfs, and the load options that boot
// entries are made of (UEFI specification 2.10, chapters 3 and 10).
package efivar
