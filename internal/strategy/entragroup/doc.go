// Package entragroup declares the strategy "entra_group": it makes users members of
// groups of Microsoft Entra ID, for good until it takes them out again, or, by
// Privileged Identity Management (PIM), with an end. The package client does it.
package entragroup
