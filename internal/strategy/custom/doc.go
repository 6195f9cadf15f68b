// Package custom declares the strategy "custom": a customer's Python class that
// extends AccessStrategy grants and removes access. What its escalate returns is
// kept with the step, for deescalate to read. It can't be read back: that it
// returned is the observation, and raising is how it fails.
package custom
