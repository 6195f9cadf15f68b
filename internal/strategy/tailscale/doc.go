// Package tailscale declares the strategy "tailscale": it puts people into groups of
// a tailnet's policy file, and sets attributes on their devices, with an end, that
// the policy file asks for. The package client does it.
package tailscale
