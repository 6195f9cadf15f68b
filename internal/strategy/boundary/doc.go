// Package boundary declares the strategy "boundary": it makes users of HashiCorp
// Boundary members of groups. The package client does it, and boundaryfake is
// Boundary for tests.
package boundary
