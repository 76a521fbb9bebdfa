// Package gptprio keeps the states of the slots in the attributes of GPT partitions, as the boot loaders of ChromeOS, Flatcar and
// Bottlerocket read them: a loader boots the partition of the highest priority that is successful or has tries left.
//
// The bits of an entry's attributes (UEFI leaves 48 to 63 to the partition's type):
//
//	48–51  priority: 15 is first, 0 is never booted
//	52–55  tries: how many more times it is booted unless it becomes successful
//	56     successful
//
// Good is successful with no tries, trial is tries without success, and bad is priority 0. A loader that takes the last try of a
// partition may make it bad at once (ChromeOS) or leave it with no tries (GRUB as Flatcar and Bottlerocket have it).
//
// A GPT has two copies, each a header and an array of entries with a CRC-32. A change is written to the second copy, flushed, and
// then written to the first, flushed again: whatever a power cut leaves, one copy is whole, and it is the state before or after. What
// such a cut leaves of the other copy (a good header whose array is not the one that it describes) is written anew by the next
// change; every other damage is an error and is left to a person. The MBR, the other entries and all other bits stay as they are.
//
// The kernel keeps no attributes of partitions, so that it need not read the table again. It looks at the second copy only with the
// parameter gpt on its command line.
package gptprio
