// Package aptible declares the strategy "aptible": it gives users of Aptible roles
// of their organization. The package client does it, and aptiblefake is Aptible for
// tests.
package aptible
