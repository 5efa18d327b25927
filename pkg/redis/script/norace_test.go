//go:build !race

package script_test

const raceFactor = 1
