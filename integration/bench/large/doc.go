// Package large measures what commands on very large collections cost, and that
// this does not depend on their size: see LARGE.md beside this folder.
package large
