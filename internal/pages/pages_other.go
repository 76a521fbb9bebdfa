//go:build !linux

// Package pages gives back memory that holds the program itself, where sites run: on Linux.
package pages

// Drop does nothing.
func Drop() {}
