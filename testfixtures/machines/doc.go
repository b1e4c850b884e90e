// Package machines holds whole recorded machines and tries every signal on them.
package machines
